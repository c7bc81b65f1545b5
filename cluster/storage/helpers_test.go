package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var kinds = []string{LogWAL, LogBoltDB}

func forKinds(t *testing.T, fn func(t *testing.T, kind string)) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) { fn(t, kind) })
	}
}

func testOptions(path, kind string) Options {
	return Options{
		Path: path, NodeID: "n1", LogStore: kind, Logger: slog.New(slog.DiscardHandler), segmentBytes: 64 << 10,
	}
}

func mustOpen(t testing.TB, o Options) *Dir {
	t.Helper()
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func mustClose(t testing.TB, d *Dir) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantIs(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got error %v, want %v", err, target)
	}
}

// wantRefused opens and wants an error of a kind.
func wantRefused(t testing.TB, o Options, target error) error {
	t.Helper()
	d, err := Open(o)
	if err == nil {
		_ = d.Close()
		t.Fatalf("opened, want %v", target)
	}
	wantIs(t, err, target)
	return err
}

func setTerm(t testing.TB, d *Dir, term uint64) {
	t.Helper()
	must(t, d.Stable().SetUint64([]byte(keyCurrentTerm), term))
}

var entries sync.Map // [2]uint64 to []byte

// entry is the same for the same index and term: its size goes up and down.
func entry(index, term uint64) *raft.Log {
	data, ok := entries.Load([2]uint64{index, term})
	if !ok {
		r := rand.New(rand.NewPCG(index, term))
		b := make([]byte, r.IntN(3000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		data, _ = entries.LoadOrStore([2]uint64{index, term}, b)
	}
	return &raft.Log{Index: index, Term: term, Type: raft.LogCommand, Data: data.([]byte)}
}

// fill stores the entries from lo to hi of one term in batches of up to five.
func fill(t testing.TB, d *Dir, lo, hi, term uint64) {
	t.Helper()
	setTerm(t, d, term)
	for lo <= hi {
		var batch []*raft.Log
		for ; lo <= hi && len(batch) < 5; lo++ {
			batch = append(batch, entry(lo, term))
		}
		must(t, d.Log().StoreLogs(batch))
	}
}

// same says how an entry read back differs from the one stored.
func same(got *raft.Log, want *raft.Log) error {
	if got.Index != want.Index || got.Term != want.Term || got.Type != want.Type ||
		!bytes.Equal(got.Data, want.Data) || !bytes.Equal(got.Extensions, want.Extensions) {
		return fmt.Errorf("entry %d: other content was served", want.Index)
	}
	return nil
}

func wantEntries(t testing.TB, d *Dir, lo, hi, term uint64) {
	t.Helper()
	first, err := d.Log().FirstIndex()
	must(t, err)
	last, err := d.Log().LastIndex()
	must(t, err)
	if first != lo || last != hi {
		t.Fatalf("log from %d to %d, want %d to %d", first, last, lo, hi)
	}
	for i := lo; i <= hi && i > 0; i++ {
		var l raft.Log
		must(t, d.Log().GetLog(i, &l))
		must(t, same(&l, entry(i, term)))
	}
}

var testConf = raft.Configuration{Servers: []raft.Server{{ID: "n1", Address: "127.0.0.1:1"}}}

func snapshot(t testing.TB, d *Dir, index, term uint64, state []byte) string {
	t.Helper()
	k, err := d.Snapshots().Create(1, index, term, testConf, 1, nil)
	must(t, err)
	_, err = k.Write(state)
	must(t, err)
	must(t, k.Close())
	must(t, k.Close())
	return k.ID()
}

func readState(d *Dir, id string) ([]byte, error) {
	_, r, err := d.Snapshots().Open(id)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// copyTree copies a directory as a killed process leaves it.
func copyTree(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(to, os.DirFS(from)))
	return to
}

// memoryDir is on a file system where syncs cost nothing, if there is one: for tests that open hundreds of times.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "storage-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// files lists the regular files below a directory.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			out = append(out, p)
		}
		return err
	}))
	return out
}

func mutate(t testing.TB, path string, fn func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, fn(b), 0o600))
}

func mkdirAt(t testing.TB, d *Dir, parts ...string) {
	t.Helper()
	must(t, os.Mkdir(filepath.Join(append([]string{d.Path()}, parts...)...), 0o700))
}
