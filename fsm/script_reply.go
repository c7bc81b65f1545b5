package fsm

import (
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

// luaReply makes Lua values of what a command replies, as Redis does: tables with one field stand for what Lua has no type
// of its own for. In RESP2 null is false; in RESP3 it is nil.
type luaReply struct {
	st    *lua.State
	resp3 bool
	open  []openTable
	// value is the whole reply once it is complete, failed that it is an error.
	value  lua.Value
	failed bool
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

const elementSteps = 8 // what an element of a reply costs

func (r *luaReply) put(v lua.Value) {
	r.st.Spend(elementSteps)
	for len(r.open) > 0 {
		o := &r.open[len(r.open)-1]
		o.add(r.st, v)
		if o.left--; o.left > 0 {
			return
		}
		v = r.close()
	}
	r.value = v
}

func (o *openTable) add(st *lua.State, v lua.Value) {
	switch {
	case o.wrap == "set":
		o.set(st, v, lua.Bool(true))
	case o.wrap == "":
		o.next++
		st.Put(o.t, lua.Int(o.next), v)
	case !o.odd:
		o.key, o.odd = v, true
	default:
		o.set(st, o.key, v)
		o.odd = false
	}
}

func (o *openTable) set(st *lua.State, k, v lua.Value) {
	if n, ok := k.Num(); !k.IsNil() && (!ok || n == n) {
		st.Put(o.t, k, v)
	}
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
	t := r.st.NewTable()
	r.st.Put(t, lua.String(name), v)
	return lua.TableValue(t)
}

func (r *luaReply) begin(wrap string, n int) {
	r.open = append(r.open, openTable{t: r.st.NewTable(), wrap: wrap, left: n})
	if n == 0 {
		r.put(r.close())
	}
}

// Simple implements command.Reply, as do all methods below.
func (r *luaReply) Simple(s string) { r.put(r.field("ok", r.st.NewString(s))) }

// Error is raised by redis.call, which looks at failed.
func (r *luaReply) Error(text string) {
	r.failed = len(r.open) == 0
	v := r.field("err", r.st.NewString(text))
	r.st.Put(v.Table(), lua.String("ignore_error_stats_update"), lua.Bool(true))
	r.put(v)
}

func (r *luaReply) Int(n int64)         { r.put(lua.Number(float64(n))) }
func (r *luaReply) Bulk(b []byte)       { r.put(r.st.NewString(string(b))) }
func (r *luaReply) BulkString(s string) { r.put(r.st.NewString(s)) }

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
		r.put(r.field("big_number", r.st.NewString(s)))
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
	v := r.field("string", r.st.NewString(s))
	r.st.Put(v.Table(), lua.String("format"), r.st.NewString(format))
	r.put(r.field("verbatim_string", v))
}

// Deferred, BeginCall, EndCall and Retract are for those who run commands; here a script does.
func (r *luaReply) Deferred()  {}
func (r *luaReply) BeginCall() {}
func (r *luaReply) EndCall()   {}
func (r *luaReply) Retract()   {}

// measure charges for a reply before anything of it is written: a table can stand in itself, or in many places.
func (run *scriptRun) measure(st *lua.State, v lua.Value, depth int) {
	const elementBytes = 16
	st.Charge(elementBytes)
	if s, ok := v.Str(); ok {
		st.Charge(len(s))
	}
	t := v.Table()
	if t == nil || depth == replyDepthMax {
		return
	}
	switch kind, body := shape(t); kind {
	case "":
		for i := 1; ; i++ {
			e := t.GetInt(i)
			if e.IsNil() {
				return
			}
			run.measure(st, e, depth+1)
		}
	case "map", "set":
		for k, e, passed, _ := body.Table().Next(lua.Nil); !k.IsNil(); k, e, passed, _ = body.Table().Next(k) {
			st.Spend(passed / 8)
			run.measure(st, k, depth+1)
			if kind == "map" {
				run.measure(st, e, depth+1)
			}
		}
	default:
		s, _ := body.Str()
		st.Charge(len(s))
	}
}

// shape says which reply a table stands for, by the field that it has; "" is an array.
func shape(t *lua.Table) (kind string, body lua.Value) {
	for _, k := range []string{"err", "ok", "double", "map", "set", "big_number", "verbatim_string"} {
		v := t.GetStr(k)
		_, isString := v.Str()
		switch {
		case v.IsNil():
		case k == "double" && v.IsNumber(), k == "map" && v.Table() != nil, k == "set" && v.Table() != nil:
			return k, v
		case k == "verbatim_string" && v.Table() != nil:
			_, ok1 := v.Table().GetStr("string").Str()
			_, ok2 := v.Table().GetStr("format").Str()
			if ok1 && ok2 {
				return k, v
			}
		case isString && k != "double" && k != "map" && k != "set" && k != "verbatim_string":
			return k, v
		}
	}
	return "", lua.Nil
}

// write replies a value that was measured.
func (run *scriptRun) write(v lua.Value, r command.Reply, depth int) {
	if s, ok := v.Str(); ok {
		r.BulkString(s)
		return
	}
	switch {
	case v.IsNumber():
		n, _ := v.Num()
		r.Int(lua.Integer(n))
	case v.IsBool() && run.resp3:
		r.Bool(v.Truth())
	case v.IsBool() && v.Truth():
		r.Int(1)
	case v.Table() != nil && depth == replyDepthMax:
		r.Error("ERR reached lua stack limit")
	case v.Table() != nil:
		run.writeTable(v.Table(), r, depth)
	default:
		r.Null()
	}
}

func (run *scriptRun) writeTable(t *lua.Table, r command.Reply, depth int) {
	kind, body := shape(t)
	s, _ := body.Str()
	switch kind {
	case "err":
		r.Error(s)
	case "ok":
		r.Simple(lineEnds.Replace(s))
	case "double":
		n, _ := body.Num()
		r.Double(n)
	case "big_number":
		r.BigNumber(lineEnds.Replace(s))
	case "verbatim_string":
		text, _ := body.Table().GetStr("string").Str()
		format, _ := body.Table().GetStr("format").Str()
		r.Verbatim(format, text)
	case "map", "set":
		run.writePairs(body.Table(), kind == "map", r, depth)
	default:
		n := 0
		for !t.GetInt(n + 1).IsNil() {
			n++
		}
		r.Array(n)
		for i := 1; i <= n; i++ {
			run.write(t.GetInt(i), r, depth+1)
		}
	}
}

func (run *scriptRun) writePairs(t *lua.Table, isMap bool, r command.Reply, depth int) {
	n := 0
	for k, _, _, _ := t.Next(lua.Nil); !k.IsNil(); k, _, _, _ = t.Next(k) {
		n++
	}
	if isMap {
		r.Map(n)
	} else {
		r.Set(n)
	}
	for k, v, _, _ := t.Next(lua.Nil); !k.IsNil(); k, v, _, _ = t.Next(k) {
		run.write(k, r, depth+1)
		if isMap {
			run.write(v, r, depth+1)
		}
	}
}

var lineEnds = strings.NewReplacer("\r", " ", "\n", " ")

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
