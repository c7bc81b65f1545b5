package hll

import "slices"

// Sketch is a HyperLogLog that is being changed. It is for one goroutine.
type Sketch struct {
	data  []byte
	owned bool // data is the sketch's own to change
	// known is the registers of a sparse string, where they were worth the unpacking; else nil.
	known *Set
}

// New returns an empty, sparse sketch.
func New() *Sketch {
	p := append(make([]byte, 0, headerBytes+16), magic...)
	p = append(p, encodingSparse)
	p = append(p, make([]byte, headerBytes-len(p))...)
	return &Sketch{data: appendRun(p, 0, Registers), owned: true}
}

// Open returns a sketch of p, which Is has accepted. It is false where p is corrupt. p is never changed, and may not be
// while the sketch is in use.
func Open(p []byte) (s *Sketch, ok bool) {
	if !Dense(p) && !sound(p[headerBytes:]) {
		return nil, false
	}
	return &Sketch{data: p}, true
}

// sound reports whether the runs are those of all registers, and no more.
func sound(p []byte) bool {
	n := 0
	for len(p) > 0 && n <= Registers {
		r, ok := runAt(p)
		if !ok {
			return false
		}
		n, p = n+r.n, p[r.bytes:]
	}
	return n == Registers
}

// Bytes is the string. It is the sketch's own if Changed is true, and then nobody changes it again but the sketch.
func (s *Sketch) Bytes() []byte { return s.data }

// Changed reports whether the string is another one than what the sketch began with.
func (s *Sketch) Changed() bool { return s.owned }

// splitRoom is by how much one addition can lengthen a sparse string.
const splitRoom = 4

func (s *Sketch) own() {
	if !s.owned {
		s.data = append(make([]byte, 0, len(s.data)+splitRoom), s.data...)
		s.owned = true
	}
}

// Expire marks the cardinality in the header as out of date.
func (s *Sketch) Expire() {
	s.own()
	s.data[atStale] |= stale
}

// unpackFrom is the number of additions from which on they are compared with unpacked registers first: the work of a long
// list of elements that were there is that of their hashes.
const unpackFrom = 16

// Add adds elements.
func (s *Sketch) Add(elements [][]byte) {
	if len(elements) >= unpackFrom {
		s.unpack()
	}
	for _, e := range elements {
		s.raise(place(e))
	}
}

// Merge raises the registers to those of a set.
func (s *Sketch) Merge(from *Set) {
	s.unpack()
	for index, rank := range from {
		if rank > 0 {
			s.raise(index, rank)
		}
	}
}

func (s *Sketch) unpack() {
	if s.known == nil && !Dense(s.data) {
		s.known = new(Set)
		s.known.mergeSparse(s.data[headerBytes:])
	}
}

// raise makes a register rank at least.
func (s *Sketch) raise(index int, rank uint8) {
	if s.known != nil {
		if s.known[index] >= rank {
			return
		}
		s.known[index] = rank
	}
	if !Dense(s.data) && s.raiseSparse(index, rank) {
		return
	}
	s.MakeDense()
	s.raiseDense(index, rank)
}

func (s *Sketch) raiseDense(index int, rank uint8) {
	bit := index * registerBits
	at, shift := headerBytes+bit/8, uint(bit%8)
	word := uint16(s.data[at])
	within := shift <= 8-registerBits // the register lies in one byte, as the last one does
	if !within {
		word |= uint16(s.data[at+1]) << 8
	}
	if uint8(word>>shift)&registerMax >= rank {
		return
	}
	s.own()
	word = word&^(registerMax<<shift) | uint16(rank)<<shift
	s.data[at] = byte(word)
	if !within {
		s.data[at+1] = byte(word >> 8)
	}
}

// MakeDense turns a sparse string into a dense one of the same header and registers.
func (s *Sketch) MakeDense() {
	if Dense(s.data) {
		return
	}
	s.unpack()
	dense := slices.Grow(slices.Clone(s.data[:headerBytes]), denseBytes-headerBytes)[:denseBytes]
	clear(dense[headerBytes:])
	dense[atEncoding] = encodingDense
	known := s.known
	s.data, s.owned, s.known = dense, true, nil
	for index, rank := range known {
		if rank > 0 {
			s.raiseDense(index, rank)
		}
	}
}
