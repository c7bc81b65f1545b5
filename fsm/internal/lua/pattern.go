package lua

import "strings"

// specials are the bytes that make a pattern more than a text.
const specials = "^$*+?.([%-"

const (
	capturesMax = 32
	// matchDepthMax bounds the recursion of a match: each item of a pattern that repeats is a level.
	matchDepthMax = 1000
)

// matcher finds a Lua pattern in a string. Each step of it costs a step of the run, for a pattern can make it go back and
// forth for ever.
type matcher struct {
	c      *Call
	s, pat string
	start  int
	level  int // open and closed captures
	spans  [capturesMax]span
	depth  int
	// charged is how much of gsub's result was charged for.
	charged int
}

// span is a capture: where it begins, and its length or one of the marks below.
type span struct{ at, n int }

const (
	capOpen     = -1
	capPosition = -2
)

func newMatcher(c *Call, s, pat string) *matcher { return &matcher{c: c, s: s, pat: pat} }

// anchored takes a ^ from the pattern's beginning.
func (m *matcher) anchored() bool {
	if strings.HasPrefix(m.pat, "^") {
		m.pat = m.pat[1:]
		return true
	}
	return false
}

// begin matches at a place, and returns where the match ends, -1 if there is none.
func (m *matcher) begin(at int) int {
	m.start, m.level, m.depth = at, 0, 0
	return m.match(at, 0)
}

// match matches the pattern from p on at the string's place i.
func (m *matcher) match(i, p int) int {
	if m.depth++; m.depth > matchDepthMax {
		m.c.Errorf("pattern too complex")
	}
	r := m.items(i, p)
	m.depth--
	return r
}

// items goes through the pattern's items. What repeats or captures leads to match again.
func (m *matcher) items(i, p int) int {
	for {
		m.c.st.Spend(1)
		if p == len(m.pat) {
			return i
		}
		switch m.pat[p] {
		case '(':
			if p+1 < len(m.pat) && m.pat[p+1] == ')' {
				return m.open(i, p+2, capPosition)
			}
			return m.open(i, p+1, capOpen)
		case ')':
			return m.closeCapture(i, p+1)
		case '$':
			if p+1 == len(m.pat) {
				if i == len(m.s) {
					return i
				}
				return -1
			}
		case '%':
			if next, to, special := m.escape(i, p); special {
				if next < 0 {
					return -1
				}
				i, p = next, to
				continue
			}
		}
		end := m.classEnd(p)
		rep := byte(0)
		if end < len(m.pat) {
			rep = m.pat[end]
		}
		switch rep {
		case '?':
			if m.single(i, p, end) {
				if r := m.match(i+1, end+1); r >= 0 {
					return r
				}
			}
			p = end + 1
			continue
		case '*':
			return m.most(i, p, end, 0)
		case '+':
			return m.most(i, p, end, 1)
		case '-':
			return m.fewest(i, p, end)
		}
		if !m.single(i, p, end) {
			return -1
		}
		i, p = i+1, end
	}
}

// escape matches %b, %f and %1, which are more than a class of bytes. next is -1 where they do not match.
func (m *matcher) escape(i, p int) (next, to int, special bool) {
	if p+1 == len(m.pat) {
		return 0, 0, false // classEnd says what is wrong
	}
	switch c := m.pat[p+1]; {
	case c == 'b':
		return m.balance(i, p+2), p + 4, true
	case c == 'f':
		p += 2
		if p >= len(m.pat) || m.pat[p] != '[' {
			m.c.Errorf("missing '[' after '%%f' in pattern")
		}
		end := m.classEnd(p)
		var before, at byte
		if i > 0 {
			before = m.s[i-1]
		}
		if i < len(m.s) {
			at = m.s[i]
		}
		if m.inSet(before, p, end-1) || !m.inSet(at, p, end-1) {
			return -1, 0, true
		}
		return i, end, true
	case isDigit(c):
		sp := m.checkCapture(c)
		if sp.n == capPosition { // there is no text to compare with
			return -1, 0, true
		}
		text := m.s[sp.at : sp.at+sp.n]
		m.c.st.Spend(len(text) / stepBytes)
		if !strings.HasPrefix(m.s[i:], text) {
			return -1, 0, true
		}
		return i + len(text), p + 2, true
	}
	return 0, 0, false
}

func (m *matcher) checkCapture(c byte) span {
	l := int(c) - '1'
	if l < 0 || l >= m.level || m.spans[l].n == capOpen {
		m.c.Errorf("invalid capture index")
	}
	return m.spans[l]
}

// balance matches %bxy.
func (m *matcher) balance(i, p int) int {
	if p+1 >= len(m.pat) {
		m.c.Errorf("unbalanced pattern")
	}
	if i >= len(m.s) || m.s[i] != m.pat[p] {
		return -1
	}
	opening, closing, open := m.pat[p], m.pat[p+1], 1
	for j := i + 1; j < len(m.s); j++ {
		switch m.s[j] {
		case closing:
			if open--; open == 0 {
				m.c.st.Spend((j - i) / 8)
				return j + 1
			}
		case opening:
			open++
		}
	}
	m.c.st.Spend((len(m.s) - i) / 8)
	return -1
}

// most matches as many repetitions as there can be, least at the least.
func (m *matcher) most(i, p, end, least int) int {
	n := 0
	for m.single(i+n, p, end) {
		n++
	}
	m.c.st.Spend(n / 8)
	for ; n >= least; n-- {
		if r := m.match(i+n, end+1); r >= 0 {
			return r
		}
	}
	return -1
}

func (m *matcher) fewest(i, p, end int) int {
	for {
		if r := m.match(i, end+1); r >= 0 {
			return r
		}
		if !m.single(i, p, end) {
			return -1
		}
		i++
	}
}

func (m *matcher) open(i, p, what int) int {
	if m.level == capturesMax {
		m.c.Errorf("too many captures")
	}
	m.spans[m.level] = span{i, what}
	m.level++
	r := m.match(i, p)
	if r < 0 {
		m.level--
	}
	return r
}

func (m *matcher) closeCapture(i, p int) int {
	l := m.level - 1
	for ; l >= 0 && m.spans[l].n != capOpen; l-- {
	}
	if l < 0 {
		m.c.Errorf("invalid pattern capture")
	}
	m.spans[l].n = i - m.spans[l].at
	r := m.match(i, p)
	if r < 0 {
		m.spans[l].n = capOpen
	}
	return r
}

// captures returns what was captured; the whole match where there is no capture and whole is asked for.
func (m *matcher) captures(at, end int, whole bool) []Value {
	n := m.level
	if n == 0 && whole {
		n = 1
	}
	out := make([]Value, n)
	for l := range out {
		out[l] = m.capture(l, at, end)
	}
	return out
}

func (m *matcher) capture(l, at, end int) Value {
	if l >= m.level {
		if l != 0 {
			m.c.Errorf("invalid capture index")
		}
		return m.c.st.NewString(m.s[at:end])
	}
	switch s := m.spans[l]; s.n {
	case capOpen:
		m.c.Errorf("unfinished capture")
		return Nil
	case capPosition:
		return Int(s.at + 1)
	default:
		return m.c.st.NewString(m.s[s.at : s.at+s.n])
	}
}
