package fsm

import (
	"math"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// parseDouble reads all of s as C's strtod does: decimal and hexadecimal numbers and infinities, rounded to the nearest.
// NaN is refused, as it is by all who ask. What is too large is an infinity and what is too small a zero; lost tells of
// both.
func parseDouble(s string) (f float64, lost, ok bool) {
	if !plainNumber(s) {
		if s, ok = wordyNumber(s); !ok {
			return 0, false, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return f, true, math.IsInf(f, 0) // out of range
	}
	return f, f == 0 && !writtenZero(s), true
}

// plainNumber reports whether a text has only what decimal numbers have, which Go and C read alike.
func plainNumber(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9', c == '.', c == '-', c == '+', c|0x20 == 'e':
		default:
			return false
		}
	}
	return true
}

// wordyNumber makes of a text that is no plain number what Go reads; false: C does not read it.
func wordyNumber(s string) (string, bool) {
	sign, digits := "", strings.ToLower(s)
	if digits[0] == '-' || digits[0] == '+' {
		sign, digits = digits[:1], digits[1:]
	}
	switch {
	case digits == "inf" || digits == "infinity":
		return sign + digits, true
	case !strings.HasPrefix(digits, "0x") || strings.Contains(digits, "_"):
		return "", false
	case !strings.Contains(digits, "p"):
		digits += "p0" // Go insists on an exponent
	}
	return sign + digits, true
}

// writtenZero reports whether a number is written as zero: no digit before the exponent is another.
func writtenZero(s string) bool {
	s = strings.ToLower(s)
	mark := "e"
	if strings.Contains(s, "0x") {
		mark = "p"
	}
	s, _, _ = strings.Cut(s, mark)
	return strings.Trim(s, "+-0.x") == ""
}

// doubleArg reads a number as Redis reads scores and increments: no spaces, nothing out of range. ok is false where it
// replied what.
func doubleArg(arg []byte, what string, r command.Reply) (f float64, ok bool) {
	f, lost, ok := parseDouble(textOf(arg))
	if !ok || lost {
		r.Error(what)
		return 0, false
	}
	return f, true
}

// formatDouble prints a double as replies do: with 17 significant digits.
func formatDouble(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	return strconv.FormatFloat(f, 'g', 17, 64)
}
