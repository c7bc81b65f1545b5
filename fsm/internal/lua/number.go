package lua

import (
	"math"
	"strconv"
	"strings"
)

// FormatNumber prints a number as Lua 5.1 does (%.14g). All NaNs are "-nan", what Redis prints for 0/0 on common machines:
// their sign depends on the processor.
func FormatNumber(n float64) string {
	switch {
	case n == math.Trunc(n) && math.Abs(n) < 1e14:
		if n == 0 && math.Signbit(n) {
			return "-0"
		}
		return strconv.FormatInt(int64(n), 10)
	case math.IsNaN(n):
		return "-nan"
	case math.IsInf(n, 1):
		return "inf"
	case math.IsInf(n, -1):
		return "-inf"
	}
	return strconv.FormatFloat(n, 'g', 14, 64)
}

const spaces = " \t\n\v\f\r"

const (
	numeralBytesMax = 400  // of the longest decimal numeral that could matter, with room
	paddedBytesMax  = 4096 // with the spaces around it
)

// ParseNumber reads a numeral as C's strtod does, with spaces around it.
func ParseNumber(s string) (n float64, ok bool) {
	if len(s) > paddedBytesMax {
		return 0, false
	}
	if s = strings.Trim(s, spaces); len(s) > numeralBytesMax || s == "" {
		return 0, false
	}
	body, negative := s, false
	if s[0] == '-' || s[0] == '+' {
		body, negative = s[1:], s[0] == '-'
	}
	switch {
	case body == "":
		return 0, false
	case len(body) > 1 && body[0] == '0' && body[1]|0x20 == 'x':
		n, ok = parseHex(body[2:])
	case body[0] == '.' || '0' <= body[0] && body[0] <= '9':
		n, ok = parseDecimal(body)
	default:
		n, ok = parseWord(body)
	}
	if negative {
		n = -n
	}
	return n, ok
}

func parseDecimal(s string) (float64, bool) {
	if strings.IndexByte(s, '_') >= 0 {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(n, 0) { // out of range is infinite, as in C
		return 0, false
	}
	return n, true
}

func parseWord(s string) (float64, bool) {
	switch strings.ToLower(s) {
	case "inf", "infinity":
		return math.Inf(1), true
	case "nan":
		return math.NaN(), true
	}
	return 0, false
}

// parseHex reads what follows 0x: digits, perhaps a point, perhaps a power of two.
func parseHex(s string) (float64, bool) {
	if strings.IndexByte(s, '_') >= 0 {
		return 0, false
	}
	if !strings.ContainsAny(s, "pP") {
		s += "p0"
	}
	n, err := strconv.ParseFloat("0x"+s, 64)
	if err != nil && !math.IsInf(n, 0) {
		return 0, false
	}
	return n, true
}

// toInt converts as C's lua_Number to integer does for indexes: towards zero, held in what fits.
func toInt(n float64) int {
	switch {
	case n != n:
		return 0
	case n >= 1<<53:
		return 1 << 53
	case n <= -1<<53:
		return -1 << 53
	}
	return int(n)
}
