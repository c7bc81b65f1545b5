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
	// nodes are all but the last one, by Base. What is in the tree never changes.
	nodes *btree.BTreeG[*Node]
	tail  Node // the last one; it has had no entries where there is none
	n     int
}

const treeDegree = 32 // as in a keyspace

// NewLog returns an empty log.
func NewLog() Log {
	less := func(a, b *Node) bool { return a.Base.Compare(b.Base) < 0 }
	return Log{nodes: btree.NewBTreeGOptions(less, btree.Options{Degree: treeDegree, NoLocks: true})}
}

// Len counts the entries.
func (l *Log) Len() int { return l.n }

// NodeCount counts the nodes.
func (l *Log) NodeCount() int {
	if l.tail.Used == 0 {
		return 0
	}
	return l.nodes.Len() + 1
}

// Copy returns a log of the same content. Both may be changed from then on, by one goroutine; others that read the first may
// go on as long as only the second is.
func (l *Log) Copy() Log {
	c := *l
	c.nodes = l.nodes.Copy()
	c.tail.Packed = slices.Clip(c.tail.Packed) // the room behind its entries stays the first log's
	return c
}

// Append adds an entry, whose ID lies behind all others. fields are names and values in turn. They are copied.
func (l *Log) Append(id ID, fields [][]byte) {
	bytes := 0
	for _, f := range fields {
		bytes += len(f)
	}
	if l.tail.Used == 0 || l.tail.full(bytes) {
		l.closeTail()
		l.tail = newNode(id, fields)
	}
	l.tail.append(id, fields)
	l.n++
}

// closeTail moves the last node, if there is one, to the others.
func (l *Log) closeTail() {
	if l.tail.Used > 0 {
		closed := l.tail
		closed.Packed = slices.Clone(closed.Packed) // without room for more
		l.nodes.Set(&closed)
		l.tail = Node{}
	}
}

// nodeOf returns the node in which an ID has its place, nil where it has none.
func (l *Log) nodeOf(id ID) (n *Node) {
	l.descend(id, func(found *Node) bool {
		n = found
		return false
	})
	return n
}

// ascend walks through the nodes from one that begins at an ID or behind it.
func (l *Log) ascend(from ID, f func(n *Node) bool) {
	more := true
	l.nodes.Ascend(&Node{Base: from}, func(n *Node) bool {
		more = f(n)
		return more
	})
	if more && l.tail.Used > 0 && l.tail.Base.Compare(from) >= 0 {
		f(&l.tail)
	}
}

// descend walks back through the nodes from one that begins at an ID or ahead of it.
func (l *Log) descend(from ID, f func(n *Node) bool) {
	if l.tail.Used > 0 && l.tail.Base.Compare(from) <= 0 && !f(&l.tail) {
		return
	}
	l.nodes.Descend(&Node{Base: from}, f)
}

// head returns the first node, nil where there is none.
func (l *Log) head() *Node {
	if n, ok := l.nodes.Min(); ok {
		return n
	}
	if l.tail.Used > 0 {
		return &l.tail
	}
	return nil
}

// set enters what has become of a node.
func (l *Log) set(n Node) {
	if n.Base == l.tail.Base && l.tail.Used > 0 {
		l.tail = n
	} else {
		l.nodes.Set(&n)
	}
}

// remove drops a node. Entries may be added to the one that is the last then.
func (l *Log) remove(base ID) {
	if base != l.tail.Base || l.tail.Used == 0 {
		l.nodes.Delete(&Node{Base: base})
		return
	}
	l.tail = Node{}
	if last, ok := l.nodes.PopMax(); ok {
		l.tail = *last
		l.tail.Packed = slices.Clip(last.Packed) // a copy of the log may have the node
	}
}

// find returns an entry, its node, and where in the node it stands.
func (l *Log) find(id ID) (e Entry, n *Node, from, to int, ok bool) {
	if n = l.nodeOf(id); n == nil {
		return e, n, 0, 0, false
	}
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
	switch {
	case !ok:
		return false
	case n.Count == 1:
		l.remove(n.Base)
	default:
		l.set(n.without(from, to))
	}
	l.n--
	return true
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
		l.nodesIn(from, to, func(n *Node) bool {
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
func (l *Log) nodesIn(from, to ID, f func(n *Node) bool) {
	if n := l.nodeOf(from); n != nil {
		from = n.Base
	}
	l.ascend(from, func(n *Node) bool { return n.Base.Compare(to) <= 0 && f(n) })
}

// Backward walks through the entries from one ID to another, both included, beginning with the highest.
func (l *Log) Backward(from, to ID) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		var entries []Entry
		l.descend(to, func(n *Node) bool {
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
	l.nodesIn(from, to, func(n *Node) bool {
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
func (l *Log) Nodes() iter.Seq[*Node] {
	return func(yield func(*Node) bool) { l.ascend(ID{}, yield) }
}

// Load adds a node of a snapshot behind all others, which keeps its memory. It reports false, and leaves the log as it is,
// where the node is malformed or out of order.
func (l *Log) Load(n Node) bool {
	if l.tail.Used > 0 && n.Base.Compare(l.tail.Last) <= 0 || !n.sound() {
		return false
	}
	l.closeTail()
	n.Packed = slices.Clip(n.Packed)
	l.tail = n
	l.n += n.Count
	return true
}
