package fsm

import (
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

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
