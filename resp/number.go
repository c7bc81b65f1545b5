package resp

import (
	"math"
	"strconv"
)

// intDigitsMax is the number of digits of the largest int64, 9223372036854775807.
const intDigitsMax = 19

// ParseInt64 reads a decimal integer as strictly as Redis reads lengths and integer arguments: an optional minus and
// digits, nothing else. A plus sign, a leading zero (but for "0" itself), "-0", spaces, the empty string and anything
// outside int64 are refused.
func ParseInt64(b []byte) (n int64, ok bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > intDigitsMax {
		return 0, false
	}
	if b[0] == '0' {
		return 0, len(b) == 1 && !neg
	}
	var u uint64 // 19 digits cannot overflow it
	for _, c := range b {
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

// exactIntMax bounds the doubles that AppendDouble17g prints as integers: below it, every integral double has fewer
// than 17 digits, so that no exponent and no rounding can occur.
const exactIntMax = 1e15

// AppendDouble17g appends f as C's printf prints it with "%.17g", the form in which Redis 7.0 replies doubles: 17
// significant digits without trailing zeros ("0.10000000000000001"), an exponent of at least two digits below 1e-4 and
// from 1e17 on, "-0", "inf", "-inf". NaN is "nan" whatever its sign bit, which Go does not keep track of.
func AppendDouble17g(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	}
	if n := int64(f); f > -exactIntMax && f < exactIntMax && float64(n) == f && (n != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(dst, n, 10)
	}
	return strconv.AppendFloat(dst, f, 'g', 17, 64)
}
