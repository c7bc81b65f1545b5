package lua

import "strings"

func (l *Library) openString() {
	t := Funcs("string", map[string]func(c *Call){
		"byte": stringByte, "char": stringChar, "find": stringFind, "format": stringFormat, "gmatch": stringGmatch,
		"gfind": stringGmatch, "gsub": stringGsub, "match": stringMatch, "rep": stringRep, "sub": stringSub,
		"len":     func(c *Call) { c.Push(Int(len(c.String(0)))) },
		"lower":   func(c *Call) { c.PushString(mapBytes(c, 'A', 'Z')) },
		"upper":   func(c *Call) { c.PushString(mapBytes(c, 'a', 'z')) },
		"reverse": stringReverse,
		"dump":    stringDump,
	})
	l.Set("string", TableValue(t))
	l.strings = &Table{}
	l.strings.SetStr("__index", TableValue(t))
	protect(l.strings, "string.meta")
}

// mapBytes turns the letters from first to last into the other case.
func mapBytes(c *Call, first, last byte) string {
	s := c.String(0)
	c.st.Room(len(s))
	b := []byte(s)
	for i, ch := range b {
		if first <= ch && ch <= last {
			b[i] = ch ^ 0x20
		}
	}
	return string(b)
}

// position turns an index of Lua, which may count from the end, into one counted from 1; below 1 is 0.
func position(i, n int) int {
	if i < 0 {
		i += n + 1
	}
	return max(i, 0)
}

func stringSub(c *Call) {
	s := c.String(0)
	i, j := position(c.Int(1), len(s)), position(c.OptInt(2, -1), len(s))
	i, j = max(i, 1), min(j, len(s))
	if i > j {
		c.Push(String(""))
		return
	}
	c.PushString(s[i-1 : j])
}

func stringByte(c *Call) {
	s := c.String(0)
	i := position(c.OptInt(1, 1), len(s))
	j := min(position(c.OptInt(2, i), len(s)), len(s))
	i = max(i, 1)
	if j-i >= argsMax {
		c.Errorf("string slice too long")
	}
	for ; i <= j; i++ {
		c.Push(Int(int(s[i-1])))
	}
}

func stringChar(c *Call) {
	b := make([]byte, c.NArgs())
	for i := range b {
		n := c.Int(i)
		if n < 0 || n > 255 {
			c.ArgError(i, "invalid value")
		}
		b[i] = byte(n)
	}
	c.PushString(string(b))
}

func stringRep(c *Call) {
	s, n := c.String(0), max(c.Int(1), 0)
	if len(s) > 0 && n > c.st.limits.StringBytes/len(s) {
		c.st.Room(c.st.limits.StringBytes + 1)
	}
	c.st.Room(len(s) * n)
	if s == "" {
		n = 0
	}
	c.PushString(strings.Repeat(s, n))
}

func stringReverse(c *Call) {
	s := c.String(0)
	c.st.Room(len(s))
	b := make([]byte, len(s))
	for i := range len(s) {
		b[len(s)-1-i] = s[i]
	}
	c.PushString(string(b))
}

// stringDump gives what cannot be loaded again: neither here nor in Redis is compiled code.
func stringDump(c *Call) {
	f := c.Arg(0).Function()
	switch {
	case f == nil:
		c.typeError(0, "function")
	case f.builtin != nil:
		c.Errorf("unable to dump given function")
	}
	c.Push(String("\x1bLua"))
}

func stringFind(c *Call)  { find(c, true) }
func stringMatch(c *Call) { find(c, false) }

