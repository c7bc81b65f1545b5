package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

const (
	logName     = "log"
	logBoltName = "log.db"
)

// Dir is an open data directory. Its methods may be called from any goroutine.
type Dir struct {
	opts   Options
	guard  *guard
	lock   *os.File
	stable *stableStore
	log    *logStore
	snaps  *snapshotStore

	idMu sync.Mutex // guards id and orders its writes; taken after stableStore.mu
	id   Identity

	stop      chan struct{} // closed by Close: ends the sync goroutine
	stopped   chan struct{} // closed by the sync goroutine
	closeOnce sync.Once
	closeErr  error
}

// Open opens or makes a data directory, verifies it, and starts its one goroutine. Errors wrap the sentinels of this
// package, or are those of the file system (a full disk is syscall.ENOSPC).
func Open(opts Options) (*Dir, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	guard := newGuard(opts)
	defer guard.opening.watch(opts.Logger, opts.openTick)()
	guard.opening.at(opts.Path)
	if err := makeDir(opts.Path); err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	if err := checkForeign(opts.Path); err != nil {
		return nil, err
	}
	guard.opening.at(filepath.Join(opts.Path, lockName))
	lock, err := takeLock(opts.Path)
	if err != nil {
		return nil, err
	}
	d := &Dir{opts: opts, guard: guard, lock: lock, stop: make(chan struct{}), stopped: make(chan struct{})}
	if err := d.open(); err != nil {
		d.guard.closed.Store(true)
		return nil, errors.Join(fmt.Errorf("open data directory %s: %w", opts.Path, err), d.release(true))
	}
	d.guard.opened.Store(true)
	go d.runSync()
	return d, nil
}

// makeDir makes the directory and makes its name durable.
func makeDir(path string) error {
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	err := syncPath(filepath.Dir(filepath.Clean(path)))
	if errors.Is(err, fs.ErrPermission) {
		return nil // a parent that we may enter but not read: its name will be durable in a while
	}
	return err
}

// open fills d in. What it has set when it fails, release closes.
func (d *Dir) open() error {
	d.guard.opening.at(d.opts.Path)
	if err := removeTemporary(d.opts.Path); err != nil {
		return err
	}
	d.guard.opening.at(filepath.Join(d.opts.Path, identityName))
	var err error
	if d.id, err = loadIdentity(d.opts); err != nil {
		return err
	}
	var snap snapshotPoint
	if d.snaps, snap, err = openSnapshots(d.opts, d.guard); err != nil {
		return err
	}
	if err := d.openStable(snap); err != nil {
		return err
	}
	if err := d.openLog(snap); err != nil {
		return err
	}
	d.guard.opening.at(d.opts.Path)
	if err := syncPath(d.opts.Path); err != nil {
		return err
	}
	return d.guard.failure() // of raft-wal's that it only logged
}

// removeTemporary removes files whose atomic write a crash cut short.
func removeTemporary(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), tmpSuffix) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// mustExist holds once the node has state: its files were all made before that, so one that is missing was lost, and the
// libraries would start it anew, empty.
func (d *Dir) mustExist(path string) error {
	if !d.id.HasState {
		return nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return damagedf(path, "is missing")
	} else if err != nil {
		return err
	}
	return nil
}

func (d *Dir) openStable(snap snapshotPoint) error {
	path := filepath.Join(d.opts.Path, stableName)
	d.guard.opening.at(path)
	if err := d.mustExist(path); err != nil {
		return err
	}
	s, err := openStable(d.opts.Path, d.guard)
	if err != nil {
		return err
	}
	s.onState, d.stable = d.markState, s
	term := s.term()
	if d.id.HasState && term == 0 {
		return damagedf(path, "is empty, but node %q has voted or stored entries with it", d.id.NodeID)
	}
	if snap.term > term {
		return damagedf(path, "holds term %d, but a snapshot is of term %d", term, snap.term)
	}
	// The term is there and the flag is not: a crash came between the two writes.
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.markLocked()
}

