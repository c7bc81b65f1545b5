package storage

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
)

func TestSnapshots(t *testing.T) {
	o := testOptions(t.TempDir(), LogWAL)
	d := mustOpen(t, o)
	setTerm(t, d, 4)
	state := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB: above the buffer and the sync step
	snapshot(t, d, 10, 3, []byte("first"))
	snapshot(t, d, 20, 3, nil)
	id := snapshot(t, d, 30, 4, state)
	again := snapshot(t, d, 30, 4, []byte("again"))
	if id == again {
		t.Fatal("two snapshots of one name")
	}
	mustClose(t, d)
	d = mustOpen(t, o)
	list, err := d.Snapshots().List()
	must(t, err)
	if len(list) != 2 || list[0].ID != again || list[1].ID != id {
		t.Fatalf("list %+v", list)
	}
	m := list[1]
	if m.Index != 30 || m.Term != 4 || m.Version != 1 || m.ConfigurationIndex != 1 || m.Size != int64(len(state)) ||
		len(m.Configuration.Servers) != 1 || m.Configuration.Servers[0] != testConf.Servers[0] {
		t.Fatalf("meta %+v", m)
	}
	if got, err := readState(d, id); err != nil || !bytes.Equal(got, state) {
		t.Fatalf("state of %d bytes, %v", len(got), err)
	}
	for _, bad := range []string{"", "../identity", "00000000000000000001-00000000000000000001-000000"} {
		if _, err := readState(d, bad); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := d.Snapshots().Create(0, 1, 1, testConf, 1, nil); err == nil {
		t.Error("version 0 is written")
	}
}

func TestSnapshotCancel(t *testing.T) {
	d := mustOpen(t, testOptions(t.TempDir(), LogWAL))
	k, err := d.Snapshots().Create(1, 5, 1, testConf, 1, nil)
	must(t, err)
	_, err = k.Write([]byte("x"))
	must(t, err)
	must(t, k.Cancel())
	must(t, k.Cancel())
	must(t, k.Close())
	if _, err := k.Write([]byte("x")); err == nil {
		t.Fatal("written after Cancel")
	}
	if got := files(t, filepath.Join(d.Path(), snapshotsName)); len(got) != 0 {
		t.Fatalf("files %v", got)
	}
	must(t, d.Err())
}

func TestDamagedSnapshotFallsBack(t *testing.T) {
	o := testOptions(t.TempDir(), LogWAL)
	d := mustOpen(t, o)
	fill(t, d, 1, 40, 1)
	old := snapshot(t, d, 10, 1, []byte("old"))
	mid := snapshot(t, d, 20, 1, []byte("mid"))
	mustClose(t, d)
	flip := func(id, name string) {
		mutate(t, filepath.Join(o.Path, snapshotsName, id, name), func(b []byte) []byte {
			b[len(b)/2] ^= 1
			return b
		})
	}
	flip(mid, snapshotStateName)
	d = mustOpen(t, o) // the log still has what the newer one covered
	list, err := d.Snapshots().List()
	must(t, err)
	if len(list) != 1 || list[0].ID != old {
		t.Fatalf("list %+v", list)
	}
	bad := d.Damaged()
	if len(bad) != 1 || bad[0].ID != mid || !errors.Is(bad[0].Err, ErrDamaged) {
		t.Fatalf("damaged %+v", bad)
	}
	_, err = readState(d, mid)
	wantIs(t, err, ErrDamaged)

	// Damaged ones go once enough good ones are newer.
	next := snapshot(t, d, 30, 1, []byte("next"))
	if len(d.Damaged()) != 1 {
		t.Fatal("the damaged one is gone, and with it what it could tell")
	}
	snapshot(t, d, 35, 1, []byte("last"))
	if len(d.Damaged()) != 0 {
		t.Fatalf("damaged %+v", d.Damaged())
	}
	flip(next, snapshotMetaName)
	if list, err := d.Snapshots().List(); err != nil || len(list) != 1 {
		t.Fatalf("list %+v, %v", list, err)
	}
	must(t, d.Err())
}

func TestSnapshotOfNewerVersion(t *testing.T) {
	o := testOptions(t.TempDir(), LogWAL)
	d := mustOpen(t, o)
	setTerm(t, d, 1)
	id := snapshot(t, d, 1, 1, []byte("x"))
	path := filepath.Join(o.Path, snapshotsName, id, snapshotMetaName)
	must(t, writeSealed(path, snapshotMetaKind, snapshotMetaVersion+1, &snapshotMeta{Raft: raft.SnapshotMeta{ID: id}}))
	if list, err := d.Snapshots().List(); err != nil || len(list) != 0 {
		t.Fatalf("list %+v, %v", list, err)
	}
	wantIs(t, d.Damaged()[0].Err, ErrVersion)
	must(t, os.RemoveAll(filepath.Dir(path)))
}

func FuzzUnseal(f *testing.F) {
	b, err := seal(identityKind, identityVersion, &Identity{NodeID: "n1"})
	must(f, err)
	f.Add(b)
	f.Add([]byte("redoubt identity 1 00000000\n{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var id Identity
		if unseal(b, identityKind, identityVersion, &id) != nil {
			return
		}
		if _, err := seal(identityKind, identityVersion, &id); err != nil {
			t.Fatal(err)
		}
	})
}
