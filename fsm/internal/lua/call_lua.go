package lua

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
	if i == cap(t.frames) || t.frames[:i+1][i] == nil {
		t.st.Charge(frameBytes)
		t.frames = append(t.frames, &frame{})
	} else {
		t.frames = t.frames[:i+1]
	}
	f := t.frames[i]
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
