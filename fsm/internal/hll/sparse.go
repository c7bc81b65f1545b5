package hll

import (
	"slices"
	"strconv"
)

// run is a run of equal registers of a sparse string.
type run struct {
	rank  uint8 // what they hold
	n     int   // how many there are
	bytes int   // how long the run is in the string
}

const (
	zerosMax     = 64 // that a run of one byte can hold
	equalsMax    = 4  // registers of a rank over 0 in a run
	sparseMax    = 32 // rank
	longZeros    = 0x40
	equals       = 0x80
	longZeroBits = 0x3f
)

// runAt reads the run at the beginning of p, which is not empty. It is false where p ends within it.
func runAt(p []byte) (r run, ok bool) {
	b := p[0]
	switch {
	case b&equals != 0:
		return run{rank: b>>2&(sparseMax-1) + 1, n: int(b&(equalsMax-1)) + 1, bytes: 1}, true
	case b&longZeros == 0:
		return run{n: int(b) + 1, bytes: 1}, true
	case len(p) < 2:
		return run{}, false
	}
	return run{n: int(b&longZeroBits)<<8 + int(p[1]) + 1, bytes: 2}, true
}

// appendRun writes a run of n registers, nothing where n is 0. A run of a rank over 0 holds equalsMax at most.
func appendRun(dst []byte, rank uint8, n int) []byte {
	switch {
	case n == 0:
		return dst
	case rank > 0:
		return append(dst, equals|(rank-1)<<2|byte(n-1))
	case n <= zerosMax:
		return append(dst, byte(n-1))
	}
	return append(dst, longZeros|byte((n-1)>>8), byte(n-1))
}

// found is a run of a sparse string, and where it is.
type found struct {
	run
	at    int // in the string
	prev  int // where the run before it begins; at where there is none
	first int // its first register
}

// find returns the run that holds a register. The string is sound.
func (s *Sketch) find(index int) found {
	at, prev, first := headerBytes, headerBytes, 0
	for {
		r, _ := runAt(s.data[at:])
		if index < first+r.n {
			return found{run: r, at: at, prev: prev, first: first}
		}
		prev, at, first = at, at+r.bytes, first+r.n
	}
}

// raiseSparse is raise in the sparse encoding. It is false where there is no room for the rank in it, and then has changed
// nothing.
func (s *Sketch) raiseSparse(index int, rank uint8) bool {
	f := s.find(index)
	if f.rank >= rank {
		return true
	}
	var room [5]byte // the longest: zeros, the register, zeros
	split := appendRun(room[:0], f.rank, index-f.first)
	split = appendRun(split, rank, 1)
	split = appendRun(split, f.rank, f.first+f.n-index-1)
	more := max(0, len(split)-f.bytes)
	if rank > sparseMax || len(s.data)+more > SparseBytesMax {
		return false
	}
	s.own()
	s.data = slices.Replace(s.data, f.at, f.at+f.bytes, split...)
	s.join(f.prev)
	return true
}

// joinRuns is how many runs a change looks at to join them: the one before the register, and all that a split can make.
const joinRuns = 5

// join makes one run of two, where they hold the same rank and fit, among the runs from at on.
func (s *Sketch) join(at int) {
	for range joinRuns {
		if at == len(s.data) {
			return
		}
		r, _ := runAt(s.data[at:])
		next := at + r.bytes
		if r.rank > 0 && next < len(s.data) {
			if r2, _ := runAt(s.data[next:]); r2.rank == r.rank && r.n+r2.n <= equalsMax {
				appendRun(s.data[:at], r.rank, r.n+r2.n)
				s.data = slices.Delete(s.data, next, next+1)
				continue
			}
		}
		at = next
	}
}

// Describe lists the runs of a sparse p, sound or not, as PFDEBUG DECODE does. It is false where p ends within a run.
func Describe(p []byte) (text string, ok bool) {
	var out []byte
	for p = p[headerBytes:]; len(p) > 0; {
		r, ok := runAt(p)
		if !ok {
			return "", false
		}
		if len(out) > 0 {
			out = append(out, ' ')
		}
		switch {
		case r.rank > 0:
			out = strconv.AppendInt(append(out, "v:"...), int64(r.rank), 10)
			out = append(out, ',')
		case r.bytes == 1:
			out = append(out, "z:"...)
		default:
			out = append(out, "Z:"...)
		}
		out = strconv.AppendInt(out, int64(r.n), 10)
		p = p[r.bytes:]
	}
	return string(out), true
}
