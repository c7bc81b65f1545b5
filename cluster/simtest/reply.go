package simtest

import (
	"strconv"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// Reply collects replies as strings: "+OK", "-ERR ...", ":1", "$value", "_" (null), "*2" before its elements. It
// implements command.Reply and is owned by one goroutine at a time.
type Reply struct {
	Values []string
	began  int // len(Values) at the last BeginCall
}

var _ command.Reply = (*Reply)(nil)

func (r *Reply) add(s string) { r.Values = append(r.Values, s) }

func (r *Reply) head(mark string, n int) { r.add(mark + strconv.Itoa(n)) }

// The methods of command.Reply.
func (r *Reply) Simple(s string)           { r.add("+" + s) }
func (r *Reply) Error(text string)         { r.add("-" + text) }
func (r *Reply) Int(n int64)               { r.add(":" + strconv.FormatInt(n, 10)) }
func (r *Reply) Bulk(b []byte)             { r.add("$" + string(b)) }
func (r *Reply) BulkString(s string)       { r.add("$" + s) }
func (r *Reply) Null()                     { r.add("_") }
func (r *Reply) NullArray()                { r.add("_*") }
func (r *Reply) Array(n int)               { r.head("*", n) }
func (r *Reply) Map(n int)                 { r.head("%", n) }
func (r *Reply) Pairs(n int)               { r.head("*", n) }
func (r *Reply) Pair()                     { r.head("*", 2) }
func (r *Reply) Entries(n int)             { r.head("%", n) }
func (r *Reply) Entry()                    {}
func (r *Reply) Set(n int)                 { r.head("~", n) }
func (r *Reply) Push(n int)                { r.head(">", n) }
func (r *Reply) Double(f float64)          { r.add("," + strconv.FormatFloat(f, 'g', 17, 64)) }
func (r *Reply) Decimal(text string)       { r.add("," + text) }
func (r *Reply) BigNumber(s string)        { r.add("(" + s) }
func (r *Reply) Bool(b bool)               { r.add("#" + strconv.FormatBool(b)) }
func (r *Reply) Verbatim(format, s string) { r.add("=" + format + ":" + s) }
func (r *Reply) Deferred()                 { r.add("?") }
func (r *Reply) BeginCall()                { r.began = len(r.Values) }
func (r *Reply) EndCall()                  {}
func (r *Reply) Retract()                  { r.Values = r.Values[:r.began] }
