// Package streams is what streams are made of: a Log of entries in the order of their IDs, and a Group of consumers that
// share them out.
//
// A Log keeps its entries packed in nodes, each a piece of memory of up to 100 of them, and its nodes in a B-tree. Where a
// node ends is as in Redis and part of the state, because an approximate trim removes whole nodes. A Group keeps what is
// pending in B-trees.
//
// Both are for one goroutine, or several that only read. Copy is cheap (copy on write): what was copied may be read by
// others while the copy is changed.
package streams

import (
	"iter"
	"slices"

	"github.com/tidwall/btree"
)

// Log holds entries. NewLog makes one.
type Log struct {
	nodes *btree.BTreeG[Node] // by Base
	n     int
}

const treeDegree = 16 // 31 nodes in one of the tree's, of about 100 bytes each

// NewLog returns an empty log.
func NewLog() Log {
	less := func(a, b Node) bool { return a.Base.Compare(b.Base) < 0 }
	return Log{nodes: btree.NewBTreeGOptions(less, btree.Options{Degree: treeDegree, NoLocks: true})}
}

// Len counts the entries.
func (l *Log) Len() int { return l.n }

// NodeCount counts the nodes.
func (l *Log) NodeCount() int { return l.nodes.Len() }

// Copy returns a log of the same content. Both may be changed from then on, by one goroutine; others that read the first may
// go on as long as only the second is.
func (l *Log) Copy() Log {
	c := Log{nodes: l.nodes.Copy(), n: l.n}
	if tail, ok := c.nodes.Max(); ok { // the room behind its entries stays the first log's
		tail.Packed = slices.Clip(tail.Packed)
		c.nodes.Set(tail)
	}
	return c
}

// Append adds an entry, whose ID lies behind all others. fields are names and values in turn. They are copied.
func (l *Log) Append(id ID, fields [][]byte) {
	bytes := 0
	for _, f := range fields {
		bytes += len(f)
	}
	tail, ok := l.nodes.Max()
	if ok && tail.full(bytes) {
		tail.Packed = slices.Clone(tail.Packed)
		l.nodes.Set(tail) // without room for more
		ok = false
	}
	if !ok {
		tail = newNode(id, fields)
	}
	tail.append(id, fields)
	l.nodes.Set(tail)
	l.n++
}

// nodeOf returns the node in which an ID has its place, if it has one.
func (l *Log) nodeOf(id ID) (n Node, ok bool) {
	l.nodes.Descend(Node{Base: id}, func(found Node) bool {
		n, ok = found, true
		return false
	})
	return n, ok
}

// find returns an entry, its node, and where in the node it stands.
func (l *Log) find(id ID) (e Entry, n Node, from, to int, ok bool) {
	n, ok = l.nodeOf(id)
	if !ok {
		return e, n, 0, 0, false
	}
	ok = false
	n.all(func(found Entry, f, t int) bool {
		c := found.ID.Compare(id)
		if c == 0 {
			e, from, to, ok = found, f, t, true
		}
		return c < 0
	})
	return e, n, from, to, ok
}

// Get returns the entry of an ID.
func (l *Log) Get(id ID) (e Entry, ok bool) {
	e, _, _, _, ok = l.find(id)
	return e, ok
}

// Delete removes the entry of an ID, and reports whether there was one.
func (l *Log) Delete(id ID) bool {
	_, n, from, to, ok := l.find(id)
	if ok {
		l.n--
		if n = n.without(from, to); n.Count == 0 {
			l.nodes.Delete(n)
		} else {
			l.nodes.Set(n)
		}
	}
	return ok
}

// First returns the entry with the lowest ID.
func (l *Log) First() (e Entry, ok bool) {
	for e := range l.Range(ID{}, Max) {
		return e, true
	}
	return e, false
}

// Last returns the entry with the highest ID.
func (l *Log) Last() (e Entry, ok bool) {
	for e := range l.Backward(ID{}, Max) {
		return e, true
	}
	return e, false
}

// Range walks through the entries from one ID to another, both included. The log must not change meanwhile.
func (l *Log) Range(from, to ID) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		l.nodesIn(from, to, func(n Node) bool {
			more := true
			n.all(func(e Entry, _, _ int) bool {
				if e.ID.Compare(from) < 0 {
					return true
				}
				more = e.ID.Compare(to) <= 0 && yield(e)
				return more
			})
			return more
		})
	}
}

// nodesIn calls f with the nodes in which there may be entries from one ID to another.
func (l *Log) nodesIn(from, to ID, f func(n Node) bool) {
	if n, ok := l.nodeOf(from); ok {
		from = n.Base
	}
	l.nodes.Ascend(Node{Base: from}, func(n Node) bool { return n.Base.Compare(to) <= 0 && f(n) })
}

// Backward walks through the entries from one ID to another, both included, beginning with the highest.
func (l *Log) Backward(from, to ID) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		var entries []Entry
		l.nodes.Descend(Node{Base: to}, func(n Node) bool {
			entries = entries[:0]
			n.all(func(e Entry, _, _ int) bool {
				entries = append(entries, e)
				return true
			})
			for _, e := range slices.Backward(entries) {
				switch {
				case e.ID.Compare(to) > 0:
				case e.ID.Compare(from) < 0, !yield(e):
					return false
				}
			}
			return n.Base.Compare(from) > 0
		})
	}
}

// Count returns how many entries there are from one ID to another, both included, or most if there are more.
func (l *Log) Count(from, to ID, most int) int {
	count := 0
	l.nodesIn(from, to, func(n Node) bool {
		if n.Base.Compare(from) >= 0 && n.Last.Compare(to) <= 0 {
			count += n.Count
			return count < most
		}
		n.all(func(e Entry, _, _ int) bool {
			if e.ID.Compare(from) >= 0 && e.ID.Compare(to) <= 0 {
				count++
			}
			return e.ID.Compare(to) <= 0
		})
		return count < most
	})
	return min(count, most)
}

// Nodes walks through the nodes, for a snapshot.
func (l *Log) Nodes() iter.Seq[Node] {
	return func(yield func(Node) bool) { l.nodes.Scan(yield) }
}

// Load adds a node of a snapshot behind all others, which keeps its memory. It reports false, and leaves the log as it is,
// where the node is malformed or out of order.
func (l *Log) Load(n Node) bool {
	tail, ok := l.nodes.Max()
	if ok && n.Base.Compare(tail.Last) <= 0 || !n.sound() {
		return false
	}
	l.nodes.Set(n)
	l.n += n.Count
	return true
}
