package lua

import (
	"math"
	"strings"
)

func (l *Library) openBase() {
	l.Set("_G", Bool(true)) // each State puts its own in its place
	l.Set("_VERSION", String("Lua 5.1"))
	for _, e := range Funcs("_G", baseFuncs).ents {
		l.globals.Set(e.key, e.val)
	}
}

var baseFuncs = map[string]func(c *Call){
	"assert": baseAssert, "error": baseError, "pcall": basePcall, "xpcall": baseXpcall,
	"getmetatable": baseGetmetatable, "setmetatable": baseSetmetatable,
	"rawequal": baseRawequal, "rawget": baseRawget, "rawset": baseRawset,
	"next": baseNext, "pairs": basePairs, "ipairs": baseIpairs,
	"select": baseSelect, "unpack": baseUnpack,
	"tonumber": baseTonumber, "tostring": baseTostring,
	"type": func(c *Call) { c.Push(String(c.Any(0).Type())) },
	"load": baseLoad, "loadstring": baseLoadstring,
	"collectgarbage": func(c *Call) { c.Push(Int(0)) },
	"gcinfo":         func(c *Call) { c.Push(Int(0)) },
}

func baseAssert(c *Call) {
	if !c.Any(0).Truth() {
		c.Errorf("%s", c.OptString(1, "assertion failed!"))
	}
	c.Push(c.args...)
}

// baseError puts the place of the call, or (level 2) of the call of the function that calls it, in front of a text.
func baseError(c *Call) {
	level := c.OptInt(1, 1)
	v := c.Arg(0)
	s, ok := v.ToString()
	if ok && level > 0 {
		v = c.st.NewString(c.level(level) + s)
	}
	c.Throw(v)
}

// level is the place of a caller: 1 the one of the builtin, 2 the one of that. A builtin has none.
func (c *Call) level(n int) string {
	host := !c.lua
	for at := len(c.t.frames) - 1; at >= 0; at-- {
		if host {
			n--
		}
		if n == 0 {
			break
		}
		if n--; n == 0 {
			caller := Coroutine{frames: c.t.frames[:at+1]}
			return caller.where()
		}
		host = c.t.frames[at].host
	}
	return ""
}

func basePcall(c *Call) {
	c.Any(0)
	rets, err := c.t.try(c.args[0], c.args[1:])
	if err != nil {
		c.Push(Bool(false), err.Value)
		return
	}
	c.Push(Bool(true))
	c.Push(rets...)
}

func baseXpcall(c *Call) {
	handler := c.Any(1)
	rets, err := c.t.try(c.args[0], nil)
	if err == nil {
		c.Push(Bool(true))
		c.Push(rets...)
		return
	}
	rets, err = c.t.try(handler, []Value{err.Value})
	c.Push(Bool(false))
	if err != nil {
		c.Push(String("error in error handling"))
		return
	}
	c.Push(rets...)
}

func baseGetmetatable(c *Call) {
	m := c.st.metatable(c.Any(0))
	if m == nil {
		c.Push(Nil)
		return
	}
	if p := m.GetStr("__metatable"); !p.IsNil() {
		c.Push(p)
		return
	}
	c.Push(TableValue(m))
}

func baseSetmetatable(c *Call) {
	t := c.Table(0)
	m := c.Arg(1)
	if !m.IsNil() && m.Table() == nil || c.NArgs() < 2 {
		c.ArgError(1, "nil or table expected")
	}
	if t.meta != nil && !t.meta.GetStr("__metatable").IsNil() {
		c.Errorf("cannot change a protected metatable")
	}
	if t.readonly {
		c.t.errorf("Attempt to modify a readonly table")
	}
	t.meta = m.Table()
	c.Push(c.args[0])
}

func baseRawequal(c *Call) {
	c.st.keyCost(c.Any(0))
	c.Push(Bool(c.args[0] == c.Any(1)))
}

func baseRawget(c *Call) {
	t := c.Table(0)
	c.st.keyCost(c.Any(1))
	c.Push(t.Get(c.args[1]))
}

