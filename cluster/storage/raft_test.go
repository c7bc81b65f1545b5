package storage

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// listFSM keeps what it is given.
type listFSM struct {
	mu   sync.Mutex
	data []byte
}

func (f *listFSM) Apply(l *raft.Log) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data = append(f.data, l.Data...)
	return nil
}

func (f *listFSM) Snapshot() (raft.FSMSnapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return listSnapshot(bytes.Clone(f.data)), nil
}

func (f *listFSM) Restore(r io.ReadCloser) error {
	defer r.Close()
	b, err := io.ReadAll(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data = b
	return err
}

func (f *listFSM) content() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.data)
}

type listSnapshot []byte

func (s listSnapshot) Persist(k raft.SnapshotSink) error {
	if _, err := k.Write(s); err != nil {
		return err
	}
	return k.Close()
}

func (s listSnapshot) Release() {}

// startRaft runs one node over a directory until it leads.
func startRaft(t *testing.T, d *Dir, fsm raft.FSM) *raft.Raft {
	t.Helper()
	conf := raft.DefaultConfig()
	conf.LocalID = "n1"
	conf.HeartbeatTimeout, conf.ElectionTimeout, conf.LeaderLeaseTimeout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	conf.TrailingLogs = 5
	conf.Logger = hclog.NewNullLogger()
	addr, trans := raft.NewInmemTransport("127.0.0.1:1")
	has, err := raft.HasExistingState(d.Log(), d.Stable(), d.Snapshots())
	must(t, err)
	if has != d.Identity().HasState {
		t.Fatalf("raft sees state: %v, the identity: %v", has, d.Identity().HasState)
	}
	if !has {
		must(t, raft.BootstrapCluster(conf, d.Log(), d.Stable(), d.Snapshots(), trans,
			raft.Configuration{Servers: []raft.Server{{ID: "n1", Address: addr}}}))
	}
	r, err := raft.NewRaft(conf, fsm, d.Log(), d.Stable(), d.Snapshots(), trans)
	must(t, err)
	select {
	case lead := <-r.LeaderCh():
		if !lead {
			t.Fatal("lost leadership")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no leader")
	}
	must(t, r.Barrier(10*time.Second).Error())
	return r
}

// A node applies, takes snapshots, truncates, restores a user's snapshot and starts again, over both kinds of log.
func TestRaftOverDir(t *testing.T) {
	forKinds(t, func(t *testing.T, kind string) {
		o := testOptions(t.TempDir(), kind)
		want := ""
		for round := range 4 {
			d := mustOpen(t, o)
			fsm := &listFSM{}
			r := startRaft(t, d, fsm)
			if got := fsm.content(); got != want {
				t.Fatalf("round %d: %d bytes after the start, want %d", round, len(got), len(want))
			}
			for i := range 40 {
				s := fmt.Sprintf("%d.%d;", round, i)
				want += s
				must(t, r.Apply([]byte(s), 10*time.Second).Error())
			}
			if round == 1 || round == 3 {
				must(t, r.Snapshot().Error())
				st, err := d.LogStats()
				must(t, err)
				if st.FirstIndex == 1 || st.LastIndex-st.FirstIndex > 20 {
					t.Fatalf("not truncated: %+v", st)
				}
			}
			if round == 2 {
				want = "of a user"
				must(t, r.Restore(&raft.SnapshotMeta{Version: 1, Size: int64(len(want))}, bytes.NewReader([]byte(want)), 10*time.Second))
			}
			must(t, r.Shutdown().Error())
			must(t, d.Err())
			mustClose(t, d)
		}
	})
}
