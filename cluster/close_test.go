package cluster_test

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/transport"
)

// memory is a storage for a node whose process ends with it.
type memory struct {
	*raft.InmemStore
	snapshots raft.SnapshotStore
}

func (m memory) Log() raft.LogStore                   { return m.InmemStore }
func (m memory) Stable() raft.StableStore             { return m.InmemStore }
func (m memory) Snapshots() raft.SnapshotStore        { return m.snapshots }
func (memory) Instance() string                       { return "i" }
func (memory) SetClusterID(string) error              { return nil }
func (memory) ClusterID() string                      { return "c" }
func (memory) Stalled() (string, time.Duration, bool) { return "", 0, false }

// nobody is the other nodes of a cluster of one.
type nobody struct{}

func (nobody) Go(string, byte, []byte, time.Time, func([]byte, transport.Identity, error)) {}
func (nobody) Handle(byte, func(transport.Identity, []byte) ([]byte, error))               {}
func (nobody) HandleFast(byte, func(transport.Identity, []byte, []byte) ([]byte, error))   {}

func openAlone(t *testing.T) *cluster.Node {
	t.Helper()
	addr, trans := raft.NewInmemTransport("")
	leading := make(chan struct{}, 1)
	n, err := cluster.Open(cluster.Config{
		NodeID: "n1", RaftAddr: string(addr), RespAddr: "127.0.0.1:1", Bootstrap: true, BatchDelayMax: time.Nanosecond,
		Transport: trans, Peers: nobody{}, Storage: memory{raft.NewInmemStore(), raft.NewInmemSnapshotStore()},
		OnLeadership: func(on bool) {
			if on {
				leading <- struct{}{}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	<-leading
	return n
}

// TestCloseWithCommittedEntriesNotApplied: entries that are committed when raft is shut down, and not applied, are
// dropped by raft with no word to who waits for them. Close must not wait for that word, and the proposals must end.
func TestCloseWithCommittedEntriesNotApplied(t *testing.T) {
	for range 3 { // by chance raft may apply some of them
		n := openAlone(t)
		hold := n.Machine().Begin() // the machine is busy
		var flying []*command.Proposal
		for range 4 {
			p := command.NewProposal(command.Discard)
			p.AddCall(0, [][]byte{[]byte("SET"), []byte("k"), []byte("v")})
			before := n.Raft().CommitIndex()
			n.Propose(p)
			flying = append(flying, p)
			for n.Raft().CommitIndex() == before {
				time.Sleep(time.Millisecond) // raft announces no commits; virtual time would stand still behind the held machine
			}
		}
		states := make(chan raft.Observation, 8)
		n.Raft().RegisterObserver(raft.NewObserver(states, false, func(o *raft.Observation) bool {
			state, is := o.Data.(raft.RaftState)
			return is && state == raft.Shutdown
		}))
		closed := make(chan struct{})
		go func() { _ = n.Close(); close(closed) }()
		<-states
		hold.End()
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Fatal("Close hangs")
		}
		for i, p := range flying {
			if <-p.Done; p.Outcome != command.Applied && p.Outcome != command.Unknown {
				t.Errorf("proposal %d: %d, %v", i, p.Outcome, p.Err)
			}
		}
	}
}
