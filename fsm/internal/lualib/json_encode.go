package lualib

import (
	"math"
	"strconv"

	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

// encoder writes one value as JSON.
type encoder struct {
	c   *lua.Call
	o   *jsonOptions
	buf []byte
}

func jsonEncode(c *lua.Call, o *jsonOptions) {
	if c.NArgs() != 1 {
		c.ArgError(0, "expected 1 argument")
	}
	e := &encoder{c: c, o: o}
	e.value(c.Arg(0), 0)
	c.PushString(string(e.buf))
}

// room checks what was written against the longest string and the run's limits.
func (e *encoder) room() {
	e.c.State().Spend(2)
	e.c.State().Room(len(e.buf))
}

func (e *encoder) value(v lua.Value, depth int) {
	e.room()
	switch v.Type() {
	case "string":
		s, _ := v.Str()
		e.string(s)
	case "number":
		n, _ := v.Num()
		e.number(n)
	case "boolean":
		e.buf = strconv.AppendBool(e.buf, v.Truth())
	case "nil":
		e.buf = append(e.buf, "null"...)
	case "table":
		e.table(v.Table(), depth+1)
	default:
		if v != jsonNull {
			e.c.Errorf("Cannot serialise %s: type not supported", v.Type())
		}
		e.buf = append(e.buf, "null"...)
	}
}

func (e *encoder) number(n float64) {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		switch e.o.encodeInvalid {
		case "off":
			e.c.Errorf("Cannot serialise number: must not be NaN or Inf")
		case "null":
			e.buf = append(e.buf, "null"...)
			return
		}
		if math.IsNaN(n) {
			e.buf = append(e.buf, "nan"...)
			return
		}
	}
	if e.o.precision == 14 {
		e.buf = append(e.buf, lua.FormatNumber(n)...)
		return
	}
	e.buf = strconv.AppendFloat(e.buf, n, 'g', e.o.precision, 64)
}

const hexDigits = "0123456789abcdef"

func (e *encoder) string(s string) {
	e.c.State().Room(len(e.buf) + len(s))
	e.c.State().Spend(len(s) / 16)
	e.buf = append(e.buf, '"')
	for i := range len(s) {
		switch ch := s[i]; ch {
		case '"', '\\', '/':
			e.buf = append(e.buf, '\\', ch)
		case '\b':
			e.buf = append(e.buf, '\\', 'b')
		case '\t':
			e.buf = append(e.buf, '\\', 't')
		case '\n':
			e.buf = append(e.buf, '\\', 'n')
		case '\f':
			e.buf = append(e.buf, '\\', 'f')
		case '\r':
			e.buf = append(e.buf, '\\', 'r')
		default:
			if ch < ' ' || ch == 0x7f {
				e.buf = append(e.buf, '\\', 'u', '0', '0', hexDigits[ch>>4], hexDigits[ch&15])
				continue
			}
			e.buf = append(e.buf, ch)
		}
	}
	e.buf = append(e.buf, '"')
}

func (e *encoder) table(t *lua.Table, depth int) {
	if depth > min(e.o.encodeDepth, depthCap) {
		e.c.Errorf("Cannot serialise, excessive nesting (%d)", depth)
	}
	if n := e.arrayLength(t); n > 0 {
		e.buf = append(e.buf, '[')
		for i := 1; i <= n; i++ {
			if i > 1 {
				e.buf = append(e.buf, ',')
			}
			e.value(t.GetInt(i), depth)
		}
		e.buf = append(e.buf, ']')
		return
	}
	e.buf = append(e.buf, '{')
	first := true
	for k, v, passed, _ := t.Next(lua.Nil); !k.IsNil(); k, v, passed, _ = t.Next(k) {
		e.c.State().Spend(passed / 8)
		if !first {
			e.buf = append(e.buf, ',')
		}
		first = false
		s, ok := k.ToString()
		if !ok {
			e.c.Errorf("Cannot serialise %s: table key must be a number or string", k.Type())
		}
		e.string(s)
		e.buf = append(e.buf, ':')
		e.value(v, depth)
	}
	e.buf = append(e.buf, '}')
}

// arrayLength is the greatest key where all keys are positive integers and not too far apart; else 0.
func (e *encoder) arrayLength(t *lua.Table) int {
	most, n := 0, 0
	for k, _, passed, _ := t.Next(lua.Nil); !k.IsNil(); k, _, passed, _ = t.Next(k) {
		e.c.State().Spend(1 + passed/8)
		f, ok := k.Num()
		if !ok || f < 1 || f != math.Floor(f) || f > 1<<53 {
			return 0
		}
		most, n = max(most, int(f)), n+1
	}
	if e.o.sparseRatio > 0 && most > n*e.o.sparseRatio && most > e.o.sparseSafe {
		if !e.o.sparseConvert {
			e.c.Errorf("Cannot serialise table: excessively sparse array")
		}
		return 0
	}
	return most
}
