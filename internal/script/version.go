package script

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// version reads "7.4" or "7.0.15".
func version(s string) ([]int, error) {
	var v []int
	for _, part := range strings.Split(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is no version", s)
		}
		v = append(v, n)
	}
	return v, nil
}

// Newer reports whether version a of Redis is newer than b: what is new in it is not in b. What is no version is not newer.
func Newer(a, b string) bool {
	va, errA := version(a)
	vb, errB := version(b)
	return errA == nil && errB == nil && slices.Compare(va, vb) > 0
}
