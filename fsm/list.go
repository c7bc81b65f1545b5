package fsm

import (
	"encoding/binary"
	"iter"

	"github.com/redoubtdb/redoubt/fsm/internal/quicklist"
)

// list is a sequence of elements. How it is cut into chunks follows from its history on this node and is no part of the state.
type list struct {
	owned
	elems quicklist.List
}

// formList is the one form of a list.
const formList byte = 0

func newList(gen uint32) *list { return &list{owned: owned{gen}} }

func (l *list) kind() kind { return kindList }
func (l *list) size() int  { return l.elems.Len() }

// encoding is the only one that lists have in Redis 7.0.
func (l *list) encoding() string { return "quicklist" }

// elements are the elements from the first to the last.
func (l *list) elements() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, elem := range l.elems.From(0) {
			if !yield(string(elem)) {
				return
			}
		}
	}
}

func (l *list) copied(gen uint32) collection { return &list{owned{gen}, l.elems.Copy()} }

const (
	listBytes    = 160 // of an empty list
	elementBytes = 2   // of a short element, beside its text
)

func (l *list) memory(samples int) int {
	bytes, measured := 0, 0
	for _, elem := range l.elems.From(0) {
		bytes += elementBytes + len(elem)
		if measured++; measured == samples {
			break
		}
	}
	return listBytes + sampled(bytes, measured, l.size())
}

func (l *list) form() byte { return formList }

// appendTo writes elements uvarint { element }*, from the first to the last.
func (l *list) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(l.size()))
	for _, elem := range l.elems.From(0) {
		dst = appendString(dst, textOf(elem))
	}
	return dst
}

func decodeList(d *decoder, form byte) collection {
	l := newList(0)
	d.bad = d.bad || form != formList
	for range d.count() {
		elem := d.bytes()
		if d.bad {
			break
		}
		l.elems.Push(quicklist.Back, elem)
	}
	d.bad = d.bad || l.size() == 0
	return l
}

// index turns an index that may count from the end, -1 being the last, into one from the beginning. ok is false where there
// is no such element.
func (l *list) index(i int64) (at int, ok bool) {
	n := int64(l.size())
	if i < 0 {
		i += n
	}
	return int(i), i >= 0 && i < n
}

// bounds turns a range of indexes, both of which are in it and may count from the end, into one from the beginning, that ends
// before to. A range of nothing has from == to.
func (l *list) bounds(first, last int64) (from, to int) {
	n := int64(l.size())
	if first < 0 {
		first = max(first+n, 0)
	}
	if last < 0 {
		last += n
	}
	last = min(last, n-1)
	if first > last {
		return 0, 0
	}
	return int(first), int(last) + 1
}
