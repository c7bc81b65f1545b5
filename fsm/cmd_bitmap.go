package fsm

import (
	"encoding/binary"
	"math/bits"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// The bitmap group of Redis 7.0: strings as bits, of which the first is the highest of the first byte.
var bitmapCommands = []cmd{
	{command.Spec{
		Name: "setbit", Arity: 4, Flags: command.Write | command.DenyOOM, Group: "bitmap", Since: "2.2.0",
		Keys:    oneKey(command.RW | command.Access | command.Update),
		Summary: "Sets or clears a bit of the string value of a key.", Complexity: "O(1)",
	}, setbit},
	{command.Spec{
		Name: "getbit", Arity: 3, Flags: command.ReadOnly | command.Fast, Group: "bitmap", Since: "2.2.0",
		Keys:    oneKey(command.RO | command.Access),
		Summary: "Returns a bit of the string value of a key.", Complexity: "O(1)",
	}, getbit},
	{command.Spec{
		Name: "bitcount", Arity: -2, Flags: command.ReadOnly, Group: "bitmap", Since: "2.6.0",
		Keys:    oneKey(command.RO | command.Access),
		Summary: "Counts the bits that are set in a string or a part of it.", Complexity: "O(N) for N bytes",
	}, bitcount},
	{command.Spec{
		Name: "bitpos", Arity: -3, Flags: command.ReadOnly, Group: "bitmap", Since: "2.8.7",
		Keys:    oneKey(command.RO | command.Access),
		Summary: "Finds the first bit that is set, or clear, in a string or a part of it.", Complexity: "O(N) for N bytes",
	}, bitpos},
	{command.Spec{
		Name: "bitop", Arity: -4, Flags: command.Write | command.DenyOOM, Group: "bitmap", Since: "2.6.0",
		Keys: []command.KeySpec{keyAt(2, command.OW|command.Update),
			{Flags: command.RO | command.Access, Index: 3, Last: -1, Step: 1}},
		Summary: "Stores the bitwise AND, OR, XOR or NOT of strings.", Complexity: "O(N) for N bytes of all strings",
	}, bitop},
	{command.Spec{
		Name: "bitfield", Arity: -2, Flags: command.Write | command.DenyOOM, Group: "bitmap", Since: "3.2.0",
		Keys:    oneKey(command.RW | command.Access | command.Update | command.VariableFlags),
		Summary: "Reads, sets and counts up integers of any width in a string.", Complexity: "O(1) for each operation",
	}, bitfield},
	{command.Spec{
		Name: "bitfield_ro", Arity: -2, Flags: command.ReadOnly | command.Fast, Group: "bitmap", Since: "6.0.0",
		Keys:    oneKey(command.RO | command.Access),
		Summary: "Reads integers of any width in a string.", Complexity: "O(1) for each operation",
	}, bitfieldReadOnly},
}

const (
	errBitOffset = "ERR bit offset is not an integer or out of range"

	// bitsMax is the number of bits of the longest string.
	bitsMax = StringBytesMax * 8
)

// bitOffsetArg reads the position of a bit. ok is false where an error was replied.
func bitOffsetArg(arg []byte, r command.Reply) (at int, ok bool) {
	n, ok := parseInt(arg)
	if !ok || n < 0 || n >= bitsMax {
		r.Error(errBitOffset)
		return 0, false
	}
	return int(n), true
}

func setbit(tx *Tx, c *command.Call, r command.Reply) {
	at, ok := bitOffsetArg(c.Args[2], r)
	if !ok {
		return
	}
	on, ok := parseInt(c.Args[3])
	if !ok || on&^1 != 0 {
		r.Error("ERR bit is not an integer or out of range")
		return
	}
	it, ok := tx.lookupString(c.Args[1], r)
	if !ok {
		return
	}
	v := stringOf(it)
	was := v.bit(at)
	r.Int(was)
	if was == on && at/8 < v.Len() {
		tx.makeRaw(it)
		return
	}
	mask := byte(0x80) >> (at % 8)
	b := v.byteAt(at/8) &^ mask
	if on == 1 {
		b |= mask
	}
	tx.setOrPut(c.Args[1], it, v.overwrite(at/8, []byte{b}, tx.m.gen))
	tx.event(command.EventString, "setbit", c.Args[1])
}

// stringOf is the string of an item, empty where there is none.
func stringOf(it *item) value {
	if it == nil {
		return rawValue("")
	}
	return it.value()
}

// byteAt is a byte of a string, 0 behind its end.
func (v value) byteAt(i int) (b byte) {
	if i < v.Len() {
		v.walk(i, i+1, func(p []byte) bool { b = p[0]; return true })
	}
	return b
}

// bit is a bit of a string, 0 behind its end.
func (v value) bit(at int) int64 { return int64(v.byteAt(at/8) >> (7 - at%8) & 1) }

// walk calls f with the pieces of [from, to) of a string in order, until it returns false. They must not be changed or kept.
func (v value) walk(from, to int, f func(piece []byte) (more bool)) {
	if s, ok := v.flat(); ok {
		f(dataOf(s[from:to]))
		return
	}
	b := v.obj.(*blob)
	for more := true; more && from < to; {
		end := min(to, from-from%chunkBytes+chunkBytes)
		b.each(from, end, func(p []byte) { more = f(p) })
		from = end
	}
}

// makeRaw is what Redis does to a string that a command is about to change: it becomes raw, also where the change then is
// none. To a WATCH the key is as it was.
func (tx *Tx) makeRaw(it *item) {
	v := it.value()
	if v.enc == encRaw {
		return
	}
	raw := newItem(it.key(), rawValue(v.Text()), it.expireAt(), tx.m.gen)
	raw.version = it.version
	raw.access.Store(it.access.Load())
	tx.ks.put(tx.hashOf(dataOf(it.key())), raw)
}

// rawBytes is rawValue of bytes that nobody changes any more.
func rawBytes(p []byte) value { return value{obj: text(textOf(p)), enc: encRaw} }

func getbit(tx *Tx, c *command.Call, r command.Reply) {
	at, ok := bitOffsetArg(c.Args[2], r)
	if !ok {
		return
	}
	if it, ok := tx.lookupString(c.Args[1], r); ok {
		r.Int(stringOf(it).bit(at))
	}
}

// bitUnit reads what the positions of BITCOUNT and BITPOS count: bits or bytes. ok is false where an error was replied.
func bitUnit(args [][]byte, r command.Reply) (bitsEach int, ok bool) {
	switch {
	case len(args) == 0, len(args) == 1 && word(args[0], "byte"):
		return 8, true
	case len(args) == 1 && word(args[0], "bit"):
		return 1, true
	}
	r.Error(command.ErrSyntax)
	return 0, false
}

func bitcount(tx *Tx, c *command.Call, r command.Reply) {
	it, ok := tx.lookupString(c.Args[1], r)
	if !ok {
		return
	}
	if it == nil { // before the range is looked at, as in Redis
		r.Int(0)
		return
	}
	v := it.value()
	from, to := 0, v.Len()*8
	if len(c.Args) > 2 {
		if from, to, ok = countRange(c.Args[2:], v.Len(), r); !ok {
			return
		}
	}
	r.Int(int64(v.countBits(from, to)))
}

// countRange reads the range of BITCOUNT in a string of n bytes, as bits [from, to).
func countRange(args [][]byte, n int, r command.Reply) (from, to int, ok bool) {
	if len(args) == 1 {
		r.Error(command.ErrSyntax)
		return 0, 0, false
	}
	start, ok := intArg(args[0], r)
	if !ok {
		return 0, 0, false
	}
	end, ok := intArg(args[1], r)
	if !ok {
		return 0, 0, false
	}
	unit, ok := bitUnit(args[2:], r)
	if !ok {
		return 0, 0, false
	}
	from, to = byteRange(start, end, n*8/unit)
	return from * unit, to * unit, true
}

// countBits counts the bits of [from, to) that are set.
func (v value) countBits(from, to int) int {
	if from >= to {
		return 0
	}
	n, first, last := 0, from/8, (to-1)/8
	v.walk(first, last+1, func(p []byte) bool {
		for ; len(p) >= 8; p = p[8:] {
			n += bits.OnesCount64(binary.LittleEndian.Uint64(p))
		}
		for _, b := range p {
			n += bits.OnesCount8(b)
		}
		return true
	})
	before := v.byteAt(first) &^ (0xff >> (from % 8))
	after := v.byteAt(last) & (1<<(7-(to-1)%8) - 1)
	return n - bits.OnesCount8(before) - bits.OnesCount8(after)
}

func bitpos(tx *Tx, c *command.Call, r command.Reply) {
	bit, ok := intArg(c.Args[2], r)
	if !ok {
		return
	}
	if bit&^1 != 0 {
		r.Error("ERR The bit argument must be 1 or 0.")
		return
	}
	it, ok := tx.lookupString(c.Args[1], r)
	if !ok {
		return
	}
	if it == nil { // before the range is looked at, as in Redis
		r.Int(-bit)
		return
	}
	v := it.value()
	from, to, ok := findRange(c.Args[3:], v.Len(), r)
	if !ok {
		return
	}
	at := v.findBit(byte(bit), from, to)
	if at < 0 && bit == 0 && from < to && len(c.Args) < 5 {
		at = to // behind a string without an end there are zeros
	}
	r.Int(int64(at))
}

// findRange reads the range of BITPOS in a string of n bytes, as bits [from, to). It differs from that of BITCOUNT where both
// positions lie before the string: they are its first byte, or bit, in any order.
func findRange(args [][]byte, n int, r command.Reply) (from, to int, ok bool) {
	start, end, unit := int64(0), int64(-1), 8
	if len(args) > 0 {
		if start, ok = intArg(args[0], r); !ok {
			return 0, 0, false
		}
	}
	if len(args) > 1 {
		if unit, ok = bitUnit(args[2:], r); !ok {
			return 0, 0, false
		}
		if end, ok = intArg(args[1], r); !ok {
			return 0, 0, false
		}
	}
	size := int64(n * 8 / unit)
	if start < 0 {
		start = max(0, size+start)
	}
	if end < 0 {
		end = max(0, size+end)
	}
	if end = min(end, size-1); start > end {
		return 0, 0, true
	}
	return int(start) * unit, int(end+1) * unit, true
}

// findBit returns the position of the first bit of [from, to) that is set (bit is 1) or clear; -1: there is none.
func (v value) findBit(bit byte, from, to int) int {
	if from >= to {
		return -1
	}
	flip := bit - 1 // all bits where those that are clear are looked for
	at, first, last, found := from/8, from/8, (to-1)/8, -1
	v.walk(first, last+1, func(p []byte) bool {
		for i := 0; i < len(p); i++ {
			i += sameBytes(p[i:], flip)
			if i == len(p) {
				break
			}
			b := p[i] ^ flip
			if at+i == first {
				b &= 0xff >> (from % 8)
			}
			if at+i == last {
				b &= 0xff << (7 - (to-1)%8)
			}
			if b != 0 {
				found = (at+i)*8 + bits.LeadingZeros8(b)
				return false
			}
		}
		at += len(p)
		return true
	})
	return found
}

// sameBytes counts the bytes at the beginning of p that are b.
func sameBytes(p []byte, b byte) int {
	i, eight := 0, uint64(b)*0x0101010101010101
	for i+8 <= len(p) && binary.LittleEndian.Uint64(p[i:]) == eight {
		i += 8
	}
	for i < len(p) && p[i] == b {
		i++
	}
	return i
}
