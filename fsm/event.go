package fsm

import "github.com/redoubtdb/redoubt/fsm/command"

// events are the keyspace events of the entry that is being applied. Who listens is this node's own affair: events decide
// nothing that is replicated.
type events struct {
	wanted command.EventClass // classes that somebody listens for
	listen func(index uint64, happened []command.Event)
	noted  []command.Event // of the entry so far
}

// OnEvents has listen called with the keyspace events of the given classes, once for each entry that has any: on the
// goroutine that applies it, while the machine is locked, before anybody can read what the entry has changed. listen must
// not block, and must not keep the slice. It takes the place of the one before it.
func (m *Machine) OnEvents(classes command.EventClass, listen func(index uint64, happened []command.Event)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events.wanted, m.events.listen = classes, listen
}

// event notes that the command has done something to a key.
func (tx *Tx) event(class command.EventClass, name string, key []byte) {
	if tx.write && tx.m.events.wanted&class != 0 {
		tx.m.events.noted = append(tx.m.events.noted, command.Event{Class: class, Name: name, DB: tx.db, Key: string(key)})
	}
}

const eventsKept = 1024 // a longer list is given back to the collector

// tellEvents hands over what was noted.
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
