package fsm

import (
	"sync"
	"sync/atomic"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// keyWatches are those of this node who wait for keys to change (XREAD BLOCK, which takes nothing and so waits here and not
// in the log). They are no part of the state.
type keyWatches struct {
	some atomic.Int32 // how many there are, to be looked at without mu

	mu sync.Mutex
	at map[place]map[*keyWatch]struct{}
}

type keyWatch struct {
	places  []place
	changed chan struct{}
	once    sync.Once // closes changed
}

// WatchKeys returns a channel that is closed once the log has changed one of the keys, and what ends the watch.
func (m *Machine) WatchKeys(db int, keys [][]byte) (changed <-chan struct{}, end func()) {
	w, k := &m.watches, &keyWatch{changed: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at == nil {
		w.at = make(map[place]map[*keyWatch]struct{})
	}
	for _, key := range keys {
		at := place{db, string(key)}
		if w.at[at] == nil {
			w.at[at] = make(map[*keyWatch]struct{})
		}
		w.at[at][k] = struct{}{}
		k.places = append(k.places, at)
	}
	w.some.Add(1)
	return k.changed, func() { w.end(k) }
}

func (w *keyWatches) end(k *keyWatch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.some.Add(-1)
	for _, at := range k.places {
		delete(w.at[at], k)
		if len(w.at[at]) == 0 {
			delete(w.at, at)
		}
	}
}

// tell wakes those who watch a key. They look once the entry is applied, since the machine is locked until then.
func (w *keyWatches) tell(at place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k := range w.at[at] {
		k.wake()
	}
}

// tellAll wakes everybody: the whole state is another.
func (w *keyWatches) tellAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ks := range w.at {
		for k := range ks {
			k.wake()
		}
	}
}

func (k *keyWatch) wake() { k.once.Do(func() { close(k.changed) }) }

// ViewBlocking executes a blocking read. It waits: nothing was replied, and a change of one of its keys is to be awaited. ok
// is View's. What in c.Args means "from now on" is replaced by what it means now, for the next try.
func (m *Machine) ViewBlocking(c *command.Call, o command.ReadOptions, r command.Reply) (waits, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	tx := m.readTx(o)
	tx.attempt = attemptFirst
	if m.failed {
		r.Error(errFailedRead)
		r.EndCall()
		return false, true
	}
	m.readCall(&tx, c, r)
	return tx.waits, m.endRead(&tx)
}