func (d *Dir) openLog(snap snapshotPoint) error {
	dir := filepath.Join(d.opts.Path, logName)
	table := walMetaName
	if d.opts.LogStore == LogBoltDB {
		table = logBoltName
	}
	markPath := filepath.Join(d.opts.Path, markName)
	d.guard.opening.at(markPath)
	for _, path := range []string{markPath, filepath.Join(dir, table)} {
		if err := d.mustExist(path); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := removeTemporary(dir); err != nil {
		return err
	}
	s := &logStore{guard: d.guard, place: dir, weak: d.opts.Fsync != FsyncAlways, flush: func() error { return nil }}
	var err error
	if s.mark, err = openMark(markPath); err != nil {
		return err
	}
	d.guard.opening.at(dir)
	if err := d.openRawLog(s, dir); err != nil {
		return errors.Join(err, s.mark.close())
	}
	if d.opts.WrapLog != nil {
		s.raw = d.opts.WrapLog(s.raw)
	}
	d.log = s
	return d.settleLog(snap)
}

// settleLog verifies the log and states in the mark how far it reaches and how this run writes.
func (d *Dir) settleLog(snap snapshotPoint) error {
	s := d.log
	if err := checkLog(s, snap, d.stable.term(), d.opts.Logger); err != nil {
		return err
	}
	last, err := s.raw.LastIndex()
	if err != nil {
		return err
	}
	if s.weak {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = last
	return s.mark.reset(last, s.weak)
}

func (d *Dir) openRawLog(s *logStore, dir string) error {
	if d.opts.LogStore == LogBoltDB {
		s.place = filepath.Join(dir, logBoltName)
		b, err := openBolt(s.place, bbolt.Options{FreelistType: bbolt.FreelistMapType}, true)
		if err != nil {
			return err
		}
		s.raw, s.closeRaw = b, b.Close
		return nil
	}
	if err := syncTree(dir); err != nil {
		return err
	}
	slot, _ := s.mark.get()
	if err := settleTail(dir, slot.index, d.opts.segmentBytes, d.opts.Logger); err != nil {
		return err
	}
	w, files, err := openWAL(dir, d.opts, d.guard)
	if err != nil {
		return err
	}
	s.raw, s.closeRaw, s.flush, s.monotonic = w, w.Close, files.flush, true
	return nil
}

// runSync is the directory's goroutine: once a second it syncs lazy appends and the mark.
func (d *Dir) runSync() {
	defer close(d.stopped)
	t := time.NewTicker(syncInterval)
	defer t.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-t.C:
			d.syncTick()
		}
	}
}

// syncTick does the work of one second. FsyncNo leaves it to the operating system.
func (d *Dir) syncTick() {
	if d.opts.Fsync != FsyncNo {
		_ = d.guard.write(opLogSync, d.log.syncTick) // the guard keeps the error
	}
}

// Log is raft's log store. It implements raft.MonotonicLogStore.
func (d *Dir) Log() raft.LogStore { return d.log }

// Stable is raft's stable store.
func (d *Dir) Stable() raft.StableStore { return d.stable }

// Snapshots is raft's snapshot store.
func (d *Dir) Snapshots() raft.SnapshotStore { return d.snaps }

// Damaged lists the snapshots that are passed over, newest first.
func (d *Dir) Damaged() []DamagedSnapshot { return d.snaps.damaged() }

// Path is the directory.
func (d *Dir) Path() string { return d.opts.Path }

// Err is the failure of the directory, which wraps ErrFailed, or nil.
func (d *Dir) Err() error { return d.guard.failure() }

// Stalled returns the oldest write that is under way, its age, and whether that has reached Options.StallLimit. It takes
// no lock and touches no disk: poll it.
func (d *Dir) Stalled() (op string, since time.Duration, ok bool) { return d.guard.stalled() }

// LogStats is the size of the log.
type LogStats struct {
	FirstIndex, LastIndex uint64 // 0, 0: empty
	DiskBytes             int64  // allocated, preallocation included
}

// LogStats reads the bounds and the directory of the log.
func (d *Dir) LogStats() (LogStats, error) {
	first, err := d.log.FirstIndex()
	if err != nil {
		return LogStats{}, err
	}
	last, err := d.log.LastIndex()
	if err != nil {
		return LogStats{}, err
	}
	n, err := diskBytes(filepath.Join(d.opts.Path, logName))
	return LogStats{FirstIndex: first, LastIndex: last, DiskBytes: n}, err
}

func diskBytes(dir string) (int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var n int64
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // a segment deleted meanwhile
		}
		if err != nil {
			return 0, err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			n += st.Blocks * 512
		}
	}
	return n, nil
}

// FreeBytes is the space on the directory's file system that this process may use.
func (d *Dir) FreeBytes() (uint64, error) { return FreeBytes(d.opts.Path) }

// FreeBytes is the space that this process may use on the file system of a path, or where nothing is there, of the
// directory that it would be made in.
func FreeBytes(path string) (uint64, error) {
	var st syscall.Statfs_t
	err := syscall.Statfs(path, &st)
	for p := filepath.Clean(path); errors.Is(err, fs.ErrNotExist) && p != filepath.Dir(p); {
		p = filepath.Dir(p)
		err = syscall.Statfs(p, &st)
	}
	if err != nil {
		return 0, fmt.Errorf("free space of %s: %w", path, err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// Close syncs what is not yet durable, unless the directory has failed, and releases everything. Close again returns the
// same.
func (d *Dir) Close() error {
	d.closeOnce.Do(func() {
		close(d.stop)
		<-d.stopped
		failed := d.guard.failure() != nil
		d.guard.closed.Store(true)
		d.closeErr = d.release(failed)
	})
	return d.closeErr
}

// release closes what is open, the lock last.
func (d *Dir) release(failed bool) error {
	var err error
	if d.log != nil {
		err = errors.Join(err, d.log.close(failed))
	}
	if d.stable != nil {
		err = errors.Join(err, d.stable.close())
	}
	return errors.Join(err, d.lock.Close())
}
