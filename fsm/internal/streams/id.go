package streams

import (
	"cmp"
	"math"
	"strconv"
)

// ID names an entry. IDs are ordered by their milliseconds, then by their sequence.
type ID struct{ Ms, Seq uint64 }

// Max is the last ID there can be.
var Max = ID{math.MaxUint64, math.MaxUint64}

// Compare is negative where a comes before b, and positive where it comes after it.
func (a ID) Compare(b ID) int {
	if c := cmp.Compare(a.Ms, b.Ms); c != 0 {
		return c
	}
	return cmp.Compare(a.Seq, b.Seq)
}

// IsZero reports whether the ID is 0-0, which no entry has.
func (a ID) IsZero() bool { return a == ID{} }

// Next returns the ID behind a; ok is false where there is none.
func (a ID) Next() (next ID, ok bool) {
	switch {
	case a == Max:
		return a, false
	case a.Seq == math.MaxUint64:
		return ID{a.Ms + 1, 0}, true
	}
	return ID{a.Ms, a.Seq + 1}, true
}

// Prev returns the ID ahead of a; ok is false where there is none.
func (a ID) Prev() (prev ID, ok bool) {
	switch {
	case a.IsZero():
		return a, false
	case a.Seq == 0:
		return ID{a.Ms - 1, math.MaxUint64}, true
	}
	return ID{a.Ms, a.Seq - 1}, true
}

// AppendTo appends the ID as clients read it, "5-1".
func (a ID) AppendTo(dst []byte) []byte {
	dst = strconv.AppendUint(dst, a.Ms, 10)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, a.Seq, 10)
}

func (a ID) String() string { return string(a.AppendTo(nil)) }
