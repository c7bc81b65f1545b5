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

// enter counts a Go function that calls back; the one who called it counts it out.
func (st *State) enter(t *Coroutine) {
	if st.depth++; st.depth > depthMax {
		st.depth--
		t.errorf("C stack overflow")
	}
}

// depthMax is how many Go functions may stand between each other's calls: LUAI_MAXCCALLS.
const depthMax = 200

// ensure makes the stack n values long.
func (t *Coroutine) ensure(n int) {
	if n <= len(t.stack) {
		return
	}
	if n > stackMax {
		t.errorf("stack overflow")
	}
	size := max(64, len(t.stack)*2, n)
	t.st.Charge((size - len(t.stack)) * valueBytes)
	grown := make([]Value, size)
	copy(grown, t.stack)
	t.stack = grown
}

// place puts a function and arguments into the stack.
func (t *Coroutine) place(at int, f Value, args []Value) {
	t.ensure(at + 1 + len(args))
	t.stack[at] = f
	copy(t.stack[at+1:], args)
}

// call calls a value from Go. The results are valid until the next call.
func (t *Coroutine) call(f Value, args ...Value) []Value {
	at, limit := t.limit, t.limit
	t.place(at, f, args)
	n := len(args)
	fn := f.Function()
	if fn == nil {
		fn, n = t.callable(at, n, operand{}), n+1
	}
	if fn.builtin != nil {
		t.callBuiltin(fn, at, n, -1, nil)
	} else {
		t.st.enter(t)
		t.push(fn, at, n, -1)
		t.frames[len(t.frames)-1].host = t.host
		host := t.host
		t.host = false
		t.execute(len(t.frames))
		t.host = host
		t.st.depth--
	}
	t.limit = limit
	return t.stack[at:t.top]
}

// call1 is call for the first result.
func (t *Coroutine) call1(f Value, args ...Value) Value {
	if rets := t.call(f, args...); len(rets) > 0 {
		return rets[0]
	}
	return Nil
}

// callable replaces a value that is no function by its __call, and makes the value its first argument.
func (t *Coroutine) callable(at, n int, what operand) *Function {
	v := t.stack[at]
	h := t.st.metamethod(v, "__call").Function()
	if h == nil {
		t.typeError("call", v, what)
	}
	t.ensure(at + n + 2)
	copy(t.stack[at+1:at+n+2], t.stack[at:at+n+1])
	t.stack[at] = FunctionValue(h)
	return h
}

// push begins a call of a Lua function that stands at a place of the stack, its n arguments behind it.
func (t *Coroutine) push(fn *Function, at, n, want int) {
	if len(t.frames) >= framesMax {
		t.errorf("stack overflow")
	}
	i := len(t.frames)
	if i < cap(t.frames) {
		t.frames = t.frames[:i+1]
	} else {
		t.frames = append(t.frames, nil)
	}
	f := t.frames[i]
	if f == nil {
		f = &frame{}
		t.frames[i] = f
		t.st.Charge(frameBytes)
	}
	*f = frame{fn: fn, base: at + 1, ret: at, want: want}
	t.begin(f, n)
}

const frameBytes = 104

// begin makes a frame's registers ready: arguments in their places, those too many aside.
func (t *Coroutine) begin(f *frame, n int) {
	p := f.fn.proto
	f.pc, f.varargs = 0, nil
	if extra := n - p.params; p.vararg && extra > 0 {
		t.st.Charge(extra * valueBytes)
		f.varargs = append([]Value(nil), t.stack[f.base+p.params:f.base+n]...)
	}
	t.ensure(f.base + p.regs)
	for i := n; i < p.params; i++ {
		t.stack[f.base+i] = Nil
	}
}

// results puts results where a call wants them.
func (t *Coroutine) results(at, want int, vs []Value) {
	n := want
	if want < 0 {
		n = len(vs)
		t.top = at + n
	}
	t.ensure(at + n)
	m := copy(t.stack[at:at+n], vs)
	clear(t.stack[at+m : at+n])
}

// callBuiltin calls a builtin that stands at a place of the stack. f is the frame that calls it; nil: Go does. It is false
// where the coroutine yields.
func (t *Coroutine) callBuiltin(fn *Function, at, n, want int, f *frame) bool {
	st := t.st
	st.enter(t)
	for len(st.calls) <= st.depth {
		st.calls = append(st.calls, &Call{})
	}
	c := st.calls[st.depth]
	c.st, c.t, c.args, c.rets, c.name, c.lua, c.method = st, t, t.stack[at+1:at+1+n], c.rets[:0], "", f != nil, false
	if f != nil {
		what := f.names().b
		c.name, c.method = what.name, what.kind == "method"
	}
	limit, host := t.limit, t.host
	t.limit, t.host = max(limit, at+1+n), true
	st.Spend(n / 8)
	fn.builtin(c)
	st.depth--
	t.limit, t.host = limit, host
	if t.yielding {
		t.pending = resumeAt{at, want}
		return false
	}
	st.Spend(len(c.rets) / 8)
	t.results(at, want, c.rets)
	return true
}

// caughtSteps is what it takes to catch an error.
const caughtSteps = 100

// try calls a function and catches what it throws, unless a limit was reached.
func (t *Coroutine) try(f Value, args []Value) (rets []Value, err *Error) {
	st, depth, frames, limit, host := t.st, t.st.depth, len(t.frames), t.limit, t.host
	defer func() {
		if r := recover(); r != nil {
			th, ok := r.(*thrown)
			if !ok || th.Fatal {
				panic(r)
			}
			st.cur, st.depth, t.frames, t.limit, t.host = t, depth, t.frames[:frames], limit, host
			st.Spend(caughtSteps)
			rets, err = nil, &th.Error
		}
	}()
	return t.call(f, args...), nil
}

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
