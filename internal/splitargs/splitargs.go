// Package splitargs divides a line into words by the quoting rules that Redis uses for its configuration file and for
// inline commands: words are separated by blanks; in double quotes \n \r \t \b \a \xHH and a backslash before any other
// byte are escapes; in single quotes only \' is; a quote may open inside a word but must be followed by a blank or the
// end of the line when it closes.
//
// The functions keep no state and are safe for concurrent use. The caller bounds the length of the line; the words
// together are never longer than it.
package splitargs

import (
	"bytes"
	"errors"
)

// ErrUnbalanced says that a quote is not closed, or closes in the middle of a word.
var ErrUnbalanced = errors.New("unbalanced quotes")

// Split returns the words of line, in memory of their own: one buffer for all of them. A line of blanks has none. A zero
// byte ends the line, as it does in Redis's configuration file.
func Split(line []byte) ([][]byte, error) {
	if i := bytes.IndexByte(line, 0); i >= 0 {
		line = line[:i]
	}
	if !Balanced(line) {
		return nil, ErrUnbalanced
	}
	if line = line[skipBlanks(line, 0):]; len(line) == 0 {
		return nil, nil
	}
	return AppendInPlace(make([][]byte, 0, 4), bytes.Clone(line)), nil
}

// Balanced reports whether every quote of a line is closed as it must be: whether AppendInPlace can split it.
func Balanced(line []byte) bool {
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

// AppendInPlace appends the words of a balanced line to words, unquoted where they stand: a word is never longer than its
// source, so that writing never overtakes reading. The line holds them from then on, and nothing is allocated beside what
// words grows by. A zero byte is like any other.
func AppendInPlace(words [][]byte, line []byte) [][]byte {
	for p := 0; ; {
		p = skipBlanks(line, p)
		if p == len(line) {
			return words
		}
		n, next, _ := scanWord(line, p, line[p:])
		words = append(words, line[p:p+n:p+n])
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

// Quote returns s in the form in which Split reads it back as one word: bare where that is possible, in double quotes
// with escapes where it is not. The result holds printable ASCII only.
func Quote(s string) string {
	if bare(s) {
		return s
	}
	const digits = "0123456789abcdef"
	out := make([]byte, 0, len(s)+2)
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\n':
			out = append(out, '\\', 'n')
		case c == '\r':
			out = append(out, '\\', 'r')
		case c == '\t':
			out = append(out, '\\', 't')
		case c < ' ' || c > '~':
			out = append(out, '\\', 'x', digits[c>>4], digits[c&15])
		default:
			out = append(out, c)
		}
	}
	return string(append(out, '"'))
}

// bare says that s needs no quotes anywhere on a line. A leading # would make the line a comment.
func bare(s string) bool {
	if s == "" || s[0] == '#' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\' {
			return false
		}
	}
	return true
}
