package fsm

import (
	"strconv"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

// luaReply makes Lua values of what a command replies, as Redis does: tables with one field stand for what Lua has no type
// of its own for. In RESP2 null is false; in RESP3 it is nil.
//
// It throws nothing, for an executor that is left in the middle would leave a value half changed. Once the run's limits are
// reached it drops what comes; whoever called the executor then ends the run.
type luaReply struct {
	st    *lua.State
	resp3 bool
	open  []openTable
	// value is the whole reply once it is complete, failed that it is an error, full that a limit was reached.
	value        lua.Value
	failed, full bool
}

var _ command.Reply = (*luaReply)(nil)

// openTable is an aggregate whose elements are still to come.
type openTable struct {
	t    *lua.Table
	wrap string // "", "map" or "set"
	left int
	next int       // the next index of an array
	key  lua.Value // of a map, while its value is to come
	odd  bool
}

// What an element of a reply, and a table, cost beside their bytes.
const (
	elementSteps = 8
	tableBytes   = 96
	textBytes    = 32
)

func (r *luaReply) owe(bytes int) {
	const stepBytes = 64
	r.full = !r.st.Owe(bytes, elementSteps+bytes/stepBytes) || r.full
}

func (r *luaReply) put(v lua.Value) {
	for len(r.open) > 0 && !r.full {
		o := &r.open[len(r.open)-1]
		r.owe(o.add(v))
		if o.left--; o.left > 0 {
			return
		}
		v = r.close()
	}
	r.value = v
}

// add returns the bytes that the aggregate has grown by.
func (o *openTable) add(v lua.Value) (grown int) {
	switch {
	case o.wrap == "set":
		return o.set(v, lua.Bool(true))
	case o.wrap == "":
		o.next++
		return o.t.Set(lua.Int(o.next), v)
	case !o.odd:
		o.key, o.odd = v, true
		return 0
	}
	o.odd = false
	return o.set(o.key, v)
}

func (o *openTable) set(k, v lua.Value) (grown int) {
	if n, isNumber := k.Num(); k.IsNil() || isNumber && n != n {
		return 0
	}
	return o.t.Set(k, v)
}

// close takes the innermost aggregate, which is complete.
func (r *luaReply) close() lua.Value {
	o := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	if o.wrap == "" {
		return lua.TableValue(o.t)
	}
	return r.field(o.wrap, lua.TableValue(o.t))
}

// field makes a table of one field.
func (r *luaReply) field(name string, v lua.Value) lua.Value {
	t := &lua.Table{}
	r.owe(tableBytes + t.SetStr(name, v))
	return lua.TableValue(t)
}

// text makes a string.
func (r *luaReply) text(s string) lua.Value {
	r.owe(textBytes + len(s))
	return lua.String(s)
}

func (r *luaReply) begin(wrap string, n int) {
	if r.full {
		return
	}
	r.owe(tableBytes)
	r.open = append(r.open, openTable{t: &lua.Table{}, wrap: wrap, left: n})
	if n == 0 {
		r.put(r.close())
	}
}

// Simple implements command.Reply, as do all methods below.
func (r *luaReply) Simple(s string) { r.put(r.field("ok", r.text(s))) }

// Error is raised by redis.call, which looks at failed.
func (r *luaReply) Error(text string) {
	r.failed = len(r.open) == 0
	v := r.field("err", r.text(text))
	v.Table().SetStr("ignore_error_stats_update", lua.Bool(true))
	r.put(v)
}

func (r *luaReply) Int(n int64)         { r.put(lua.Number(float64(n))) }
func (r *luaReply) BulkString(s string) { r.put(r.text(s)) }

func (r *luaReply) Bulk(b []byte) {
	if r.owe(textBytes + len(b)); !r.full {
		r.put(lua.String(string(b)))
	}
}

func (r *luaReply) Null() {
	if r.resp3 {
		r.put(lua.Nil)
		return
	}
	r.put(lua.Bool(false))
}

func (r *luaReply) NullArray()  { r.Null() }
func (r *luaReply) Array(n int) { r.begin("", n) }

func (r *luaReply) Map(n int) {
	if r.resp3 {
		r.begin("map", 2*n)
		return
	}
	r.Array(2 * n)
}

func (r *luaReply) Set(n int) {
	if r.resp3 {
		r.begin("set", n)
		return
	}
	r.Array(n)
}

func (r *luaReply) Push(n int) { r.Array(n) }

// Pairs and Pair, Entries and Entry are as in each protocol.
func (r *luaReply) Pairs(n int) {
	if !r.resp3 {
		n *= 2
	}
	r.Array(n)
}

func (r *luaReply) Pair() {
	if r.resp3 {
		r.Array(2)
	}
}

func (r *luaReply) Entries(n int) {
	if r.resp3 {
		r.Map(n)
		return
	}
	r.Array(n)
}

func (r *luaReply) Entry() {
	if !r.resp3 {
		r.Array(2)
	}
}

func (r *luaReply) Double(f float64) {
	if r.resp3 {
		r.put(r.field("double", lua.Number(f)))
		return
	}
	r.BulkString(format17g(f))
}

func (r *luaReply) Decimal(text string) {
	if f, _, ok := parseDouble(text); ok && r.resp3 {
		r.Double(f)
		return
	}
	r.BulkString(text)
}

func (r *luaReply) BigNumber(s string) {
	if r.resp3 {
		r.put(r.field("big_number", r.text(s)))
		return
	}
	r.BulkString(s)
}

func (r *luaReply) Bool(b bool) {
	if r.resp3 {
		r.put(lua.Bool(b))
		return
	}
	r.Int(boolInt(b))
}

func (r *luaReply) Verbatim(format, s string) {
	if !r.resp3 {
		r.BulkString(s)
		return
	}
	v := r.field("string", r.text(s))
	v.Table().SetStr("format", r.text(format))
	r.put(r.field("verbatim_string", v))
}

// Deferred, BeginCall, EndCall and Retract are for those who run commands; here a script does.
func (r *luaReply) Deferred()  {}
func (r *luaReply) BeginCall() {}
func (r *luaReply) EndCall()   {}
func (r *luaReply) Retract()   {}

// format17g prints a number as C's %.17g does.
func format17g(f float64) string {
	switch s := strconv.FormatFloat(f, 'g', 17, 64); s {
	case "+Inf":
		return "inf"
	case "-Inf":
		return "-inf"
	case "NaN":
		return "nan"
	default:
		return s
	}
}
