package hll

import "encoding/binary"

const (
	// Registers is how many a HyperLogLog has.
	Registers = 1 << indexBits
	// SparseBytesMax is the longest sparse string, header included: the default of Redis's hll-sparse-max-bytes.
	SparseBytesMax = 3000
	// BytesMax is the longest string that can be sound: a sparse one that spends two bytes on each register.
	BytesMax = headerBytes + 2*Registers

	headerBytes = 16
	denseBytes  = headerBytes + Registers*registerBits/8
	magic       = "HYLL"

	atEncoding    = 4
	atCardinality = 8
	atStale       = 15 // the byte with the highest bit of the cardinality
	stale         = 0x80

	encodingDense  = 0
	encodingSparse = 1
)

// Is reports whether p has the header and the length of a HyperLogLog. Its registers may be corrupt all the same.
func Is(p []byte) bool {
	if len(p) < headerBytes || string(p[:len(magic)]) != magic {
		return false
	}
	switch p[atEncoding] {
	case encodingDense:
		return len(p) == denseBytes
	case encodingSparse:
		return true
	}
	return false
}

// The functions below take a p that Is has accepted.

// Dense reports whether p is in the dense encoding.
func Dense(p []byte) bool { return p[atEncoding] == encodingDense }

// Cached returns the cardinality that stands in the header, unless it is out of date.
func Cached(p []byte) (n uint64, ok bool) {
	if p[atStale]&stale != 0 {
		return 0, false
	}
	return binary.LittleEndian.Uint64(p[atCardinality:]), true
}
