package cluster

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// applier is raft.FSM over the state machine. Raft calls Apply, ApplyBatch, Snapshot and Restore from one goroutine.
type applier struct {
	n *Node
	m *fsm.Machine

	mu      sync.Mutex
	applied uint64 // the machine's index, for those who wait
	waiting map[chan struct{}]uint64
	// poisoned: an entry could not be applied. Nothing after it may be, nothing may be read, no snapshot taken.
	poisoned error
	// claimed are the flights of the batch under way, ended when the lock is released.
	claimed []claimedFlight
}

type claimedFlight struct {
	fl    *flight
	index uint64
}

var (
	_ raft.BatchingFSM = (*applier)(nil)
)

func newApplier(n *Node, m *fsm.Machine) *applier {
	return &applier{n: n, m: m, waiting: make(map[chan struct{}]uint64)}
}

// Apply implements raft.FSM.
func (a *applier) Apply(l *raft.Log) any { return a.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch implements raft.BatchingFSM: one hold of the lock for all entries that are committed, then the answers.
func (a *applier) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	if err := a.ready(logs); err != nil {
		for i := range out {
			out[i] = err
		}
		return out
	}
	batch := a.m.Begin()
	var err error
	for i := 0; i < len(logs) && err == nil; i++ {
		err = a.applyOne(batch, logs[i])
	}
	batch.End()
	if err != nil {
		a.setPoison(err)
		a.n.fatal(fmt.Errorf("the log can't be applied; this node stops rather than diverge: %w", err))
	}
	if p := a.m.TakePanic(); p != "" {
		a.n.log.Error("a command failed with a panic, on every node alike; please report it", "what", p)
	}
	for _, c := range a.claimed {
		a.n.proposer.finish(c.fl, command.Applied, c.index, nil)
	}
	clear(a.claimed)
	a.claimed = a.claimed[:0]
	a.n.parking.finish(logs[len(logs)-1].Index)
	if err == nil {
		a.advance(logs[len(logs)-1].Index)
	}
	return out
}

// ready waits until entries may be applied: raft calls them committed, but this disk may still be writing some.
func (a *applier) ready(logs []*raft.Log) error {
	if err := a.poison(); err != nil {
		return err
	}
	err := a.n.logs.written(logs[len(logs)-1].Index)
	if err != nil {
		a.setPoison(err)
	}
	return err
}

func (a *applier) applyOne(batch fsm.Batch, l *raft.Log) error {
	if l.Type != raft.LogCommand {
		batch.Skip(l.Index)
		return nil
	}
	var targets []fsm.Target
	h, _, err := fsm.DecodeEntry(l.Data)
	if err != nil {
		return fmt.Errorf("index %d: %w", l.Index, err)
	}
	var fl *flight
	if h.Origin == a.n.origin && h.Serial != 0 {
		if fl = a.n.proposer.claim(h.Serial); fl != nil {
			targets = fl.targets
		}
	}
	if err := batch.Apply(l.Index, l.Data, targets); err != nil {
		if fl != nil {
			a.n.proposer.finish(fl, command.Unknown, 0, err)
		}
		return err
	}
	if fl != nil {
		a.claimed = append(a.claimed, claimedFlight{fl, l.Index})
	}
	return nil
}

func (a *applier) poison() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.poisoned
}

func (a *applier) setPoison(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.poisoned = err
}

// advance wakes those who wait for an index.
func (a *applier) advance(index uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applied = index
	for ch, want := range a.waiting {
		if want <= index {
			close(ch)
			delete(a.waiting, ch)
		}
	}
}

// index is that of the last entry applied.
func (a *applier) index() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.applied
}

// waitFor returns a channel that is closed once index is applied, and how to stop waiting.
func (a *applier) waitFor(index uint64) (<-chan struct{}, func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ch := make(chan struct{})
	if a.applied >= index {
		close(ch)
		return ch, func() {}
	}
	a.waiting[ch] = index
	return ch, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waiting, ch)
	}
}

// Snapshot implements raft.FSM.
func (a *applier) Snapshot() (raft.FSMSnapshot, error) {
	if err := a.poison(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return &snapshot{a.m.Snapshot(), a.n}, nil
}

// Restore implements raft.FSM.
func (a *applier) Restore(rc io.ReadCloser) error {
	defer rc.Close()
	if err := a.m.Restore(rc); err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
	a.n.parking.abandon(errStateReplaced, a.m.Waits)
	a.advance(a.m.Index())
	return nil
}

var errStateReplaced = errors.New("a snapshot has replaced this node's state")
