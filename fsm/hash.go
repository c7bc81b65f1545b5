package fsm

import (
	"encoding/binary"

	"github.com/redoubtdb/redoubt/fsm/internal/dict"
)

// hash is a table of fields. While it is small it keeps them in the order in which they came, as Redis does.
type hash struct {
	owned
	fields dict.Dict[string]
}

// Redis 7.0's hash-max-listpack-entries and hash-max-listpack-value.
const (
	hashSmallFieldsMax = 128
	hashSmallBytesMax  = 64
)

// Forms of a hash.
const (
	hashSmall byte = iota
	hashBig
)

func newHash(gen uint32) *hash { return &hash{owned: owned{gen}} }

func (h *hash) kind() kind { return kindHash }
func (h *hash) size() int  { return h.fields.Len() }

func (h *hash) encoding() string {
	if h.fields.Big() {
		return "hashtable"
	}
	return "listpack"
}

func (h *hash) copied(gen uint32) collection { return &hash{owned{gen}, h.fields.Copy()} }

// put sets a field, and reports whether it is new.
func (h *hash) put(field, val string) bool {
	_, replaced := h.fields.Put(field, val)
	if h.fields.Len() > hashSmallFieldsMax {
		h.fields.Grow()
	}
	return !replaced
}

// growFor makes the hash a big one if one of the texts is too long for a small one. Redis looks at all the arguments of a
// command before the first is set.
func (h *hash) growFor(texts ...[]byte) {
	for _, t := range texts {
		if len(t) > hashSmallBytesMax {
			h.fields.Grow()
			return
		}
	}
}

const (
	hashBytes  = 96 // of an empty hash
	fieldBytes = 64 // of a field, beside its texts
)

func (h *hash) memory(samples int) int {
	bytes, measured := 0, 0
	for field, val := range h.fields.All() {
		bytes += fieldBytes + len(field) + len(val)
		if measured++; measured == samples {
			break
		}
	}
	return hashBytes + sampled(bytes, measured, h.size())
}

func (h *hash) form() byte {
	if h.fields.Big() {
		return hashBig
	}
	return hashSmall
}

// appendTo writes fields uvarint { field, value }*, in the order of the table.
func (h *hash) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(h.size()))
	for field, val := range h.fields.All() {
		dst = appendString(appendString(dst, field), val)
	}
	return dst
}

func decodeHash(d *decoder, form byte) collection {
	h := newHash(0)
	switch form {
	case hashSmall:
	case hashBig:
		h.fields.Grow()
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
		}
	}
	d.bad = d.bad || h.size() == 0 || !h.fields.Big() && h.size() > hashSmallFieldsMax
	return h
}
