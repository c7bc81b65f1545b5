package fsm

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// bitOperation is what BITOP does.
type bitOperation uint8

const (
	bitAnd bitOperation = iota
	bitOr
	bitXor
	bitNot
	// Those of Redis 8.2. The first string has a part of its own in all but the last.
	bitDiff  // in the first, and in no other
	bitDiff1 // in any other, and not in the first
	bitAndOr // in the first, and in any other
	bitOne   // in exactly one
)

var bitOperations = []string{
	bitAnd: "and", bitOr: "or", bitXor: "xor", bitNot: "not", bitDiff: "diff", bitDiff1: "diff1", bitAndOr: "andor", bitOne: "one",
}

// firstApart reports whether the first string has a part of its own.
func (op bitOperation) firstApart() bool { return op == bitDiff || op == bitDiff1 || op == bitAndOr }

// bitop is BITOP.
func bitop(tx *Tx, c *command.Call, r command.Reply) {
	op := slices.IndexFunc(bitOperations, func(name string) bool { return word(c.Args[1], name) })
	switch {
	case op < 0:
		r.Error(command.ErrSyntax)
		return
	case bitOperation(op) == bitNot && len(c.Args) != 4:
		r.Error("ERR BITOP NOT must be called with a single source key.")
		return
	case bitOperation(op).firstApart() && len(c.Args) < 5:
		r.Error("ERR BITOP " + strings.ToUpper(bitOperations[op]) + " must be called with at least two source keys.")
		return
	}
	o, ok := tx.newBitop(bitOperation(op), c.Args[3:], r)
	if !ok {
		return
	}
	key := c.Args[2]
	if o.n > 0 {
		tx.set(key, o.result(tx.m.gen), 0)
		tx.event(command.EventString, "set", key)
	} else if it := tx.lookup(key); it != nil {
		tx.remove(key, it)
	}
	r.Int(int64(o.n))
}

// bitopRun is a BITOP of strings, the longest first; n is its length.
type bitopRun struct {
	op      bitOperation
	first   value // where it has a part of its own, and then it is none of the others
	strings []value
	n       int // bytes
}

// newBitop finds the strings. One that is named again counts once, or not at all where the two cancel each other: so the
// work is bounded by what the keyspace holds, not by how often a call names it.
func (tx *Tx) newBitop(op bitOperation, keys [][]byte, r command.Reply) (o *bitopRun, ok bool) {
	o = &bitopRun{op: op}
	if op.firstApart() {
		if o.first, ok = tx.bitopString(keys[0], r); !ok {
			return nil, false
		}
		o.n, keys = o.first.Len(), keys[1:]
	}
	named := make(map[string]int, len(keys)) // how often, of keys that were not looked at
	for _, key := range keys {
		named[string(key)]++
	}
	for _, key := range keys {
		v, ok := tx.bitopString(key, r)
		if !ok {
			return nil, false
		}
		o.n = max(o.n, v.Len())
		for range op.counted(named[string(key)]) {
			o.strings = append(o.strings, v)
		}
		delete(named, string(key))
	}
	slices.SortStableFunc(o.strings, func(a, b value) int { return b.Len() - a.Len() })
	return o, true
}

// counted is how often a string counts that is named n times.
func (op bitOperation) counted(n int) int {
	switch op {
	case bitXor:
		return n % 2
	case bitOne:
		return min(n, 2)
	}
	return min(n, 1)
}

// bitopString finds a string. ok is false where an error was replied.
func (tx *Tx) bitopString(key []byte, r command.Reply) (v value, ok bool) {
	it, ok := tx.lookupString(key, r)
	if !ok {
		return v, false
	}
	if v = stringOf(it); v.enc == encInt {
		v = rawValue(v.Text())
	}
	return v, true
}

