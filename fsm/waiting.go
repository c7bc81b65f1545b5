package fsm

import (
	"encoding/binary"
	"slices"

	"github.com/tidwall/btree"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// Blocking commands wait in the log's state: every node knows who waits for what, so that the write that brings an element
// gives it, at its own place in the log, to whoever has waited longest. Only the node that proposed the call has a client to
// answer.
//
// A call that finds nothing leaves a waiter (Tx.wait). It is executed again whenever one of its keys has been changed, behind
// the unit that changed it, until it finds something. It ends without, if the log says so (EntryUnblock: the time is over,
// the client is gone), or when a leader's term begins: its client was the one before's.

// waiter is a call that waits. It does not change.
type waiter struct {
	id   uint64 // counts the calls that had to wait; the order in which they are served
	db   int
	args [][]byte
	keys []string
	// gone: the call wants to know when a key that it waits for is removed or becomes something else.
	gone bool
}

// place is where a waiter waits.
type place struct {
	db  int
	key string
}

// waiting is who waits, a part of the state; from places on it follows from waiters.
type waiting struct {
	last    uint64 // id of the latest waiter
	waiters *btree.Map[uint64, *waiter]
	places  map[place][]*waiter // in the order of their ids; never walked through
	ready   []place             // changed by the present unit, somebody waits there
}

const (
	// waitersMax bounds who waits in the whole cluster.
	waitersMax = 1 << 16
	errWaiters = "ERR too many clients wait for keys already"
	// errUnblockedByRole is Redis 7.0's error for who waited at a master that is none any more: it was surely not served.
	errUnblockedByRole   = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
	errUnblockedByClient = "UNBLOCKED client unblocked via CLIENT UNBLOCK"
)

// unblockBytes is the length of one waiter in the body of EntryUnblock.
const unblockBytes = 9

// AppendUnblock appends one waiter to the body of an EntryUnblock.
func AppendUnblock(body []byte, waiter uint64, how command.Unblocking) []byte {
	return append(binary.LittleEndian.AppendUint64(body, waiter), byte(how))
}

// Waiting is what a node does for the clients of its own that wait. Its methods are called while entries are applied, on the
// goroutine that does so, under the machine's lock.
type Waiting interface {
	// Reply is where to write the reply of a waiter, nil if its client is none of this node's.
	Reply(waiter uint64) command.Reply
	// Served is called when the reply is written, or never will be.
	Served(waiter uint64)
}

// OnWaiting says who has the clients that wait; without it nobody has. It is called before the first entry is applied.
func (m *Machine) OnWaiting(w Waiting) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clients = w
}

type noClients struct{}

func (noClients) Reply(uint64) command.Reply { return nil }
func (noClients) Served(uint64)              {}

func newWaiting() waiting {
	return waiting{waiters: btree.NewMap[uint64, *waiter](treeDegree), places: make(map[place][]*waiter)}
}

// enter adds a waiter.
func (w *waiting) enter(e *waiter) {
	e.gone = table.Lookup(e.args).Name == "xreadgroup"
	w.waiters.Set(e.id, e)
	for _, key := range e.keys {
		at := place{e.db, key}
		if !slices.Contains(w.places[at], e) { // a key may be named twice
			w.places[at] = append(w.places[at], e)
		}
	}
}

// leave removes a waiter.
func (w *waiting) leave(e *waiter) {
	w.waiters.Delete(e.id)
	for _, key := range e.keys {
		at := place{e.db, key}
		rest := slices.DeleteFunc(slices.Clone(w.places[at]), func(o *waiter) bool { return o == e })
		if len(rest) == 0 {
			delete(w.places, at)
		} else {
			w.places[at] = rest
		}
	}
}

// attempt is how a blocking command is executed.
type attempt uint8

const (
	attemptNone  attempt = iota // it must not wait: in a transaction, a script or a View
	attemptFirst                // it may wait
	attemptAgain                // it waits; one of its keys has changed
	attemptLast                 // it waits no longer
)

// wait is what a blocking command does that finds nothing at keys. none writes the reply that there was nothing, where it
// must not wait or has waited long enough.
func (tx *Tx) wait(c *command.Call, keys [][]byte, r command.Reply, none func()) {
	switch tx.attempt {
	case attemptAgain:
		tx.waits = true
	case attemptFirst:
		if !tx.write {
			tx.waits = true // see ViewBlocking
			return
		}
		tx.beginWaiting(c, keys, r)
	default:
		none()
	}
}

