package fsm

import (
	"github.com/dchest/siphash"
	"github.com/tidwall/btree"
)

// keyspace is one database: every key with its value, ordered by a keyed hash of the name. The order is the same on
// every node (the hash key is part of the replicated state), so SCAN's cursor is a point in hash space that survives
// growth, restarts and failover, and "the n-th key" means the same everywhere. The hash is keyed so that nobody can
// make names collide; names that do are chained.
//
// Copying is O(1) (copy on write): a snapshot holds a copy while writes go on. Items that a copy may see are never
// changed in place; see item.
type keyspace struct {
	items *btree.Map[uint64, *item]
	// deadlines orders the keys that expire by (deadline, hash, name). It is rebuilt, not stored, by a restore.
	deadlines *btree.BTreeG[deadline]
	// fields orders the hashes whose fields expire by (the earliest deadline of a field, hash, name). It is rebuilt, too.
	fields *btree.BTreeG[deadline]
	keys   int // number of keys, chained ones included
}

// deadline names a key that expires. Its name is the item's own, so that it costs no memory.
type deadline struct {
	at   int64
	hash uint64
	key  string
}

func deadlineLess(a, b deadline) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	if a.hash != b.hash {
		return a.hash < b.hash
	}
	return a.key < b.key
}

const treeDegree = 32 // 63 items a node: a path copy after a snapshot moves about 1 KiB a level

func newKeyspace() *keyspace {
	return &keyspace{items: btree.NewMap[uint64, *item](treeDegree), deadlines: newDeadlines(), fields: newDeadlines()}
}

func newDeadlines() *btree.BTreeG[deadline] {
	return btree.NewBTreeGOptions(deadlineLess, btree.Options{Degree: treeDegree, NoLocks: true})
}

// snapshot returns a copy for reading, without the deadlines. The machine's generation must be raised with it.
func (ks *keyspace) snapshot() *keyspace {
	return &keyspace{items: ks.items.Copy(), keys: ks.keys}
}

// hashKey is the secret of the key hash: part of the replicated state, chosen at random when a cluster begins.
type hashKey struct{ k0, k1 uint64 }

func (h hashKey) sum(key []byte) uint64 { return siphash.Hash(h.k0, h.k1, key) }

func (ks *keyspace) get(hash uint64, key []byte) *item {
	it, _ := ks.items.Get(hash)
	for it != nil && it.key() != string(key) {
		it = it.next()
	}
	return it
}

// put enters an item that has just been made, in the place of the one of the same name. It returns the item as it was
// entered, which is another one if its hash is taken, and the one that it replaced.
func (ks *keyspace) put(hash uint64, it *item) (entered, old *item) {
	if prev, replaced := ks.items.Set(hash, it); replaced {
		var rest *item
		if rest, old = without(prev, it.key(), it.gen); rest != nil {
			it = it.linked(rest)
			ks.items.Set(hash, it)
		}
	}
	was, fieldsWas := int64(0), int64(0)
	if old == nil {
		ks.keys++
	} else {
		was, fieldsWas = old.expireAt(), old.enteredFields()
	}
	ks.order(hash, it, was)
	ks.orderFields(hash, it, fieldsWas)
	return it, old
}

// order enters the deadline of an item, in the place of the one that its name had before (0: none). An equal one is
// entered anew, because its name is of an item that is no more.
func (ks *keyspace) order(hash uint64, it *item, was int64) {
	reorder(ks.deadlines, hash, it.key(), was, it.expireAt())
}

func reorder(order *btree.BTreeG[deadline], hash uint64, key string, was, at int64) {
	if was != 0 && was != at {
		order.Delete(deadline{was, hash, key})
	}
	if at != 0 {
		order.Set(deadline{at, hash, key})
	}
}

// without takes the item called key out of a chain: it returns the rest, with copies of the links that a snapshot may
// see, and the item, nil where there was none.
func without(first *item, key string, gen uint32) (rest, old *item) {
	if first == nil {
		return nil, nil
	}
	if first.key() == key {
		return first.next(), first
	}
	tail, old := without(first.next(), key, gen)
	if old == nil {
		return first, nil
	}
	if first.gen != gen {
		first = first.clone(gen)
	}
	return first.linked(tail), old
}

func (ks *keyspace) remove(hash uint64, key string, gen uint32) {
	first, ok := ks.items.Get(hash)
	if !ok {
		return
	}
	rest, old := without(first, key, gen)
	if old == nil {
		return
	}
	reorder(ks.deadlines, hash, key, old.expireAt(), 0)
	reorder(ks.fields, hash, key, old.enteredFields(), 0)
	if rest == nil {
		ks.items.Delete(hash)
	} else {
		ks.items.Set(hash, rest)
	}
	ks.keys--
}

// setDeadline changes the deadline of an item. It returns the item, or the copy that has taken its place.
func (ks *keyspace) setDeadline(hash uint64, it *item, at int64, gen uint32) *item {
	was := it.expireAt()
	if it.gen != gen || !it.setDeadline(at) {
		it, _ = ks.put(hash, it.remade(at, gen))
		return it
	}
	ks.order(hash, it, was)
	return it
}

// ascend walks the keys in hash order from a hash on; chained keys share theirs and come by name.
func (ks *keyspace) ascend(from uint64, f func(hash uint64, it *item) bool) {
	ks.items.Ascend(from, func(hash uint64, first *item) bool {
		if first.next() == nil {
			return f(hash, first)
		}
		for _, it := range sortedChain(first) {
			if !f(hash, it) {
				return false
			}
		}
		return true
	})
}

// nextDeadline returns the earliest deadline.
func (ks *keyspace) nextDeadline() (deadline, bool) { return ks.deadlines.Min() }
