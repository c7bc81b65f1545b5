package resp

import (
	"math"
	"strconv"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// ParseInt64 is command.ParseInt for arguments.
func ParseInt64(b []byte) (n int64, ok bool) { return command.ParseInt(b) }

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