func (tx *Tx) beginWaiting(c *command.Call, keys [][]byte, r command.Reply) {
	w := &tx.m.waiting
	if w.waiters.Len() >= waitersMax {
		r.Error(errWaiters)
		return
	}
	w.last++
	e := &waiter{id: w.last, db: tx.db, args: make([][]byte, len(c.Args)), keys: make([]string, len(keys))}
	for i, a := range c.Args {
		e.args[i] = slices.Clone(a)
	}
	for i, k := range keys {
		e.keys[i] = string(k)
	}
	w.enter(e)
	tx.waits = true
}

// changed notes that a key has been changed, for those who wait for it.
func (tx *Tx) changed(key string) {
	if tx.m.watches.some.Load() > 0 {
		tx.m.watches.tell(place{tx.db, key})
	}
	w := &tx.m.waiting
	if w.waiters.Len() == 0 {
		return
	}
	if at := (place{tx.db, key}); len(w.places[at]) > 0 {
		at.key = w.places[at][0].keyOf(key) // the item's own name may go with the item
		w.ready = append(w.ready, at)
	}
}

// keyOf is a waiter's own copy of a key that it waits for.
func (e *waiter) keyOf(key string) string { return e.keys[slices.Index(e.keys, key)] }

// replaced notes that the keys of two databases are others now, as by SWAPDB.
func (w *waiting) replaced(a, b int) {
	w.waiters.Scan(func(_ uint64, e *waiter) bool {
		if e.db == a || e.db == b {
			for _, key := range e.keys {
				w.ready = append(w.ready, place{e.db, key})
			}
		}
		return true
	})
}

// serve executes those again who wait for what the unit has changed, and for what they change themselves.
func (m *Machine) serve(tx *Tx) {
	w := &m.waiting
	for len(w.ready) > 0 {
		at := w.ready[0]
		w.ready = w.ready[1:]
		for _, e := range w.places[at] { // leave makes new lists
			if _, there := w.waiters.Get(e.id); !there {
				continue
			}
			tx.selectDB(at.db)
			if !e.gone && tx.peek(dataOf(at.key)) == nil {
				continue // there is nothing for it
			}
			tx.ready = at.key
			m.again(tx, e, attemptAgain)
		}
	}
	w.ready = nil
}

// again executes a waiter's call and lets it leave if it is answered.
func (m *Machine) again(tx *Tx, e *waiter, how attempt) {
	r := m.clients.Reply(e.id)
	if r == nil {
		r = command.Discard
	}
	c := command.Call{Args: e.args, DB: e.db}
	c.Spec = table.Lookup(c.Args)
	tx.selectDB(e.db)
	tx.attempt, tx.waits, tx.reads, tx.by = how, false, false, r
	run(tx, &c, r)
	tx.attempt = attemptNone
	if !tx.waits {
		m.waiting.leave(e)
		m.clients.Served(e.id)
	}
}

// unblock ends waits by the log.
func (m *Machine) unblock(tx *Tx, id uint64, how command.Unblocking) {
	e, there := m.waiting.waiters.Get(id)
	if !there {
		return // served in the meantime
	}
	if how == command.UnblockTimeout {
		m.again(tx, e, attemptLast)
		return
	}
	m.waiting.leave(e)
	if r := m.clients.Reply(id); r != nil && how == command.UnblockError {
		replyAlone(r, errUnblockedByClient)
	}
	m.clients.Served(id)
}

// unblockAll ends all waits: a leader's term begins.
func (m *Machine) unblockAll() {
	m.waiting.waiters.Scan(func(id uint64, _ *waiter) bool {
		if r := m.clients.Reply(id); r != nil {
			replyAlone(r, errUnblockedByRole)
		}
		m.clients.Served(id)
		return true
	})
	last := m.waiting.last
	m.waiting = newWaiting()
	m.waiting.last = last
}

// replyAlone is a whole call's reply.
func replyAlone(r command.Reply, errText string) {
	r.BeginCall()
	r.Error(errText)
	r.EndCall()
}

// Waiters counts the calls that wait.
func (m *Machine) Waiters() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.waiting.waiters.Len()
}

// Waits reports whether a call still waits.
func (m *Machine) Waits(waiter uint64) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, there := m.waiting.waiters.Get(waiter)
	return there
}
