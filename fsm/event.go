package fsm

import "github.com/redoubtdb/redoubt/fsm/command"

// events are what the entry that is being applied has done so far and nobody was told yet. Who listens is this node's own
// affair: events decide nothing that is replicated.
type events struct {
	wanted command.EventClass // classes that somebody listens for
	listen func(index uint64, happened []command.Event)
	noted  []command.Event
}

// OnEvents has listen called with the events of the given classes, in the order in which the log has them: on the goroutine
// that applies an entry, while the machine is locked, before anybody can read what the entry has changed. That is once for
// each entry that has any, before the reply to each message whose publisher waits on this node, and where a snapshot takes the
// place of the state. EventMiss comes by reads as well, on the goroutines that read, several at a time. listen must not block, must not ask the machine for anything, and
// must not keep the slice. It takes the place of the one before it.
func (m *Machine) OnEvents(classes command.EventClass, listen func(index uint64, happened []command.Event)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events.wanted, m.events.listen = classes, listen
}

// event notes that the command has done something to a key.
func (tx *Tx) event(class command.EventClass, name string, key []byte) {
	if tx.write && tx.m.events.wanted&class != 0 {
		tx.m.events.note(command.Event{Class: class, Name: name, DB: tx.db, Key: string(key)})
	}
}

func (e *events) note(ev command.Event) { e.noted = append(e.noted, ev) }

// noteFlush notes that any key may be another now.
func (e *events) noteFlush(by command.Reply) {
	if e.wanted&command.EventFlush != 0 {
		e.note(command.Event{Class: command.EventFlush, By: by})
	}
}

// reading tells of the keys that a call is about to read, where anybody wants to know.
func (tx *Tx) reading(c *command.Call) {
	switch {
	case !tx.write:
		if tx.onRead != nil && c.Spec.Is(command.ReadOnly) {
			tx.onRead(c)
		}
	case tx.replies && tx.m.events.wanted&command.EventRead != 0 && c.Spec.Is(command.ReadOnly):
		refs, err := c.Spec.FindKeys(c.Args)
		if err != nil {
			return // it has none, or is malformed: then the executor says so
		}
		for _, ref := range refs {
			tx.m.events.note(command.Event{Class: command.EventRead, DB: tx.db, Key: string(c.Args[ref.Pos]), By: tx.by})
		}
	}
}

// missed notes that a key that the command asked for is absent. Like hits and misses it is of interest on the node that
// replies alone.
func (tx *Tx) missed(key []byte) {
	if !tx.replies || tx.quiet || tx.m.events.wanted&command.EventMiss == 0 {
		return
	}
	ev := command.Event{Class: command.EventMiss, Name: "keymiss", DB: tx.db, Key: string(key)}
	if tx.write {
		tx.m.events.note(ev)
		return
	}
	tx.missing = append(tx.missing, ev)
}

// tellMisses hands over what a View has noted.
func (tx *Tx) tellMisses() {
	if len(tx.missing) > 0 {
		tx.m.events.listen(tx.m.index, tx.missing)
	}
}

const eventsKept = 1024 // a longer list is given back to the collector

// tellEvents hands over what was noted so far.
func (m *Machine) tellEvents() {
	e := &m.events
	if len(e.noted) == 0 {
		return
	}
	e.listen(m.index, e.noted)
	clear(e.noted)
	if e.noted = e.noted[:0]; cap(e.noted) > eventsKept {
		e.noted = nil
	}
}
