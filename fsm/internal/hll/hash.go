package hll

import (
	"encoding/binary"
	"math/bits"
)

const (
	indexBits = 14
	restBits  = 64 - indexBits
	hashSeed  = 0xadc83b19
)

// place returns the register that an element belongs to, and what the register is at least once it was added.
func place(element []byte) (index int, rank uint8) {
	h := murmur64A(element, hashSeed)
	rest := h>>indexBits | 1<<restBits // the run ends here at the latest
	return int(h & (Registers - 1)), uint8(bits.TrailingZeros64(rest)) + 1
}

// murmur64A is MurmurHash64A, reading its input as little endian on every machine.
func murmur64A(p []byte, seed uint64) uint64 {
	const (
		m = 0xc6a4a7935bd1e995
		r = 47
	)
	h := seed ^ uint64(len(p))*m
	for ; len(p) >= 8; p = p[8:] {
		k := binary.LittleEndian.Uint64(p) * m
		k ^= k >> r
		h = (h ^ k*m) * m
	}
	if len(p) > 0 {
		var last [8]byte
		copy(last[:], p)
		h = (h ^ binary.LittleEndian.Uint64(last[:])) * m
	}
	h ^= h >> r
	h *= m
	return h ^ h>>r
}
