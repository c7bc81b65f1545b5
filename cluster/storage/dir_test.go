package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReopen(t *testing.T) {
	forKinds(t, func(t *testing.T, kind string) {
		o := testOptions(filepath.Join(t.TempDir(), "a", "data"), kind)
		d := mustOpen(t, o)
		id := d.Identity()
		if id.HasState || len(id.Instance) != 32 || id.NodeID != "n1" {
			t.Fatalf("identity %+v", id)
		}
		fill(t, d, 1, 120, 3)
		must(t, d.SetClusterID("c1"))
		must(t, d.SetClusterID("c1"))
		wantIs(t, d.SetClusterID("c2"), ErrClusterIDChanged)
		mustClose(t, d)
		mustClose(t, d)
		wantIs(t, d.Log().StoreLog(entry(121, 3)), ErrClosed)
		wantIs(t, d.Log().GetLog(1, entry(0, 0)), ErrClosed)
		wantIs(t, d.Stable().Set([]byte("k"), nil), ErrClosed)

		o.NodeID = "" // takes what is there
		d = mustOpen(t, o)
		wantEntries(t, d, 1, 120, 3)
		id.ClusterID, id.HasState = "c1", true
		if got := d.Identity(); got != id {
			t.Fatalf("identity %+v, want %+v", got, id)
		}
		st, err := d.LogStats()
		must(t, err)
		if st.FirstIndex != 1 || st.LastIndex != 120 || st.DiskBytes < 100<<10 {
			t.Fatalf("stats %+v", st)
		}
		if n, err := d.FreeBytes(); err != nil || n == 0 {
			t.Fatalf("free %d, %v", n, err)
		}
	})
}

func TestLock(t *testing.T) {
	o := testOptions(t.TempDir(), LogWAL)
	d := mustOpen(t, o)
	if err := wantRefused(t, o, ErrLocked); !strings.Contains(err.Error(), "pid ") || strings.Contains(err.Error(), "unknown") {
		t.Fatalf("no pid in %v", err)
	}
	mustClose(t, d)
	mustClose(t, mustOpen(t, o))
}

func TestIdentityErrors(t *testing.T) {
	o := testOptions(filepath.Join(t.TempDir(), "d"), LogWAL)
	fresh := o
	fresh.NodeID = ""
	if _, err := Open(fresh); err == nil {
		t.Fatal("a new directory without a node id was made")
	}
	must(t, os.RemoveAll(o.Path))
	mustClose(t, mustOpen(t, o))

	other := o
	other.NodeID = "n2"
	if err := wantRefused(t, other, ErrNodeIDChanged); !strings.Contains(err.Error(), `"n1"`) || !strings.Contains(err.Error(), `"n2"`) {
		t.Fatalf("ids are not named: %v", err)
	}
	other = o
	other.LogStore = LogBoltDB
	wantRefused(t, other, ErrLogStoreChanged)

	path := filepath.Join(o.Path, identityName)
	must(t, writeSealed(path, identityKind, identityVersion+1, &Identity{NodeID: "n1"}))
	wantRefused(t, o, ErrVersion)
	must(t, os.WriteFile(path, nil, 0o600))
	if err := wantRefused(t, o, ErrDamaged); !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), rejoin) {
		t.Fatalf("no file or cure in %v", err)
	}
	must(t, os.Remove(path))
	wantRefused(t, o, ErrForeign)
}

func TestForeignLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "photo.jpg"), []byte("x"), 0o600))
	wantRefused(t, testOptions(dir, LogWAL), ErrForeign)
	if got := files(t, dir); len(got) != 1 {
		t.Fatalf("files %v", got)
	}
}

func TestOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"path":      func(o *Options) { o.Path = "" },
		"node id":   func(o *Options) { o.NodeID = strings.Repeat("x", nodeIDBytesMax+1) },
		"log store": func(o *Options) { o.LogStore = "paper" },
		"fsync":     func(o *Options) { o.Fsync = 9 },
		"retain":    func(o *Options) { o.SnapshotsRetain = snapshotsRetainMax + 1 },
		"stall":     func(o *Options) { o.StallLimit = -1 },
	} {
		o := testOptions(filepath.Join(t.TempDir(), "d"), LogWAL)
		change(&o)
		if d, err := Open(o); err == nil {
			_ = d.Close()
			t.Errorf("%s: accepted", name)
		}
	}
	o := testOptions(filepath.Join(t.TempDir(), "d"), LogBoltDB)
	o.Fsync = FsyncEverySec
	wantRefused(t, o, ErrFsyncMode)
	for _, s := range []string{"always", "everysec", "no"} {
		if m, err := ParseFsyncMode(s); err != nil || m.String() != s {
			t.Errorf("%s: %v, %v", s, m, err)
		}
	}
	if _, err := ParseFsyncMode("sometimes"); err == nil {
		t.Error("sometimes: accepted")
	}
}

