package fsm

import (
	"encoding/binary"
	"iter"
	"math"

	"github.com/redoubtdb/redoubt/fsm/internal/ranked"
)

// zset is a sorted set.
type zset struct {
	owned
	members ranked.Set
}

// Redis 7.0's zset-max-listpack-entries and zset-max-listpack-value.
const (
	zsetSmallMembersMax = 128
	zsetSmallBytesMax   = 64
)

// Forms of a sorted set.
const (
	zsetSmall byte = iota
	zsetBig
)

func newZset(gen uint32) *zset { return &zset{owned: owned{gen}} }

// newZsetOf returns a set of sorted entries, each member of which is there once. It keeps the members without a copy. It is
// small if it can be.
func newZsetOf(gen uint32, entries []ranked.Entry) *zset {
	z := newZset(gen)
	if len(entries) > zsetSmallMembersMax {
		z.members.Grow()
	}
	for i := range entries {
		if len(entries[i].Member) > zsetSmallBytesMax {
			z.members.Grow()
		}
	}
	for _, e := range entries {
		z.members.Append(e)
	}
	return z
}

func (z *zset) kind() kind { return kindZset }
func (z *zset) size() int  { return z.members.Len() }

func (z *zset) encoding() string {
	if z.members.Big() {
		return "skiplist"
	}
	return "listpack"
}

// elements are the members in the order of their scores.
func (z *zset) elements() iter.Seq[string] {
	return func(yield func(string) bool) {
		for e := range z.members.Ascend(0) {
			if !yield(e.Member) {
				return
			}
		}
	}
}

func (z *zset) copied(gen uint32) collection { return &zset{owned{gen}, z.members.Copy()} }

// score returns a member's score; there may be no set.
func (z *zset) score(member []byte) (score float64, there bool) {
	if z == nil {
		return 0, false
	}
	return z.members.Score(textOf(member))
}

// add enters a member that is not there.
func (z *zset) add(member []byte, score float64) {
	if z.size() >= zsetSmallMembersMax || len(member) > zsetSmallBytesMax {
		z.members.Grow()
	}
	z.members.Put(textOf(member), score)
}

const (
	zsetBytes  = 176 // of an empty sorted set
	scoreBytes = 96  // of a member, beside its name
)

func (z *zset) memory(samples int) int {
	bytes, measured := 0, 0
	for e := range z.members.Ascend(0) {
		bytes += scoreBytes + len(e.Member)
		if measured++; measured == samples {
			break
		}
	}
	return zsetBytes + sampled(bytes, measured, z.size())
}

func (z *zset) form() byte {
	if z.members.Big() {
		return zsetBig
	}
	return zsetSmall
}

// appendTo writes members uvarint { member, score 8 bytes }*, in order. A score is the bits of a double, little endian.
func (z *zset) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(z.size()))
	for e := range z.members.Ascend(0) {
		dst = appendString(dst, e.Member)
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(e.Score))
	}
	return dst
}

func decodeZset(d *decoder, form byte) collection {
	z := newZset(0)
	switch form {
	case zsetSmall:
	case zsetBig:
		z.members.Grow()
	default:
		d.bad = true
	}
	for range d.count() {
		member, score := d.bytes(), d.double()
		d.bad = d.bad || form == zsetSmall && len(member) > zsetSmallBytesMax
		if d.bad || math.IsNaN(score) || !z.members.Append(ranked.Entry{Member: string(member), Score: score}) {
			d.bad = true
			break
		}
	}
	d.bad = d.bad || z.size() == 0 || !z.members.Big() && z.size() > zsetSmallMembersMax
	return z
}

// double reads 8 bytes, the bits of a double in little endian.
func (d *decoder) double() float64 {
	if len(d.rest) < 8 {
		d.bad, d.rest = true, nil
		return 0
	}
	bits := binary.LittleEndian.Uint64(d.rest)
	d.rest = d.rest[8:]
	return math.Float64frombits(bits)
}
