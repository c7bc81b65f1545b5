package streams

import (
	"encoding/binary"
	"iter"
	"unsafe"
)

// Redis 7.0's stream-node-max-entries and stream-node-max-bytes. They are part of the state: an approximate trim removes
// whole nodes.
const (
	nodeEntriesMax = 100
	nodeBytesMax   = 4096
)

// Node is a run of entries in one piece of memory. The bytes in it never change; a Node is a value. What it consists of is
// open to those who write snapshots.
type Node struct {
	Base   ID     // of the entry that it began with, which may be gone
	Last   ID     // of the entry that came last, which may be gone
	Count  int    // entries in it
	Used   int    // entries that have been in it: they keep their places, as in Redis
	Bytes  int    // of Redis's node with these entries
	Names  []byte // of the fields of the entry that it began with, each as its length and bytes
	Packed []byte // entries, each as its length and bytes; see Node.append
}

// Entry is one entry of a Log. Its texts are views that stay as they are.
type Entry struct {
	ID     ID
	Fields int
	names  []byte // nil: they stand among the values
	rest   []byte
}

// All walks through the fields, in their order, with their values.
func (e Entry) All() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		names, values := reader{rest: e.names}, reader{rest: e.rest}
		from := &names
		if e.names == nil {
			from = &values
		}
		for range e.Fields {
			name := from.text()
			if !yield(name, values.text()) {
				return
			}
		}
	}
}

// reader reads what was packed; bad is set where it is malformed.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	n, w := binary.Uvarint(r.rest)
	if w <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[w:]
	return n
}

// bytes reads a length and so many bytes.
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) text() string {
	b := r.bytes()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// newNode returns a node whose first entry will be of this ID and have these fields.
func newNode(id ID, fields [][]byte) Node {
	n := Node{Base: id, Bytes: headBytes(fields)}
	for i := 0; i < len(fields); i += 2 {
		n.Names = appendText(n.Names, fields[i])
	}
	return n
}

// full reports whether Redis would begin another node for an entry of so many bytes.
func (n *Node) full(bytes int) bool {
	return n.Used >= nodeEntriesMax || n.Bytes+bytes >= nodeBytesMax
}

// append adds an entry behind the others. An entry is packed as
//
//	milliseconds behind Base  uvarint
//	sequence  uvarint            behind Base's where the milliseconds are the same
//	fields  uvarint              0: they have the node's names
//	{ name, value }* or { value }*, each as its length and bytes
func (n *Node) append(id ID, fields [][]byte) {
	same := n.sameNames(fields)
	seq, names := id.Seq, uint64(len(fields)/2)
	if id.Ms == n.Base.Ms {
		seq -= n.Base.Seq
	}
	if same {
		names = 0
	}
	size := uvarintBytes(id.Ms-n.Base.Ms) + uvarintBytes(seq) + uvarintBytes(names)
	for i, f := range fields {
		if i%2 == 1 || !same {
			size += uvarintBytes(uint64(len(f))) + len(f)
		}
	}
	p := binary.AppendUvarint(n.Packed, uint64(size))
	p = binary.AppendUvarint(p, id.Ms-n.Base.Ms)
	p = binary.AppendUvarint(p, seq)
	p = binary.AppendUvarint(p, names)
	for i, f := range fields {
		if i%2 == 1 || !same {
			p = appendText(p, f)
		}
	}
	n.Packed = p
	n.Bytes += entryBytes(n.Base, id, fields, same)
	n.Last = id
	n.Count++
	n.Used++
}

func (n *Node) sameNames(fields [][]byte) bool {
	r := reader{rest: n.Names}
	for i := 0; i < len(fields); i += 2 {
		if len(r.rest) == 0 || r.text() != string(fields[i]) {
			return false
		}
	}
	return len(r.rest) == 0
}

func appendText(dst, s []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func uvarintBytes(n uint64) int {
	bytes := 1
	for ; n >= 0x80; n >>= 7 {
		bytes++
	}
	return bytes
}

// countTexts is how many texts stand in b.
func countTexts(b []byte) (n int, ok bool) {
	r := reader{rest: b}
	for len(r.rest) > 0 {
		r.bytes()
		n++
	}
	return n, !r.bad
}

// at decodes the entry that begins at an offset, and returns where the next one does. own is how many Names there are.
func (n *Node) at(offset, own int) (e Entry, next int, ok bool) {
	r := reader{rest: n.Packed[offset:]}
	body := reader{rest: r.bytes()}
	e.ID.Ms = n.Base.Ms + body.uvarint()
	e.ID.Seq = body.uvarint()
	if e.ID.Ms == n.Base.Ms {
		e.ID.Seq += n.Base.Seq
	}
	fields := body.uvarint()
	e.rest = body.rest
	if fields == 0 {
		e.Fields, e.names = own, n.Names
	} else {
		e.Fields = int(min(fields, uint64(len(e.rest))))
	}
	return e, len(n.Packed) - len(r.rest), !r.bad && !body.bad
}

// all walks through the entries with the offsets at which they begin and end.
func (n *Node) all(f func(e Entry, from, to int) bool) {
	own, _ := countTexts(n.Names)
	for offset := 0; offset < len(n.Packed); {
		e, next, _ := n.at(offset, own)
		if !f(e, offset, next) {
			return
		}
		offset = next
	}
}

// without returns the node without the bytes of an entry.
func (n *Node) without(from, to int) Node {
	c := *n
	c.Packed = append(append(make([]byte, 0, len(n.Packed)-(to-from)), n.Packed[:from]...), n.Packed[to:]...)
	c.Count--
	return c
}

// sound reports whether a node that was read from elsewhere is one that append could have made: its entries are in order
// and complete.
func (n *Node) sound() bool {
	own, ok := countTexts(n.Names)
	if !ok || own == 0 || n.Count < 0 || n.Used < 1 || n.Used > nodeEntriesMax || n.Count > n.Used || n.Last.Compare(n.Base) < 0 {
		return false
	}
	count, prev := 0, ID{}
	for offset := 0; offset < len(n.Packed); count++ {
		e, next, ok := n.at(offset, own)
		texts, whole := countTexts(e.rest)
		if e.names == nil {
			ok = ok && texts%2 == 0 && e.Fields == texts/2
		} else {
			ok = ok && e.Fields == texts
		}
		if !ok || !whole || e.ID.Compare(n.Base) < 0 || e.ID.Compare(n.Last) > 0 || count > 0 && e.ID.Compare(prev) <= 0 {
			return false
		}
		offset, prev = next, e.ID
	}
	return count == n.Count
}
