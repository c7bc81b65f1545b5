package lua

// execute runs the innermost frame, and those that it calls, until fewer than depth frames are left or the coroutine
// yields. It is one long switch for the sake of speed: what an instruction does in the common case stands in it, the rest in
// functions. r is looked up again after whatever may have called a function, which can move the stack.
func (t *Coroutine) execute(depth int) {
	st := t.st
enter:
	f := t.frames[len(t.frames)-1]
	p := f.fn.proto
	code, consts := p.code, p.consts
	t.limit = f.base + p.regs
	r := t.stack[f.base:t.limit]
	rk := func(x int32) Value {
		if x >= 0 {
			return r[x]
		}
		return consts[-x-1]
	}
	for {
		if st.steps--; st.steps < 0 {
			st.fatal(ErrSteps)
		}
		i := &code[f.pc]
		f.pc++
		switch i.op {
		case opMove:
			r[i.a] = r[i.b]
		case opLoadK:
			r[i.a] = consts[-i.b-1]
		case opLoadNil:
			clear(r[i.a : i.b+1])
		case opNewCell:
			st.Charge(cellBytes)
			r[i.a] = Value{o: &cell{r[i.a]}}
		case opGetCell:
			r[i.a] = r[i.b].o.(*cell).v
		case opSetCell:
			r[i.a].o.(*cell).v = rk(i.b)
		case opGetUp:
			r[i.a] = f.fn.cells[i.b].v
		case opSetUp:
			f.fn.cells[i.a].v = rk(i.b)
		case opGetGlobal:
			k := consts[-i.b-1]
			v := st.globals.Get(k)
			if v.IsNil() {
				v = t.index(TableValue(st.globals), k, false)
				r = t.stack[f.base:t.limit]
			}
			r[i.a] = v
		case opSetGlobal:
			t.setIndex(TableValue(st.globals), consts[-i.a-1], rk(i.b), false)
			r = t.stack[f.base:t.limit]
		case opGetTable:
			obj, key := rk(i.b), rk(i.c)
			if tab, ok := obj.o.(*Table); ok && tab.meta == nil {
				st.keyCost(key)
				r[i.a] = tab.Get(key)
				continue
			}
			v := t.index(obj, key, true)
			r = t.stack[f.base:t.limit]
			r[i.a] = v
		case opSetTable:
			obj, key := r[i.a], rk(i.b)
			if tab, ok := obj.o.(*Table); ok && tab.meta == nil {
				st.keyCost(key)
				t.rawSet(tab, key, rk(i.c))
				continue
			}
			t.setIndex(obj, key, rk(i.c), true)
			r = t.stack[f.base:t.limit]
		case opNewTable:
			r[i.a] = TableValue(st.newTable(int(i.b), int(i.c)))
		case opSetList:
			t.setList(f, i)
		case opSelf:
			obj := r[i.b]
			v := t.index(obj, consts[-i.c-1], true)
			r = t.stack[f.base:t.limit]
			r[i.a+1] = obj
			r[i.a] = v
		case opAdd, opSub, opMul, opDiv, opMod, opPow:
			a, b := rk(i.b), rk(i.c)
			if a.IsNumber() && b.IsNumber() {
				r[i.a] = Number(compute(i.op, a.n, b.n))
				continue
			}
			v := t.arith(i.op, a, b)
			r = t.stack[f.base:t.limit]
			r[i.a] = v
		case opUnm:
			a := rk(i.b)
			v := t.arith(opUnm, a, a)
			r = t.stack[f.base:t.limit]
			r[i.a] = v
		case opNot:
			r[i.a] = Bool(!rk(i.b).Truth())
		case opLen:
			r[i.a] = t.length(rk(i.b))
		case opConcat:
			v := t.concat(r[i.b : i.c+1])
			r = t.stack[f.base:t.limit]
			r[i.a] = v
		case opJump:
			f.pc = int(i.a)
		case opTest:
			if rk(i.b).Truth() == i.flag {
				f.pc = int(i.a)
			}
		case opEq, opLt, opLe:
			ok := t.compare(i.op, rk(i.b), rk(i.c))
			r = t.stack[f.base:t.limit]
			if ok == i.flag {
				f.pc = int(i.a)
			}
		case opCall, opTailCall:
			if t.callOp(f, i) {
				goto enter
			}
			if t.yielding {
				return
			}
			r = t.stack[f.base:t.limit]
		case opReturn:
			if t.returnOp(f, i); len(t.frames) < depth {
				return
			}
			goto enter
		case opForPrep:
			t.forPrep(r[i.a : i.a+forHidden])
			f.pc = int(i.b)
		case opForLoop:
			step := r[i.a+2].n
			n := r[i.a].n + step
			r[i.a].n = n
			if limit := r[i.a+1].n; step > 0 && n <= limit || step <= 0 && n >= limit {
				r[i.a+3] = Number(n)
				f.pc = int(i.b)
			}
		case opForCall:
			if t.forCall(f, i) {
				goto enter
			}
			if t.yielding {
				return
			}
			r = t.stack[f.base:t.limit]
		case opForTest:
			if v := r[i.a+3]; !v.IsNil() {
				r[i.a+2] = v
				f.pc = int(i.b)
			}
		case opClosure:
			r[i.a] = FunctionValue(t.closure(f, p.protos[i.b]))
		case opVararg:
			n := int(i.b)
			if n < 0 {
				n = len(f.varargs)
			}
			st.Spend(n / 8)
			t.results(f.base+int(i.a), int(i.b), f.varargs[:min(n, len(f.varargs))])
			r = t.stack[f.base:t.limit]
		}
	}
}

