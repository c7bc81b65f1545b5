package simtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Errors of disks.
var (
	// ErrDisk is what an injected failure looks like. Every later write fails too, as in package storage.
	ErrDisk = errors.New("simulated disk: input/output error")
	// errGap is raft-wal's rule: entries come one after the other.
	errGap = errors.New("simulated disk: log entries with a gap")
	// errNotFound has the text that raft compares with.
	errNotFound = errors.New("not found")
)

// Disk is the data directory of one node. It implements cluster.Storage. Safe for concurrent use.
type Disk struct {
	mu         sync.Mutex
	rng        *rand.Rand
	first      uint64 // index of entries[0]
	entries    []*raft.Log
	stable     map[string][]byte
	snapshots  []*savedSnapshot // oldest first
	snapSerial int
	instance   string
	clusterID  string

	delayMax  time.Duration
	hang      chan struct{} // writes wait until it is closed
	failNext  bool
	failed    bool
	orphan    bool // the process was killed: nothing matters any more
	onFailure func(error)
	busy      map[*busyWrite]struct{}
}

type busyWrite struct {
	op    string
	since time.Time
}

func newDisk(instance string, rng *rand.Rand) *Disk {
	return &Disk{rng: rng, stable: make(map[string][]byte), instance: instance, busy: make(map[*busyWrite]struct{})}
}

// fork is what a crash leaves: a disk with everything that was written. The old one belongs to the dead process from
// now on: its writes end quickly and go nowhere.
func (d *Disk) fork() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := newDisk(d.instance, d.rng)
	f.first, f.entries = d.first, slices.Clone(d.entries)
	for k, v := range d.stable {
		f.stable[k] = v
	}
	f.snapshots, f.snapSerial, f.clusterID = slices.Clone(d.snapshots), d.snapSerial, d.clusterID
	f.delayMax = d.delayMax
	d.orphan = true
	if d.hang != nil {
		close(d.hang)
		d.hang = nil
	}
	return f
}

// SetDelay makes each write take up to most.
func (d *Disk) SetDelay(most time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delayMax = most
}

// Hang makes writes wait until Unhang, or until the process is killed.
func (d *Disk) Hang() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hang == nil && !d.orphan {
		d.hang = make(chan struct{})
	}
}

// Unhang lets writes go on.
func (d *Disk) Unhang() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hang != nil {
		close(d.hang)
		d.hang = nil
	}
}

// FailNextWrite makes the next write fail, and all that follow.
func (d *Disk) FailNextWrite() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failNext = true
}

// write runs do as a write: after its delay, with the lock held.
func (d *Disk) write(op string, do func() error) error {
	b := &busyWrite{op, time.Now()}
	d.mu.Lock()
	d.busy[b] = struct{}{}
	hang, delay := d.hang, time.Duration(0)
	if d.delayMax > 0 && !d.orphan {
		delay = time.Duration(d.rng.Int64N(int64(d.delayMax)))
	}
	d.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if delay > 0 {
		time.Sleep(delay)
	}
	fail, err := d.commit(b, do)
	if fail != nil {
		fail(err)
	}
	return err
}

// commit ends a write: it takes effect, or fails. fail is to be told of the first failure.
func (d *Disk) commit(b *busyWrite, do func() error) (fail func(error), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.busy, b)
	if d.orphan {
		return nil, do()
	}
	if d.failed {
		return nil, ErrDisk
	}
	if d.failNext {
		d.failed = true
		return d.onFailure, fmt.Errorf("%s: %w", b.op, ErrDisk)
	}
	return nil, do()
}

// Stalled implements cluster.Storage.
func (d *Disk) Stalled() (op string, waiting time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for b := range d.busy {
		if w := time.Since(b.since); !ok || w > waiting {
			op, waiting, ok = b.op, w, true
		}
	}
	return op, waiting, ok
}

// Instance implements cluster.Storage.
func (d *Disk) Instance() string { return d.instance }

// ClusterID implements cluster.Storage.
func (d *Disk) ClusterID() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clusterID
}

// SetClusterID implements cluster.Storage.
func (d *Disk) SetClusterID(id string) error {
	return d.write("the identity", func() error { d.clusterID = id; return nil })
}

// Log, Stable and Snapshots implement cluster.Storage.
func (d *Disk) Log() raft.LogStore            { return diskLog{d} }
func (d *Disk) Stable() raft.StableStore      { return diskStable{d} }
func (d *Disk) Snapshots() raft.SnapshotStore { return diskSnapshots{d} }

// diskLog is raft.LogStore with the rules of raft-wal.
type diskLog struct{ d *Disk }

var _ raft.MonotonicLogStore = diskLog{}

func (l diskLog) IsMonotonic() bool { return true }

func (l diskLog) FirstIndex() (uint64, error) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	if len(l.d.entries) == 0 {
		return 0, nil
	}
	return l.d.first, nil
}

func (l diskLog) LastIndex() (uint64, error) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	return l.d.lastLocked(), nil
}

func (d *Disk) lastLocked() uint64 {
	if len(d.entries) == 0 {
		return 0
	}
	return d.first + uint64(len(d.entries)) - 1
}

