package lua

// generator turns one function into code. Registers are used as a stack: local variables in the order of their declaration,
// and above them what an expression needs for itself.
type generator struct {
	p      *Proto
	free   int // the first unused register
	line   int
	consts map[Value]int32
	breaks [][]int // of each open loop: jumps to behind it
}

func generate(f *funcBody, source string) *Proto {
	g := &generator{
		p:      &Proto{upvals: f.upvals, params: len(f.params), vararg: f.vararg, source: source, line: f.line},
		consts: map[Value]int32{},
		line:   f.line,
	}
	for _, v := range f.params {
		g.bind(v)
	}
	g.block(f.body)
	g.line = f.end
	g.emit(instr{op: opReturn})
	return g.p
}

const registersMax = 250 // Lua 5.1's

func (g *generator) reserve(n int) (first int) {
	first = g.free
	g.free += n
	if g.free > registersMax {
		panic(syntaxError{g.p.source + ": function or expression too complex"})
	}
	g.p.regs = max(g.p.regs, g.free)
	return first
}

// bind gives a declared variable the next register, and makes a cell where it is captured. Its value is there already.
func (g *generator) bind(v *localVar) {
	v.reg = g.reserve(1)
	g.shelter(v)
}

func (g *generator) shelter(v *localVar) {
	if v.captured {
		g.emit(instr{op: opNewCell, a: int32(v.reg)})
	}
}

func (g *generator) emit(i instr) (at int) {
	g.p.code = append(g.p.code, i)
	g.p.lines = append(g.p.lines, int32(g.line))
	return len(g.p.code) - 1
}

func (g *generator) here() int { return len(g.p.code) }

func (g *generator) patch(jumps []int, to int) {
	for _, j := range jumps {
		g.p.code[j].a = int32(to)
	}
}

func (g *generator) note(at int, n names) {
	if n.b.kind == "" && n.c.kind == "" && n.list == nil {
		return
	}
	if g.p.names == nil {
		g.p.names = map[int32]names{}
	}
	g.p.names[int32(at)] = n
}

// k returns the operand of a constant.
func (g *generator) k(v Value) int32 {
	if isNaN(v) { // equal to nothing
		g.p.consts = append(g.p.consts, v)
		return int32(-len(g.p.consts))
	}
	key := v
	if v.IsNumber() && v.n == 0 && 1/v.n < 0 {
		key = Value{boolTag{}, -1} // -0 is another constant than 0
	}
	i, ok := g.consts[key]
	if !ok {
		g.p.consts = append(g.p.consts, v)
		i = int32(-len(g.p.consts))
		g.consts[key] = i
	}
	return i
}

func (g *generator) loadK(dst int, v Value) {
	if v.IsNil() {
		g.emit(instr{op: opLoadNil, a: int32(dst), b: int32(dst)})
		return
	}
	g.emit(instr{op: opLoadK, a: int32(dst), b: g.k(v)})
}

// block generates statements whose local variables end with it.
func (g *generator) block(body []any) {
	free := g.free
	for _, s := range body {
		g.statement(s)
	}
	g.free = free
}

func (g *generator) statement(s any) {
	switch s := s.(type) {
	case *localStmt:
		g.localStatement(s)
	case *assignStmt:
		g.assign(s)
	case *callStmt:
		free := g.free
		g.call(s.call, g.free, 0)
		g.free = free
	case *doStmt:
		g.block(s.body)
	case *whileStmt:
		g.whileLoop(s)
	case *repeatStmt:
		g.repeatLoop(s)
	case *ifStmt:
		g.ifStatement(s)
	case *numForStmt:
		g.numericFor(s)
	case *genForStmt:
		g.genericFor(s)
	case *localFuncStmt:
		g.line = s.line
		reg := g.reserve(1)
		s.v.reg = reg
		if s.v.captured { // it calls itself
			g.emit(instr{op: opLoadNil, a: int32(reg), b: int32(reg)})
			g.shelter(s.v)
		}
		tmp := reg
		if s.v.captured {
			tmp = g.reserve(1)
		}
		g.closure(s.f, tmp)
		if s.v.captured {
			g.emit(instr{op: opSetCell, a: int32(reg), b: int32(tmp)})
			g.free--
		}
	case *returnStmt:
		g.returnStatement(s)
	case *breakStmt:
		g.line = s.line
		last := len(g.breaks) - 1
		g.breaks[last] = append(g.breaks[last], g.emit(instr{op: opJump}))
	}
}

