package lua

import (
	"fmt"
	"slices"
)

// parser reads statements. It goes down by recursion, levelsMax deep at most.
type parser struct {
	lexer
	cur, ahead token // ahead.kind is "" until somebody looks ahead
	lastLine   int   // of the token before cur
	scope      *scope
	levels     int
}

// levelsMax is how deep source may be nested: LUAI_MAXCCALLS.
const levelsMax = 200

func (p *parser) advance() {
	p.lastLine = p.cur.line
	if p.ahead.kind != "" {
		p.cur, p.ahead = p.ahead, token{}
		return
	}
	p.cur = p.lexer.next()
}

func (p *parser) lookahead() string {
	p.ahead = p.lexer.next()
	return p.ahead.kind
}

func (p *parser) accept(kind string) bool {
	if p.cur.kind != kind {
		return false
	}
	p.advance()
	return true
}

// error reports the token at hand. Lua's line is that of the last token read.
func (p *parser) error(text string) {
	p.lexer.fail(text, p.cur.text)
}

func (p *parser) expect(kind string) {
	if !p.accept(kind) {
		p.error("'" + kind + "' expected")
	}
}

// match is expect for what closes something that was opened at a line.
func (p *parser) match(kind, opened string, line int) {
	if p.accept(kind) {
		return
	}
	if line == p.lexer.line {
		p.error("'" + kind + "' expected")
	}
	p.error(fmt.Sprintf("'%s' expected (to close '%s' at line %d)", kind, opened, line))
}

func (p *parser) limit(s *scope, what string, limit int) {
	where := "main function"
	if s.f.line > 0 {
		where = fmt.Sprintf("function at line %d", s.f.line)
	}
	p.lexer.fail(fmt.Sprintf("%s has more than %d %s", where, limit, what), "")
}

func (p *parser) enter() {
	if p.levels++; p.levels > levelsMax {
		p.lexer.fail("chunk has too many syntax levels", "")
	}
}

func (p *parser) leave() { p.levels-- }

func (p *parser) name() string {
	if p.cur.kind != tokName {
		p.error("'<name>' expected")
	}
	s := p.cur.str
	p.advance()
	return s
}

// chunk reads a whole source as a function.
func (p *parser) chunk() *funcBody {
	f := &funcBody{vararg: true}
	p.scope = &scope{f: f}
	p.advance()
	f.body = p.block()
	if p.cur.kind != tokEOF {
		p.error("'<eof>' expected")
	}
	f.end = p.cur.line
	return f
}

var blockEnds = []string{tokEOF, "end", "else", "elseif", "until"}

func (p *parser) blockEnd() bool { return slices.Contains(blockEnds, p.cur.kind) }

// block reads statements in a scope of their own.
func (p *parser) block() []any {
	p.scope.open()
	defer p.scope.close()
	return p.statements()
}

func (p *parser) statements() (out []any) {
	p.enter()
	defer p.leave()
	for !p.blockEnd() {
		last := p.cur.kind == "return" || p.cur.kind == "break"
		if s := p.statement(); s != nil {
			out = append(out, s)
		}
		p.accept(";")
		if last {
			break
		}
	}
	return out
}

func (p *parser) statement() any {
	line := p.cur.line
	switch p.cur.kind {
	case "if":
		return p.ifStatement()
	case "while":
		p.advance()
		cond := p.expr()
		p.expect("do")
		body := p.loop()
		p.match("end", "while", line)
		return &whileStmt{cond, body, line}
	case "do":
		p.advance()
		body := p.block()
		p.match("end", "do", line)
		return &doStmt{body}
	case "for":
		return p.forStatement()
	case "repeat":
		return p.repeatStatement()
	case "function":
		return p.functionStatement()
	case "local":
		p.advance()
		if p.accept("function") {
			return p.localFunction(line)
		}
		return p.localStatement(line)
	case "return":
		p.advance()
		var es []any
		if !p.blockEnd() && p.cur.kind != ";" {
			es = p.exprList()
		}
		return &returnStmt{es, line}
	case "break":
		p.advance()
		if p.scope.loops == 0 {
			p.error("no loop to break")
		}
		return &breakStmt{line}
	}
	return p.exprStatement()
}

