package fsm

import (
	"strings"

	"github.com/tidwall/btree"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/dict"
)

// fieldDeadlines are the deadlines of a hash's fields. A hash has none of it until a field gets its first deadline, so that
// other hashes cost what they did, and keeps it from then on: its encoding stays another one, as in Redis.
//
// A field whose deadline has passed in log time is absent to everybody, and stays where it is until the log removes it, so
// that no entry has to remove more than it is asked to. Whoever looks at fields asks Tx.passed.
type fieldDeadlines struct {
	at    dict.Dict[int64] // of the fields that have one
	order *btree.BTreeG[fieldDeadline]
	// entered is the earliest deadline as the keyspace has it in its order for the key that holds the hash; 0: none. It
	// belongs to the keyspace, see keyspace.orderFields.
	entered int64
}

// fieldDeadline is a field's deadline. The name is the one that the table of deadlines has, too.
type fieldDeadline struct {
	at    int64
	field string
}

// fieldDeadlineMax is the latest deadline of a field, in milliseconds since 1970: Redis 7.4's.
const fieldDeadlineMax = 1<<46 - 1

func newFieldOrder() *btree.BTreeG[fieldDeadline] {
	less := func(a, b fieldDeadline) bool {
		if a.at != b.at {
			return a.at < b.at
		}
		return a.field < b.field
	}
	return btree.NewBTreeGOptions(less, btree.Options{Degree: treeDegree, NoLocks: true})
}

func (f *fieldDeadlines) copied() *fieldDeadlines {
	if f == nil {
		return nil
	}
	return &fieldDeadlines{at: f.at.Copy(), order: f.order.Copy(), entered: f.entered}
}

func (f *fieldDeadlines) set(field string, at int64) {
	if old, there := f.at.Get(field); there {
		was, _ := f.order.Delete(fieldDeadline{old, field})
		field = was.field
		f.at.Put(field, at)
	} else {
		field = strings.Clone(field)
		f.at.Insert(field, at)
	}
	f.order.Set(fieldDeadline{at, field})
}

// clear takes a field's deadline away and returns what it was; 0: there was none.
func (f *fieldDeadlines) clear(field string) int64 {
	at, there := f.at.Delete(field)
	if there {
		f.order.Delete(fieldDeadline{at, field})
	}
	return at
}

// deadline is a field's deadline, 0: none.
func (h *hash) deadline(field string) int64 {
	if h.deadlines == nil {
		return 0
	}
	at, _ := h.deadlines.at.Get(field)
	return at
}

// setDeadline gives a field that is there a deadline.
func (h *hash) setDeadline(field string, at int64) {
	if h.deadlines == nil {
		h.deadlines = &fieldDeadlines{order: newFieldOrder()}
		if h.fields.Big() {
			h.deadlines.at.Grow()
		}
	}
	h.deadlines.set(field, at)
}

// clearDeadline takes a field's deadline away and returns what it was; 0: there was none.
func (h *hash) clearDeadline(field string) int64 {
	if h.deadlines == nil {
		return 0
	}
	return h.deadlines.clear(field)
}

// firstDeadline is the earliest deadline of a field, 0: none has one.
func (h *hash) firstDeadline() int64 {
	if h.deadlines == nil {
		return 0
	}
	first, _ := h.deadlines.order.Min()
	return first.at
}

// lastDeadline is when the last field expires, 0: some field has no deadline.
func (h *hash) lastDeadline() int64 {
	if h.deadlines == nil || h.deadlines.at.Len() < h.size() {
		return 0
	}
	last, _ := h.deadlines.order.Max()
	return last.at
}

// passed counts the fields whose deadline has passed in log time, and which the log has not removed yet.
func (h *hash) passed(tx *Tx) (n int) {
	if h.deadlines == nil {
		return 0
	}
	h.deadlines.order.Scan(func(d fieldDeadline) bool {
		if !tx.passed(d.at) {
			return false
		}
		n++
		return true
	})
	return n
}