// A node that has acted never starts with any of its files lost or emptied.
func TestLostFiles(t *testing.T) {
	forKinds(t, func(t *testing.T, kind string) {
		src := testOptions(filepath.Join(t.TempDir(), "d"), kind)
		d := mustOpen(t, src)
		fill(t, d, 1, 60, 2)
		mustClose(t, d)

		lost := []string{stableName, markName, logName}
		if kind == LogWAL {
			lost = append(lost, filepath.Join(logName, walMetaName))
		} else {
			lost = append(lost, filepath.Join(logName, logBoltName))
		}
		for _, name := range lost {
			o := src
			o.Path = copyTree(t, src.Path)
			must(t, os.RemoveAll(filepath.Join(o.Path, name)))
			wantRefused(t, o, ErrDamaged)
		}

		// A store of a directory that was never used, in place of the one with state: a lying fsync.
		empty := testOptions(filepath.Join(t.TempDir(), "e"), kind)
		mustClose(t, mustOpen(t, empty))
		for _, name := range []string{stableName, logName} {
			o := src
			o.Path = copyTree(t, src.Path)
			must(t, os.RemoveAll(filepath.Join(o.Path, name)))
			if name == logName {
				must(t, os.CopyFS(filepath.Join(o.Path, name), os.DirFS(filepath.Join(empty.Path, name))))
			} else {
				b, err := os.ReadFile(filepath.Join(empty.Path, name))
				must(t, err)
				must(t, os.WriteFile(filepath.Join(o.Path, name), b, 0o600))
			}
			wantRefused(t, o, ErrDamaged)
		}
	})
}

// An older stable store, whole in itself, is behind the log.
func TestStableWentBack(t *testing.T) {
	o := testOptions(filepath.Join(t.TempDir(), "d"), LogWAL)
	d := mustOpen(t, o)
	fill(t, d, 1, 5, 1)
	old, err := os.ReadFile(filepath.Join(o.Path, stableName))
	must(t, err)
	fill(t, d, 6, 10, 2)
	mustClose(t, d)
	must(t, os.WriteFile(filepath.Join(o.Path, stableName), old, 0o600))
	wantRefused(t, o, ErrDamaged)
}

// A crash between the first term and the flag, and one before it, are both harmless.
func TestStateFlagCrashPoints(t *testing.T) {
	o := testOptions(filepath.Join(t.TempDir(), "d"), LogWAL)
	d := mustOpen(t, o)
	setTerm(t, d, 0)
	if d.Identity().HasState {
		t.Fatal("term 0 counts as state")
	}
	before, err := os.ReadFile(filepath.Join(o.Path, identityName))
	must(t, err)
	setTerm(t, d, 1)
	if !d.Identity().HasState {
		t.Fatal("term 1 is no state")
	}
	mustClose(t, d)
	must(t, os.WriteFile(filepath.Join(o.Path, identityName), before, 0o600))
	d = mustOpen(t, o)
	if !d.Identity().HasState {
		t.Fatal("the flag was not set at open")
	}
}

func TestCrashLeftovers(t *testing.T) {
	forKinds(t, func(t *testing.T, kind string) {
		o := testOptions(filepath.Join(t.TempDir(), "d"), kind)
		// The making of the directory cut short: before the identity's rename, and before each store's.
		must(t, os.MkdirAll(o.Path, 0o700))
		must(t, os.WriteFile(filepath.Join(o.Path, identityName+tmpSuffix), []byte("half"), 0o600))
		must(t, os.WriteFile(filepath.Join(o.Path, lockName), []byte("1\n"), 0o600))
		d := mustOpen(t, o)
		mustClose(t, d)
		for _, name := range []string{stableName, markName, logName} {
			must(t, os.RemoveAll(filepath.Join(o.Path, name)))
			must(t, os.WriteFile(filepath.Join(o.Path, "x"+tmpSuffix), []byte("half"), 0o600))
			must(t, os.Mkdir(filepath.Join(o.Path, snapshotsName, "x"+tmpSuffix), 0o700))
			mustClose(t, mustOpen(t, o))
		}
		for _, p := range files(t, o.Path) {
			if strings.HasSuffix(p, tmpSuffix) {
				t.Errorf("left over: %s", p)
			}
		}
		if _, err := os.Stat(filepath.Join(o.Path, snapshotsName, "x"+tmpSuffix)); !errors.Is(err, fs.ErrNotExist) {
			t.Error("a temporary snapshot is left over")
		}
	})
}
