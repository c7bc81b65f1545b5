package fsm

import (
	"fmt"
	"strings"

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
	// late is set by a View that met a key, or a field of a hash, whose deadline lies after now but not after clock, where
	// the caller said that its clock is the leader's: the reply must not be sent before the log time has moved.
	late    bool
	strict  bool
	noTouch bool
	rng     uint64
	dirty   int // keys modified by the entry so far
	// replies: somebody waits for the reply on this node. reads: the call is, besides, a read command whose lookups count
	// as hits and misses here; quiet: they are no keyspace events.
	replies, reads, quiet bool
	// by is where the call of an entry replies, nil where nobody's call is executed: of EventTracking. onRead is ReadOptions'.
	by      command.Reply
	onRead  func(c *command.Call)
	missing []command.Event // those of a View
	// alike: a script of the log has asked, and may write what it is told. So nothing of this node alone is told.
	alike bool
	// attempt says how a blocking command is executed, and waits that it has to wait: it has not replied.
	attempt attempt
	waits   bool
	ready   string // at attemptAgain: the key that has been changed
	// digits is where an integer or a stream's ID is written for a reply.
	digits [streamIDBytesMax]byte
	// hashed is the key that was hashed last, and hash what came of it: a write looks its key up before it sets it.
	hashed []byte
	hash   uint64
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

// expired reports whether an item is there no more.
func (it *item) expired(now int64) bool {
	at := it.ends()
	return at != 0 && at <= now
}

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
	hash := tx.hashOf(key)
	it := tx.ks.get(hash, key)
	if it != nil && !tx.present(it) {
		if tx.write {
			tx.expire(hash, it)
		}
		it = nil
	}
	if tx.reads {
		tx.count(it != nil)
		if it == nil {
			tx.missed(key)
		}
	}
	return it
}

// present reports whether an item counts as there. It removes nothing, so it may be asked in a walk.
func (tx *Tx) present(it *item) bool { return !tx.passed(it.ends()) }

// passed reports whether a deadline (0: none) has passed in log time. It notes where a View's caller has to wait until it has.
func (tx *Tx) passed(at int64) bool {
	switch {
	case at == 0:
	case at <= tx.now:
		return true
	case tx.strict && at <= tx.clock:
		tx.late = true
	}
	return false
}

// expire removes an item that has expired in log time.
func (tx *Tx) expire(hash uint64, it *item) {
	tx.noteChangeBy(nil, it.key())
	tx.ks.remove(hash, it.key(), tx.m.gen)
	tx.tellExpired(it)
}

// tellExpired counts and tells of an item that has gone because it had expired.
func (tx *Tx) tellExpired(it *item) {
	key := dataOf(it.key())
	if !tx.passed(it.expireAt()) {
		tx.tellFields(key, false)
		return
	}
	tx.expired++
	tx.event(command.EventExpired, "expired", key)
}

// set gives key a value and a deadline (0: none), whatever it held before. A deadline that has passed leaves no key.
// created: there was no such key.
func (tx *Tx) set(key []byte, v value, expireAt int64) (created bool) {
	if expireAt != 0 && expireAt <= tx.now {
		return tx.setExpired(key)
	}
	hash := tx.hashOf(key)
	if tx.setBig(hash, key, v, expireAt) {
		return false
	}
	it, old := tx.ks.put(hash, newItem(textOf(key), v, expireAt, tx.m.gen))
	expired := old != nil && old.expired(tx.now)
	if expired {
		tx.tellExpired(old)
	}
	tx.modified(it)
	if created = old == nil || expired; created {
		tx.m.born[bornBucket(hash, tx.db)] = it.version
		tx.event(command.EventNew, "new", key)
	}
	return created
}

// replace is set for what takes the place of a key as a whole, which to those who listen is new then.
func (tx *Tx) replace(key []byte, v value, expireAt int64) {
	if !tx.set(key, v, expireAt) {
		tx.event(command.EventNew, "new", key)
	}
}

// setBig is set where a value that does not fit into an item takes the place of another such: there is no need for a new
// item. It is false where that is not so.
func (tx *Tx) setBig(hash uint64, key []byte, v value, expireAt int64) bool {
	if v.inline(len(key)) {
		return false
	}
	it := tx.ks.get(hash, key)
	if it == nil || it.gen != tx.m.gen || it.big() == nil || it.expired(tx.now) {
		return false
	}
	tx.ks.setValue(hash, it, v)
	tx.modified(tx.ks.setDeadline(hash, it, expireAt, tx.m.gen))
	return true
}

// setExpired is a set whose value expires in the same moment. To a WATCH the key has changed.
func (tx *Tx) setExpired(key []byte) (created bool) {
	if it := tx.peek(key); it != nil {
		tx.delete(it)
		return false
	}
	tx.m.seq++
	tx.dirty++
	tx.m.born[bornBucket(tx.hashOf(key), tx.db)] = tx.m.seq
	tx.event(command.EventNew, "new", key)
	return true
}

// modified notes that an item has changed.
func (tx *Tx) modified(it *item) {
	tx.m.seq++
	it.version = tx.m.seq
	it.access.Store(uint32(tx.now / 1000))
	tx.dirty++
	tx.noteChange(it.key())
}

// noteChange notes that a key has been changed, or removed, where anybody waits for any.
func (tx *Tx) noteChange(key string) { tx.noteChangeBy(tx.by, key) }

// noteChangeBy is noteChange of what another than the present call may have done.
func (tx *Tx) noteChangeBy(by command.Reply, key string) {
	if tx.m.waiting.waiters.Len() > 0 || tx.m.watches.some.Load() > 0 {
		tx.changed(key)
	}
	if tx.m.events.wanted&command.EventChange != 0 {
		tx.m.events.note(command.Event{Class: command.EventChange, DB: tx.db, Key: strings.Clone(key), By: by})
	}
}

// put gives a present key another value and leaves its deadline alone.
func (tx *Tx) put(it *item, v value) {
	hash := tx.hashOf(dataOf(it.key()))
	if it.gen != tx.m.gen || !tx.ks.setValue(hash, it, v) {
		it, _ = tx.ks.put(hash, newItem(it.key(), v, it.expireAt(), tx.m.gen))
	}
	tx.modified(it)
}

// delete removes a present key.
func (tx *Tx) delete(it *item) {
	tx.m.seq++
	tx.dirty++
	tx.noteChange(it.key())
	tx.ks.remove(tx.hashOf(dataOf(it.key())), it.key(), tx.m.gen)
}

// expireAt sets or (0) clears the deadline of a present key. The change counts as a modification, as in Redis.
func (tx *Tx) expireAt(it *item, at int64) {
	tx.modified(tx.ks.setDeadline(tx.hashOf(dataOf(it.key())), it, at, tx.m.gen))
}

// hashOf returns the hash of a key, which must not change while the Tx is in use.
func (tx *Tx) hashOf(key []byte) uint64 {
	if len(key) == 0 || len(key) != len(tx.hashed) || &key[0] != &tx.hashed[0] {
		tx.hashed, tx.hash = key, tx.m.cluster.hash.sum(key)
	}
	return tx.hash
}

// panicked keeps what an executor's panic said, for the node's log.
func (tx *Tx) panicked(c *command.Call, p any) {
	what := fmt.Sprintf("command %s: %v", c.Spec.Name, p)
	tx.m.lastPanic.Store(&what)
}
