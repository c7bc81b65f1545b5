package lua

// multiple reports whether an expression can have several values.
func multiple(e any) bool {
	switch e.(type) {
	case *callExpr, *methodExpr, *varargExpr:
		return true
	}
	return false
}

// multi evaluates such an expression into want registers from dst on, which is the first free one; want -1: all of them.
func (g *generator) multi(e any, dst, want int) {
	if _, ok := e.(*varargExpr); ok {
		g.emit(instr{op: opVararg, a: int32(dst), b: int32(want)})
		g.p.regs = max(g.p.regs, dst+max(want, 1))
		return
	}
	free := g.free
	g.call(e, dst, want)
	g.free = free
}

// expr evaluates an expression into a register.
func (g *generator) expr(e any, dst int) {
	d := int32(dst)
	switch e := e.(type) {
	case *constExpr:
		g.loadK(dst, e.v)
	case *varargExpr:
		g.emit(instr{op: opVararg, a: d, b: 1})
	case *localExpr:
		op := opMove
		if e.v.captured {
			op = opGetCell
		}
		if op == opGetCell || dst != e.v.reg {
			g.emit(instr{op: op, a: d, b: int32(e.v.reg)})
		}
	case *upvalExpr:
		g.emit(instr{op: opGetUp, a: d, b: int32(e.index)})
	case *globalExpr:
		g.line = e.line
		g.emit(instr{op: opGetGlobal, a: d, b: g.k(String(e.name))})
	case *parenExpr:
		g.expr(e.e, dst)
	case *funcExpr:
		g.closure(e.f, dst)
	case *callExpr, *methodExpr:
		free := g.free
		at := g.free
		g.call(e, at, 1)
		g.free = free
		if at != dst {
			g.emit(instr{op: opMove, a: d, b: int32(at)})
		}
	case *indexExpr, *binaryExpr, *unaryExpr:
		g.operation(e, d)
	case *logicExpr:
		g.logic(e, dst)
	case *tableExpr:
		g.table(e, dst)
	}
}

// operation is expr for what works on one or two operands.
func (g *generator) operation(e any, d int32) {
	free := g.free
	defer func() { g.free = free }()
	switch e := e.(type) {
	case *indexExpr:
		b, c := g.operand(e.obj), g.operand(e.key)
		g.line = e.line
		g.note(g.emit(instr{op: opGetTable, a: d, b: b, c: c}), names{b: describe(e.obj)})
	case *unaryExpr:
		b := g.operand(e.e)
		g.line = e.line
		op := map[string]opcode{"-": opUnm, "not": opNot, "#": opLen}[e.op]
		g.note(g.emit(instr{op: op, a: d, b: b}), names{b: describe(e.e)})
	case *binaryExpr:
		if op, ok := arithmetic[e.op]; ok {
			b, c := g.operand(e.l), g.operand(e.r)
			g.line = e.line
			g.note(g.emit(instr{op: op, a: d, b: b, c: c}), names{b: describe(e.l), c: describe(e.r)})
			return
		}
		if e.op == ".." {
			g.concat(e, d)
			return
		}
		jumps := g.compare(e, true)
		g.emit(instr{op: opLoadK, a: d, b: g.k(Bool(false))})
		end := g.emit(instr{op: opJump})
		g.patch(jumps, g.here())
		g.emit(instr{op: opLoadK, a: d, b: g.k(Bool(true))})
		g.patch([]int{end}, g.here())
	}
}

var arithmetic = map[string]opcode{"+": opAdd, "-": opSub, "*": opMul, "/": opDiv, "%": opMod, "^": opPow}

// operand evaluates an expression to an rk: a constant, a local variable where it is, or a register of its own.
func (g *generator) operand(e any) int32 {
	switch e := e.(type) {
	case *constExpr:
		return g.k(e.v)
	case *localExpr:
		if !e.v.captured {
			return int32(e.v.reg)
		}
	case *parenExpr:
		if !multiple(e.e) {
			return g.operand(e.e)
		}
	}
	reg := g.reserve(1)
	g.expr(e, reg)
	return int32(reg)
}

// concat puts a whole chain, which goes to the right, into one instruction.
func (g *generator) concat(e *binaryExpr, d int32) {
	first := g.free
	var list []operand
	var next any = e
	for {
		b, ok := next.(*binaryExpr)
		if !ok || b.op != ".." {
			break
		}
		g.expr(b.l, g.reserve(1))
		list = append(list, describe(b.l))
		next = b.r
	}
	g.expr(next, g.reserve(1))
	list = append(list, describe(next))
	g.line = e.line
	g.note(g.emit(instr{op: opConcat, a: d, b: int32(first), c: int32(g.free - 1)}), names{list: list})
}

// logic is "and" and "or" for their value. What is on the right may use the register's old value: it is written last.
func (g *generator) logic(e *logicExpr, dst int) {
	free := g.free
	at := dst
	if dst < free-1 || dst >= free {
		at = g.reserve(1)
	}
	g.expr(e.l, at)
	end := g.emit(instr{op: opTest, flag: !e.and, b: int32(at)})
	g.expr(e.r, at)
	g.patch([]int{end}, g.here())
	if at != dst {
		g.emit(instr{op: opMove, a: int32(dst), b: int32(at)})
	}
	g.free = free
}

