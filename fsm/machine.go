package fsm

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/redoubtdb/redoubt/fsm/command"
)

const (
	// DatabasesMax bounds the databases of a cluster (the setting "databases").
	DatabasesMax = 1 << 14
	// DatabasesDefault is Redis's.
	DatabasesDefault = 16
	// StringBytesMax is the longest string value, Redis's proto-max-bulk-len. A constant: nodes must agree on it.
	StringBytesMax = 512 << 20
)

// Machine is the state machine of one node. All methods may be called from any goroutine; Apply and Restore from one
// at a time.
type Machine struct {
	// mu guards everything below. Apply, Restore and Snapshot hold it for writing, View for reading.
	mu sync.RWMutex
	state

	// failed: an entry could not be applied, or only in part. Nothing may be read any more.
	failed bool
	// gen is raised by every snapshot: what was made in an older generation may be seen by one.
	gen uint32
	// reader decodes units. It keeps its buffers between entries.
	reader command.UnitReader
	// writeTx is the Tx of Apply, kept to spare allocations.
	writeTx Tx
	// lastPanic describes the last executor that panicked, in an entry or a View; see TakePanic.
	lastPanic atomic.Pointer[string]
	// counted is what Counters returns; not under mu.
	counted counters
	events  events
	// clients are this node's that wait; see waiting.go.
	clients Waiting
	watches keyWatches
	// compiler keeps compiled scripts; not under mu.
	compiler compiler
}

// state is what the log decides: everything that a snapshot must carry.
type state struct {
	index uint64 // the last applied log index
	now   int64  // log time, milliseconds since 1970: the greatest stamp applied
	seq   uint64 // modification counter: the source of key versions
	dbs   []*keyspace
	// born[h] is the seq at which a key whose name falls into bucket h was last created; see command.Watch.
	born      []uint64
	cluster   clusterState
	waiting   waiting
	scripts   scriptCache
	functions functions
}

// bornBuckets trades memory (8 bytes each) for chance: a WATCH of an absent key is disturbed by another key's creation
// with a probability of one in this number.
const bornBuckets = 1 << 16

// New returns an empty machine.
func New() *Machine {
	m := &Machine{clients: noClients{}}
	m.state = newState()
	return m
}

func newState() state {
	s := state{born: make([]uint64, bornBuckets), waiting: newWaiting()}
	s.cluster.Databases = DatabasesDefault
	s.dbs = newDatabases(DatabasesDefault)
	return s
}

func newDatabases(n int) []*keyspace {
	dbs := make([]*keyspace, n)
	for i := range dbs {
		dbs[i] = newKeyspace()
	}
	return dbs
}

// Target is one proposal that waits for replies of an entry: as many units as it holds, in order.
type Target struct {
	Units int
	Reply command.Reply
	// Waits is called if a unit has to wait: its reply comes by Waiting. A call that may is a target's only unit.
	Waits func(waiter uint64)
}

// Batch applies several entries under one hold of the lock. Use: b := m.Begin(); b.Apply(...)...; b.End().
type Batch struct{ m *Machine }

// Begin locks the machine for applying.
func (m *Machine) Begin() Batch { m.mu.Lock(); return Batch{m} }

// End unlocks it.
func (b Batch) End() { b.m.mu.Unlock() }

// Skip notes an entry that is the log's own (a configuration change).
func (b Batch) Skip(index uint64) { b.m.index = index }

// Apply runs one entry. targets, on the node that proposed it, receive the replies. An error (ErrEntryVersion,
// ErrEntryCorrupt) means that the node must stop.
func (b Batch) Apply(index uint64, data []byte, targets []Target) error {
	if err := b.apply(index, data, targets); err != nil {
		b.m.failed = true
		return fmt.Errorf("apply index %d: %w", index, err)
	}
	return nil
}

