package fsm

import "sync/atomic"

// Counters are what a node has counted since its process started. They belong to the node: they are in no snapshot and
// decide nothing.
type Counters struct {
	// Hits and Misses count the keys that read commands asked for here: in a View, and in transactions that this node
	// proposed. Write commands count for neither, as in Redis.
	Hits, Misses uint64
	// Expired counts the keys that the log removed because their deadline had passed.
	Expired uint64
}

// Counters returns the counters. It never waits.
func (m *Machine) Counters() Counters {
	c := &m.counted
	return Counters{Hits: c.hits.Load(), Misses: c.misses.Load(), Expired: c.expired.Load()}
}

type counters struct{ hits, misses, expired atomic.Uint64 }

// tally is what one Tx has counted: plain numbers, so that a run of calls costs one atomic addition, not one a key.
type tally struct{ hits, misses, expired uint64 }

// add takes over and clears what a Tx has counted.
func (c *counters) add(tx *Tx) {
	if t := tx.tally; t != (tally{}) {
		c.hits.Add(t.hits)
		c.misses.Add(t.misses)
		c.expired.Add(t.expired)
		tx.tally = tally{}
	}
}

// count notes that a read command asked for a key.
func (t *tally) count(found bool) {
	if found {
		t.hits++
	} else {
		t.misses++
	}
}
