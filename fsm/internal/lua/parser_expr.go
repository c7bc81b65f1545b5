package lua

func (p *parser) exprList() []any {
	out := []any{p.expr()}
	for p.accept(",") {
		out = append(out, p.expr())
	}
	return out
}

// priorities of binary operators on their left and right; .. and ^ go to the right.
var priorities = map[string][2]int{
	"+": {6, 6}, "-": {6, 6}, "*": {7, 7}, "/": {7, 7}, "%": {7, 7}, "^": {10, 9}, "..": {5, 4},
	"~=": {3, 3}, "==": {3, 3}, "<": {3, 3}, "<=": {3, 3}, ">": {3, 3}, ">=": {3, 3}, "and": {2, 2}, "or": {1, 1},
}

const unaryPriority = 8

func (p *parser) expr() any { return p.subExpr(0) }

// subExpr reads operators that bind more tightly than limit. A chain such as 1+1+1... takes no recursion, but makes a deep
// tree: it is bounded too.
func (p *parser) subExpr(limit int) any {
	p.enter()
	defer p.leave()
	var e any
	switch op := p.cur.kind; op {
	case "not", "-", "#":
		line := p.cur.line
		p.advance()
		e = foldUnary(op, p.subExpr(unaryPriority), line)
	default:
		e = p.simple()
	}
	for links := 0; ; links++ {
		op, line := p.cur.kind, p.cur.line
		pr, ok := priorities[op]
		if !ok || pr[0] <= limit {
			return e
		}
		if links == linksMax {
			p.limit(p.scope, "operators in an expression", linksMax)
		}
		p.advance()
		r := p.subExpr(pr[1])
		switch op {
		case "and", "or":
			e = &logicExpr{op == "and", e, r}
		default:
			e = &binaryExpr{op, e, r, line}
		}
	}
}

// linksMax bounds a chain of operators, calls or indexes.
const linksMax = 1000

// foldUnary makes -1 a constant.
func foldUnary(op string, e any, line int) any {
	if c, ok := e.(*constExpr); ok && op == "-" && c.v.IsNumber() {
		return &constExpr{Number(-c.v.n)}
	}
	return &unaryExpr{op, e, line}
}

func (p *parser) simple() any {
	var e any
	switch p.cur.kind {
	case tokNumber:
		e = &constExpr{Number(p.cur.num)}
	case tokString:
		e = &constExpr{String(p.cur.str)}
	case "nil":
		e = &constExpr{}
	case "true", "false":
		e = &constExpr{Bool(p.cur.kind == "true")}
	case "...":
		if !p.scope.f.vararg {
			p.error("cannot use '...' outside a vararg function")
		}
		e = &varargExpr{}
	case "{":
		return p.table()
	case "function":
		line := p.cur.line
		p.advance()
		return &funcExpr{p.funcBody(false, line)}
	default:
		return p.primary()
	}
	p.advance()
	return e
}

// primary reads a name or something in parentheses, and the indexes and calls behind it.
func (p *parser) primary() any {
	e := p.prefix()
	for links := 0; ; links++ {
		if links == linksMax {
			p.limit(p.scope, "operators in an expression", linksMax)
		}
		line := p.cur.line
		switch p.cur.kind {
		case ".":
			p.advance()
			e = &indexExpr{e, &constExpr{String(p.name())}, line}
		case "[":
			p.advance()
			key := p.expr()
			p.expect("]")
			e = &indexExpr{e, key, line}
		case ":":
			p.advance()
			name := p.name()
			e = &methodExpr{e, name, p.args(), line}
		case "(", "{", tokString:
			e = &callExpr{e, p.args(), line}
		default:
			return e
		}
	}
}

func (p *parser) prefix() any {
	switch line := p.cur.line; p.cur.kind {
	case tokName:
		return p.resolve(p.name())
	case "(":
		p.advance()
		e := p.expr()
		p.match(")", "(", line)
		return &parenExpr{e}
	}
	p.error("unexpected symbol")
	return nil
}

func (p *parser) resolve(name string) any {
	if e := p.find(p.scope, name); e != nil {
		return e
	}
	return &globalExpr{name, p.lastLine}
}

func (p *parser) args() []any {
	switch p.cur.kind {
	case tokString:
		s := p.cur.str
		p.advance()
		return []any{&constExpr{String(s)}}
	case "{":
		return []any{p.table()}
	case "(":
	default:
		p.error("function arguments expected")
	}
	line := p.cur.line
	if line != p.lastLine {
		p.error("ambiguous syntax (function call x new statement)")
	}
	p.advance()
	if p.accept(")") {
		return nil
	}
	out := p.exprList()
	p.match(")", "(", line)
	return out
}

func (p *parser) table() any {
	t := &tableExpr{line: p.cur.line}
	p.expect("{")
	for p.cur.kind != "}" {
		t.items = append(t.items, p.tableItem())
		if !p.accept(",") && !p.accept(";") {
			break
		}
	}
	p.match("}", "{", t.line)
	return t
}

func (p *parser) tableItem() tableItem {
	switch {
	case p.cur.kind == tokName && p.lookahead() == "=":
		key := p.name()
		p.expect("=")
		return tableItem{&constExpr{String(key)}, p.expr()}
	case p.cur.kind == "[":
		p.advance()
		key := p.expr()
		p.expect("]")
		p.expect("=")
		return tableItem{key, p.expr()}
	}
	return tableItem{nil, p.expr()}
}

// funcBody reads parameters and body of a function.
func (p *parser) funcBody(method bool, line int) *funcBody {
	f := &funcBody{line: line}
	p.scope = &scope{parent: p.scope, f: f}
	p.scope.open()
	if method {
		f.params = append(f.params, &localVar{name: "self"})
	}
	p.expect("(")
	for p.cur.kind != ")" {
		if p.accept("...") {
			f.vararg = true
			break
		}
		f.params = append(f.params, &localVar{name: p.name()})
		if !p.accept(",") {
			break
		}
		if p.cur.kind == ")" {
			p.error("'<name>' expected")
		}
	}
	p.expect(")")
	for _, v := range f.params {
		p.declare(v)
	}
	f.body = p.statements()
	f.end = p.cur.line
	p.match("end", "function", line)
	p.scope.close()
	p.scope = p.scope.parent
	return f
}
