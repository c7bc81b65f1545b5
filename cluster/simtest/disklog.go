package simtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/hashicorp/raft"
)

// errGap is raft-wal's rule: entries come one after the other.
var errGap = errors.New("simulated disk: log entries with a gap")

// logFile is a log: what its process reads, what was synced, and the writes in between in their order.
type logFile struct {
	extent
	synced   extent
	unsynced []logWrite
}

// extent is a run of entries without a gap.
type extent struct {
	first   uint64 // index of entries[0]
	entries []*raft.Log
}

// logWrite is an append, or a truncation of least to most where there are no entries.
type logWrite struct {
	entries     []*raft.Log
	least, most uint64
}

func (x *extent) last() uint64 {
	if len(x.entries) == 0 {
		return 0
	}
	return x.first + uint64(len(x.entries)) - 1
}

func (x *extent) get(index uint64) *raft.Log {
	if len(x.entries) == 0 || index < x.first || index > x.last() {
		return nil
	}
	return x.entries[index-x.first]
}

func (x *extent) apply(w logWrite) error {
	if len(w.entries) == 0 {
		return x.truncate(w.least, w.most)
	}
	for _, e := range w.entries {
		switch {
		case len(x.entries) == 0:
			x.first = e.Index
		case e.Index != x.last()+1:
			return fmt.Errorf("%w: %d after %d", errGap, e.Index, x.last())
		}
		x.entries = append(x.entries, e)
	}
	return nil
}

func (x *extent) truncate(least, most uint64) error {
	last := x.last()
	switch {
	case len(x.entries) == 0 || most < x.first || least > last:
	case least <= x.first && most >= last:
		x.entries = nil
	case least <= x.first:
		x.entries = slices.Clone(x.entries[most+1-x.first:])
		x.first = most + 1
	case most >= last:
		x.entries = slices.Clone(x.entries[:least-x.first])
	default:
		return fmt.Errorf("simulated disk: truncation %d to %d in the middle of %d to %d", least, most, x.first, last)
	}
	return nil
}

// write makes a write that is not synced yet.
func (f *logFile) write(w logWrite) error {
	if err := f.apply(w); err != nil {
		return err
	}
	f.unsynced = append(f.unsynced, w)
	return nil
}

// sync makes the first n of the unsynced writes safe.
func (f *logFile) sync(n int) {
	for _, w := range f.unsynced[:n] {
		_ = f.synced.apply(w) // it was accepted before
	}
	f.unsynced = slices.Clone(f.unsynced[n:])
}

// afterCrash is what a crash leaves: the synced part and any number of the later writes, the last one torn. whole: all.
func (f *logFile) afterCrash(rng *rand.Rand) (left logFile, whole bool) {
	x := extent{f.synced.first, slices.Clone(f.synced.entries)}
	kept := rng.IntN(len(f.unsynced) + 1)
	for _, w := range f.unsynced[:kept] {
		_ = x.apply(w)
	}
	if kept < len(f.unsynced) {
		_ = x.apply(f.unsynced[kept].torn(rng))
	}
	left = logFile{extent: x, synced: extent{x.first, slices.Clone(x.entries)}}
	return left, kept == len(f.unsynced)
}

// torn is the part of a write that a crash may leave: entries have checksums, so half of one counts for nothing.
func (w logWrite) torn(rng *rand.Rand) logWrite {
	if len(w.entries) == 0 {
		return logWrite{least: 1} // a truncation takes place or does not
	}
	part := w.entries[:rng.IntN(len(w.entries)+1)]
	if len(part) == 0 {
		return logWrite{least: 1}
	}
	return logWrite{entries: part}
}

// open does what package storage does with a log and its newest snapshot before raft sees them: a log that ends before
// the snapshot, or disagrees with it at its last entry, is emptied.
func (d *Disk) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.snapshots) == 0 || len(d.log.entries) == 0 {
		return
	}
	meta := d.snapshots[len(d.snapshots)-1].meta
	e := d.log.get(meta.Index)
	if d.log.last() < meta.Index || e != nil && e.Term != meta.Term {
		d.log = logFile{}
	}
}

// diskLog is raft.LogStore with the rules of raft-wal.
type diskLog struct{ d *Disk }

var _ raft.MonotonicLogStore = diskLog{}

func (l diskLog) IsMonotonic() bool { return true }

func (l diskLog) FirstIndex() (uint64, error) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	if len(l.d.log.entries) == 0 {
		return 0, nil
	}
	return l.d.log.first, nil
}

func (l diskLog) LastIndex() (uint64, error) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	return l.d.log.last(), nil
}

func (l diskLog) GetLog(index uint64, out *raft.Log) error {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	e := l.d.log.get(index)
	if e == nil {
		return raft.ErrLogNotFound
	}
	*out = *e
	return nil
}

func (l diskLog) StoreLog(e *raft.Log) error { return l.StoreLogs([]*raft.Log{e}) }

// StoreLogs writes and syncs.
func (l diskLog) StoreLogs(logs []*raft.Log) error {
	return l.append(logs, func(d *Disk) {
		if !d.lazy {
			d.syncLog(len(d.log.unsynced))
		}
	})
}

// StoreUnsynced writes entries that a crash may lose until Sync has returned.
func (l diskLog) StoreUnsynced(logs []*raft.Log) error { return l.append(logs, func(*Disk) {}) }

func (l diskLog) append(logs []*raft.Log, then func(*Disk)) error {
	w := logWrite{entries: make([]*raft.Log, len(logs))}
	for i, e := range logs {
		w.entries[i] = copyLog(e)
	}
	return l.d.run(&change{op: "a log write", do: func(d *Disk) error {
		if !d.orphan {
			d.ledger.stored(d.owner, d.log.extent, w.entries)
		}
		err := d.log.write(w)
		then(d)
		return err
	}, part: func(d *Disk) {
		left := w.torn(d.rng)
		d.ledger.stored(d.owner, d.log.extent, left.entries)
		_ = d.log.write(left)
		d.syncLog(len(d.log.unsynced))
	}})
}

// syncLog makes the first n of the log's unsynced writes safe. The caller holds mu.
func (d *Disk) syncLog(n int) {
	if !d.orphan {
		for _, w := range d.log.unsynced[:n] {
			d.ledger.synced(d.instance, w.entries)
		}
	}
	d.log.sync(n)
}

// Sync makes safe what had been written when it was called.
func (l diskLog) Sync() error {
	l.d.mu.Lock()
	n := len(l.d.log.unsynced)
	l.d.mu.Unlock()
	return l.d.write("a log sync", func(d *Disk) error {
		d.syncLog(min(n, len(d.log.unsynced))) // another Sync may have been quicker
		return nil
	})
}

// DeleteRange truncates and syncs.
func (l diskLog) DeleteRange(least, most uint64) error {
	return l.d.write("a log truncation", func(d *Disk) error {
		err := d.log.write(logWrite{least: least, most: most})
		if !d.lazy {
			d.syncLog(len(d.log.unsynced))
		}
		return err
	})
}
