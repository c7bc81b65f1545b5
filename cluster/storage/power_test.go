package storage

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/types"
)

// powerFS remembers what has been written to the log's files and not synced.
type powerFS struct {
	types.VFS
	mu    sync.Mutex
	loose map[string][]span // by name
}

// span is a part of a file.
type span struct {
	off int64
	n   int
}

type powerFile struct {
	types.WritableFile
	fs   *powerFS
	name string
}

func (p *powerFS) Create(dir, name string, size uint64) (types.WritableFile, error) {
	return p.wrap(name)(p.VFS.Create(dir, name, size))
}

func (p *powerFS) OpenWriter(dir, name string) (types.WritableFile, error) {
	return p.wrap(name)(p.VFS.OpenWriter(dir, name))
}

func (p *powerFS) wrap(name string) func(types.WritableFile, error) (types.WritableFile, error) {
	return func(f types.WritableFile, err error) (types.WritableFile, error) {
		if err != nil {
			return nil, err
		}
		return &powerFile{f, p, name}, nil
	}
}

func (f *powerFile) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.loose[f.name] = append(f.fs.loose[f.name], span{off, len(b)})
	return f.WritableFile.WriteAt(b, off)
}

func (f *powerFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	delete(f.fs.loose, f.name)
	return f.WritableFile.Sync()
}

// cut copies a directory as a power cut would leave it: what was not synced is zeros, as it was when the file was made.
func (p *powerFS) cut(t *testing.T, d *Dir) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	to := copyTree(t, d.Path())
	for name, spans := range p.loose {
		f, err := os.OpenFile(filepath.Join(to, logName, name), os.O_WRONLY, 0)
		must(t, err)
		for _, s := range spans {
			_, err = f.WriteAt(make([]byte, s.n), s.off)
			must(t, err)
		}
		must(t, f.Close())
	}
	return to
}

func openPowered(t *testing.T, path string, mode FsyncMode) (*Dir, *powerFS) {
	t.Helper()
	p := &powerFS{loose: map[string][]span{}}
	o := testOptions(path, LogWAL)
	o.Fsync = mode
	o.walFS = func(fs types.VFS) types.VFS {
		p.VFS = fs
		return p
	}
	return mustOpen(t, o), p
}

func configuration(index uint64, servers ...raft.ServerID) *raft.Log {
	var c raft.Configuration
	for _, id := range servers {
		c.Servers = append(c.Servers, raft.Server{ID: id, Address: raft.ServerAddress(id)})
	}
	return &raft.Log{Index: index, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(c)}
}

// TestMembershipOutlivesPower: a power cut takes entries that were not synced, as the weak modes allow, but none that says
// who belongs to the cluster, and none before it; nor term and vote.
func TestMembershipOutlivesPower(t *testing.T) {
	for _, mode := range []FsyncMode{FsyncNo, FsyncEverySec} {
		t.Run(mode.String(), func(t *testing.T) {
			d, power := openPowered(t, t.TempDir(), mode)
			setTerm(t, d, 1)
			must(t, d.Log().StoreLog(configuration(1, "n1")))
			must(t, d.Log().StoreLogs([]*raft.Log{entry(2, 1), entry(3, 1)}))
			batch := []*raft.Log{entry(4, 1), configuration(5, "n1", "n2"), entry(6, 1)}
			must(t, d.Log().StoreLogs(batch))
			must(t, d.Log().StoreLogs([]*raft.Log{entry(7, 1), entry(8, 1)}))
			must(t, d.Stable().Set([]byte(keyLastVoteTerm), []byte("12345678")))
			must(t, d.Stable().Set([]byte(keyLastVoteCand), []byte("n1")))

			o := testOptions(power.cut(t, d), LogWAL)
			o.Fsync = mode
			back := mustOpen(t, o)
			last, err := back.Log().LastIndex()
			must(t, err)
			if last < 6 || mode == FsyncNo && last != 6 {
				t.Errorf("the log ends at %d", last)
			}
			for _, want := range []*raft.Log{configuration(1, "n1"), entry(2, 1), batch[0], batch[1], batch[2]} {
				var got raft.Log
				must(t, back.Log().GetLog(want.Index, &got))
				must(t, same(&got, want))
			}
			if vote, err := back.Stable().Get([]byte(keyLastVoteCand)); err != nil || !bytes.Equal(vote, []byte("n1")) {
				t.Errorf("the vote is %q, %v", vote, err)
			}
		})
	}
}

// TestPowerCutAfterBootstrap: the first entry of a cluster is its configuration.
func TestPowerCutAfterBootstrap(t *testing.T) {
	d, power := openPowered(t, t.TempDir(), FsyncNo)
	setTerm(t, d, 1)
	must(t, d.Log().StoreLog(configuration(1, "n1")))
	o := testOptions(power.cut(t, d), LogWAL)
	back := mustOpen(t, o)
	if has, err := raft.HasExistingState(back.Log(), back.Stable(), back.Snapshots()); err != nil || !has {
		t.Fatalf("state: %v, %v", has, err)
	}
	var l raft.Log
	must(t, back.Log().GetLog(1, &l))
	must(t, same(&l, configuration(1, "n1")))
}