// find is string.find and string.match.
func find(c *Call, positions bool) {
	s, pat := c.String(0), c.String(1)
	at := position(c.OptInt(2, 1), len(s)) - 1
	at = min(max(at, 0), len(s))
	if positions && (c.Arg(3).Truth() || !strings.ContainsAny(pat, specials)) {
		c.st.Spend(len(s) / stepBytes)
		if i := strings.Index(s[at:], pat); i >= 0 {
			c.Push(Int(at+i+1), Int(at+i+len(pat)))
			return
		}
		c.Push(Nil)
		return
	}
	m := newMatcher(c, s, pat)
	anchored := m.anchored()
	for ; at <= len(s); at++ {
		if end := m.begin(at); end >= 0 {
			if positions {
				c.Push(Int(at+1), Int(end))
				c.Push(m.captures(at, end, false)...)
				return
			}
			c.Push(m.captures(at, end, true)...)
			return
		}
		if anchored {
			break
		}
	}
	c.Push(Nil)
}

func stringGmatch(c *Call) {
	s, pat := c.String(0), c.String(1)
	at := 0
	c.Push(FunctionValue(&Function{builtin: func(c *Call) {
		m := newMatcher(c, s, pat)
		for ; at <= len(s); at++ {
			end := m.begin(at)
			if end < 0 {
				continue
			}
			c.Push(m.captures(at, end, true)...)
			if at = end; end == m.start {
				at++ // an empty match: the next is looked for behind the next byte
			}
			return
		}
		c.Push(Nil)
	}}))
}

func stringGsub(c *Call) {
	s, pat, repl := c.String(0), c.String(1), c.Arg(2)
	_, text := repl.ToString()
	if !text && repl.Table() == nil && repl.Function() == nil {
		c.ArgError(2, "string/function/table expected")
	}
	most := c.OptInt(3, len(s)+1)
	m := newMatcher(c, s, pat)
	anchored := m.anchored()
	var b strings.Builder
	at, n := 0, 0
	for n < most {
		end := m.begin(at)
		if end >= 0 {
			n++
			m.replace(&b, repl, at, end)
		}
		switch {
		case end > at:
			at = end
		case at < len(s):
			b.WriteByte(s[at])
			at++
		default:
			at = len(s) + 1
		}
		if at > len(s) || anchored {
			break
		}
	}
	if at < len(s) {
		b.WriteString(s[at:])
	}
	c.st.Room(b.Len())
	c.PushString(b.String())
	c.Push(Int(n))
}

// replace writes what stands in place of a match. What is called for it can call gsub again: before that the result so far
// is charged for, since many may be under way at once.
func (m *matcher) replace(b *strings.Builder, repl Value, at, end int) {
	if grown := b.Cap() - m.charged; grown > 0 {
		m.charged += grown
		m.c.st.Charge(grown)
	}
	var v Value
	switch {
	case repl.Function() != nil:
		v = m.c.t.call1(repl, m.captures(at, end, true)...)
	case repl.Table() != nil:
		v = m.c.t.index(repl, m.capture(0, at, end), false)
	default:
		s, _ := repl.ToString()
		m.expand(b, s, at, end)
		return
	}
	if !v.Truth() {
		b.WriteString(m.s[at:end])
		return
	}
	s, ok := v.ToString()
	if !ok {
		m.c.Errorf("invalid replacement value (a %s)", v.Type())
	}
	m.write(b, s)
}

// write appends to a result within the bounds of a string.
func (m *matcher) write(b *strings.Builder, s string) {
	m.c.st.Room(b.Len() + len(s))
	m.c.st.Spend(len(s) / stepBytes)
	b.WriteString(s)
}

// expand writes a replacement text, %0 to %9 replaced by what was matched.
func (m *matcher) expand(b *strings.Builder, repl string, at, end int) {
	for i := 0; i < len(repl); i++ {
		switch {
		case repl[i] != '%':
			b.WriteByte(repl[i])
			continue
		case i+1 == len(repl): // Lua 5.1 reads C's end of a string
			b.WriteByte(0)
		case !isDigit(repl[i+1]):
			b.WriteByte(repl[i+1])
		case repl[i+1] == '0':
			m.write(b, m.s[at:end])
		default:
			s, _ := m.capture(int(repl[i+1]-'1'), at, end).ToString()
			m.write(b, s)
		}
		i++
	}
	m.c.st.Spend(1 + len(repl)/8)
	m.c.st.Room(b.Len())
}
