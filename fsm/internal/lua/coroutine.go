package lua

// Coroutine is a stack of calls. The program begins in one, and can make more.
type Coroutine struct {
	st     *State
	stack  []Value
	frames []*frame // those behind its length are kept for reuse
	// limit is the first place of the stack that nothing uses, top the end of an open list of values.
	limit, top int
	status     status
	id         uint64
	fn         Value    // what it begins with; nil once it has begun
	depth      int      // State.depth while it runs
	yielding   bool     // yield was called: execute is on its way out
	passed     []Value  // what yield passes out
	pending    resumeAt // where the results of yield belong
	host       bool     // a builtin runs, not Lua code: an error of the machine's has no line of its own
}

type resumeAt struct{ at, want int }

type status string

const (
	suspended status = "suspended"
	running   status = "running"
	normal    status = "normal" // it has resumed another
	dead      status = "dead"
)

// frame is a call of a Lua function.
type frame struct {
	fn      *Function
	pc      int
	base    int  // of its registers in the stack
	ret     int  // where its results go, and
	want    int  // how many of them; -1: all
	host    bool // a builtin called it
	varargs []Value
}

const (
	framesMax      = 20000 // calls within calls, LUAI_MAXCALLS
	stackMax       = 1 << 20
	coroutineBytes = 1024
)

func (l *Library) openCoroutine() {
	l.Set("coroutine", TableValue(Funcs("coroutine", map[string]func(c *Call){
		"create": func(c *Call) { c.Push(Value{o: c.newCoroutine()}) },
		"wrap": func(c *Call) {
			co := c.newCoroutine()
			c.Push(FunctionValue(&Function{builtin: func(c *Call) { c.wrapped(co) }}))
		},
		"resume": coResume, "yield": coYield, "status": coStatus,
		"running": func(c *Call) {
			if c.t != c.st.main {
				c.Push(Value{o: c.t})
			}
		},
	})))
}

func (c *Call) newCoroutine() *Coroutine {
	f := c.Arg(0)
	if fn := f.Function(); fn == nil || fn.builtin != nil {
		c.ArgError(0, "Lua function expected")
	}
	c.st.Charge(coroutineBytes)
	return &Coroutine{st: c.st, fn: f, status: suspended}
}

func (c *Call) coroutine() *Coroutine {
	co, _ := c.Arg(0).o.(*Coroutine)
	if co == nil {
		c.ArgError(0, "coroutine expected")
	}
	return co
}

func coResume(c *Call) {
	rets, err := c.resume(c.coroutine(), c.args[1:])
	if err != nil {
		c.Push(Bool(false))
		c.Push(err.Value)
		return
	}
	c.Push(Bool(true))
	c.Push(rets...)
}

func (c *Call) wrapped(co *Coroutine) {
	rets, err := c.resume(co, c.args)
	if err != nil {
		if s, ok := err.Value.Str(); ok && c.lua {
			err.Value = c.st.NewString(c.t.where() + s)
		}
		panic(&thrown{*err})
	}
	c.Push(rets...)
}

func coYield(c *Call) {
	if c.t == c.st.main || c.st.depth != c.t.depth+1 {
		c.t.errorf("attempt to yield across metamethod/C-call boundary")
	}
	c.t.passed = append([]Value(nil), c.args...)
	c.st.Charge(valueBytes * len(c.args))
	c.t.yielding = true
}

func coStatus(c *Call) { c.Push(String(string(c.coroutine().status))) }

// resume runs a coroutine until it yields or ends.
func (c *Call) resume(co *Coroutine, args []Value) (rets []Value, err *Error) {
	if co.status != suspended {
		return nil, &Error{Value: String("cannot resume " + string(co.status) + " coroutine")}
	}
	st, from, depth := c.st, c.t, c.st.depth
	from.status, co.status, st.cur = normal, running, co
	defer func() {
		st.cur, st.depth, from.status = from, depth, running
		if r := recover(); r != nil {
			co.status = dead
			t, ok := r.(*thrown)
			if !ok || t.Fatal {
				panic(r)
			}
			st.Spend(caughtSteps)
			err = &t.Error
		}
	}()
	st.enter(c.t)
	co.depth = st.depth
	return co.proceed(args), nil
}

// proceed goes on behind yield, or begins.
func (co *Coroutine) proceed(args []Value) []Value {
	if f := co.fn.Function(); f != nil {
		co.fn = Nil
		co.place(0, FunctionValue(f), args)
		co.push(f, 0, len(args), -1)
	} else {
		co.results(co.pending.at, co.pending.want, args)
	}
	co.execute(1)
	if co.yielding {
		co.yielding, co.status = false, suspended
		return co.passed
	}
	co.status = dead
	return co.stack[:co.top]
}
