package storage

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/raft"
)

// snapshotSeqMax bounds the tries for a free name: the same index and term, snapshot after snapshot.
const snapshotSeqMax = 999_999

// sink writes one snapshot into a directory with a temporary name and publishes it in Close. It belongs to one
// goroutine. It is raft's to Close or Cancel; both are safe twice, and the second does nothing.
type sink struct {
	store *snapshotStore
	dir   string // temporary
	meta  snapshotMeta
	f     *os.File
	buf   *bufio.Writer
	dirty int64 // bytes written to f since its last sync
	done  bool
	err   error // that ended it, for Write and a second Close
}

var errSinkDone = errors.New("snapshot sink is closed")

// Create begins a snapshot. Only version 1 is written; trans is not used (it would encode the peers of version 0).
func (s *snapshotStore) Create(version raft.SnapshotVersion, index, term uint64, conf raft.Configuration,
	confIndex uint64, _ raft.Transport,
) (raft.SnapshotSink, error) {
	if version != raft.SnapshotVersionMax {
		return nil, fmt.Errorf("snapshot version %d: only %d is written", version, raft.SnapshotVersionMax)
	}
	k := &sink{store: s}
	k.meta.Raft = raft.SnapshotMeta{
		Version: version, Index: index, Term: term, Configuration: conf.Clone(), ConfigurationIndex: confIndex,
	}
	if err := s.guard.spare(opSnapshotWrite, k.begin); err != nil {
		_ = os.RemoveAll(k.dir) // what begin has made when it failed
		return nil, err
	}
	return k, nil
}

func (k *sink) begin() error {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	m := &k.meta.Raft
	for seq := 0; ; seq++ {
		m.ID = fmt.Sprintf("%020d-%020d-%06d", m.Index, m.Term, seq)
		k.dir = filepath.Join(k.store.dir, m.ID+tmpSuffix)
		if _, err := os.Stat(strings.TrimSuffix(k.dir, tmpSuffix)); err == nil && seq < snapshotSeqMax {
			continue
		}
		err := os.Mkdir(k.dir, 0o700)
		if errors.Is(err, os.ErrExist) && seq < snapshotSeqMax {
			continue
		}
		if err != nil {
			k.dir = "" // whoever made it, it is not ours
			return err
		}
		break
	}
	f, err := os.OpenFile(filepath.Join(k.dir, snapshotStateName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	k.f, k.buf = f, bufio.NewWriterSize(stateWriter{k}, snapshotBufferBytes)
	return nil
}

// stateWriter is beneath the buffer: it sums, counts and syncs.
type stateWriter struct{ k *sink }

func (w stateWriter) Write(p []byte) (int, error) {
	k := w.k
	err := k.store.guard.spare(opSnapshotWrite, func() error {
		if err := k.store.checkRoom(len(p)); err != nil {
			return err
		}
		if _, err := k.f.Write(p); err != nil {
			return err
		}
		k.meta.StateSum = crc32.Update(k.meta.StateSum, castagnoli, p)
		k.meta.Raft.Size += int64(len(p))
		if k.dirty += int64(len(p)); k.dirty < snapshotSyncBytes {
			return nil
		}
		k.dirty = 0
		return k.f.Sync()
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// ID is the name under which Open finds the snapshot after Close.
func (k *sink) ID() string { return k.meta.Raft.ID }

// Write appends to the state.
func (k *sink) Write(p []byte) (int, error) {
	if k.done {
		return 0, errors.Join(errSinkDone, k.err)
	}
	return k.buf.Write(p)
}

// Close makes the snapshot durable and visible, and removes those that are beyond retention. Where there is no room for
// it nothing is left of it, and the directory goes on.
func (k *sink) Close() error {
	if k.done {
		return k.err
	}
	k.done = true
	if k.err = k.buf.Flush(); k.err == nil {
		k.err = k.store.guard.spare(opSnapshotFinish, k.finish)
	}
	if k.err != nil {
		k.discard()
	}
	return k.err
}

func (k *sink) finish() error {
	err := k.f.Sync()
	if err = errors.Join(err, k.f.Close()); err != nil {
		return err
	}
	data, err := seal(snapshotMetaKind, snapshotMetaVersion, &k.meta)
	if err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(k.dir, snapshotMetaName), data); err != nil {
		return err
	}
	if err := syncPath(k.dir); err != nil {
		return err
	}
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	if err := publish(k.dir, strings.TrimSuffix(k.dir, tmpSuffix)); err != nil {
		return err
	}
	return k.store.reapLocked()
}

// Cancel drops the snapshot.
func (k *sink) Cancel() error {
	if k.done {
		return nil
	}
	k.done = true
	return k.discard()
}

// discard removes the temporary directory. What it leaves after an error, the next Open removes.
func (k *sink) discard() error {
	_ = k.f.Close() // closed already where finish got that far
	return os.RemoveAll(k.dir)
}
