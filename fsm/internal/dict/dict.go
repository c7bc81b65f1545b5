// Package dict is the table from names to values that hashes, sets and sorted sets are made of.
//
// A Dict begins small: a list in the order in which the names came, as Redis's listpacks are. Grow makes it big, for good: a
// B-tree ordered by a hash of the names, so that a scan's cursor is a point in hash space that survives growth, restarts and
// failover, and "the n-th name" means the same on every node. Which of the two it is, and the order, follow from what was
// done to it alone. Nothing here knows a limit: its owner decides when to grow.
//
// A Dict is for one goroutine, or several that only read. Copy is cheap (copy on write): what was copied may be read by
// others while the copy is changed.
package dict

import (
	"iter"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/tidwall/btree"
)

// Dict is the table. The zero Dict is empty and small.
type Dict[V any] struct {
	small []Entry[V]
	big   *btree.BTreeG[hashed[V]] // nil while it is small
}

// Entry is a name with its value.
type Entry[V any] struct {
	Name  string
	Value V
}

type hashed[V any] struct {
	hash uint64
	Entry[V]
}

const treeDegree = 32 // as in a keyspace: 63 entries a node

// newBig returns an empty tree. Names of one hash are told apart by their bytes, so that nobody gains by making them collide.
func newBig[V any]() *btree.BTreeG[hashed[V]] {
	less := func(a, b hashed[V]) bool {
		if a.hash != b.hash {
			return a.hash < b.hash
		}
		return a.Name < b.Name
	}
	return btree.NewBTreeGOptions(less, btree.Options{Degree: treeDegree, NoLocks: true})
}

func at[V any](name string) hashed[V] {
	return hashed[V]{hash: xxhash.Sum64String(name), Entry: Entry[V]{Name: name}}
}

// Len counts the names.
func (d *Dict[V]) Len() int {
	if d.big != nil {
		return d.big.Len()
	}
	return len(d.small)
}

// Big reports whether Grow was called.
func (d *Dict[V]) Big() bool { return d.big != nil }

// Grow makes the table big.
func (d *Dict[V]) Grow() {
	if d.big != nil {
		return
	}
	d.big = newBig[V]()
	for _, e := range d.small {
		h := at[V](e.Name)
		h.Value = e.Value
		d.big.Set(h)
	}
	d.small = nil
}

func (d *Dict[V]) index(name string) int {
	for i := range d.small {
		if d.small[i].Name == name {
			return i
		}
	}
	return -1
}

// Get returns a name's value. The name is not kept.
func (d *Dict[V]) Get(name string) (v V, ok bool) {
	if d.big != nil {
		h, ok := d.big.Get(at[V](name))
		return h.Value, ok
	}
	if i := d.index(name); i >= 0 {
		return d.small[i].Value, true
	}
	return v, false
}

// Put gives a name a value and returns the one that it had. A name that is new is copied, and comes last in a small table.
func (d *Dict[V]) Put(name string, v V) (old V, replaced bool) {
	if d.big != nil {
		return d.putBig(name, v)
	}
	if i := d.index(name); i >= 0 {
		old, d.small[i].Value = d.small[i].Value, v
		return old, true
	}
	d.small = append(d.small, Entry[V]{strings.Clone(name), v})
	return old, false
}

func (d *Dict[V]) putBig(name string, v V) (old V, replaced bool) {
	h := at[V](name)
	if was, ok := d.big.Get(h); ok {
		h.Name = was.Name // no second copy
	} else {
		h.Name = strings.Clone(name)
	}
	h.Value = v
	was, replaced := d.big.Set(h)
	return was.Value, replaced
}

// Insert adds a name that is not there, and keeps it without a copy.
func (d *Dict[V]) Insert(name string, v V) {
	if d.big == nil {
		d.small = append(d.small, Entry[V]{name, v})
		return
	}
	h := at[V](name)
	h.Value = v
	d.big.Set(h)
}

// Delete removes a name and returns the value that it had.
func (d *Dict[V]) Delete(name string) (old V, ok bool) {
	if d.big != nil {
		h, ok := d.big.Delete(at[V](name))
		return h.Value, ok
	}
	i := d.index(name)
	if i < 0 {
		return old, false
	}
	old = d.small[i].Value
	d.small = slices.Delete(d.small, i, i+1)
	return old, true
}

// At returns the i-th entry, 0 <= i < Len, in the order of All.
func (d *Dict[V]) At(i int) (name string, v V) {
	if d.big != nil {
		h, _ := d.big.GetAt(i)
		return h.Name, h.Value
	}
	return d.small[i].Name, d.small[i].Value
}

// All walks through the entries: a small table in the order in which the names came, a big one by hash. The table must not
// change meanwhile.
func (d *Dict[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		if d.big != nil {
			d.big.Scan(func(h hashed[V]) bool { return yield(h.Name, h.Value) })
			return
		}
		for _, e := range d.small {
			if !yield(e.Name, e.Value) {
				return
			}
		}
	}
}

// Scan calls f with about count entries from a cursor on and returns the next cursor, 0 at the end. A small table comes as
// a whole. Names of one hash come together, so that a name that is there from the first call to the last is seen, whatever
// is added or removed meanwhile.
func (d *Dict[V]) Scan(cursor uint64, count int, f func(name string, v V)) (next uint64) {
	if d.big == nil {
		for _, e := range d.small {
			f(e.Name, e.Value)
		}
		return 0
	}
	seen, last := 0, uint64(0)
	d.big.Ascend(hashed[V]{hash: cursor}, func(h hashed[V]) bool {
		if seen >= count && h.hash != last {
			next = h.hash
			return false
		}
		seen, last = seen+1, h.hash
		f(h.Name, h.Value)
		return true
	})
	return next
}

// Copy returns a table of the same content. Both may be changed from then on, by one goroutine; others that read the first may
// go on as long as only the second is.
func (d *Dict[V]) Copy() Dict[V] {
	if d.big != nil {
		return Dict[V]{big: d.big.Copy()}
	}
	return Dict[V]{small: slices.Clone(d.small)}
}
