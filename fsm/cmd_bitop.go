package fsm

import (
	"encoding/binary"
	"slices"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// bitOperation is what BITOP does.
type bitOperation uint8

const (
	bitAnd bitOperation = iota
	bitOr
	bitXor
	bitNot
)

var bitOperations = []string{bitAnd: "and", bitOr: "or", bitXor: "xor", bitNot: "not"}

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
		tx.delete(it)
		tx.event(command.EventGeneric, "del", key)
	}
	r.Int(int64(o.n))
}

// bitopRun is a BITOP of strings, the longest first; n is its length.
type bitopRun struct {
	op      bitOperation
	strings []value
	n       int // bytes
}

// newBitop finds the strings. One that is named again counts once, or not at all where the two cancel each other: so the
// work is bounded by what the keyspace holds, not by how often a call names it.
func (tx *Tx) newBitop(op bitOperation, keys [][]byte, r command.Reply) (o *bitopRun, ok bool) {
	o = &bitopRun{op: op}
	odd := make(map[string]bool, len(keys)) // whether a key was named an odd number of times
	for _, key := range keys {
		odd[string(key)] = !odd[string(key)]
	}
	for _, key := range keys {
		it, ok := tx.lookupString(key, r)
		if !ok {
			return nil, false
		}
		v := stringOf(it)
		if v.enc == encInt {
			v = rawValue(v.Text())
		}
		o.n = max(o.n, v.Len())
		counts, there := odd[string(key)]
		if delete(odd, string(key)); there && (counts || op != bitXor) {
			o.strings = append(o.strings, v)
		}
	}
	slices.SortStableFunc(o.strings, func(a, b value) int { return b.Len() - a.Len() })
	return o, true
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
	written := false
	for _, v := range o.strings {
		if at >= v.Len() { // and so are all that follow
			if o.op == bitAnd {
				return false
			}
			break
		}
		part := v.chunkAt(at)
		switch {
		case part == nil && o.op == bitAnd:
			return false
		case part == nil:
		case !written:
			clear(p[copy(p, part):])
			written = true
		default:
			o.op.combine(p, part)
		}
	}
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
	if op == bitAnd {
		clear(p[len(q):])
	}
}

func (op bitOperation) of(a, b uint64) uint64 {
	switch op {
	case bitAnd:
		return a & b
	case bitOr:
		return a | b
	}
	return a ^ b
}
