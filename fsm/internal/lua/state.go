package lua

import "slices"

// Limits bound a run. Nodes must agree on them.
type Limits struct {
	// Steps is how many instructions a run may take, longer ones counted by what they do.
	Steps int64
	// Bytes is how much a run may build, whether or not it is still in use.
	Bytes int64
	// StringBytes is how long a string may become.
	StringBytes int
}

// Texts of the errors that end a run.
const (
	ErrSteps = "script ran for too long"
	ErrBytes = "script used too much memory"
)

// Error is how a program or its compilation failed.
type Error struct {
	// Value is what the program threw.
	Value Value
	// Source and Line are where it did, "" and 0 where that is not known.
	Source string
	Line   int
	// Fatal: a limit was reached.
	Fatal bool
}

// Error implements error.
func (e *Error) Error() string {
	if s, ok := e.Value.ToString(); ok {
		return s
	}
	return "(error object is a " + e.Value.Type() + " value)"
}

// thrown is an error on its way: what a panic carries.
type thrown struct{ Error }

// Library is a set of globals. It is read-only once a State was made of it.
type Library struct {
	globals *Table
	strings *Table // the metatable of strings
}

// NewEmptyLibrary returns a library without globals. Its strings have their methods all the same.
func NewEmptyLibrary() *Library { return &Library{globals: &Table{}, strings: NewLibrary().strings} }

// NewLibrary returns Lua's own libraries, as far as a program may have them.
func NewLibrary() *Library {
	l := &Library{globals: &Table{}}
	l.openBase()
	l.openCoroutine()
	l.openMath()
	l.openTable()
	l.openString()
	return l
}

// Set gives a global a value. A table among them is made read-only, and those within it.
func (l *Library) Set(name string, v Value) {
	if t := v.Table(); t != nil {
		protect(t, name)
	}
	l.globals.SetStr(name, v)
}

func protect(t *Table, name string) {
	t.readonly = true
	if t.id == 0 {
		t.id = fixedID(name)
	}
	for i := range t.ents {
		k, _ := t.ents[i].key.Str()
		if sub := t.ents[i].val.Table(); sub != nil && !sub.readonly {
			protect(sub, name+"."+k)
		}
	}
}

// SetMeta gives the globals a metatable, which is made read-only.
func (l *Library) SetMeta(m *Table) {
	protect(m, "_G.meta")
	l.globals.meta = m
}

// Funcs makes a table of builtins.
func Funcs(lib string, fs map[string]func(c *Call)) *Table {
	names := make([]string, 0, len(fs))
	for n := range fs {
		names = append(names, n)
	}
	slices.Sort(names)
	t := &Table{}
	for _, n := range names {
		t.SetStr(n, FunctionValue(NewBuiltin(lib+"."+n, fs[n])))
	}
	return t
}

// State is one run of a program.
type State struct {
	lib     *Library
	globals *Table
	limits  Limits
	steps   int64 // left
	bytes   int64 // left
	ids     uint64
	random  uint64
	main    *Coroutine
	cur     *Coroutine
	depth   int // Go functions that called back
	calls   []*Call
	slots   map[any]any
	// Host is for the builtins of whoever made the State.
	Host any
}

// NewState begins a run. The globals are the Library's; SetGlobal changes the State's own. seed is what math.random
// begins with.
func NewState(l *Library, limits Limits, seed uint64) *State {
	st := &State{limits: limits, steps: limits.Steps, bytes: limits.Bytes, random: seed}
	st.Use(l)
	st.main = &Coroutine{st: st, status: running}
	st.cur = st.main
	return st
}

// Use gives the run the globals of another Library.
func (st *State) Use(l *Library) {
	g := *l.globals
	g.ents = slices.Clone(g.ents)
	g.id = fixedID("_G")
	st.lib, st.globals = l, &g
	st.SetGlobal("_G", TableValue(&g))
	g.readonly = true
}

// SetGlobal gives one of the Library's globals another value in this run.
func (st *State) SetGlobal(name string, v Value) {
	if i := st.globals.find(String(name)); i >= 0 {
		st.globals.ents[i].val = v
	}
}

// Global returns a global.
func (st *State) Global(name string) Value { return st.globals.GetStr(name) }

// Steps returns how many steps are left.
func (st *State) Steps() int64 { return st.steps }

// Spend takes steps from what is left.
func (st *State) Spend(steps int) {
	if st.steps -= int64(steps); st.steps < 0 {
		st.fatal(ErrSteps)
	}
}

// stepBytes is how many bytes are copied, hashed or compared in the time of a step.
const stepBytes = 64

// Charge takes bytes from what is left, and the steps that it takes to fill them.
func (st *State) Charge(bytes int) {
	if st.bytes -= int64(bytes); st.bytes < 0 {
		st.fatal(ErrBytes)
	}
	st.Spend(bytes / stepBytes)
}

// Owe is Charge and Spend for those who cannot stop where they are: it throws nothing, and reports whether anything is left.
// The next charge of any other kind throws if nothing is.
func (st *State) Owe(bytes, steps int) bool {
	st.bytes -= int64(bytes)
	st.steps -= int64(steps)
	return st.bytes >= 0 && st.steps >= 0
}

const stringBytes = 32 // of a string beside its text

// NewString charges for a string that was built.
func (st *State) NewString(s string) Value {
	st.Room(len(s))
	st.Charge(stringBytes + len(s))
	return String(s)
}

// Room throws where a string of n bytes would be too long, or more than what is left. Ask before building one.
func (st *State) Room(n int) {
	switch {
	case n > st.limits.StringBytes:
		st.throw(String(st.cur.where() + "string is too long"))
	case int64(n) > st.bytes:
		st.fatal(ErrBytes)
	}
}

// Slot returns what was kept under a key in this run, made by make when first asked for.
func (st *State) Slot(key any, make func() any) any {
	v, ok := st.slots[key]
	if !ok {
		if st.slots == nil {
			st.slots = map[any]any{}
		}
		v = make()
		st.slots[key] = v
	}
	return v
}

func (st *State) throw(v Value) {
	t := &thrown{Error{Value: v}}
	t.Source, t.Line = st.cur.position()
	panic(t)
}

// fatal ends the run.
func (st *State) fatal(text string) {
	t := &thrown{Error{Value: String(text), Fatal: true}}
	t.Source, t.Line = st.cur.position()
	panic(t)
}

// Guard runs what belongs to the run but to no program, as the reading of its results. It catches what is thrown.
func (st *State) Guard(f func()) (err *Error) {
	defer func() {
		if r := recover(); r != nil {
			t, ok := r.(*thrown)
			if !ok {
				panic(r)
			}
			err = &t.Error
		}
	}()
	f()
	return nil
}

// Load makes the function that a source is.
func (st *State) Load(p *Proto) Value { return FunctionValue(&Function{proto: p}) }

// Run calls the function that a source is, without arguments. It returns its results.
func (st *State) Run(p *Proto) ([]Value, *Error) { return st.Call(st.Load(p)) }

// Call calls a function of this run from outside.
func (st *State) Call(f Value, args ...Value) (rets []Value, err *Error) {
	st.cur, st.depth = st.main, 0
	st.main.frames, st.main.limit, st.main.host = st.main.frames[:0], 0, false
	err = st.Guard(func() { rets = slices.Clone(st.main.call(f, args...)) })
	return rets, err
}
