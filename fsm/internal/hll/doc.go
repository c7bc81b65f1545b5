// Package hll is the HyperLogLog as Redis keeps it in a string: an estimate of how many different elements were added, in
// at most 12 KiB. Elements are hashed to 64 bits. 14 bits of the hash choose one of 16384 registers, which keeps the
// longest run of zeros (and the one behind them) that the other 50 bits of its elements began with.
//
// A string is a header and the registers, in one of two encodings:
//
//	"HYLL"  encoding u8  unused 3 bytes  cardinality u64 little endian, its highest bit: out of date
//
//	0, dense:   6 bits a register, the first in the lowest bits of the first byte
//	1, sparse:  runs of registers  00nnnnnn            n+1 of 0
//	                               01nnnnnn nnnnnnnn   n+1 of 0
//	                               1vvvvvnn            n+1 of v+1
//
// A sparse one becomes dense where it would be longer than SparseBytesMax or a register would exceed 32. Which runs a
// sparse string is made of follows from the order of the additions; it is the same as in Redis 7.0, byte for byte. What
// is read may be anything: only New makes strings that are sure to be sound.
//
// Sources: P. Flajolet et al., HyperLogLog (2007); O. Ertl, New cardinality estimation algorithms for HyperLogLog
// sketches (2017); A. Appleby's MurmurHash64A, which is in the public domain; the bytes that redis-server 7.0 shows.
package hll
