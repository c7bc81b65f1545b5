package lua

import (
	"fmt"
	"strings"
)

// token is a word of the language: a reserved word or an operator by its text, or one of the kinds below.
type token struct {
	kind string
	text string // as it stands in the source, for error texts
	str  string // of a name or a string
	num  float64
	line int
}

// Kinds of token that have many texts.
const (
	tokEOF    = "<eof>"
	tokName   = "<name>"
	tokString = "<string>"
	tokNumber = "<number>"
)

var reserved = map[string]bool{
	"and": true, "break": true, "do": true, "else": true, "elseif": true, "end": true, "false": true, "for": true,
	"function": true, "if": true, "in": true, "local": true, "nil": true, "not": true, "or": true, "repeat": true,
	"return": true, "then": true, "true": true, "until": true, "while": true,
}

// operators by length, the longest first.
var operators = []string{
	"...", "..", "==", "~=", "<=", ">=",
	"+", "-", "*", "/", "%", "^", "#", "<", ">", "=", "(", ")", "{", "}", "[", "]", ";", ":", ",", ".",
}

// lexer splits source into tokens.
type lexer struct {
	src   string
	pos   int
	line  int
	chunk string
}

// syntaxError ends a compilation; Compile turns it into an error.
type syntaxError struct{ text string }

func (l *lexer) fail(text, near string) {
	if near != "" {
		text += " near '" + near + "'"
	}
	panic(syntaxError{fmt.Sprintf("%s:%d: %s", l.chunk, l.line, text)})
}

// peek returns the byte at an offset, 0 behind the end.
func (l *lexer) peek(off int) byte {
	if l.pos+off < len(l.src) {
		return l.src[l.pos+off]
	}
	return 0
}

// next returns the next token.
func (l *lexer) next() token {
	l.skipBlank()
	start := l.pos
	if start >= len(l.src) {
		return token{kind: tokEOF, text: tokEOF, line: l.line}
	}
	switch c := l.src[start]; {
	case isAlpha(c):
		return l.name()
	case isDigit(c), c == '.' && isDigit(l.peek(1)):
		return l.numeral()
	case c == '"', c == '\'':
		return l.quoted(c)
	case c == '[' && l.longLevel() >= 0:
		s := l.long("unfinished long string")
		return token{kind: tokString, text: l.src[start:l.pos], str: s, line: l.line}
	}
	for _, op := range operators {
		if strings.HasPrefix(l.src[start:], op) {
			l.pos += len(op)
			return token{kind: op, text: op, line: l.line}
		}
	}
	l.pos++
	return token{kind: l.src[start:l.pos], text: printable(l.src[start]), line: l.line}
}

func printable(c byte) string {
	if c < ' ' || c == 0x7f {
		return fmt.Sprintf("char(%d)", c)
	}
	return string([]byte{c})
}

func (l *lexer) skipBlank() {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == '\n' || c == '\r':
			l.newline()
		case c == ' ' || c == '\t' || c == '\v' || c == '\f':
			l.pos++
		case c == '-' && l.peek(1) == '-':
			l.comment()
		default:
			return
		}
	}
}

// newline passes "\n", "\r", "\r\n" or "\n\r", which are one line end each.
func (l *lexer) newline() {
	c, d := l.src[l.pos], l.peek(1)
	l.pos++
	if (d == '\n' || d == '\r') && d != c {
		l.pos++
	}
	l.line++
}

func (l *lexer) comment() {
	l.pos += 2
	if l.peek(0) == '[' && l.longLevel() >= 0 {
		l.long("unfinished long comment")
		return
	}
	for l.pos < len(l.src) && l.src[l.pos] != '\n' && l.src[l.pos] != '\r' {
		l.pos++
	}
}

// longLevel returns the number of "=" between two brackets that open a long string here, -1 if none does.
func (l *lexer) longLevel() int {
	n := 1
	for l.peek(n) == '=' {
		n++
	}
	if l.peek(n) == '[' {
		return n - 1
	}
	return -1
}

func (l *lexer) long(unfinished string) string {
	closing := "]" + strings.Repeat("=", l.longLevel()) + "]"
	l.pos += len(closing)
	if c := l.peek(0); c == '\n' || c == '\r' {
		l.newline()
	}
	var b strings.Builder
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == ']' && strings.HasPrefix(l.src[l.pos:], closing):
			l.pos += len(closing)
			return b.String()
		case c == '\n' || c == '\r':
			l.newline()
			b.WriteByte('\n')
		default:
			b.WriteByte(c)
			l.pos++
		}
	}
	l.fail(unfinished, tokEOF)
	return ""
}

func (l *lexer) name() token {
	start := l.pos
	for l.pos < len(l.src) && (isAlpha(l.src[l.pos]) || isDigit(l.src[l.pos])) {
		l.pos++
	}
	s := l.src[start:l.pos]
	if reserved[s] {
		return token{kind: s, text: s, line: l.line}
	}
	return token{kind: tokName, text: s, str: s, line: l.line}
}

func (l *lexer) numeral() token {
	start := l.pos
	for l.pos < len(l.src) && (isDigit(l.src[l.pos]) || l.src[l.pos] == '.') {
		l.pos++
	}
	if c := l.peek(0) | 0x20; c == 'e' {
		l.pos++
		if s := l.peek(0); s == '+' || s == '-' {
			l.pos++
		}
	}
	for l.pos < len(l.src) && (isAlpha(l.src[l.pos]) || isDigit(l.src[l.pos])) {
		l.pos++
	}
	text := l.src[start:l.pos]
	n, ok := ParseNumber(text)
	if !ok {
		l.fail("malformed number", text)
	}
	return token{kind: tokNumber, text: text, num: n, line: l.line}
}

func (l *lexer) quoted(quote byte) token {
	start := l.pos
	l.pos++
	var b strings.Builder
	for {
		if l.pos >= len(l.src) {
			l.fail("unfinished string", tokEOF)
		}
		switch c := l.src[l.pos]; c {
		case quote:
			l.pos++
			return token{kind: tokString, text: l.src[start:l.pos], str: b.String(), line: l.line}
		case '\n', '\r':
			l.fail("unfinished string", l.src[start:start+1]+b.String())
		case '\\':
			l.pos++
			l.escape(&b, quote)
		default:
			b.WriteByte(c)
			l.pos++
		}
	}
}

var escapes = map[byte]byte{'a': 7, 'b': 8, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11}

// escape reads what follows a backslash.
func (l *lexer) escape(b *strings.Builder, quote byte) {
	c := l.peek(0)
	switch e, ok := escapes[c]; {
	case l.pos >= len(l.src): // quoted finds the end
	case ok:
		b.WriteByte(e)
		l.pos++
	case c == '\n' || c == '\r':
		l.newline()
		b.WriteByte('\n')
	case isDigit(c):
		n := 0
		for i := 0; i < 3 && isDigit(l.peek(0)); i++ {
			n = n*10 + int(l.src[l.pos]-'0')
			l.pos++
		}
		if n > 255 {
			l.fail("escape sequence too large", string(quote)+b.String())
		}
		b.WriteByte(byte(n))
	default:
		b.WriteByte(c)
		l.pos++
	}
}

func isAlpha(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