func (l diskLog) GetLog(index uint64, out *raft.Log) error {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	if index < l.d.first || index > l.d.lastLocked() {
		return raft.ErrLogNotFound
	}
	*out = *l.d.entries[index-l.d.first]
	return nil
}

func (l diskLog) StoreLog(e *raft.Log) error { return l.StoreLogs([]*raft.Log{e}) }

func (l diskLog) StoreLogs(logs []*raft.Log) error {
	added := make([]*raft.Log, len(logs))
	for i, e := range logs {
		added[i] = copyLog(e)
	}
	return l.d.write("a log write", func() error {
		d := l.d
		for _, e := range added {
			switch {
			case len(d.entries) == 0:
				d.first = e.Index
			case e.Index != d.lastLocked()+1:
				return fmt.Errorf("%w: %d after %d", errGap, e.Index, d.lastLocked())
			}
			d.entries = append(d.entries, e)
		}
		return nil
	})
}

func (l diskLog) DeleteRange(least, most uint64) error {
	return l.d.write("a log truncation", func() error {
		d := l.d
		last := d.lastLocked()
		switch {
		case len(d.entries) == 0 || most < d.first || least > last:
		case least <= d.first && most >= last:
			d.entries = nil
		case least <= d.first:
			d.entries = slices.Clone(d.entries[most+1-d.first:])
			d.first = most + 1
		case most >= last:
			d.entries = slices.Clone(d.entries[:least-d.first])
		default:
			return fmt.Errorf("simulated disk: truncation %d to %d in the middle of %d to %d", least, most, d.first, last)
		}
		return nil
	})
}

// diskStable is raft.StableStore. Raft panics when its term can't be written; here such a write waits until the process
// has been killed, so that one node's end does not take the test with it.
type diskStable struct{ d *Disk }

func (s diskStable) Set(key, val []byte) error {
	k, v := string(key), bytes.Clone(val)
	err := s.d.write("a vote", func() error { s.d.stable[k] = v; return nil })
	for err != nil && !s.d.isOrphan() {
		time.Sleep(orphanPoll)
	}
	return nil
}

const orphanPoll = 10 * time.Millisecond

func (d *Disk) isOrphan() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.orphan
}

func (s diskStable) Get(key []byte) ([]byte, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	v, ok := s.d.stable[string(key)]
	if !ok {
		return nil, errNotFound
	}
	return bytes.Clone(v), nil
}

func (s diskStable) SetUint64(key []byte, val uint64) error {
	return s.Set(key, fmt.Appendf(nil, "%d", val))
}

func (s diskStable) GetUint64(key []byte) (uint64, error) {
	v, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	var n uint64
	_, err = fmt.Sscanf(string(v), "%d", &n)
	return n, err
}

// snapshotsKept is how many snapshots a disk keeps.
const snapshotsKept = 2

type savedSnapshot struct {
	meta raft.SnapshotMeta
	data []byte
}

// diskSnapshots is raft.SnapshotStore.
type diskSnapshots struct{ d *Disk }

func (s diskSnapshots) Create(version raft.SnapshotVersion, index, term uint64, conf raft.Configuration, confIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.snapSerial++
	return &sink{d: s.d, saved: &savedSnapshot{meta: raft.SnapshotMeta{
		Version: version, ID: fmt.Sprintf("%d-%d-%d", term, index, s.d.snapSerial), Index: index, Term: term,
		Configuration: conf.Clone(), ConfigurationIndex: confIndex,
	}}}, nil
}

func (s diskSnapshots) List() ([]*raft.SnapshotMeta, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	var out []*raft.SnapshotMeta
	for _, sn := range slices.Backward(s.d.snapshots) {
		m := sn.meta
		out = append(out, &m)
	}
	return out, nil
}

func (s diskSnapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	for _, sn := range s.d.snapshots {
		if sn.meta.ID == id {
			m := sn.meta
			return &m, io.NopCloser(bytes.NewReader(sn.data)), nil
		}
	}
	return nil, nil, fmt.Errorf("simulated disk: no snapshot %s", id)
}

// sink is a snapshot that is being written. It is there once it is closed.
type sink struct {
	d     *Disk
	saved *savedSnapshot
	ended bool
}

func (k *sink) ID() string { return k.saved.meta.ID }

func (k *sink) Write(p []byte) (int, error) {
	k.saved.data = append(k.saved.data, p...)
	return len(p), nil
}

func (k *sink) Cancel() error { k.ended = true; return nil }

func (k *sink) Close() error {
	if k.ended {
		return nil
	}
	k.ended = true
	k.saved.meta.Size = int64(len(k.saved.data))
	return k.d.write("a snapshot", func() error {
		all := append(k.d.snapshots, k.saved)
		slices.SortStableFunc(all, func(a, b *savedSnapshot) int {
			if a.meta.Term != b.meta.Term {
				return int(a.meta.Term) - int(b.meta.Term)
			}
			return int(a.meta.Index) - int(b.meta.Index)
		})
		k.d.snapshots = all[max(0, len(all)-snapshotsKept):]
		return nil
	})
}
