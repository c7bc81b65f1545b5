package lua

// assign evaluates everything first, then assigns from the right to the left.
func (g *generator) assign(s *assignStmt) {
	g.line = s.line
	free := g.free
	defer func() { g.free = free }()
	if len(s.targets) == 1 && len(s.exprs) == 1 {
		g.assignOne(s.targets[0], s.exprs[0], s.line)
		return
	}
	type place struct{ obj, key int32 }
	places := make([]place, len(s.targets))
	for i, t := range s.targets {
		if ix, ok := t.(*indexExpr); ok { // a copy of each: an assignment to its left could change it
			places[i].obj = int32(g.reserve(1))
			g.expr(ix.obj, int(places[i].obj))
			if c, ok := ix.key.(*constExpr); ok {
				places[i].key = g.k(c.v)
				continue
			}
			places[i].key = int32(g.reserve(1))
			g.expr(ix.key, int(places[i].key))
		}
	}
	first := g.free
	g.values(s.exprs, len(s.targets))
	for i := len(s.targets) - 1; i >= 0; i-- {
		src := int32(first + i)
		if ix, ok := s.targets[i].(*indexExpr); ok {
			g.line = ix.line
			at := g.emit(instr{op: opSetTable, a: places[i].obj, b: places[i].key, c: src})
			g.note(at, names{b: describe(ix.obj)})
			continue
		}
		g.store(s.targets[i], src)
	}
}

func (g *generator) assignOne(target, e any, line int) {
	switch t := target.(type) {
	case *indexExpr:
		obj, key := g.register(t.obj), g.operand(t.key)
		val := g.operand(e)
		g.line = t.line
		g.note(g.emit(instr{op: opSetTable, a: obj, b: key, c: val}), names{b: describe(t.obj)})
	case *localExpr:
		if !t.v.captured {
			switch e.(type) {
			case *constExpr, *indexExpr, *unaryExpr, *binaryExpr, *upvalExpr, *globalExpr, *localExpr:
				g.expr(e, t.v.reg) // the register is written last
				return
			}
		}
		g.store(target, g.operand(e))
	default:
		g.store(target, g.operand(e))
	}
}

// register is operand where a constant will not do.
func (g *generator) register(e any) int32 {
	if k := g.operand(e); k >= 0 {
		return k
	}
	reg := g.reserve(1)
	g.expr(e, reg)
	return int32(reg)
}

// store assigns an rk to a name.
func (g *generator) store(target any, src int32) {
	switch t := target.(type) {
	case *localExpr:
		switch {
		case t.v.captured:
			g.emit(instr{op: opSetCell, a: int32(t.v.reg), b: src})
		case src < 0:
			g.emit(instr{op: opLoadK, a: int32(t.v.reg), b: src})
		default:
			g.emit(instr{op: opMove, a: int32(t.v.reg), b: src})
		}
	case *upvalExpr:
		g.emit(instr{op: opSetUp, a: int32(t.index), b: src})
	case *globalExpr:
		g.line = t.line
		g.emit(instr{op: opSetGlobal, a: g.k(String(t.name)), b: src})
	}
}