// cond goes on where an expression's truth is not sense, and returns the jumps that are taken where it is.
func (g *generator) cond(e any, sense bool) []int {
	switch e := e.(type) {
	case *parenExpr:
		if !multiple(e.e) {
			return g.cond(e.e, sense)
		}
	case *unaryExpr:
		if e.op == "not" {
			return g.cond(e.e, !sense)
		}
	case *logicExpr:
		if e.and != sense { // either side decides
			return append(g.cond(e.l, sense), g.cond(e.r, sense)...)
		}
		skip := g.cond(e.l, !sense)
		jumps := g.cond(e.r, sense)
		g.patch(skip, g.here())
		return jumps
	case *binaryExpr:
		if comparisons[e.op] {
			return g.compare(e, sense)
		}
	case *constExpr:
		if e.v.Truth() != sense {
			return nil
		}
		return []int{g.emit(instr{op: opJump})}
	}
	free := g.free
	b := g.operand(e)
	g.free = free
	return []int{g.emit(instr{op: opTest, flag: sense, b: b})}
}

var comparisons = map[string]bool{"==": true, "~=": true, "<": true, "<=": true, ">": true, ">=": true}

func (g *generator) compare(e *binaryExpr, sense bool) []int {
	free := g.free
	b, c := g.operand(e.l), g.operand(e.r)
	g.free = free
	g.line = e.line
	i := instr{op: opEq, flag: sense, b: b, c: c}
	switch e.op {
	case "~=":
		i.flag = !sense
	case "<":
		i.op = opLt
	case "<=":
		i.op = opLe
	case ">":
		i.op, i.b, i.c = opLt, c, b
	case ">=":
		i.op, i.b, i.c = opLe, c, b
	}
	return []int{g.emit(i)}
}

// call generates a call whose function and arguments stand from register at on, the first free one.
func (g *generator) call(e any, at, want int) {
	var args []any
	var line int
	var what operand
	switch e := e.(type) {
	case *callExpr:
		g.expr(e.fn, g.reserve(1))
		args, line, what = e.args, e.line, describe(e.fn)
	case *methodExpr:
		args, line, what = e.args, e.line, operand{"method", e.name}
		g.reserve(2)
		obj := at + 1
		g.expr(e.obj, obj)
		g.line = line
		i := g.emit(instr{op: opSelf, a: int32(at), b: int32(obj), c: g.k(String(e.name))})
		g.note(i, names{b: describe(e.obj)})
	}
	n := -1
	if !g.list(args) {
		n = g.free - at - 1
	}
	g.line = line
	g.note(g.emit(instr{op: opCall, a: int32(at), b: int32(n), c: int32(want)}), names{b: what})
	g.p.regs = max(g.p.regs, at+max(want, 1))
}

func (g *generator) closure(f *funcBody, dst int) {
	g.p.protos = append(g.p.protos, generate(f, g.p.source))
	g.emit(instr{op: opClosure, a: int32(dst), b: int32(len(g.p.protos) - 1)})
}

// listBatch is how many elements of a table constructor are gathered in registers.
const listBatch = 50

func (g *generator) table(e *tableExpr, dst int) {
	free, at := g.free, dst
	if dst != free-1 {
		at = g.reserve(1)
	}
	listed := 0
	for _, it := range e.items {
		if it.key == nil {
			listed++
		}
	}
	g.line = e.line
	g.emit(instr{op: opNewTable, a: int32(at), b: int32(listed), c: int32(len(e.items) - listed)})
	pending, done := 0, 0
	flush := func(n int) {
		g.emit(instr{op: opSetList, a: int32(at), b: int32(n), c: int32(done)})
		done += pending
		pending, g.free = 0, at+1
	}
	for i, it := range e.items {
		if it.key != nil {
			held := g.free
			k, v := g.operand(it.key), g.operand(it.val)
			g.emit(instr{op: opSetTable, a: int32(at), b: k, c: v})
			g.free = held
			continue
		}
		if i == len(e.items)-1 && multiple(it.val) {
			g.multi(it.val, g.free, -1)
			flush(-1)
			break
		}
		g.expr(it.val, g.reserve(1))
		if pending++; pending == listBatch {
			flush(pending)
		}
	}
	if pending > 0 {
		flush(pending)
	}
	if dst != at {
		g.emit(instr{op: opMove, a: int32(dst), b: int32(at)})
	}
	g.free = free
}

// describe names a value for error texts.
func describe(e any) operand {
	switch e := e.(type) {
	case *localExpr:
		return operand{"local", e.v.name}
	case *upvalExpr:
		return operand{"upvalue", e.name}
	case *globalExpr:
		return operand{"global", e.name}
	case *indexExpr:
		if c, ok := e.key.(*constExpr); ok {
			if s, ok := c.v.Str(); ok {
				return operand{"field", s}
			}
		}
		return operand{"field", "?"}
	case *methodExpr:
		return operand{}
	}
	return operand{}
}
