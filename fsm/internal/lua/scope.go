package lua

// scope is a function under compilation: who its names are.
type scope struct {
	parent *scope
	f      *funcBody
	blocks [][]*localVar // open blocks, the innermost last
	active int           // local variables in all of them
	// loops counts the loops around the present place.
	loops int
}

const (
	localsMax = 200 // Lua 5.1's
	upvalsMax = 60
)

func (s *scope) open() { s.blocks = append(s.blocks, nil) }

func (s *scope) close() {
	last := len(s.blocks) - 1
	s.active -= len(s.blocks[last])
	s.blocks = s.blocks[:last]
}

// find returns what a name stands for: *localExpr, *upvalExpr, or nil for a global.
func (p *parser) find(s *scope, name string) any {
	if v := s.local(name); v != nil {
		return &localExpr{v}
	}
	if i := p.upvalue(s, name); i >= 0 {
		return &upvalExpr{i, name}
	}
	return nil
}

func (s *scope) local(name string) *localVar {
	for i := len(s.blocks) - 1; i >= 0; i-- {
		for j := len(s.blocks[i]) - 1; j >= 0; j-- {
			if v := s.blocks[i][j]; v.name == name {
				return v
			}
		}
	}
	return nil
}

// upvalue finds a name in the functions around s, and makes it one of the cells that s's closures carry. -1: it is a global.
func (p *parser) upvalue(s *scope, name string) int {
	outer := s.parent
	if outer == nil {
		return -1
	}
	v := outer.local(name)
	index := -1
	if v == nil {
		if index = p.upvalue(outer, name); index < 0 {
			return -1
		}
	}
	for i, u := range s.f.upvals { // a name can mean different variables at different places
		if u.local == v && u.index == index {
			return i
		}
	}
	if len(s.f.upvals) == upvalsMax {
		p.limit(s, "upvalues", upvalsMax)
	}
	if v != nil {
		v.captured = true
	}
	s.f.upvals = append(s.f.upvals, upvalDesc{v, index, name})
	return len(s.f.upvals) - 1
}

// declare makes a local variable known from here on.
func (p *parser) declare(v *localVar) {
	s := p.scope
	if s.active == localsMax {
		p.limit(s, "local variables", localsMax)
	}
	s.active++
	last := len(s.blocks) - 1
	s.blocks[last] = append(s.blocks[last], v)
}
