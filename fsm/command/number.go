package command

import "math"

// intDigitsMax is the number of digits of the largest int64, 9223372036854775807.
const intDigitsMax = 19

// ParseInt reads a decimal integer as strictly as Redis reads lengths, integer arguments and counters: an optional minus
// and digits, nothing else. A plus sign, a leading zero (but for "0" itself), "-0", spaces, the empty string and anything
// outside int64 are refused.
func ParseInt[S ~string | ~[]byte](s S) (n int64, ok bool) {
	neg := len(s) > 0 && s[0] == '-'
	if neg {
		s = s[1:]
	}
	if len(s) == 0 || len(s) > intDigitsMax {
		return 0, false
	}
	if s[0] == '0' {
		return 0, len(s) == 1 && !neg
	}
	var u uint64 // 19 digits cannot overflow it
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		u = u*10 + uint64(c-'0')
	}
	switch {
	case neg && u <= -math.MinInt64:
		return -int64(u), true // -MinInt64 wraps to itself
	case !neg && u <= math.MaxInt64:
		return int64(u), true
	}
	return 0, false
}
