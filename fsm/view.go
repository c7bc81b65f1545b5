package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
)

// View executes read commands between two entries. It is false where Strict made the replies void: the caller drops
// what was written to r.
func (m *Machine) View(calls []command.Call, o command.ReadOptions, r command.Reply) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	tx := m.readTx(o)
	for i := range calls {
		if m.failed {
			r.Error(errFailedRead)
			r.EndCall()
			continue
		}
		m.readCall(&tx, &calls[i], r)
	}
	return m.endRead(&tx)
}

// errFailedRead answers reads on a machine that could not apply an entry: the node is about to stop.
const errFailedRead = "CLUSTERDOWN this node could not apply the log and stops; the read was not served"

// endRead reports whether the replies hold; then they count.
func (m *Machine) endRead(tx *Tx) bool {
	if !tx.late {
		m.counted.add(tx)
		tx.tellMisses()
	}
	return !tx.late
}

// ViewTxn executes a MULTI of read commands: watches first, then the calls, all of one moment.
func (m *Machine) ViewTxn(watches []command.Watch, calls []command.Call, o command.ReadOptions, r command.Reply) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.failed {
		r.Error(errFailedRead)
		return true
	}
	tx := m.readTx(o)
	if tx.watchesLate(watches) {
		return false
	}
	if !m.watchesHold(watches) {
		r.NullArray()
		return true
	}
	r.Array(len(calls))
	for i := range calls {
		if len(calls[i].Args) == 0 {
			r.Deferred()
			continue
		}
		m.readCall(&tx, &calls[i], r)
	}
	return m.endRead(&tx)
}

// watchesLate reports whether the deadline of a watched key, or of a field of it, has passed for the reader's clock but not in log time: whether the
// key is still as it was is known once the log has moved.
func (tx *Tx) watchesLate(watches []command.Watch) bool {
	for i := range watches {
		w := &watches[i]
		if w.DB < 0 || w.DB >= len(tx.m.dbs) {
			continue
		}
		if it := tx.m.dbs[w.DB].get(tx.m.cluster.hash.sum(w.Key), w.Key); it != nil {
			tx.present(it)
			if h := it.hash(); h != nil {
				h.passed(tx)
			}
		}
	}
	return tx.late
}

func (m *Machine) readTx(o command.ReadOptions) Tx {
	return Tx{m: m, now: m.now, clock: max(o.Clock, m.now), strict: o.Strict, noTouch: o.NoTouch, rng: o.Seed, replies: true, reads: true, onRead: o.OnRead}
}

func (m *Machine) readCall(tx *Tx, c *command.Call, r command.Reply) {
	if c.DB >= len(m.dbs) {
		r.Error(command.ErrDBIndex)
		r.EndCall()
		return
	}
	tx.selectDB(c.DB)
	run(tx, c, r)
}

// Watch returns what EXEC must find again for each key.
func (m *Machine) Watch(db int, keys [][]byte) []command.Watch { return m.WatchAt(db, keys, 0) }

// WatchAt is Watch by the leader's stamp: a key whose deadline has passed by then counts as absent although log time is
// not there yet, since the entry of an EXEC that follows cannot be earlier.
func (m *Machine) WatchAt(db int, keys [][]byte, clock int64) []command.Watch {
	m.mu.RLock()
	defer m.mu.RUnlock()
	ws := make([]command.Watch, len(keys))
	for i, k := range keys {
		version, born := m.watchState(db, k, max(clock, m.now))
		ws[i] = command.Watch{DB: db, Key: append([]byte(nil), k...), Version: version, Born: born}
	}
	return ws
}

// Holds reports whether watched keys are unchanged in the applied state.
func (m *Machine) Holds(ws []command.Watch) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.watchesHold(ws)
}
