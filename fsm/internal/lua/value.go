package lua

import "strconv"

// Value is a Lua value. The zero Value is nil. Two Values are equal in Go if they are rawequal in Lua.
type Value struct {
	o any     // nil, boolTag, numTag, string, *Table, *Function, *Coroutine or *Userdata
	n float64 // the number; 1 for true
}

type (
	numTag  struct{}
	boolTag struct{}
)

// Userdata is a value of the host's that a program can hold but not look into.
type Userdata struct{ Name string }

// Nil is the nil value.
var Nil Value

// Number, Bool, String, TableValue, FunctionValue and UserdataValue make values.
func Number(n float64) Value { return Value{numTag{}, n} }

// Int makes a number of an integer.
func Int(n int) Value { return Number(float64(n)) }

// Bool makes a boolean.
func Bool(b bool) Value {
	if b {
		return Value{boolTag{}, 1}
	}
	return Value{boolTag{}, 0}
}

// String makes a string. Whoever makes one of unbounded length charges for it (State.NewString).
func String(s string) Value { return Value{o: s} }

// TableValue makes a value of a table.
func TableValue(t *Table) Value { return Value{o: t} }

// FunctionValue makes a value of a function.
func FunctionValue(f *Function) Value { return Value{o: f} }

// UserdataValue makes a value of the host's.
func UserdataValue(u *Userdata) Value { return Value{o: u} }

// IsNil reports whether v is nil.
func (v Value) IsNil() bool { return v.o == nil }

// IsNumber reports whether v is a number (a string of digits is none).
func (v Value) IsNumber() bool {
	_, ok := v.o.(numTag)
	return ok
}

// Truth is what a condition makes of v: only nil and false are false.
func (v Value) Truth() bool {
	if v.o == nil {
		return false
	}
	if _, ok := v.o.(boolTag); ok {
		return v.n != 0
	}
	return true
}

// IsBool reports whether v is a boolean.
func (v Value) IsBool() bool {
	_, ok := v.o.(boolTag)
	return ok
}

// Str returns a string value.
func (v Value) Str() (s string, ok bool) {
	s, ok = v.o.(string)
	return s, ok
}

// Num returns a number value.
func (v Value) Num() (n float64, ok bool) { return v.n, v.IsNumber() }

// Table returns a table value; nil: it is none.
func (v Value) Table() *Table {
	t, _ := v.o.(*Table)
	return t
}

// Function returns a function value; nil: it is none.
func (v Value) Function() *Function {
	f, _ := v.o.(*Function)
	return f
}

// Userdata returns a value of the host's; nil: it is none.
func (v Value) Userdata() *Userdata {
	u, _ := v.o.(*Userdata)
	return u
}

// Type is the name that Lua's type gives.
func (v Value) Type() string {
	switch v.o.(type) {
	case nil:
		return "nil"
	case boolTag:
		return "boolean"
	case numTag:
		return "number"
	case string:
		return "string"
	case *Table:
		return "table"
	case *Function:
		return "function"
	case *Coroutine:
		return "thread"
	}
	return "userdata"
}

// ToNumber converts as arithmetic does: numbers, and strings that are one.
func (v Value) ToNumber() (n float64, ok bool) {
	switch o := v.o.(type) {
	case numTag:
		return v.n, true
	case string:
		return ParseNumber(o)
	}
	return 0, false
}

// ToString converts as concatenation does: strings and numbers.
func (v Value) ToString() (s string, ok bool) {
	switch o := v.o.(type) {
	case string:
		return o, true
	case numTag:
		return FormatNumber(v.n), true
	}
	return "", false
}

// Function is a closure over a Proto, or a builtin.
type Function struct {
	proto   *Proto
	cells   []*cell
	builtin func(c *Call)
	id      uint64
}

// NewBuiltin makes a function of the host's. name is its full name ("string.rep"), from which follows how it is printed.
func NewBuiltin(name string, f func(c *Call)) *Function {
	return &Function{builtin: f, id: fixedID(name)}
}

// cell is a local variable that closures share.
type cell struct{ v Value }

// fixedID numbers what is part of a Library: the same on all nodes, whatever ran before.
func fixedID(name string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h&0xffffffffff | 1<<40
}

// display is what tostring gives where there is no metamethod.
func (st *State) display(v Value) string {
	switch o := v.o.(type) {
	case nil:
		return "nil"
	case boolTag:
		if v.n != 0 {
			return "true"
		}
		return "false"
	case numTag:
		return FormatNumber(v.n)
	case string:
		return o
	case *Table:
		return "table: " + st.number(&o.id)
	case *Function:
		return "function: " + st.number(&o.id)
	case *Coroutine:
		return "thread: " + st.number(&o.id)
	case *Userdata:
		return "userdata: " + o.Name
	}
	return "?"
}

// number stands where Lua prints an address: the count of what this run has printed so.
func (st *State) number(id *uint64) string {
	if *id == 0 {
		st.ids++
		*id = st.ids
	}
	const digits = 12
	s := strconv.FormatUint(*id, 16)
	for len(s) < digits {
		s = "0" + s
	}
	return "0x" + s
}
