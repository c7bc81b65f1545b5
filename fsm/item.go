package fsm

import (
	"encoding/binary"
	"strings"
	"sync/atomic"
	"unsafe"
)

// item is a key with its value. Most keys of most users have short names and short strings, and there are millions of
// them, so such an item is one piece of memory without a pointer: the fields below, and right behind them its text.
//
//	key  keyBytes
//	value  valueBytes     a string's bytes, or 8 bytes of an integer (encInt)
//	deadline  8 bytes     only with formDeadline
//
// The collector neither looks into such a piece nor for anything that hangs on it. An item that needs a pointer (an
// object for a value, a long text, a neighbour of the same hash) is a bigItem, which begins with these fields too.
//
// Items come from newItem alone and are never copied as Go values. A key and a string's bytes never change: replies and
// snapshots look at them without a copy. What may change in place, in an item of the current generation: version, an
// integer, a deadline that has its room, a big item's object.
type item struct {
	// version is the machine's modification counter when the item was last modified. WATCH compares it.
	version uint64
	// gen is the snapshot generation that the item was made in. An item of an older generation may be seen by a
	// snapshot: it is replaced by a copy, not changed.
	gen uint32
	// access is when the key was last used, in seconds of the local clock. It belongs to this node alone: it is in no
	// snapshot and decides nothing that is replicated.
	access               atomic.Uint32
	keyBytes, valueBytes uint16 // of the text; a bigItem has none
	form                 form
	enc                  encoding // of a string; see value.enc
}

// form says how an item is held. It belongs to this node alone.
type form uint8

const (
	formBig      form = 1 << iota // the item is the head of a bigItem
	formDeadline                  // the text ends with a deadline, which may be 0
)

const (
	// inlineBytesMax is the most that key and value may have together to stand in the item itself. A change of an item
	// that a snapshot may see copies that much; a longer text is a piece of its own, which copies share.
	inlineBytesMax = 1024

	textOffset   = unsafe.Offsetof(item{}.enc) + 1 // the text begins where the last field ends, not where the struct does
	integerBytes = 8
	timeBytes    = 8
	itemWordsMin = (unsafe.Sizeof(item{}) + 7) / 8
)

// bigItem is an item with pointers.
type bigItem struct {
	item
	name     string
	deadline int64
	obj      object // never nil
	next     *item  // the next key of the same hash
}

// text is a string that stands in a piece of memory of its own. It is immutable.
type text string

// number is an integer of a bigItem.
type number int64

func (text) kind() kind   { return kindString }
func (number) kind() kind { return kindString }

// newItem makes an item of the current generation. key and the value's bytes are copied, an object is shared. A deadline
// of 0 is none.
func newItem(key string, v value, deadline int64, gen uint32) *item {
	if v.inline(len(key)) {
		return newSmallItem(key, v, deadline, gen)
	}
	return newBigItem(key, v, deadline, gen)
}

func newSmallItem(key string, v value, deadline int64, gen uint32) *item {
	valueBytes, _ := v.inlineBytes()
	n := int(textOffset) + len(key) + valueBytes
	if deadline != 0 {
		n += timeBytes
	}
	words := make([]uint64, max(int(itemWordsMin), (n+7)/8)) // words are aligned as the fields must be
	it := (*item)(unsafe.Pointer(unsafe.SliceData(words)))
	it.gen, it.enc = gen, v.enc
	it.keyBytes, it.valueBytes = uint16(len(key)), uint16(valueBytes)
	copy(it.bytes(0, len(key)), key)
	if v.enc == encInt {
		binary.LittleEndian.PutUint64(it.bytes(len(key), integerBytes), uint64(v.num))
	} else {
		s, _ := v.flat()
		copy(it.bytes(len(key), valueBytes), s)
	}
	if deadline != 0 {
		it.form = formDeadline
		it.setDeadline(deadline)
	}
	return it
}

func newBigItem(key string, v value, deadline int64, gen uint32) *item {
	b := &bigItem{name: strings.Clone(key), deadline: deadline, obj: v.boxed()}
	b.gen, b.enc, b.form = gen, v.enc, formBig
	return &b.item
}

// big returns the whole of a big item, nil where it is a small one.
func (it *item) big() *bigItem {
	if it.form&formBig == 0 {
		return nil
	}
	return (*bigItem)(unsafe.Pointer(it))
}

// bytes returns n bytes of a small item's text.
func (it *item) bytes(from, n int) []byte {
	if n == 0 {
		return nil // there may be no byte at from
	}
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(it), int(textOffset)+from)), n)
}

// key is the item's name. Like a string value it stays valid, and as it is, whatever becomes of the item.
func (it *item) key() string {
	if b := it.big(); b != nil {
		return b.name
	}
	return textOf(it.bytes(0, int(it.keyBytes)))
}

func (it *item) value() value {
	if b := it.big(); b != nil {
		if n, ok := b.obj.(number); ok {
			return value{num: int64(n), enc: encInt}
		}
		return value{obj: b.obj, enc: it.enc}
	}
	p := it.bytes(int(it.keyBytes), int(it.valueBytes))
	if it.enc == encInt {
		return value{num: int64(binary.LittleEndian.Uint64(p)), enc: encInt}
	}
	return value{str: textOf(p), enc: it.enc}
}

func (it *item) kind() kind {
	if b := it.big(); b != nil {
		return b.obj.kind()
	}
	return kindString
}

// expireAt is the deadline in milliseconds of log time since 1970; 0: none.
func (it *item) expireAt() int64 {
	if it.form == 0 {
		return 0
	}
	if b := it.big(); b != nil {
		return b.deadline
	}
	return int64(binary.LittleEndian.Uint64(it.deadlineBytes()))
}

func (it *item) deadlineBytes() []byte {
	return it.bytes(int(it.keyBytes)+int(it.valueBytes), timeBytes)
}

// next is the next key of the same hash.
func (it *item) next() *item {
	if b := it.big(); b != nil {
		return b.next
	}
	return nil
}

// setDeadline changes an item of the current generation in place; false: it has no room.
func (it *item) setDeadline(at int64) bool {
	if b := it.big(); b != nil {
		b.deadline = at
		return true
	}
	if it.form&formDeadline == 0 {
		return at == 0
	}
	binary.LittleEndian.PutUint64(it.deadlineBytes(), uint64(at))
	return true
}

// setValue changes an item of the current generation in place; false: it can't be done so.
func (it *item) setValue(v value) bool {
	if b := it.big(); b != nil {
		b.obj, b.enc = v.boxed(), v.enc
		return true
	}
	if it.enc != encInt || v.enc != encInt {
		return false
	}
	binary.LittleEndian.PutUint64(it.bytes(int(it.keyBytes), integerBytes), uint64(v.num))
	return true
}

// remade returns a copy of an item with another deadline and generation, and no neighbour.
func (it *item) remade(deadline int64, gen uint32) *item {
	c := newItem(it.key(), it.value(), deadline, gen)
	c.version = it.version
	c.access.Store(it.access.Load())
	return c
}

func (it *item) clone(gen uint32) *item { return it.remade(it.expireAt(), gen) }

// linked returns an item of the current generation with a neighbour: itself, or a big one in its place.
func (it *item) linked(next *item) *item {
	b := it.big()
	if b == nil && next == nil {
		return it
	}
	if b == nil {
		b = newBigItem(it.key(), it.value(), it.expireAt(), it.gen).big()
		b.version = it.version
		b.access.Store(it.access.Load())
	}
	b.next = next
	return &b.item
}

// textOf is b as a string without a copy, for as long as nobody changes b.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// dataOf is s as bytes without a copy. They must not be changed.
func dataOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
