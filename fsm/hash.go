package fsm

import (
	"encoding/binary"
	"iter"

	"github.com/redoubtdb/redoubt/fsm/internal/dict"
)

// hash is a table of fields. While it is small it keeps them in the order in which they came, as Redis does.
type hash struct {
	owned
	fields    dict.Dict[string]
	deadlines *fieldDeadlines // nil while no field has had one
}

// Redis 7.0's hash-max-listpack-entries and hash-max-listpack-value.
const (
	hashSmallFieldsMax = 128
	hashSmallBytesMax  = 64
)

// Forms of a hash. Their numbers stand in snapshots.
const (
	hashSmall byte = iota
	hashBig
	hashSmallExpiring // its fields may have deadlines
	hashBigExpiring
)

func newHash(gen uint32) *hash { return &hash{owned: owned{gen}} }

func (h *hash) kind() kind { return kindHash }
func (h *hash) size() int  { return h.fields.Len() }

func (h *hash) encoding() string {
	switch {
	case h.fields.Big():
		return "hashtable"
	case h.deadlines != nil:
		return "listpackex"
	}
	return "listpack"
}

func (h *hash) copied(gen uint32) collection {
	return &hash{owned{gen}, h.fields.Copy(), h.deadlines.copied()}
}

// put sets a field, which then has no deadline, and reports whether it is new.
func (h *hash) put(field, val string, now int64) bool {
	added := h.update(field, val, now)
	h.clearDeadline(field)
	return added
}

// update sets a field, whose deadline stays, and reports whether it is new.
func (h *hash) update(field, val string, now int64) bool {
	h.bury(field, now)
	_, replaced := h.fields.Put(field, val)
	if h.fields.Len() > hashSmallFieldsMax {
		h.grow()
	}
	return !replaced
}

// remove removes a field, and reports whether it was there.
func (h *hash) remove(field string, now int64) bool {
	h.bury(field, now)
	h.clearDeadline(field)
	_, there := h.fields.Delete(field)
	return there
}

func (h *hash) grow() {
	h.fields.Grow()
	if h.deadlines != nil {
		h.deadlines.at.Grow()
	}
}

// get returns the value of a field that is there; there may be no hash.
func (h *hash) get(tx *Tx, field []byte) (val string, there bool) {
	if h == nil {
		return "", false
	}
	if tx.passed(h.deadline(textOf(field))) {
		return "", false
	}
	return h.fields.Get(textOf(field))
}

// length counts the fields that are there.
func (h *hash) length(tx *Tx) int { return h.size() - h.passed(tx) }

// present walks through the fields that are there.
func (h *hash) present(tx *Tx) iter.Seq2[string, string] {
	if h.passed(tx) == 0 {
		return h.fields.All()
	}
	return func(yield func(string, string) bool) {
		for field, val := range h.fields.All() {
			if !tx.passed(h.deadline(field)) && !yield(field, val) {
				return
			}
		}
	}
}

// byRank returns the number of the fields that are there and what finds them by a rank below it.
func (h *hash) byRank(tx *Tx) (n int, at func(rank int) (field, val string)) {
	if h.passed(tx) == 0 {
		return h.size(), h.fields.At
	}
	var there []dict.Entry[string]
	for field, val := range h.present(tx) {
		there = append(there, dict.Entry[string]{Name: field, Value: val})
	}
	return len(there), func(rank int) (string, string) { return there[rank].Name, there[rank].Value }
}

// growFor makes the hash a big one if one of the texts is too long for a small one. Redis looks at all the arguments of a
// command before the first is set.
func (h *hash) growFor(texts ...[]byte) {
	for _, t := range texts {
		if len(t) > hashSmallBytesMax {
			h.grow()
			return
		}
	}
}

const (
	hashBytes          = 96  // of an empty hash
	fieldBytes         = 64  // of a field, beside its texts
	fieldDeadlineBytes = 128 // of a field's deadline, with a second copy of a name
)

func (h *hash) memory(samples int) int {
	bytes, measured := 0, 0
	for field, val := range h.fields.All() {
		bytes += fieldBytes + len(field) + len(val)
		if measured++; measured == samples {
			break
		}
	}
	n := hashBytes + sampled(bytes, measured, h.size())
	if h.deadlines != nil {
		n += fieldDeadlineBytes * h.deadlines.at.Len()
	}
	return n
}

func (h *hash) form() byte {
	form := hashSmall
	if h.fields.Big() {
		form = hashBig
	}
	if h.deadlines != nil {
		form += hashSmallExpiring
	}
	return form
}

// appendTo writes fields uvarint { field, value }*, in the order of the table; in the expiring forms { field, value, deadline
// uvarint }*, where 0 is no deadline.
func (h *hash) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(h.size()))
	for field, val := range h.fields.All() {
		dst = appendString(appendString(dst, field), val)
		if h.deadlines != nil {
			dst = binary.AppendUvarint(dst, uint64(h.deadline(field)))
		}
	}
	return dst
}

func decodeHash(d *decoder, form byte) collection {
	h := newHash(0)
	if form == hashSmallExpiring || form == hashBigExpiring {
		h.deadlines = &fieldDeadlines{order: newFieldOrder()}
	}
	switch form {
	case hashSmall, hashSmallExpiring:
	case hashBig, hashBigExpiring:
		h.grow()
	default:
		d.bad = true
	}
	for range d.count() {
		field, val := d.bytes(), d.bytes()
		if d.bad {
			break
		}
		if _, twice := h.fields.Put(textOf(field), string(val)); twice {
			d.bad = true
			break
		}
		if h.deadlines != nil {
			h.decodeDeadline(d, textOf(field))
		}
	}
	d.bad = d.bad || h.size() == 0 || !h.fields.Big() && h.size() > hashSmallFieldsMax
	return h
}

func (h *hash) decodeDeadline(d *decoder, field string) {
	at := d.uvarint()
	if at > fieldDeadlineMax {
		d.bad = true
		return
	}
	if at != 0 {
		h.deadlines.set(field, int64(at))
	}
}
