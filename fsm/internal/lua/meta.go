package lua

import (
	"math"
	"strings"
)

// metatable returns a value's metatable, nil if it has none.
func (st *State) metatable(v Value) *Table {
	switch o := v.o.(type) {
	case *Table:
		return o.meta
	case string:
		return st.lib.strings
	}
	return nil
}

func (st *State) metamethod(v Value, event string) Value {
	if m := st.metatable(v); m != nil {
		return m.GetStr(event)
	}
	return Nil
}

// names are those of what the frame's present instruction works on.
func (f *frame) names() names { return f.fn.proto.names[int32(f.pc-1)] }

func (t *Coroutine) operandName(named bool) operand {
	if !named {
		return operand{}
	}
	return t.frames[len(t.frames)-1].names().b
}

// metaLoopsMax is how many tables __index or __newindex may lead through.
const metaLoopsMax = 100

// keyCost spends what it takes to hash a long key, or to look through a long string.
func (st *State) keyCost(k Value) {
	if s, ok := k.o.(string); ok && len(s) > 2*stepBytes {
		st.Spend(len(s) / stepBytes)
	}
}

// toNumber is Value.ToNumber for values that a program can make as long as it likes.
func (st *State) toNumber(v Value) (float64, bool) {
	st.keyCost(v)
	return v.ToNumber()
}

// index is v[k]. named: v is what the present instruction works on.
func (t *Coroutine) index(v, k Value, named bool) Value {
	t.st.keyCost(k)
	for range metaLoopsMax {
		var h Value
		if tab := v.Table(); tab != nil {
			if val := tab.Get(k); !val.IsNil() || tab.meta == nil {
				return val
			}
			if h = tab.meta.GetStr("__index"); h.IsNil() {
				return Nil
			}
		} else if h = t.st.metamethod(v, "__index"); h.IsNil() {
			t.typeError("index", v, t.operandName(named))
		}
		if h.Function() != nil {
			return t.call1(h, v, k)
		}
		v, named = h, false
	}
	t.errorf("loop in gettable")
	return Nil
}

// setIndex is v[k] = val.
func (t *Coroutine) setIndex(v, k, val Value, named bool) {
	t.st.keyCost(k)
	for range metaLoopsMax {
		var h Value
		if tab := v.Table(); tab != nil {
			if tab.meta == nil || !tab.Get(k).IsNil() {
				t.rawSet(tab, k, val)
				return
			}
			if h = tab.meta.GetStr("__newindex"); h.IsNil() {
				t.rawSet(tab, k, val)
				return
			}
		} else if h = t.st.metamethod(v, "__newindex"); h.IsNil() {
			t.typeError("index", v, t.operandName(named))
		}
		if h.Function() != nil {
			t.call(h, v, k, val)
			return
		}
		v, named = h, false
	}
	t.errorf("loop in settable")
}

func (t *Coroutine) rawSet(tab *Table, k, val Value) {
	switch {
	case tab.readonly:
		t.errorf("Attempt to modify a readonly table")
	case k.IsNil():
		t.errorf("table index is nil")
	case isNaN(k):
		t.errorf("table index is NaN")
	}
	if grown := tab.Set(k, val); grown > 0 {
		t.st.Charge(grown)
	}
}

var arithEvents = map[opcode]string{
	opAdd: "__add", opSub: "__sub", opMul: "__mul", opDiv: "__div", opMod: "__mod", opPow: "__pow", opUnm: "__unm",
}

// arith is an operation on what are not two numbers.
func (t *Coroutine) arith(op opcode, a, b Value) Value {
	x, okX := t.st.toNumber(a)
	y, okY := t.st.toNumber(b)
	if okX && okY {
		return Number(compute(op, x, y))
	}
	event := arithEvents[op]
	h := t.st.metamethod(a, event)
	if h.IsNil() {
		h = t.st.metamethod(b, event)
	}
	if !h.IsNil() {
		return t.call1(h, a, b)
	}
	n := t.frames[len(t.frames)-1].names()
	if okX {
		t.typeError("perform arithmetic on", b, n.c)
	}
	t.typeError("perform arithmetic on", a, n.b)
	return Nil
}

