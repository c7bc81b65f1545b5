package simtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// ErrDisk is what an injected failure looks like. Every later write fails too, as in package storage.
var ErrDisk = errors.New("simulated disk: input/output error")

// Disk is the data directory of one node. It implements cluster.Storage. Safe for concurrent use.
//
// A crash leaves what was synced, and of the writes since then (those that have not returned among them) any number in
// their order, the last one torn. StoreLogs syncs before it returns, unless the disk is Lazy.
type Disk struct {
	owner    string
	ledger   *ledger
	starting atomic.Bool // its process has not started yet: it can't be told of a failure

	mu         sync.Mutex
	rng        *rand.Rand
	log        logFile
	stable     map[string][]byte
	held       []byte           // the term of a vote that waits for its candidate
	snapshots  []*savedSnapshot // oldest first
	snapSerial int
	instance   string
	clusterID  string

	free       uint64        // bytes of room; 0: more than enough
	delayMax   time.Duration // of a write; delayLeast is what SetDelay can't go below
	delayLeast time.Duration
	lazy       bool
	hang       chan struct{} // writes wait until it is closed
	failNext   bool
	failed     bool
	orphan     bool // the process was killed: nothing matters any more
	onFailure  func(error)
	busy       []*change // in the order of their beginning
}

// change is one write. do takes effect on a disk that it is given; the lock is held. part does as much of it as a crash
// may leave.
type change struct {
	op    string
	since time.Time
	do    func(d *Disk) error
	part  func(d *Disk)
}

func newDisk(owner, instance string, rng *rand.Rand, l *ledger) *Disk {
	return &Disk{owner: owner, ledger: l, rng: rng, stable: make(map[string][]byte), instance: instance}
}

// fork is what a crash leaves. The old disk belongs to the dead process from now on: its writes end quickly and go
// nowhere.
func (d *Disk) fork() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := newDisk(d.owner, d.instance, d.rng, d.ledger)
	var whole bool
	f.log, whole = d.log.afterCrash(d.rng)
	for k, v := range d.stable {
		f.stable[k] = v
	}
	f.snapshots, f.snapSerial, f.clusterID = slices.Clone(d.snapshots), d.snapSerial, d.clusterID
	f.free, f.delayMax, f.delayLeast, f.lazy = d.free, d.delayMax, d.delayLeast, d.lazy
	d.orphan = true
	if whole { // else what was written after is gone, too
		for _, c := range d.busy[:d.rng.IntN(len(d.busy)+1)] {
			c.part(f)
		}
	}
	if d.hang != nil {
		close(d.hang)
		d.hang = nil
	}
	return f
}

// SetDelay makes each write take up to most, or Options.DiskDelay where that is longer.
func (d *Disk) SetDelay(most time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delayMax = max(most, d.delayLeast)
}

// Lazy makes StoreLogs return before its entries are synced: a disk, or a store, that lies. Nothing syncs them but a
// later call of Sync.
func (d *Disk) Lazy() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lazy = true
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

// FailNextWrite makes the next write fail, and all that follow. What it should have written may be there after a crash.
func (d *Disk) FailNextWrite() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failNext = true
}

// write runs do as a write that takes place whole or not at all.
func (d *Disk) write(op string, do func(d *Disk) error) error {
	return d.run(&change{op: op, do: do, part: func(d *Disk) { _ = do(d) }})
}

// run carries a change out, after its delay.
func (d *Disk) run(c *change) error {
	c.since = time.Now()
	d.mu.Lock()
	d.busy = append(d.busy, c)
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
	d.ledger.before()
	fail, err := d.commit(c)
	if fail != nil {
		fail(err)
	}
	return err
}

// commit ends a write: it takes effect, or fails. fail is to be told of the first failure.
func (d *Disk) commit(c *change) (fail func(error), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed && !d.orphan {
		return nil, ErrDisk // it stays among the busy ones: a crash may leave it
	}
	if d.failNext && !d.orphan {
		d.failed = true
		return d.onFailure, fmt.Errorf("%s: %w", c.op, ErrDisk)
	}
	d.busy = slices.DeleteFunc(d.busy, func(o *change) bool { return o == c })
	return nil, c.do(d)
}

// blank reports whether raft has never written to the disk.
func (d *Disk) blank() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.log.entries) == 0 && len(d.stable) == 0 && len(d.snapshots) == 0
}

func (d *Disk) hasFailed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// Stalled implements cluster.Storage.
func (d *Disk) Stalled() (op string, waiting time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.busy) == 0 || d.failed {
		return "", 0, false
	}
	return d.busy[0].op, time.Since(d.busy[0].since), true
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
	return d.write("the identity", func(d *Disk) error { d.clusterID = id; return nil })
}

// Log, Stable and Snapshots implement cluster.Storage.
func (d *Disk) Log() raft.LogStore            { return diskLog{d} }
func (d *Disk) Stable() raft.StableStore      { return diskStable{d} }
func (d *Disk) Snapshots() raft.SnapshotStore { return diskSnapshots{d} }