func baseRawset(c *Call) {
	t := c.Table(0)
	c.st.keyCost(c.Any(1))
	c.t.rawSet(t, c.args[1], c.Any(2))
	c.Push(c.args[0])
}

func baseNext(c *Call) {
	t := c.Table(0)
	c.st.keyCost(c.Arg(1))
	k, v, passed, ok := t.Next(c.Arg(1))
	if !ok {
		c.t.errorf("invalid key to 'next'")
	}
	c.st.Spend(passed / 8)
	if k.IsNil() {
		c.Push(Nil)
		return
	}
	c.Push(k, v)
}

var nextFunction = FunctionValue(NewBuiltin("_G.next", baseNext))

func basePairs(c *Call) {
	c.Table(0)
	c.Push(nextFunction, c.args[0], Nil)
}

var ipairsStep = FunctionValue(NewBuiltin("_G.ipairs.step", func(c *Call) {
	i := c.Int(1) + 1
	if v := c.Table(0).GetInt(i); !v.IsNil() {
		c.Push(Int(i), v)
		return
	}
	c.Push(Nil)
}))

func baseIpairs(c *Call) {
	c.Table(0)
	c.Push(ipairsStep, c.args[0], Int(0))
}

func baseSelect(c *Call) {
	if s, ok := c.Arg(0).Str(); ok && s == "#" {
		c.Push(Int(c.NArgs() - 1))
		return
	}
	n := c.Int(0)
	switch {
	case n < 0:
		n += c.NArgs()
	case n > c.NArgs():
		n = c.NArgs()
	}
	if n < 1 {
		c.ArgError(0, "index out of range")
	}
	c.Push(c.args[n:]...)
}

// argsMax is how many values a call can pass: LUAI_MAXCSTACK.
const argsMax = 8000

func baseUnpack(c *Call) {
	t := c.Table(0)
	i := c.OptInt(1, 1)
	j := t.Len()
	if !c.Arg(2).IsNil() {
		j = c.Int(2)
	}
	if i > j {
		return
	}
	if j-i >= argsMax-c.NArgs() {
		c.Errorf("too many results to unpack")
	}
	for ; i <= j; i++ {
		c.Push(t.GetInt(i))
	}
}

func baseTonumber(c *Call) {
	base := c.OptInt(1, 10)
	if base == 10 {
		if n, ok := c.st.toNumber(c.Any(0)); ok {
			c.Push(Number(n))
			return
		}
		c.Push(Nil)
		return
	}
	s := c.String(0)
	c.st.Spend(len(s) / 8)
	if base < 2 || base > 36 {
		c.ArgError(1, "base out of range")
	}
	if n, ok := parseBase(s, base); ok {
		c.Push(Number(n))
		return
	}
	c.Push(Nil)
}

// parseBase reads an integer as C's strtoul does: a sign turns it round within 64 bits, and too large is the largest.
func parseBase(s string, base int) (float64, bool) {
	s = strings.Trim(s, spaces)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if base == 16 && len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		s = s[2:]
	}
	if s == "" {
		return 0, false
	}
	n, over := uint64(0), false
	for i := range len(s) {
		d := digitOf(s[i])
		if d >= base {
			return 0, false
		}
		if n > (math.MaxUint64-uint64(d))/uint64(base) {
			over = true
		}
		n = n*uint64(base) + uint64(d)
	}
	switch {
	case over:
		n = math.MaxUint64
	case negative:
		n = -n
	}
	return float64(n), true
}

func digitOf(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c != '_' && isAlpha(c):
		return int(c|0x20-'a') + 10
	}
	return math.MaxInt
}

func baseTostring(c *Call) {
	v := c.Any(0)
	if h := c.st.metamethod(v, "__tostring"); !h.IsNil() {
		c.Push(c.t.call1(h, v))
		return
	}
	if _, ok := v.Str(); ok {
		c.Push(v)
		return
	}
	c.PushString(c.st.display(v))
}