// loop reads the body of a loop.
func (p *parser) loop() []any {
	p.scope.loops++
	defer func() { p.scope.loops-- }()
	return p.block()
}

func (p *parser) ifStatement() any {
	s := &ifStmt{line: p.cur.line}
	for {
		p.advance() // if or elseif
		s.conds = append(s.conds, p.expr())
		p.expect("then")
		s.bodies = append(s.bodies, p.block())
		if p.cur.kind != "elseif" {
			break
		}
	}
	if p.accept("else") {
		s.bodies = append(s.bodies, p.block())
	}
	p.match("end", "if", s.line)
	return s
}

// repeatStatement: the condition sees what the body declares.
func (p *parser) repeatStatement() any {
	line := p.cur.line
	p.advance()
	p.scope.open()
	p.scope.loops++
	body := p.statements()
	p.scope.loops--
	p.match("until", "repeat", line)
	cond := p.expr()
	p.scope.close()
	return &repeatStmt{body, cond, line}
}

func (p *parser) forStatement() any {
	line := p.cur.line
	p.advance()
	first := p.name()
	switch p.cur.kind {
	case "=":
		return p.numericFor(first, line)
	case ",", "in":
		return p.genericFor(first, line)
	}
	p.error("'=' or 'in' expected")
	return nil
}

func (p *parser) numericFor(name string, line int) any {
	s := &numForStmt{v: &localVar{name: name}, line: line}
	p.advance()
	s.init = p.expr()
	p.expect(",")
	s.limit = p.expr()
	s.step = &constExpr{Number(1)}
	if p.accept(",") {
		s.step = p.expr()
	}
	s.body = p.forBody([]*localVar{s.v}, line)
	return s
}

func (p *parser) genericFor(name string, line int) any {
	s := &genForStmt{vars: []*localVar{{name: name}}, line: line}
	for p.accept(",") {
		s.vars = append(s.vars, &localVar{name: p.name()})
	}
	p.expect("in")
	s.exprs = p.exprList()
	s.body = p.forBody(s.vars, line)
	return s
}

// forHidden are the registers that a for loop keeps beside its variables; Lua counts them as local variables.
const forHidden = 3

func (p *parser) forBody(vars []*localVar, line int) []any {
	p.expect("do")
	p.scope.active += forHidden
	p.scope.open()
	for _, v := range vars {
		p.declare(v)
	}
	body := p.loop()
	p.scope.close()
	p.scope.active -= forHidden
	p.match("end", "for", line)
	return body
}

func (p *parser) functionStatement() any {
	line := p.cur.line
	p.advance()
	var target any = p.resolve(p.name())
	method := false
	for !method && (p.cur.kind == "." || p.cur.kind == ":") {
		method = p.cur.kind == ":"
		p.advance()
		target = &indexExpr{target, &constExpr{String(p.name())}, line}
	}
	f := p.funcBody(method, line)
	return &assignStmt{[]any{target}, []any{&funcExpr{f}}, line}
}

func (p *parser) localFunction(line int) any {
	v := &localVar{name: p.name()}
	p.declare(v)
	return &localFuncStmt{v, p.funcBody(false, line), line}
}

func (p *parser) localStatement(line int) any {
	s := &localStmt{line: line}
	for {
		s.vars = append(s.vars, &localVar{name: p.name()})
		if !p.accept(",") {
			break
		}
	}
	if p.accept("=") {
		s.exprs = p.exprList()
	}
	for _, v := range s.vars {
		p.declare(v)
	}
	return s
}

func (p *parser) exprStatement() any {
	line := p.cur.line
	e := p.primary()
	switch e.(type) {
	case *callExpr, *methodExpr:
		return &callStmt{e}
	}
	targets := []any{e}
	for p.accept(",") {
		p.checkTarget(targets[len(targets)-1])
		targets = append(targets, p.primary())
		if len(targets) > levelsMax {
			p.limit(p.scope, "variables in assignment", levelsMax)
		}
	}
	p.checkTarget(targets[len(targets)-1])
	p.expect("=")
	return &assignStmt{targets, p.exprList(), line}
}

func (p *parser) checkTarget(e any) {
	switch e.(type) {
	case *localExpr, *upvalExpr, *globalExpr, *indexExpr:
		return
	}
	p.error("syntax error")
}
