package cluster

import (
	"sync"

	"github.com/hashicorp/raft"
)

// parallelLog lets a leader send entries to the followers while its own disk still writes them (Raft thesis, section
// 10.2.1), which saves one of the two syncs that a write would wait for. hashicorp/raft counts an entry as stored by the
// leader once StoreLogs has returned; so what makes use of that count is held back until the disk has answered:
//
//   - the state machine applies no entry that is still being written (applier.ApplyBatch), so that nothing is
//     acknowledged, read or put into a snapshot before;
//   - no follower hears of a commit index beyond what is written here (guardedTransport), so that it applies nothing that
//     only a minority has stored;
//   - no message from another node reaches raft before what was being written when it came is written (inbound): as a
//     follower this node answers for its whole log.
//
// Only a leader's client entries are written so. Everything else, and so the first entry of every term and every change of
// the membership, is written before StoreLogs returns, and all before it. So of any index that raft calls committed, what
// is written here is committed in truth: docs/adr/0014 has the argument. After the first error nothing is accepted any
// more, and nothing that was held back is let go.
//
// Safe for concurrent use, as the store beneath is.
type parallelLog struct {
	raft.LogStore
	failed func(error) // told of the first failed write that StoreLogs did not wait for
	// leads reports whether this node leads. It is asked on the goroutine that calls StoreLogs, raft's main loop, on
	// which alone that changes.
	leads func() bool

	mu      sync.Mutex
	pending []*raft.Log // being written, or waiting for it, without a gap
	bytes   int         // of their data
	err     error       // set once; from then on pending stays as it is
	stopped bool        // run ends when nothing is pending any more
	work    sync.Cond   // signalled when pending has grown, or the end has come
	changed sync.Cond   // signalled when pending has shrunk, or err was set
}

// What may be pending before StoreLogs waits: more than one commit needs, little beside the queue of proposals.
const (
	pendingEntriesMax = 256
	pendingBytesMax   = 32 << 20
)

func newParallelLog(s raft.LogStore, leads func() bool, failed func(error)) *parallelLog {
	p := &parallelLog{LogStore: s, leads: leads, failed: failed}
	p.work.L, p.changed.L = &p.mu, &p.mu
	return p
}

// run is a goroutine of the node's: it writes what is pending, all that there is at a time.
func (p *parallelLog) run() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for len(p.pending) == 0 && p.err == nil && !p.stopped {
			p.work.Wait()
		}
		if len(p.pending) == 0 || p.err != nil {
			return
		}
		p.writeLocked(p.pending)
	}
}

// writeLocked writes entries that are pending, the first ones. It gives mu up meanwhile.
func (p *parallelLog) writeLocked(batch []*raft.Log) {
	p.mu.Unlock()
	err := p.LogStore.StoreLogs(batch)
	if err != nil {
		p.fail(err)
		p.failed(err)
	}
	p.mu.Lock()
	if p.err != nil {
		return
	}
	for _, l := range batch {
		p.bytes -= len(l.Data)
	}
	p.pending = append([]*raft.Log(nil), p.pending[len(batch):]...)
	p.changed.Broadcast()
}

// fail ends run and everybody's wait, with an error that all later calls get. A write under way is not waited for, and
// what becomes of it is nothing to rely on.
func (p *parallelLog) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.work.Broadcast()
	p.changed.Broadcast()
}

// stop ends run once everything is written. Nothing is stored any more.
func (p *parallelLog) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.work.Broadcast()
}

// StoreLogs implements raft.LogStore.
func (p *parallelLog) StoreLogs(logs []*raft.Log) error {
	if p.mayLag(logs) {
		return p.enqueue(logs)
	}
	if err := p.written(logs[len(logs)-1].Index); err != nil {
		return err
	}
	return p.LogStore.StoreLogs(logs)
}

// StoreLog implements raft.LogStore.
func (p *parallelLog) StoreLog(l *raft.Log) error { return p.StoreLogs([]*raft.Log{l}) }

// mayLag reports whether entries are a leader's client entries.
func (p *parallelLog) mayLag(logs []*raft.Log) bool {
	if !p.leads() {
		return false
	}
	for _, l := range logs {
		if l.Type != raft.LogCommand {
			return false
		}
	}
	return true
}

func (p *parallelLog) enqueue(logs []*raft.Log) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.err == nil && (len(p.pending) >= pendingEntriesMax || p.bytes >= pendingBytesMax) {
		p.changed.Wait()
	}
	if p.err != nil {
		return p.err
	}
	p.pending = append(p.pending[:len(p.pending):len(p.pending)], logs...) // run may be reading the old array
	for _, l := range logs {
		p.bytes += len(l.Data)
	}
	p.work.Signal()
	return nil
}

// written waits until no entry up to index is pending. An error means that one will stay so, or that nothing more can be
// stored.
func (p *parallelLog) written(index uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writtenLocked(index)
}

func (p *parallelLog) writtenLocked(index uint64) error {
	for p.err == nil && len(p.pending) > 0 && p.pending[0].Index <= index {
		p.changed.Wait()
	}
	return p.err
}

// catchUp waits until what is pending now is written. Whatever a message from another node can refer to was handed to this
// log before the message came, if it came from here.
func (p *parallelLog) catchUp() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.pending); n > 0 {
		return p.writtenLocked(p.pending[n-1].Index)
	}
	return p.err
}

// limit lowers an index to the last one that is written.
func (p *parallelLog) limit(index uint64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) > 0 {
		return min(index, p.pending[0].Index-1)
	}
	return index
}

// GetLog implements raft.LogStore.
func (p *parallelLog) GetLog(index uint64, out *raft.Log) error {
	p.mu.Lock()
	if n := len(p.pending); n > 0 && index >= p.pending[0].Index && index-p.pending[0].Index < uint64(n) {
		*out = *p.pending[index-p.pending[0].Index]
		p.mu.Unlock()
		return nil
	}
	p.mu.Unlock()
	return p.LogStore.GetLog(index, out)
}

// FirstIndex implements raft.LogStore.
func (p *parallelLog) FirstIndex() (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first, err := p.LogStore.FirstIndex()
	if err == nil && first == 0 && len(p.pending) > 0 {
		first = p.pending[0].Index
	}
	return first, err
}

// LastIndex implements raft.LogStore.
func (p *parallelLog) LastIndex() (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.pending); n > 0 {
		return p.pending[n-1].Index, nil
	}
	return p.LogStore.LastIndex()
}

// DeleteRange implements raft.LogStore.
func (p *parallelLog) DeleteRange(from, to uint64) error {
	if err := p.written(to); err != nil {
		return err
	}
	return p.LogStore.DeleteRange(from, to)
}

// IsMonotonic implements raft.MonotonicLogStore.
func (p *parallelLog) IsMonotonic() bool {
	m, ok := p.LogStore.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}
