package resp

// The words of an inline command, as Redis and redis-cli split them: separated by blanks, with "double quotes" (escapes
// \xHH \n \r \t \b \a, any other escaped byte is itself) and 'single quotes' (\' is the only escape). A closing quote
// must be followed by a blank or the end. A line has no NUL, see lineEnd.

// quotesBalanced reports whether appendWords can split the line.
func quotesBalanced(line []byte) bool {
	for p := 0; ; {
		p = skipBlanks(line, p)
		if p == len(line) {
			return true
		}
		var ok bool
		if _, p, ok = scanWord(line, p, nil); !ok {
			return false
		}
	}
}

// appendWords appends the line's words to args, unquoted in place: a word is never longer than its source, so that
// writing never overtakes reading. The quotes must be balanced.
func appendWords(args [][]byte, line []byte) [][]byte {
	for p := 0; ; {
		p = skipBlanks(line, p)
		if p == len(line) {
			return args
		}
		n, next, _ := scanWord(line, p, line[p:])
		args = append(args, line[p:p+n:p+n])
		p = next
	}
}

// scanWord scans one word from p on, n bytes long without its quotes, and writes it to out unless that is nil. ok is false
// where a quote is not closed as it must be.
func scanWord(line []byte, p int, out []byte) (n, next int, ok bool) {
	for p < len(line) {
		c := line[p]
		if c == '"' || c == '\'' {
			return quoted(line, p+1, c, n, out)
		}
		if c == ' ' || c == '\n' || c == '\r' || c == '\t' {
			break
		}
		put(out, n, c)
		n++
		p++
	}
	return n, p, true
}

// quoted scans the rest of a word behind an opening quote: the closing one ends the word.
func quoted(line []byte, p int, quote byte, n int, out []byte) (int, int, bool) {
	for p < len(line) {
		c := line[p]
		if c == quote {
			p++
			return n, p, p == len(line) || isBlank(line[p])
		}
		used := 1
		if c == '\\' {
			c, used = unescape(line[p:], quote)
		}
		put(out, n, c)
		n++
		p += used
	}
	return n, p, false
}

// unescape reads the backslash that s starts with and what it escapes.
func unescape(s []byte, quote byte) (c byte, used int) {
	if len(s) < 2 || (quote == '\'' && s[1] != '\'') {
		return '\\', 1
	}
	switch s[1] {
	case 'x':
		if len(s) >= 4 {
			if hi, lo := hexValue(s[2]), hexValue(s[3]); hi >= 0 && lo >= 0 {
				return byte(hi<<4 | lo), 4
			}
		}
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'b':
		return '\b', 2
	case 'a':
		return '\a', 2
	}
	return s[1], 2
}

func put(out []byte, n int, c byte) {
	if out != nil {
		out[n] = c
	}
}

func skipBlanks(line []byte, p int) int {
	for p < len(line) && isBlank(line[p]) {
		p++
	}
	return p
}

// isBlank is C's isspace. Within a word vertical tab and form feed are ordinary bytes, as in Redis.
func isBlank(c byte) bool { return c == ' ' || (c >= '\t' && c <= '\r') }

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
