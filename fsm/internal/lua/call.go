package lua

import (
	"fmt"
	"strconv"
)

// Call is one call of a builtin: its arguments, and its results so far. It is valid until the builtin returns.
type Call struct {
	st   *State
	t    *Coroutine
	args []Value
	rets []Value
	name string // what the program calls it, for error texts
	lua  bool   // it was called by Lua code, not by another builtin
	// method: it was called with a colon.
	method bool
}

// State returns the run that the call belongs to.
func (c *Call) State() *State { return c.st }

// NArgs counts the arguments.
func (c *Call) NArgs() int { return len(c.args) }

// Arg returns an argument, counted from 0, nil behind the last.
func (c *Call) Arg(i int) Value {
	if i < len(c.args) {
		return c.args[i]
	}
	return Nil
}

// Push appends results.
func (c *Call) Push(vs ...Value) { c.rets = append(c.rets, vs...) }

// Last returns the result that was pushed last.
func (c *Call) Last() Value { return c.rets[len(c.rets)-1] }

// Drop takes back the last n results.
func (c *Call) Drop(n int) { c.rets = c.rets[:len(c.rets)-n] }

// PushString appends a string that was built, and charges for it.
func (c *Call) PushString(s string) { c.Push(c.st.NewString(s)) }

// Throw ends the call with an error of any value.
func (c *Call) Throw(v Value) { c.st.throw(v) }

// Errorf ends the call with an error text, behind the place of the call.
func (c *Call) Errorf(format string, args ...any) {
	where := ""
	if c.lua {
		where = c.t.where()
	}
	c.st.throw(String(where + fmt.Sprintf(format, args...)))
}

// ArgError reports an argument, counted from 0.
func (c *Call) ArgError(i int, text string) {
	n := i + 1
	if c.method {
		if n--; n == 0 {
			c.Errorf("calling '%s' on bad self (%s)", c.name, text)
		}
	}
	name := c.name
	if name == "" {
		name = "?"
	}
	c.Errorf("bad argument #%d to '%s' (%s)", n, name, text)
}

func (c *Call) typeError(i int, want string) {
	got := "no value"
	if i < len(c.args) {
		got = c.args[i].Type()
	}
	c.ArgError(i, want+" expected, got "+got)
}

// Any returns an argument that must be there.
func (c *Call) Any(i int) Value {
	if i >= len(c.args) {
		c.ArgError(i, "value expected")
	}
	return c.args[i]
}

// Table, String, Number and Int return an argument of their kind, as Lua's own functions take them: numbers as strings, and
// strings as numbers, where they are.
func (c *Call) Table(i int) *Table {
	t := c.Arg(i).Table()
	if t == nil {
		c.typeError(i, "table")
	}
	return t
}

// String is a string or number argument.
func (c *Call) String(i int) string {
	s, ok := c.Arg(i).ToString()
	if !ok {
		c.typeError(i, "string")
	}
	return s
}

// Number is a number argument.
func (c *Call) Number(i int) float64 {
	n, ok := c.st.toNumber(c.Arg(i))
	if !ok {
		c.typeError(i, "number")
	}
	return n
}

// Int is a number argument without its fraction.
func (c *Call) Int(i int) int { return toInt(c.Number(i)) }

// OptInt is Int where the argument is there, def where it is not.
func (c *Call) OptInt(i, def int) int {
	if c.Arg(i).IsNil() {
		return def
	}
	return c.Int(i)
}

// OptString is String where the argument is there.
func (c *Call) OptString(i int, def string) string {
	if c.Arg(i).IsNil() {
		return def
	}
	return c.String(i)
}

// Call calls a function. The results are valid until the next call.
func (c *Call) Call(f Value, args ...Value) []Value { return c.t.call(f, args...) }

// Try is Call that catches what the function throws, unless a limit was reached.
func (c *Call) Try(f Value, args ...Value) ([]Value, *Error) { return c.t.try(f, args) }

// Args returns all arguments. They are valid until the next call.
func (c *Call) Args() []Value { return c.args }

// Where is the place of the innermost Lua function, as error texts begin with it.
func (c *Call) Where() string { return c.t.where() }

// position is the innermost Lua function's.
func (t *Coroutine) position() (source string, line int) {
	if n := len(t.frames); n > 0 {
		f := t.frames[n-1]
		return f.fn.proto.source, int(f.fn.proto.lines[max(f.pc-1, 0)])
	}
	return "", 0
}

// where is the position as it stands in front of error texts.
func (t *Coroutine) where() string {
	source, line := t.position()
	if source == "" {
		return ""
	}
	return source + ":" + strconv.Itoa(line) + ": "
}

// errorf throws an error of the machine's own.
func (t *Coroutine) errorf(format string, args ...any) {
	where := ""
	if !t.host {
		where = t.where()
	}
	t.st.throw(String(where + fmt.Sprintf(format, args...)))
}

// typeError says what cannot be done with a value, by its name where it has one.
func (t *Coroutine) typeError(verb string, v Value, what operand) {
	if what.kind == "" {
		t.errorf("attempt to %s a %s value", verb, v.Type())
	}
	t.errorf("attempt to %s %s '%s' (a %s value)", verb, what.kind, what.name, v.Type())
}
