package lualib

import (
	"strings"
	"unicode/utf8"

	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

// decoder reads one JSON value. at is the token at hand.
type decoder struct {
	c     *lua.Call
	o     *jsonOptions
	s     string
	pos   int
	kind  string
	begin int // of the token
	val   lua.Value
	depth int
}

// The kinds of tokens by the names that error texts give them; others are texts of what is wrong.
const (
	tokObjBegin = "T_OBJ_BEGIN"
	tokObjEnd   = "T_OBJ_END"
	tokArrBegin = "T_ARR_BEGIN"
	tokArrEnd   = "T_ARR_END"
	tokString   = "T_STRING"
	tokNumber   = "T_NUMBER"
	tokBoolean  = "T_BOOLEAN"
	tokNull     = "T_NULL"
	tokColon    = "T_COLON"
	tokComma    = "T_COMMA"
	tokEnd      = "T_END"
)

func jsonDecode(c *lua.Call, o *jsonOptions) {
	if c.NArgs() != 1 {
		c.ArgError(0, "expected 1 argument")
	}
	d := &decoder{c: c, o: o, s: c.String(0)}
	if len(d.s) >= 2 && (d.s[0] == 0 || d.s[1] == 0) {
		c.Errorf("JSON parser does not support UTF-16 or UTF-32")
	}
	d.next()
	v := d.value()
	d.next()
	if d.kind != tokEnd {
		d.fail("the end")
	}
	c.Push(v)
}

func (d *decoder) fail(expected string) {
	d.c.Errorf("Expected %s but found %s at character %d", expected, d.kind, d.begin+1)
}

var punctuation = [256]string{
	'{': tokObjBegin, '}': tokObjEnd, '[': tokArrBegin, ']': tokArrEnd, ':': tokColon, ',': tokComma,
}

// next reads a token.
func (d *decoder) next() {
	d.c.State().Spend(2)
	for d.pos < len(d.s) && strings.IndexByte(" \t\n\r", d.s[d.pos]) >= 0 {
		d.pos++
	}
	d.begin = d.pos
	if d.pos == len(d.s) {
		d.kind = tokEnd
		return
	}
	switch ch := d.s[d.pos]; {
	case punctuation[ch] != "":
		d.kind = punctuation[ch]
		d.pos++
	case ch == '"':
		d.string()
	case d.word("true", tokBoolean, lua.Bool(true)), d.word("false", tokBoolean, lua.Bool(false)),
		d.word("null", tokNull, jsonNull):
	default:
		d.number()
	}
}

func (d *decoder) word(w, kind string, v lua.Value) bool {
	if !strings.HasPrefix(d.s[d.pos:], w) {
		return false
	}
	d.kind, d.val = kind, v
	d.pos += len(w)
	return true
}

func isNumeral(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '.' || c == '+' || c == '-'
}

// number reads a numeral as strtod would, the longest that is one.
func (d *decoder) number() {
	end := d.pos
	for end < len(d.s) && isNumeral(d.s[end]) && end-d.pos < numeralMax {
		end++
	}
	text := d.s[d.pos:end]
	if !numeralStart(text, d.o.decodeInvalid) {
		d.kind = "invalid token"
		return
	}
	if !d.o.decodeInvalid && oddNumeral(text) {
		d.kind = "invalid number"
		return
	}
	for ; len(text) > 0; text = text[:len(text)-1] {
		if n, ok := lua.ParseNumber(text); ok {
			d.kind, d.val = tokNumber, lua.Number(n)
			d.pos += len(text)
			return
		}
	}
	d.kind = "invalid number"
}

const numeralMax = 400

// numeralStart: a digit, a sign, or (words) infinity and NaN.
func numeralStart(s string, words bool) bool {
	s = strings.ToLower(s)
	return s != "" && (strings.IndexByte("+-0123456789", s[0]) >= 0 ||
		words && (strings.HasPrefix(s, "inf") || strings.HasPrefix(s, "nan")))
}

// oddNumeral: numbers that JSON does not have.
func oddNumeral(s string) bool {
	s = strings.ToLower(strings.TrimLeft(s, "+-"))
	if len(s) > 1 && s[0] == '0' {
		return s[1] == 'x' || '0' <= s[1] && s[1] <= '9'
	}
	return strings.HasPrefix(s, "inf") || strings.HasPrefix(s, "nan")
}

func (d *decoder) string() {
	var b []byte
	from := d.pos + 1
	i := from
	for {
		if i >= len(d.s) {
			d.begin, d.kind = i, "unexpected end of string"
			return
		}
		switch d.s[i] {
		case '"':
			d.c.State().Spend(i / 1024)
			s := d.s[from:i]
			if b != nil {
				s = string(append(b, s...))
			}
			d.kind, d.val = tokString, d.c.State().NewString(strings.Clone(s))
			d.pos = i + 1
			return
		case '\\':
			b = append(b, d.s[from:i]...)
			out, n, wrong := unescape(b, d.s[i:])
			if wrong != "" {
				d.begin, d.kind = i, wrong
				return
			}
			b, i = out, i+n
			from = i
			continue
		}
		i++
	}
}

var plainEscapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape reads an escape sequence of n bytes.
func unescape(dst []byte, s string) (out []byte, n int, wrong string) {
	if len(s) < 2 {
		return nil, 0, "invalid escape code"
	}
	if s[1] != 'u' {
		c, ok := plainEscapes[s[1]]
		if !ok {
			return nil, 0, "invalid escape code"
		}
		return append(dst, c), 2, ""
	}
	const sequence = 6 // \u0000
	r := hex4(s, 2)
	switch {
	case r < 0:
		return nil, 0, "invalid unicode escape code"
	case r&0xf800 != 0xd800:
		return utf8.AppendRune(dst, rune(r)), sequence, ""
	case r&0xfc00 != 0xd800 || len(s) < sequence+2 || s[sequence] != '\\' || s[sequence+1] != 'u':
		return nil, 0, "invalid unicode escape code"
	}
	low := hex4(s, sequence+2)
	if low < 0 || low&0xfc00 != 0xdc00 {
		return nil, 0, "invalid unicode escape code"
	}
	return utf8.AppendRune(dst, rune(r&0x3ff<<10+low&0x3ff+0x10000)), 2 * sequence, ""
}

// hex4 reads four hex digits, -1 where there are none.
func hex4(s string, at int) int {
	if len(s) < at+4 {
		return -1
	}
	n := 0
	for i := at; i < at+4; i++ {
		digit := strings.IndexByte(hexDigits, s[i]|0x20)
		if digit < 0 || digit < 10 && s[i] != s[i]|0x20 {
			return -1
		}
		n = n<<4 + digit
	}
	return n
}

func (d *decoder) value() lua.Value {
	switch d.kind {
	case tokString, tokNumber, tokBoolean, tokNull:
		return d.val
	case tokObjBegin:
		return d.object()
	case tokArrBegin:
		return d.array()
	}
	d.fail("value")
	return lua.Nil
}

func (d *decoder) down() *lua.Table {
	if d.depth++; d.depth > min(d.o.decodeDepth, depthCap) {
		d.c.Errorf("Found too many nested data structures (%d) at character %d", d.depth, d.pos)
	}
	return d.c.State().NewTable()
}

func (d *decoder) object() lua.Value {
	t := d.down()
	d.next()
	if d.kind == tokObjEnd {
		d.depth--
		return lua.TableValue(t)
	}
	for {
		if d.kind != tokString {
			d.fail("object key string")
		}
		key := d.val
		if d.next(); d.kind != tokColon {
			d.fail("colon")
		}
		d.next()
		d.c.State().Put(t, key, d.value())
		switch d.next(); d.kind {
		case tokObjEnd:
			d.depth--
			return lua.TableValue(t)
		case tokComma:
		default:
			d.fail("comma or object end")
		}
		d.next()
	}
}

func (d *decoder) array() lua.Value {
	t := d.down()
	d.next()
	if d.kind == tokArrEnd {
		d.depth--
		return lua.TableValue(t)
	}
	for i := 1; ; i++ {
		d.c.State().Put(t, lua.Int(i), d.value())
		switch d.next(); d.kind {
		case tokArrEnd:
			d.depth--
			return lua.TableValue(t)
		case tokComma:
		default:
			d.fail("comma or array end")
		}
		d.next()
	}
}
