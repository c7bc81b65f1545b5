// Package splitargs divides a line into words by the quoting rules that Redis uses for its configuration file and for
// inline commands: words are separated by blanks; in double quotes \n \r \t \b \a \xHH and a backslash before any other
// byte are escapes; in single quotes only \' is; a quote may open inside a word but must be followed by a blank or the
// end of the line when it closes. A zero byte ends the line.
//
// The functions keep no state and are safe for concurrent use. The caller bounds the length of the line; the words
// together are never longer than it.
package splitargs

import "errors"

// ErrUnbalanced says that a quote is not closed, or closes in the middle of a word.
var ErrUnbalanced = errors.New("unbalanced quotes")

// Split returns the words of line, in memory of their own: one buffer for all of them. A line of blanks has none.
func Split(line []byte) ([][]byte, error) {
	pos := skipBlanks(line, 0)
	if pos == len(line) || line[pos] == 0 {
		return nil, nil
	}
	words := make([][]byte, 0, 4)
	buf := make([]byte, 0, len(line)-pos) // never grows: no escape is shorter than what it stands for
	for pos < len(line) && line[pos] != 0 {
		start := len(buf)
		var err error
		if buf, pos, err = word(buf, line, pos); err != nil {
			return nil, err
		}
		words = append(words, buf[start:len(buf):len(buf)])
		pos = skipBlanks(line, pos)
	}
	return words, nil
}

// word appends the word that starts at pos and returns the position of the byte that ended it.
func word(buf, line []byte, pos int) ([]byte, int, error) {
	for pos < len(line) {
		switch c := line[pos]; c {
		case ' ', '\n', '\r', '\t', 0:
			return buf, pos, nil
		case '"', '\'':
			var end int
			if c == '"' {
				buf, end = double(buf, line, pos+1)
			} else {
				buf, end = single(buf, line, pos+1)
			}
			if end < 0 || end < len(line) && line[end] != 0 && !blank(line[end]) {
				return nil, 0, ErrUnbalanced
			}
			return buf, end, nil
		default:
			buf = append(buf, c)
			pos++
		}
	}
	return buf, pos, nil
}

// double reads up to the closing double quote and returns the position behind it, or -1 if there is none.
func double(buf, line []byte, pos int) ([]byte, int) {
	for pos < len(line) {
		switch c := line[pos]; {
		case c == '"':
			return buf, pos + 1
		case c == 0:
			return buf, -1
		case c == '\\' && pos+3 < len(line) && line[pos+1] == 'x' && hex(line[pos+2]) >= 0 && hex(line[pos+3]) >= 0:
			buf = append(buf, byte(hex(line[pos+2])<<4|hex(line[pos+3])))
			pos += 4
		case c == '\\' && pos+1 < len(line) && line[pos+1] != 0:
			buf = append(buf, unescape(line[pos+1]))
			pos += 2
		default:
			buf = append(buf, c)
			pos++
		}
	}
	return buf, -1
}

// single reads up to the closing single quote and returns the position behind it, or -1 if there is none.
func single(buf, line []byte, pos int) ([]byte, int) {
	for pos < len(line) {
		c := line[pos]
		if c == '\'' {
			return buf, pos + 1
		}
		if c == 0 {
			return buf, -1
		}
		if c == '\\' && pos+1 < len(line) && line[pos+1] == '\'' {
			c = '\''
			pos++
		}
		buf = append(buf, c)
		pos++
	}
	return buf, -1
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func skipBlanks(line []byte, pos int) int {
	for pos < len(line) && blank(line[pos]) {
		pos++
	}
	return pos
}

func blank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

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
