package simtest

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/hashicorp/raft"
)

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
	saved := k.saved
	return k.d.write("a snapshot", func(d *Disk) error {
		all := append(slices.Clone(d.snapshots), saved)
		slices.SortStableFunc(all, func(a, b *savedSnapshot) int {
			return cmp.Or(cmp.Compare(a.meta.Term, b.meta.Term), cmp.Compare(a.meta.Index, b.meta.Index))
		})
		d.snapshots = all[max(0, len(all)-snapshotsKept):]
		return nil
	})
}
