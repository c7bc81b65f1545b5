package fsm

import (
	"encoding/binary"
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// bitOp is one operation of BITFIELD.
type bitOp struct {
	field
	how      bitOpHow
	overflow overflowHow
	at       int   // the field's first bit
	n        int64 // what is set or added
}

type bitOpHow uint8

const (
	fieldGet bitOpHow = iota
	fieldSet
	fieldAdd
)

// overflowHow says what becomes of a number that its field can't hold.
type overflowHow uint8

const (
	overflowWrap     overflowHow = iota // its lowest bits stay
	overflowSaturate                    // the field's nearest number takes its place
	overflowFail                        // the field stays as it is
)

// field is a type of integers: i1 to i64, u1 to u63.
type field struct {
	signed bool
	width  int // bits
}

// limits are the least and the largest number of a field.
func (f field) limits() (least, most int64) {
	if f.signed {
		most = math.MaxInt64 >> (64 - f.width)
		return ^most, most
	}
	return 0, 1<<f.width - 1
}

// number reads a field from its bits.
func (f field) number(b uint64) int64 {
	if f.signed {
		return int64(b<<(64-f.width)) >> (64 - f.width)
	}
	return int64(b & (math.MaxUint64 >> (64 - f.width)))
}

// add counts old up by n. ok is false where the overflow fails.
func (f field) add(old, n int64, how overflowHow) (sum int64, ok bool) {
	least, most := f.limits()
	over := n > 0 && uint64(most)-uint64(old) < uint64(n)
	under := n < 0 && uint64(old)-uint64(least) < -uint64(n)
	return f.fit(old+n, over, under, how)
}

// set is n in the field. To an unsigned one a negative number is one that is too large. ok is false where the overflow
// fails.
func (f field) set(n int64, how overflowHow) (fits int64, ok bool) {
	least, most := f.limits()
	under := f.signed && n < least
	return f.fit(n, n > most || n < least && !under, under, how)
}

func (f field) fit(n int64, over, under bool, how overflowHow) (fits int64, ok bool) {
	least, most := f.limits()
	switch {
	case !over && !under:
		return n, true
	case how == overflowFail:
		return 0, false
	case how == overflowSaturate && over:
		return most, true
	case how == overflowSaturate:
		return least, true
	}
	return f.number(uint64(n)), true
}

func bitfield(tx *Tx, c *command.Call, r command.Reply) {
	ops, last, ok := parseBitfield(c.Args[2:], r)
	if !ok {
		return
	}
	it, ok := tx.lookupString(c.Args[1], r)
	if !ok {
		return
	}
	v := stringOf(it)
	if last < 0 { // it only reads
		runBitfield(&bitString{v: v}, ops, r)
		return
	}
	grown := last/8 >= v.Len()
	s := newBitString(v, max(last/8+1, v.Len()), tx.m.gen)
	changed := runBitfield(s, ops, r)
	if !changed && !grown {
		tx.makeRaw(it)
		return
	}
	tx.setOrPut(c.Args[1], it, s.value())
	if changed {
		tx.event(command.EventString, "setbit", c.Args[1])
	}
}

func bitfieldReadOnly(tx *Tx, c *command.Call, r command.Reply) {
	ops, last, ok := parseBitfield(c.Args[2:], r)
	if !ok {
		return
	}
	if last >= 0 {
		r.Error("ERR BITFIELD_RO only supports the GET subcommand")
		return
	}
	if it, ok := tx.lookupString(c.Args[1], r); ok {
		runBitfield(&bitString{v: stringOf(it)}, ops, r)
	}
}

// parseBitfield reads the operations; last is the last bit that one of them may change, -1 where they only read. ok is false
// where an error was replied.
func parseBitfield(args [][]byte, r command.Reply) (ops []bitOp, last int, ok bool) {
	last = -1
	overflow := overflowWrap
	for len(args) > 0 {
		if word(args[0], "overflow") && len(args) > 1 {
			if overflow, ok = overflowArg(args[1], r); !ok {
				return nil, 0, false
			}
			args = args[2:]
			continue
		}
		o, n := bitOpHowOf(args)
		if n == 0 {
			r.Error(command.ErrSyntax)
			return nil, 0, false
		}
		if !o.parse(args[1:n], r) {
			return nil, 0, false
		}
		if o.how != fieldGet {
			last = max(last, o.at+o.width-1)
		}
		o.overflow = overflow
		ops, args = append(ops, o), args[n:]
	}
	return ops, last, true
}

// bitOpHowOf reads an operation's name; n is how many arguments it takes, 0 where it is none or they are too few.
func bitOpHowOf(args [][]byte) (o bitOp, n int) {
	switch {
	case word(args[0], "get") && len(args) >= 3:
		return bitOp{how: fieldGet}, 3
	case word(args[0], "set") && len(args) >= 4:
		return bitOp{how: fieldSet}, 4
	case word(args[0], "incrby") && len(args) >= 4:
		return bitOp{how: fieldAdd}, 4
	}
	return bitOp{}, 0
}

// parse reads an operation's type, offset and number. It is false where an error was replied.
func (o *bitOp) parse(args [][]byte, r command.Reply) (ok bool) {
	if o.field, ok = parseField(args[0]); !ok {
		r.Error("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
		return false
	}
	if o.at, ok = o.offsetArg(args[1], o.how != fieldGet, r); !ok {
		return false
	}
	if len(args) > 2 {
		o.n, ok = intArg(args[2], r)
	}
	return ok
}

func parseField(arg []byte) (f field, ok bool) {
	if len(arg) < 2 || arg[0] != 'i' && arg[0] != 'u' {
		return field{}, false
	}
	f.signed = arg[0] == 'i'
	n, ok := parseInt(arg[1:])
	if !ok || n < 1 || n > 64 || n == 64 && !f.signed {
		return field{}, false
	}
	f.width = int(n)
	return f, true
}

// offsetArg reads where a field begins: a bit, or behind "#" how many fields of its type lie before it. One that is written
// must lie within the longest string; Redis lets its end lie behind.
func (f field) offsetArg(arg []byte, written bool, r command.Reply) (at int, ok bool) {
	unit := 1
	if len(arg) > 0 && arg[0] == '#' {
		arg, unit = arg[1:], f.width
	}
	most := bitsMax - 1
	if written {
		most = bitsMax - f.width
	}
	n, ok := parseInt(arg)
	if !ok || n < 0 || n > int64(most/unit) {
		r.Error(errBitOffset)
		return 0, false
	}
	return int(n) * unit, true
}

func overflowArg(arg []byte, r command.Reply) (how overflowHow, ok bool) {
	switch {
	case word(arg, "wrap"):
		return overflowWrap, true
	case word(arg, "sat"):
		return overflowSaturate, true
	case word(arg, "fail"):
		return overflowFail, true
	}
	r.Error("ERR Invalid OVERFLOW type specified")
	return 0, false
}

// runBitfield runs the operations and replies what they return. It reports whether one of them wrote.
func runBitfield(s *bitString, ops []bitOp, r command.Reply) (wrote bool) {
	r.Array(len(ops))
	for i := range ops {
		o := &ops[i]
		old := o.number(s.read(o.at, o.width))
		if o.how == fieldGet {
			r.Int(old)
			continue
		}
		n, ok := o.apply(old)
		switch {
		case !ok:
			r.Null()
			continue
		case o.how == fieldSet:
			r.Int(old)
		default:
			r.Int(n)
		}
		s.write(o.at, o.width, uint64(n))
		wrote = true
	}
	return wrote
}

func (o *bitOp) apply(old int64) (n int64, ok bool) {
	if o.how == fieldSet {
		return o.set(o.n, o.overflow)
	}
	return o.add(old, o.n, o.overflow)
}

// bitString is a string whose bits are read, and changed if newBitString made it.
type bitString struct {
	v   value
	p   []byte // a copy of a string that is short: it is copied once, not for each operation
	gen uint32
}

// newBitString returns v, with zeros behind its end up to n bytes, for changes.
func newBitString(v value, n int, gen uint32) *bitString {
	s := &bitString{gen: gen}
	if n > blobBytesMin {
		s.v = v.overwrite(n, nil, gen)
		return s
	}
	s.p = make([]byte, n)
	v.AppendTo(s.p[:0])
	s.v = rawBytes(s.p)
	return s
}

// value is the string as it is now. It is the end of the changes.
func (s *bitString) value() value { return s.v }

// fieldBytesMax is how many bytes a field of 64 bits can touch.
const fieldBytesMax = 9

// window reads the bytes from at on, and zeros behind the end.
func (s *bitString) window(at int) (w [fieldBytesMax]byte) {
	if n := s.v.Len(); at < n {
		s.v.appendRange(w[:0], at, min(at+fieldBytesMax, n))
	}
	return w
}

// read returns a field of width bits.
func (s *bitString) read(at, width int) uint64 {
	w, shift := s.window(at/8), at%8
	high := binary.BigEndian.Uint64(w[:])<<shift | uint64(w[8])>>(8-shift)
	return high >> (64 - width)
}

// write sets a field to the lowest bits of n.
func (s *bitString) write(at, width int, n uint64) {
	w, shift := s.window(at/8), at%8
	mask := uint64(math.MaxUint64) << (64 - width)
	n = n << (64 - width) & mask
	high := binary.BigEndian.Uint64(w[:])&^(mask>>shift) | n>>shift
	binary.BigEndian.PutUint64(w[:], high)
	w[8] = w[8]&^byte(mask<<(8-shift)) | byte(n<<(8-shift))
	touched := w[:(shift+width+7)/8]
	if s.p != nil {
		copy(s.p[at/8:], touched)
		return
	}
	s.v = s.v.overwrite(at/8, touched, s.gen)
}
