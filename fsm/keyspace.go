package fsm

import (
	"sync/atomic"

	"github.com/dchest/siphash"
	"github.com/tidwall/btree"
)

// keyspace is one database: every key with its value, ordered by a keyed hash of the name. The order is the same on
// every node (the hash key is part of the replicated state), so SCAN's cursor is a point in hash space that survives
// growth, restarts and failover, and "the n-th key" means the same everywhere. The hash is keyed so that nobody can
// make names collide; names that do are chained.
//
// Copying is O(1) (copy on write): a snapshot holds a copy while writes go on. Items that a copy may see are never
// changed in place; see item.gen.
type keyspace struct {
	items *btree.Map[uint64, *item]
	// deadlines orders the keys that expire by (deadline, hash, name). It is rebuilt, not stored, by a restore.
	deadlines *btree.BTreeG[deadline]
	keys      int // number of keys, chained ones included
}

// item is a key and its value.
type item struct {
	key string
	val value
	// expireAt is a deadline in milliseconds of log time since 1970; 0: none.
	expireAt int64
	// version is the machine's modification counter when the item was last modified. WATCH compares it.
	version uint64
	// gen is the snapshot generation that the item was made in. An item of an older generation may be seen by a
	// snapshot: it is cloned before a change.
	gen uint32
	// access is when the key was last used, in seconds of the local clock. It belongs to this node alone: it is in no
	// snapshot and decides nothing that is replicated.
	access atomic.Uint32
	next   *item // the next key of the same hash
}

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
	return &keyspace{
		items:     btree.NewMap[uint64, *item](treeDegree),
		deadlines: btree.NewBTreeGOptions(deadlineLess, btree.Options{Degree: treeDegree, NoLocks: true}),
	}
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
	for it != nil && it.key != string(key) {
		it = it.next
	}
	return it
}

// put enters an item made in the current generation, replacing the one of the same name.
func (ks *keyspace) put(hash uint64, it *item, gen uint32) {
	it.next = nil
	var old *item
	if prev, replaced := ks.items.Set(hash, it); replaced {
		it.next, old = without(prev, it.key, gen)
	}
	if old == nil {
		ks.keys++
	} else {
		ks.dropDeadline(hash, old)
	}
	if it.expireAt != 0 {
		ks.deadlines.Set(deadline{it.expireAt, hash, it.key})
	}
}

// dropDeadline forgets the deadline of an item that is no more.
func (ks *keyspace) dropDeadline(hash uint64, it *item) {
	if it.expireAt != 0 {
		ks.deadlines.Delete(deadline{it.expireAt, hash, it.key})
	}
}

// without takes the item called key out of a chain: it returns the rest, with copies of the links that a snapshot may
// see, and the item, nil where there was none.
func without(first *item, key string, gen uint32) (rest, old *item) {
	if first == nil {
		return nil, nil
	}
	if first.key == key {
		return first.next, first
	}
	tail, old := without(first.next, key, gen)
	if old == nil {
		return first, nil
	}
	if first.gen != gen {
		first = first.clone(gen)
	}
	first.next = tail
	return first, old
}

func (it *item) clone(gen uint32) *item {
	c := &item{key: it.key, val: it.val, expireAt: it.expireAt, version: it.version, gen: gen, next: it.next}
	c.access.Store(it.access.Load())
	return c
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
	ks.dropDeadline(hash, old)
	if rest == nil {
		ks.items.Delete(hash)
	} else {
		ks.items.Set(hash, rest)
	}
	ks.keys--
}

// setDeadline changes the deadline of an item of the current generation.
func (ks *keyspace) setDeadline(hash uint64, it *item, at int64) {
	ks.dropDeadline(hash, it)
	it.expireAt = at
	if at != 0 {
		ks.deadlines.Set(deadline{at, hash, it.key})
	}
}

// writable returns the item called it.key in a form that may be changed: itself, or a clone put in its place where a
// snapshot may see the original.
func (ks *keyspace) writable(hash uint64, it *item, gen uint32) *item {
	if it.gen == gen {
		return it
	}
	c := it.clone(gen)
	first, _ := ks.items.Get(hash)
	if first == it {
		ks.items.Set(hash, c)
		return c
	}
	// A chained item: put it first, its order in the chain decides nothing.
	rest, _ := without(first, it.key, gen)
	c.next = rest
	ks.items.Set(hash, c)
	return c
}

// ascend walks the keys in hash order from a hash on; chained keys share theirs and come by name.
func (ks *keyspace) ascend(from uint64, f func(hash uint64, it *item) bool) {
	ks.items.Ascend(from, func(hash uint64, first *item) bool {
		if first.next == nil {
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