// values evaluates expressions into want registers from the first free one on. Missing ones are nil.
func (g *generator) values(exprs []any, want int) {
	for i, e := range exprs {
		last := i == len(exprs)-1
		switch {
		case last && want > i && multiple(e):
			g.multi(e, g.free, want-i)
			g.reserve(want - i)
			return
		case i >= want:
			free := g.free
			g.expr(e, g.reserve(1))
			g.free = free
		default:
			g.expr(e, g.reserve(1))
		}
	}
	if n := want - len(exprs); n > 0 {
		first := g.reserve(n)
		g.emit(instr{op: opLoadNil, a: int32(first), b: int32(first + n - 1)})
	}
}

func (g *generator) localStatement(s *localStmt) {
	g.line = s.line
	first := g.free
	g.values(s.exprs, len(s.vars))
	for i, v := range s.vars {
		v.reg = first + i
		g.shelter(v)
	}
}

func (g *generator) whileLoop(s *whileStmt) {
	start := g.here()
	g.line = s.line
	exits := g.cond(s.cond, false)
	g.loop(s.body)
	g.emit(instr{op: opJump, a: int32(start)})
	g.endLoop(exits)
}

func (g *generator) loop(body []any) {
	g.breaks = append(g.breaks, nil)
	g.block(body)
}

// endLoop makes breaks, and other jumps out of a loop, lead here.
func (g *generator) endLoop(exits []int) {
	last := len(g.breaks) - 1
	g.patch(g.breaks[last], g.here())
	g.patch(exits, g.here())
	g.breaks = g.breaks[:last]
}

func (g *generator) repeatLoop(s *repeatStmt) {
	start, free := g.here(), g.free
	g.breaks = append(g.breaks, nil)
	for _, st := range s.body {
		g.statement(st)
	}
	g.patch(g.cond(s.cond, false), start)
	g.free = free
	g.endLoop(nil)
}

func (g *generator) ifStatement(s *ifStmt) {
	var ends []int
	for i, body := range s.bodies {
		var skip []int
		if i < len(s.conds) {
			skip = g.cond(s.conds[i], false)
		}
		g.block(body)
		if i < len(s.bodies)-1 {
			ends = append(ends, g.emit(instr{op: opJump}))
		}
		g.patch(skip, g.here())
	}
	g.patch(ends, g.here())
}

func (g *generator) numericFor(s *numForStmt) {
	g.line = s.line
	free := g.free
	base := g.reserve(forHidden)
	for i, e := range []any{s.init, s.limit, s.step} {
		g.expr(e, base+i)
	}
	g.line = s.line
	prep := g.emit(instr{op: opForPrep, a: int32(base)})
	g.bind(s.v)
	g.loop(s.body)
	g.line = s.line
	g.p.code[prep].b = int32(g.here())
	g.emit(instr{op: opForLoop, a: int32(base), b: int32(prep + 1)})
	g.free = free
	g.endLoop(nil)
}

func (g *generator) genericFor(s *genForStmt) {
	g.line = s.line
	free := g.free
	base := g.free
	g.values(s.exprs, forHidden)
	entry := g.emit(instr{op: opJump})
	first := g.reserve(max(len(s.vars), forHidden)) // room for the call
	g.free = first + len(s.vars)
	body := g.here()
	for i, v := range s.vars {
		v.reg = first + i
		g.shelter(v)
	}
	g.loop(s.body)
	g.patch([]int{entry}, g.here())
	g.line = s.line
	g.emit(instr{op: opForCall, a: int32(base), c: int32(len(s.vars))})
	g.emit(instr{op: opForTest, a: int32(base), b: int32(body)})
	g.free = free
	g.endLoop(nil)
}

func (g *generator) returnStatement(s *returnStmt) {
	g.line = s.line
	free := g.free
	defer func() { g.free = free }()
	if len(s.exprs) == 1 {
		switch e := s.exprs[0].(type) {
		case *callExpr, *methodExpr:
			g.call(e, g.free, -1)
			g.p.code[g.here()-1].op = opTailCall
			g.emit(instr{op: opReturn, a: int32(free), b: -1})
			return
		case *localExpr:
			if !e.v.captured {
				g.emit(instr{op: opReturn, a: int32(e.v.reg), b: 1})
				return
			}
		}
	}
	n := len(s.exprs)
	if g.list(s.exprs) {
		n = -1
	}
	g.emit(instr{op: opReturn, a: int32(free), b: int32(n)})
}

// list evaluates expressions into registers from the first free one on. open: the last one gives all its values, up to the
// top.
func (g *generator) list(exprs []any) (open bool) {
	for i, e := range exprs {
		if i == len(exprs)-1 && multiple(e) {
			g.multi(e, g.free, -1)
			return true
		}
		g.expr(e, g.reserve(1))
	}
	return false
}
