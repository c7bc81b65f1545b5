package fsm

import (
	"math"
	"strconv"
)

// parseInt reads a signed 64-bit integer by Redis's strict rules (string2ll): decimal digits with an optional minus, no
// plus, no leading zero, no space.
func parseInt[S ~string | ~[]byte](s S) (int64, bool) {
	if len(s) == 0 || len(s) > 20 {
		return 0, false
	}
	i, neg := 0, false
	if s[0] == '-' {
		neg, i = true, 1
		if len(s) == 1 {
			return 0, false
		}
	}
	if s[i] == '0' {
		return 0, len(s) == 1
	}
	var n uint64
	for ; i < len(s); i++ {
		d := uint64(s[i] - '0')
		if d > 9 || n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	switch {
	case neg && n <= 1<<63:
		return -int64(n), true
	case !neg && n <= math.MaxInt64:
		return int64(n), true
	}
	return 0, false
}

func isInteger(s string) bool {
	_, ok := parseInt(s)
	return ok
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }
