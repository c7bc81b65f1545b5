// Package glob matches names against the patterns of KEYS, SCAN, PSUBSCRIBE and CONFIG GET, byte for byte as Redis 7.0
// does: "*" any run of bytes, "?" any one byte, "[...]" one byte of a class ("^" first negates, "a-z" is a range, a
// missing "]" is taken as read at the end of the pattern), "\" makes the next byte literal.
//
// Matching allocates nothing, keeps no state and is safe for concurrent use. Redis itself tries every way of dividing
// the string among the stars, which takes exponential time on "*a*a*a*b"; here only the latest star is ever retried.
// That decides the same language, because everything between two stars consumes a fixed number of bytes, so the
// earliest place where it fits is as good as any later one. The cost is at most len(pattern) times len(s) steps.
package glob

// Match reports whether the whole of s matches pattern. nocase folds ASCII letters only, except those behind a
// backslash inside a class, which Redis compares as they are.
//
// As in Redis the empty string matches the empty pattern alone, not even "*": KEYS and SCAN, which take a lone "*" for
// everything, must ask for that before they call (as they do in Redis).
func Match[P, S ~[]byte | ~string](pattern P, s S, nocase bool) bool {
	if len(s) == 0 {
		return len(pattern) == 0
	}
	var p, i int
	starP, starI := -1, 0 // where to resume: just behind the latest star, and the first byte that it does not cover
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			for p < len(pattern) && pattern[p] == '*' {
				p++
			}
			if p == len(pattern) {
				return true
			}
			starP, starI = p, i
			continue
		}
		if p < len(pattern) {
			if next, ok := one(pattern, p, s[i], nocase); ok {
				p, i = next, i+1
				continue
			}
		}
		if starP < 0 {
			return false
		}
		starI++
		p, i = starP, starI
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// HasMeta reports whether CONFIG GET treats the word as a pattern rather than as a name. A backslash alone does not
// make it one.
func HasMeta[P ~[]byte | ~string](pattern P) bool {
	for i := range len(pattern) {
		switch pattern[i] {
		case '*', '?', '[':
			return true
		}
	}
	return false
}

// one matches c against the element of the pattern at p, which is no star, and returns the position behind it.
func one[P ~[]byte | ~string](pattern P, p int, c byte, nocase bool) (next int, ok bool) {
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return class(pattern, p+1, c, nocase)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return p + 1, equal(pattern[p], c, nocase)
}

// class matches c against the class whose first byte behind the bracket is at p.
func class[P ~[]byte | ~string](pattern P, p int, c byte, nocase bool) (next int, ok bool) {
	negate := p < len(pattern) && pattern[p] == '^'
	if negate {
		p++
	}
	found := false
	for ; p < len(pattern); p++ {
		switch left := len(pattern) - p; {
		case left >= 2 && pattern[p] == '\\':
			p++
			found = found || pattern[p] == c
		case pattern[p] == ']':
			return p + 1, found != negate
		case left >= 3 && pattern[p+1] == '-':
			found = found || inRange(pattern[p], pattern[p+2], c, nocase)
			p += 2
		default:
			found = found || equal(pattern[p], c, nocase)
		}
	}
	return p, found != negate
}

// inRange puts the bounds in order before it folds them, as Redis does: "[Z-a]" folded is "[z-a]" and empty.
func inRange(lo, hi, c byte, nocase bool) bool {
	if lo > hi {
		lo, hi = hi, lo
	}
	if nocase {
		lo, hi, c = lower(lo), lower(hi), lower(c)
	}
	return lo <= c && c <= hi
}

func equal(a, b byte, nocase bool) bool {
	return a == b || nocase && lower(a) == lower(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
