package hll

import (
	"encoding/binary"
	"fmt"
	"math"
)

const (
	selfTestElements = 100_000
	// selfTestErrors is the most that an estimate may be off, in standard errors of 1.04/sqrt(Registers). The test is the
	// same each time, so that this is no matter of luck.
	selfTestErrors = 3
)

// SelfTest adds known elements one by one to a sketch that becomes dense on the way and to plain registers, compares the
// two, and holds the estimates to the error that the algorithm promises.
func SelfTest() error {
	s, plain := New(), new(Set)
	var element [8]byte
	check := 1
	for n := 1; n <= selfTestElements; n++ {
		binary.LittleEndian.PutUint64(element[:], uint64(n))
		index, rank := place(element[:])
		s.raise(index, rank)
		plain[index] = max(plain[index], rank)
		if n < check {
			continue
		}
		check *= 10
		if err := compare(s, plain, n); err != nil {
			return err
		}
	}
	return nil
}

func compare(s *Sketch, plain *Set, added int) error {
	var got Set
	if !got.Merge(s.data) || got != *plain {
		return fmt.Errorf("the registers are wrong after %d elements", added)
	}
	n := got.Count()
	off := math.Abs(float64(n) - float64(added))
	if most := math.Ceil(selfTestErrors * 1.04 / math.Sqrt(Registers) * float64(added)); off > most {
		return fmt.Errorf("%d elements are estimated as %d", added, n)
	}
	return nil
}