// bury removes a field whose deadline has passed, so that who sets it anew sets a new field.
func (h *hash) bury(field string, now int64) {
	if at := h.deadline(field); at != 0 && at <= now {
		h.deadlines.clear(field)
		h.fields.Delete(field)
	}
}

// due counts the fields whose deadline is at or before clock, up to limit.
func (h *hash) due(clock int64, limit int) int {
	n := 0
	if h.deadlines != nil {
		h.deadlines.order.Scan(func(d fieldDeadline) bool {
			if d.at > clock || n == limit {
				return false
			}
			n++
			return true
		})
	}
	return n
}

// expire removes fields whose deadline is at or before now, limit at most, and returns how many it has removed.
func (h *hash) expire(now int64, limit int) (removed int) {
	for ; removed < limit; removed++ {
		d, ok := h.deadlines.order.Min()
		if !ok || d.at > now {
			break
		}
		h.deadlines.clear(d.field)
		h.fields.Delete(d.field)
	}
	return removed
}

// ends is when a key goes by itself, in milliseconds of log time since 1970: at its deadline, or with the last field of a
// hash, whichever comes first; 0: never.
func (it *item) ends() int64 {
	at := it.expireAt()
	if h := it.hash(); h != nil {
		if last := h.lastDeadline(); last != 0 && (at == 0 || last < at) {
			return last
		}
	}
	return at
}

// hash is the item's hash, nil where its value is something else.
func (it *item) hash() *hash {
	if b := it.big(); b != nil {
		h, _ := b.obj.(*hash)
		return h
	}
	return nil
}

// fieldsDue counts the fields of an item whose deadline is at or before clock.
func (it *item) fieldsDue(clock int64) int {
	if h := it.hash(); h != nil {
		return h.due(clock, h.size())
	}
	return 0
}

// enteredFields is the deadline under which the keyspace has the item in its order of fields.
func (it *item) enteredFields() int64 {
	if h := it.hash(); h != nil && h.deadlines != nil {
		return h.deadlines.entered
	}
	return 0
}

// orderFields enters the earliest deadline of a hash's fields, in the place of the one that its name had before (0: none).
func (ks *keyspace) orderFields(hash uint64, it *item, was int64) {
	at := int64(0)
	if h := it.hash(); h != nil && h.deadlines != nil {
		at = h.firstDeadline()
		h.deadlines.entered = at
	}
	reorder(ks.fields, hash, it.key(), was, at)
}

// setValue changes the value of an item in place; false: it can't be done so.
func (ks *keyspace) setValue(hash uint64, it *item, v value) bool {
	was := it.enteredFields()
	if !it.setValue(v) {
		return false
	}
	ks.orderFields(hash, it, was)
	return true
}

// dueFields counts fields whose deadline is at or before clock, up to limit.
func (ks *keyspace) dueFields(clock int64, limit int) (n int) {
	ks.fields.Scan(func(d deadline) bool {
		if d.at > clock || n >= limit {
			return false
		}
		n += ks.get(d.hash, dataOf(d.key)).hash().due(clock, limit-n)
		return true
	})
	return n
}

// expireFields removes fields whose deadline has passed in log time from the hashes of the database, limit at most. It
// returns how many more it might have removed.
func (tx *Tx) expireFields(limit int) (left int) {
	for left = limit; left > 0; {
		d, ok := tx.ks.fields.Min()
		if !ok || d.at > tx.now {
			break
		}
		key := []byte(d.key)
		it := tx.ks.get(d.hash, key)
		h := own(tx, it.hash(), newHash)
		left -= h.expire(tx.now, left)
		tx.tellFields(key, tx.keep(key, it, h))
	}
	return left
}

// tellFields tells that fields of a hash have expired, and whether the key has gone with them.
func (tx *Tx) tellFields(key []byte, stays bool) {
	tx.event(command.EventHash, "hexpired", key)
	if !stays {
		tx.event(command.EventGeneric, "del", key)
	}
}
