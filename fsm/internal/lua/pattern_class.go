package lua

// classEnd returns where the single item at p ends.
func (m *matcher) classEnd(p int) int {
	c := m.pat[p]
	p++
	switch c {
	case '%':
		if p == len(m.pat) {
			m.c.Errorf("malformed pattern (ends with '%%')")
		}
		return p + 1
	case '[':
		if p < len(m.pat) && m.pat[p] == '^' {
			p++
		}
		for first := true; first || p >= len(m.pat) || m.pat[p] != ']'; first = false {
			if p >= len(m.pat) {
				m.c.Errorf("malformed pattern (missing ']')")
			}
			if m.pat[p] == '%' && p+1 < len(m.pat) {
				p++
			}
			p++
		}
		return p + 1
	}
	return p
}

// single reports whether the item from p to end matches the byte at i.
func (m *matcher) single(i, p, end int) bool {
	if i >= len(m.s) {
		return false
	}
	switch c := m.s[i]; m.pat[p] {
	case '.':
		return true
	case '%':
		return inClass(c, m.pat[p+1])
	case '[':
		return m.inSet(c, p, end-1)
	default:
		return c == m.pat[p]
	}
}

// inSet matches a [set] whose closing bracket is at end.
func (m *matcher) inSet(c byte, p, end int) bool {
	m.c.st.Spend((end - p) / 8)
	in := true
	if p++; m.pat[p] == '^' {
		in = false
		p++
	}
	for ; p < end; p++ {
		switch {
		case m.pat[p] == '%':
			if p++; inClass(c, m.pat[p]) {
				return in
			}
		case p+2 < end && m.pat[p+1] == '-':
			if m.pat[p] <= c && c <= m.pat[p+2] {
				return in
			}
			p += 2
		case m.pat[p] == c:
			return in
		}
	}
	return !in
}

// inClass matches a class such as %a; an upper-case letter is its complement.
func inClass(c, class byte) bool {
	var in bool
	switch class | 0x20 {
	case 'a':
		in = 'a' <= c|0x20 && c|0x20 <= 'z'
	case 'c':
		in = c < 0x20 || c == 0x7f
	case 'd':
		in = isDigit(c)
	case 'l':
		in = 'a' <= c && c <= 'z'
	case 'p':
		in = 0x21 <= c && c <= 0x7e && !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z')
	case 's':
		in = c == ' ' || 9 <= c && c <= 13
	case 'u':
		in = 'A' <= c && c <= 'Z'
	case 'w':
		in = isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z'
	case 'x':
		in = isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
	case 'z':
		in = c == 0
	default:
		return c == class
	}
	if !('a' <= class|0x20 && class|0x20 <= 'z') {
		return c == class
	}
	if class&0x20 == 0 {
		return !in
	}
	return in
}