const cellBytes = 32

func (st *State) newTable(array, hash int) *Table {
	st.Charge(tableBytes + array*valueBytes)
	tab := &Table{}
	if array > 0 {
		tab.arr = make([]Value, 0, array)
	}
	if hash > 0 {
		tab.ents = make([]entry, 0, hash)
	}
	return tab
}

// NewTable makes a table of this run.
func (st *State) NewTable() *Table { return st.newTable(0, 0) }

// Put sets a key of a table of this run, without metamethods. The key is neither nil nor NaN.
func (st *State) Put(t *Table, k, v Value) {
	if grown := t.Set(k, v); grown > 0 {
		st.Charge(grown)
	}
}

func (t *Coroutine) setList(f *frame, i *instr) {
	at := f.base + int(i.a)
	n := int(i.b)
	if n < 0 {
		n = t.top - at - 1
	}
	tab := t.stack[at].Table()
	t.st.Spend(n / 8)
	for j, v := range t.stack[at+1 : at+1+n] {
		k := int(i.c) + j + 1
		if v.IsNil() && k == len(tab.arr)+1 { // {1, nil, 3} is an array of 3
			t.st.Charge(tab.extend(v))
			continue
		}
		t.st.Put(tab, Int(k), v)
	}
}

func (t *Coroutine) compare(op opcode, a, b Value) bool {
	switch op {
	case opEq:
		return t.equal(a, b)
	case opLt:
		return t.less(a, b, false)
	}
	return t.less(a, b, true)
}

// callOp is a call; true: of a Lua function, whose frame is to be entered.
func (t *Coroutine) callOp(f *frame, i *instr) bool {
	at, n, want := f.base+int(i.a), int(i.b), int(i.c)
	if n < 0 {
		n = t.top - at - 1
	}
	fn, ok := t.stack[at].o.(*Function)
	if !ok {
		fn = t.callable(at, n, f.names().b)
		n++
	}
	if fn.builtin != nil {
		t.callBuiltin(fn, at, n, want, f) // a tail call goes on with the return behind it
		return false
	}
	if i.op == opCall {
		t.push(fn, at, n, want)
		return true
	}
	t.st.Spend(n / 8)
	copy(t.stack[f.base-1:], t.stack[at:at+1+n])
	f.fn = fn
	t.begin(f, n)
	return true
}

// returnOp ends a frame.
func (t *Coroutine) returnOp(f *frame, i *instr) {
	from, n := f.base+int(i.a), int(i.b)
	if n < 0 {
		n = t.top - from
	}
	t.st.Spend(n / 8)
	f.varargs = nil
	t.frames = t.frames[:len(t.frames)-1]
	t.results(f.ret, f.want, t.stack[from:from+n])
}

func (t *Coroutine) forPrep(r []Value) {
	for j, what := range [forHidden]string{"initial value", "limit", "step"} {
		n, ok := t.st.toNumber(r[j])
		if !ok {
			t.errorf("'for' %s must be a number", what)
		}
		r[j] = Number(n)
	}
	r[0].n -= r[2].n
}

// forCall calls an iterator; true: it is a Lua function, whose frame is to be entered.
func (t *Coroutine) forCall(f *frame, i *instr) bool {
	at := f.base + int(i.a) + forHidden
	t.ensure(at + forHidden)
	copy(t.stack[at:at+forHidden], t.stack[at-forHidden:at])
	n := 2
	fn := t.stack[at].Function()
	if fn == nil {
		fn, n = t.callable(at, n, operand{}), n+1
	}
	if fn.builtin != nil {
		t.callBuiltin(fn, at, n, int(i.c), f)
		return false
	}
	t.push(fn, at, n, int(i.c))
	return true
}

func (t *Coroutine) closure(f *frame, p *Proto) *Function {
	t.st.Charge(functionBytes + 8*len(p.upvals))
	fn := &Function{proto: p}
	if len(p.upvals) > 0 {
		fn.cells = make([]*cell, len(p.upvals))
	}
	for i, u := range p.upvals {
		if u.local != nil {
			fn.cells[i] = t.stack[f.base+u.local.reg].o.(*cell)
		} else {
			fn.cells[i] = f.fn.cells[u.index]
		}
	}
	return fn
}

const functionBytes = 80