func (b Batch) apply(index uint64, data []byte, targets []Target) error {
	m := b.m
	h, body, err := DecodeEntry(data)
	if err != nil {
		return err
	}
	m.index = index
	m.now = max(m.now, h.Time)
	defer m.tellEvents()
	switch h.Kind {
	case EntryCalls:
		return m.applyUnits(body, h.Seed, targets)
	case EntryExpire:
		return m.applyExpire(body)
	case EntryTick:
		return nil
	case EntryUnblock:
		return m.applyUnblock(body, h.Seed)
	}
	return m.applyCluster(h.Kind, index, body)
}

// Apply runs one entry on its own.
func (m *Machine) Apply(index uint64, data []byte, targets []Target) error {
	b := m.Begin()
	defer b.End()
	return b.Apply(index, data, targets)
}

func (m *Machine) applyUnits(body []byte, seed uint64, targets []Target) error {
	m.reader.Reset(body)
	tx := &m.writeTx
	tx.begin(m, seed)
	var to Target
	left := 0
	for {
		u := m.reader.Next()
		if u == nil {
			break
		}
		for left == 0 && len(targets) > 0 {
			to, left = targets[0], targets[0].Units
			targets = targets[1:]
		}
		if left == 0 {
			to = Target{Reply: command.Discard}
		} else {
			left--
		}
		tx.by = to.Reply
		if err := m.runUnit(tx, u, to.Reply); err != nil {
			return err
		}
		if tx.waits && to.Waits != nil {
			to.Waits(m.waiting.last)
		}
		m.serve(tx)
	}
	if m.reader.Err() != nil {
		return fmt.Errorf("%w: %w", ErrEntryCorrupt, m.reader.Err())
	}
	m.counted.add(tx)
	return nil
}

func (m *Machine) applyUnblock(body []byte, seed uint64) error {
	if len(body)%unblockBytes != 0 {
		return ErrEntryCorrupt
	}
	tx := &m.writeTx
	tx.begin(m, seed)
	for ; len(body) > 0; body = body[unblockBytes:] {
		how := command.Unblocking(body[8])
		if how < command.UnblockTimeout || how > command.UnblockGone {
			return ErrEntryVersion
		}
		m.unblock(tx, binary.LittleEndian.Uint64(body), how)
	}
	m.counted.add(tx)
	return nil
}

func (m *Machine) applyExpire(body []byte) error {
	if len(body) != 4 {
		return ErrEntryCorrupt
	}
	tx := &m.writeTx
	tx.begin(m, 0)
	left := int(binary.LittleEndian.Uint32(body))
	for i, ks := range m.dbs {
		tx.selectDB(i)
		for ; left > 0; left-- {
			d, ok := ks.nextDeadline()
			if !ok || d.at > m.now {
				break
			}
			tx.expire(d.hash, ks.get(d.hash, dataOf(d.key)))
		}
	}
	for i := range m.dbs {
		tx.selectDB(i)
		left = tx.expireFields(left)
	}
	m.serve(tx)
	m.counted.add(tx)
	return nil
}

// Due counts keys, and fields of hashes, whose deadline is at or before clock (milliseconds), up to limit.
func (m *Machine) Due(clock int64, limit int) int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n := 0
	for _, ks := range m.dbs {
		ks.deadlines.Scan(func(d deadline) bool {
			if d.at > clock || n == limit {
				return false
			}
			n++
			return true
		})
		n += ks.dueFields(clock, limit-n)
	}
	return n
}

// Index returns the last applied log index.
func (m *Machine) Index() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.index
}

// Now returns the log time in milliseconds since 1970.
func (m *Machine) Now() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.now
}

// Databases returns how many databases the cluster has.
func (m *Machine) Databases() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.dbs)
}

// TakePanic returns and clears the description of an executor's panic, for the node's log; "" if there was none.
func (m *Machine) TakePanic() string {
	if p := m.lastPanic.Swap(nil); p != nil {
		return *p
	}
	return ""
}
