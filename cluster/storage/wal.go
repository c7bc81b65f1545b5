package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	wal "github.com/hashicorp/raft-wal"
	walfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

const (
	walMetaName    = "meta"
	walMetaKind    = "log-segments"
	walMetaVersion = 1
)

// openWAL opens raft-wal over our file layer and our table of segments. It panics on some damage: that is ErrDamaged.
func openWAL(dir string, o Options, g *guard) (w *wal.WAL, files *walFiles, err error) {
	fsys := types.VFS(walfs.New())
	if o.walFS != nil {
		fsys = o.walFS(fsys)
	}
	files = &walFiles{
		VFS: fsys, dir: dir, guard: g, segmentBytes: int64(o.segmentBytes), lazy: o.Fsync != FsyncAlways, dirty: make(map[*walFile]struct{}),
	}
	err = contain(func() error {
		w, err = wal.Open(dir,
			wal.WithSegmentSize(o.segmentBytes),
			wal.WithSegmentFiler(segment.NewFiler(dir, files)),
			wal.WithMetaStore(&walMeta{files: files}),
			wal.WithLogger(hclog.New(&hclog.LoggerOptions{
				Name: "wal", Level: hclog.Warn, DisableTime: true, Output: slogWriter{o.Logger},
			})))
		return err
	})
	if err != nil {
		return nil, nil, classify(dir, err)
	}
	return w, files, nil
}

// slogWriter passes raft-wal's few lines on.
type slogWriter struct{ logger *slog.Logger }

func (w slogWriter) Write(p []byte) (int, error) {
	w.logger.Warn(strings.TrimSpace(string(p)))
	return len(p), nil
}

// walFiles is raft-wal's file system. It fails the guard at the first error, since raft-wal only logs those of its
// background rotation, and, where lazy, turns the sync of each append into one a second.
type walFiles struct {
	types.VFS
	dir          string
	guard        *guard
	segmentBytes int64
	lazy         bool

	mu    sync.Mutex // guards dirty
	dirty map[*walFile]struct{}
}

// walFile is a segment open for writing.
type walFile struct {
	types.WritableFile
	files *walFiles

	zeroed int64 // up to here the file has been written; the one who appends owns it

	mu     sync.Mutex // orders syncs and Close
	closed bool
}

func (v *walFiles) check(o op, err error) error {
	if err != nil {
		return v.guard.fail(o, err)
	}
	return nil
}

// Create makes a segment.
func (v *walFiles) Create(dir, name string, size uint64) (types.WritableFile, error) {
	f, err := v.VFS.Create(dir, name, size)
	if err != nil {
		return nil, v.check(opLogMeta, err)
	}
	return &walFile{WritableFile: f, files: v}, nil
}

// OpenWriter opens the last segment again.
func (v *walFiles) OpenWriter(dir, name string) (types.WritableFile, error) {
	f, err := v.VFS.OpenWriter(dir, name)
	if err != nil {
		return nil, err // raft-wal makes a missing one anew
	}
	return &walFile{WritableFile: f, files: v}, nil
}

// Delete removes a segment that is no longer part of the log.
func (v *walFiles) Delete(dir, name string) error {
	if err := v.VFS.Delete(dir, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return v.check(opLogTruncate, err)
	}
	return nil
}

// flush syncs every file with unsynced appends.
func (v *walFiles) flush() error {
	v.mu.Lock()
	files := v.dirty
	v.dirty = make(map[*walFile]struct{})
	v.mu.Unlock()
	for f := range files {
		if err := f.syncNow(); err != nil {
			return err
		}
	}
	return nil
}

// WriteAt is called by raft-wal once an append, and always behind what was written before.
func (f *walFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.WritableFile.WriteAt(p, off)
	if err == nil {
		err = f.zeroAhead(len(p), off+int64(len(p)))
	}
	return n, f.files.check(opLogAppend, err)
}

// The first write to a preallocated part of a file changes the file system's own records, so that the sync behind it takes
// about half as long again as one behind a write to a part that was written before, and costs twice the CPU time
// (docs/adr/0003). So zeros go ahead of small appends, which leaves the file as it reads. Large ones would gain little and
// pay for each byte twice.
const (
	zeroAheadBytes   = 256 << 10 // written at once
	smallAppendBytes = 16 << 10
)

var aheadOfAppends = make([]byte, zeroAheadBytes)

// zeroAhead is called behind an append of n bytes that ends at end.
func (f *walFile) zeroAhead(n int, end int64) error {
	if n > smallAppendBytes || end+smallAppendBytes <= f.zeroed {
		f.zeroed = max(f.zeroed, end)
		return nil
	}
	from := max(f.zeroed, end)
	to := min(from+zeroAheadBytes, f.files.segmentBytes)
	if from >= to {
		return nil
	}
	_, err := f.WritableFile.WriteAt(aheadOfAppends[:to-from], from)
	f.zeroed = to
	return err
}

// Sync is called by raft-wal once an append.
func (f *walFile) Sync() error {
	if !f.files.lazy {
		return f.files.check(opLogSync, f.WritableFile.Sync())
	}
	f.files.mu.Lock()
	f.files.dirty[f] = struct{}{}
	f.files.mu.Unlock()
	return nil
}

func (f *walFile) syncNow() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil // Close has synced it
	}
	return f.files.check(opLogSync, f.WritableFile.Sync())
}

func (f *walFile) Close() error {
	f.files.mu.Lock()
	_, dirty := f.files.dirty[f]
	delete(f.files.dirty, f)
	f.files.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	var err error
	if dirty {
		err = f.files.check(opLogSync, f.WritableFile.Sync())
	}
	return errors.Join(err, f.WritableFile.Close())
}

// walMeta is raft-wal's table of segments: a sealed file instead of its bbolt database, whose pages have no checksum and
// which opens empty after a lost write. It also keeps the table from running ahead of unsynced segments.
type walMeta struct{ files *walFiles }

func (m *walMeta) path() string { return filepath.Join(m.files.dir, walMetaName) }

// Load reads the table. A missing one is a new log: Dir has made sure that it is missed by nobody.
func (m *walMeta) Load(string) (types.PersistentState, error) {
	var s types.PersistentState
	err := readSealed(m.path(), walMetaKind, walMetaVersion, &s)
	if errors.Is(err, fs.ErrNotExist) {
		return types.PersistentState{}, nil
	}
	return s, err
}

// CommitState replaces the table.
func (m *walMeta) CommitState(s types.PersistentState) error {
	if err := m.files.guard.failure(); err != nil {
		return err // a rotation in the background must not go on after a failure
	}
	if err := m.files.flush(); err != nil {
		return err
	}
	return m.files.check(opLogMeta, writeSealed(m.path(), walMetaKind, walMetaVersion, &s))
}

var errWALStable = errors.New("the log store holds no stable values")

// GetStable is not offered: the stable store is a file of its own.
func (m *walMeta) GetStable([]byte) ([]byte, error) { return nil, errWALStable }

// SetStable is not offered.
func (m *walMeta) SetStable(_, _ []byte) error { return errWALStable }

// Close has nothing to do.
func (m *walMeta) Close() error { return nil }

// syncTree forces the files of a directory, and it, to disk. What a killed process wrote and did not sync is read back
// from the page cache as if it were durable, and raft acknowledges on that; so Open makes it true first.
func syncTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if err := syncPath(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("sync %s: %w", e.Name(), err)
		}
	}
	return syncPath(dir)
}