// result is the string that comes out.
func (o *bitopRun) result(gen uint32) value {
	if o.n <= blobBytesMin {
		p := make([]byte, o.n)
		for at := 0; at < o.n; at += chunkBytes {
			if piece := p[at:min(at+chunkBytes, o.n)]; !o.piece(piece, at) {
				clear(piece)
			}
		}
		return rawBytes(p)
	}
	b := &blob{gen: gen}
	b.grow(o.n)
	var piece [chunkBytes]byte
	for at := 0; at < o.n; at += chunkBytes {
		if n := min(chunkBytes, o.n-at); o.piece(piece[:n], at) {
			b.writeAt(at, textOf(piece[:n]), gen)
		}
	}
	return value{obj: b, enc: encRaw}
}

// piece writes the result's bytes from at on, which is where a chunk begins. It is false where all are zeros, and then p
// may hold anything.
func (o *bitopRun) piece(p []byte, at int) bool {
	switch {
	case o.op == bitOne:
		return o.pieceOfOne(p, at)
	case o.op.firstApart():
		return o.pieceApart(p, at)
	}
	written := o.merge(o.op, p, at)
	if o.op != bitNot {
		return written
	}
	if !written {
		clear(p)
	}
	for i := range p {
		p[i] = ^p[i]
	}
	return true
}

// merge applies an operation to all strings, as piece does.
func (o *bitopRun) merge(op bitOperation, p []byte, at int) (written bool) {
	for _, v := range o.strings {
		if at >= v.Len() { // and so are all that follow
			return written && op != bitAnd
		}
		part := v.chunkAt(at)
		switch {
		case part == nil && op == bitAnd:
			return false
		case part == nil:
		case !written:
			clear(p[copy(p, part):])
			written = true
		default:
			op.combine(p, part)
		}
	}
	return written
}

// pieceApart is piece where the first string is put against all others.
func (o *bitopRun) pieceApart(p []byte, at int) bool {
	var part []byte
	if at < o.first.Len() {
		part = o.first.chunkAt(at)
	}
	written := o.merge(bitOr, p, at)
	switch {
	case part == nil:
		return written && o.op == bitDiff1
	case written:
		o.op.combine(p, part)
	case o.op == bitDiff:
		clear(p[copy(p, part):])
	default:
		return false
	}
	return true
}

// pieceOfOne is piece of what is in exactly one string.
func (o *bitopRun) pieceOfOne(p []byte, at int) (written bool) {
	var more [chunkBytes]byte // what is in several
	clear(p)
	for _, v := range o.strings {
		if at >= v.Len() {
			break
		}
		for i, b := range v.chunkAt(at) {
			more[i] |= p[i] & b
			p[i] |= b
			written = true
		}
	}
	for i := range p {
		p[i] &^= more[i]
	}
	return written
}

// chunkAt returns the bytes of a string up to the end of the chunk that begins at at; nil: all are zeros. They must not be
// changed.
func (v value) chunkAt(at int) []byte {
	end := v.chunkEnd(at)
	if s, ok := v.flat(); ok {
		return dataOf(s[at:end])
	}
	data := v.obj.(*blob).chunks[at/chunkBytes].data
	if data == nil {
		return nil
	}
	return data[:end-at]
}

// combine applies the operation to p and q, which has zeros behind its end, and leaves the result in p.
func (op bitOperation) combine(p, q []byte) {
	i := 0
	for ; i+8 <= len(q); i += 8 {
		word := op.of(binary.LittleEndian.Uint64(p[i:]), binary.LittleEndian.Uint64(q[i:]))
		binary.LittleEndian.PutUint64(p[i:], word)
	}
	for ; i < len(q); i++ {
		p[i] = byte(op.of(uint64(p[i]), uint64(q[i])))
	}
	if op == bitAnd || op == bitAndOr || op == bitDiff {
		clear(p[len(q):])
	}
}

func (op bitOperation) of(a, b uint64) uint64 {
	switch op {
	case bitAnd, bitAndOr:
		return a & b
	case bitDiff:
		return b &^ a
	case bitDiff1:
		return a &^ b
	case bitOr:
		return a | b
	}
	return a ^ b
}
