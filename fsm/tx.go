package fsm

import (
	"fmt"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// Tx is all that an executor may touch: one database of the state, the time, a source of numbers. In an entry it
// writes; in a View it only reads, beside other readers.
type Tx struct {
	m  *Machine
	ks *keyspace
	db int
	// write is true in an entry.
	write bool
	// now is the log time that decides presence: a key whose deadline is at or before now is absent.
	now int64
	// clock is the wall clock of a View's caller, for what is only shown (TTL): the leader's stamp or a follower's
	// clock. In an entry it is now.
	clock int64
	// late is set by a View that met a key whose deadline lies after now but not after clock, where the caller said
	// that its clock is the leader's: the reply must not be sent before the log time has moved.
	late    bool
	strict  bool
	noTouch bool
	rng     uint64
	dirty   int // keys modified by the entry so far
	// reads: the call is a read command whose lookups count as hits and misses on this node.
	reads bool
	tally
}

func (tx *Tx) begin(m *Machine, seed uint64) {
	*tx = Tx{m: m, write: true, now: m.now, clock: m.now, rng: seed, noTouch: false}
}

// nextCall points the Tx at the database of the next call.
func (tx *Tx) nextCall(db int) { tx.selectDB(db) }

func (tx *Tx) selectDB(db int) { tx.db, tx.ks = db, tx.m.dbs[db] }

// Rand returns the next number of the entry's source (splitmix64, public domain): the same on every node.
func (tx *Tx) Rand() uint64 {
	tx.rng += 0x9e3779b97f4a7c15
	z := tx.rng
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func (it *item) expired(now int64) bool { return it.expireAt != 0 && it.expireAt <= now }

// lookup finds a key that is present in log time. In an entry it removes one that has expired.
func (tx *Tx) lookup(key []byte) *item {
	it := tx.peek(key)
	if it != nil && !tx.noTouch {
		it.access.Store(uint32(tx.clock / 1000))
	}
	return it
}

// peek is lookup without noting the use of the key.
func (tx *Tx) peek(key []byte) *item {
	hash := tx.m.cluster.hash.sum(key)
	it := tx.ks.get(hash, key)
	if it != nil && !tx.present(it) {
		if tx.write {
			tx.expire(hash, it.key)
		}
		it = nil
	}
	if tx.reads {
		tx.count(it != nil)
	}
	return it
}

// present reports whether an item counts as there. It removes nothing, so it may be asked in a walk.
func (tx *Tx) present(it *item) bool {
	switch {
	case it.expireAt == 0:
		return true
	case it.expireAt <= tx.now:
		return false
	}
	if tx.strict && it.expireAt <= tx.clock {
		tx.late = true
	}
	return true
}

// expire removes a key whose deadline has passed in log time.
func (tx *Tx) expire(hash uint64, key string) {
	tx.expired++
	tx.ks.remove(hash, key, tx.m.gen)
}

// set gives key a value and a deadline (0: none), whatever it held before. A deadline that has passed leaves no key.
func (tx *Tx) set(key []byte, v value, expireAt int64) {
	if expireAt != 0 && expireAt <= tx.now {
		tx.setExpired(key)
		return
	}
	hash := tx.m.cluster.hash.sum(key)
	it := tx.ks.get(hash, key)
	if it != nil && it.expired(tx.now) {
		tx.expire(hash, it.key)
		it = nil
	}
	if it != nil {
		it = tx.ks.writable(hash, it, tx.m.gen)
		it.val = v
		if it.expireAt != expireAt {
			tx.ks.setDeadline(hash, it, expireAt)
		}
		tx.modified(it)
		return
	}
	tx.create(hash, &item{key: string(key), val: v, expireAt: expireAt})
}

// setExpired is a set whose value expires in the same moment. To a WATCH the key has changed.
func (tx *Tx) setExpired(key []byte) {
	if it := tx.peek(key); it != nil {
		tx.delete(it)
		return
	}
	tx.m.seq++
	tx.dirty++
	tx.m.born[bornBucket(tx.m.cluster.hash.sum(key), tx.db)] = tx.m.seq
}

// create enters a new key.
func (tx *Tx) create(hash uint64, it *item) {
	it.gen = tx.m.gen
	tx.ks.put(hash, it, tx.m.gen)
	tx.modified(it)
	tx.m.born[bornBucket(hash, tx.db)] = it.version
}

// modified notes that an item has changed.
func (tx *Tx) modified(it *item) {
	tx.m.seq++
	it.version = tx.m.seq
	it.access.Store(uint32(tx.now / 1000))
	tx.dirty++
}

// change returns the present item it in a form that may be changed, and counts the change.
func (tx *Tx) change(it *item) *item {
	it = tx.ks.writable(tx.m.cluster.hash.sum([]byte(it.key)), it, tx.m.gen)
	tx.modified(it)
	return it
}

// delete removes a present key.
func (tx *Tx) delete(it *item) {
	tx.m.seq++
	tx.dirty++
	tx.ks.remove(tx.m.cluster.hash.sum([]byte(it.key)), it.key, tx.m.gen)
}

// expireAt sets or (0) clears the deadline of a present key. The change counts as a modification, as in Redis.
func (tx *Tx) expireAt(it *item, at int64) {
	it = tx.change(it)
	tx.ks.setDeadline(tx.m.cluster.hash.sum([]byte(it.key)), it, at)
}

// panicked keeps what an executor's panic said, for the node's log.
func (tx *Tx) panicked(c *command.Call, p any) {
	what := fmt.Sprintf("command %s: %v", c.Spec.Name, p)
	tx.m.lastPanic.Store(&what)
}