func compute(op opcode, x, y float64) float64 {
	switch op {
	case opAdd:
		return x + y
	case opSub:
		return x - y
	case opMul:
		return x * y
	case opDiv:
		return x / y
	case opMod:
		return modulo(x, y)
	case opPow:
		return power(x, y)
	}
	return -x
}

// modulo has the sign of y. The product is rounded by itself: no machine may fuse it with the difference.
func modulo(x, y float64) float64 { return x - float64(math.Floor(x/y)*y) }

func power(x, y float64) float64 {
	if y == 2 {
		return x * x
	}
	return math.Pow(x, y)
}

// length is #v. Tables have no __len in Lua 5.1.
func (t *Coroutine) length(v Value) Value {
	switch o := v.o.(type) {
	case string:
		return Int(len(o))
	case *Table:
		return Int(o.Len())
	}
	t.typeError("get length of", v, t.operandName(true))
	return Nil
}

// equal is a == b.
func (t *Coroutine) equal(a, b Value) bool {
	t.st.keyCost(a)
	if a == b {
		return true
	}
	x, y := a.Table(), b.Table()
	if x == nil || y == nil || x.meta == nil || y.meta == nil {
		return false
	}
	h := x.meta.GetStr("__eq")
	if h.IsNil() || h != y.meta.GetStr("__eq") {
		return false
	}
	return t.call1(h, a, b).Truth()
}

// less is a < b, and a <= b where orEqual.
func (t *Coroutine) less(a, b Value, orEqual bool) bool {
	if a.IsNumber() && b.IsNumber() {
		return a.n < b.n || orEqual && a.n == b.n
	}
	x, okX := a.Str()
	y, okY := b.Str()
	if okX && okY {
		t.st.Spend(min(len(x), len(y)) / stepBytes)
		return x < y || orEqual && x == y
	}
	if a.Type() == b.Type() {
		event := "__lt"
		if orEqual {
			event = "__le"
		}
		if h := t.comparer(a, b, event); !h.IsNil() {
			return t.call1(h, a, b).Truth()
		}
		if orEqual {
			if h := t.comparer(b, a, "__lt"); !h.IsNil() {
				return !t.call1(h, b, a).Truth()
			}
		}
		t.errorf("attempt to compare two %s values", a.Type())
	}
	t.errorf("attempt to compare %s with %s", a.Type(), b.Type())
	return false
}

// comparer is a metamethod that both values have.
func (t *Coroutine) comparer(a, b Value, event string) Value {
	h := t.st.metamethod(a, event)
	if h.IsNil() || h != t.st.metamethod(b, event) {
		return Nil
	}
	return h
}

// concat joins values from the right to the left. vs is overwritten.
func (t *Coroutine) concat(vs []Value) Value {
	count := len(vs)
	for len(vs) > 1 {
		n := joinable(vs)
		if n >= 2 {
			vs = append(vs[:len(vs)-n], t.join(vs[len(vs)-n:]))
			continue
		}
		last := len(vs) - 1
		a, b := vs[last-1], vs[last]
		h := t.st.metamethod(a, "__concat")
		if h.IsNil() {
			h = t.st.metamethod(b, "__concat")
		}
		if h.IsNil() {
			t.concatError(vs, count)
		}
		vs = append(vs[:last-1], t.call1(h, a, b))
	}
	return vs[0]
}

// concatError names the operand that cannot be joined, where it is still one of the count that the instruction has.
func (t *Coroutine) concatError(vs []Value, count int) {
	bad := len(vs) - 2
	if _, ok := vs[bad].ToString(); ok {
		bad++
	}
	var what operand
	if list := t.frames[len(t.frames)-1].names().list; bad < len(list) && (bad < len(vs)-1 || len(vs) == count) {
		what = list[bad]
	}
	t.typeError("concatenate", vs[bad], what)
}

// joinable counts the strings and numbers at the end.
func joinable(vs []Value) int {
	n := 0
	for i := len(vs) - 1; i >= 0; i-- {
		if _, ok := vs[i].o.(string); !ok && !vs[i].IsNumber() {
			break
		}
		n++
	}
	return n
}

func (t *Coroutine) join(vs []Value) Value {
	size := 0
	parts := make([]string, len(vs))
	for i, v := range vs {
		parts[i], _ = v.ToString()
		size += len(parts[i])
	}
	t.st.Room(size)
	return t.st.NewString(strings.Join(parts, ""))
}
