package transport

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// TestEntriesWaitForAPeerThatIsDown holds the cure of raft's long pauses: the entries arrive as soon as the peer is there.
func TestEntriesWaitForAPeerThatIsDown(t *testing.T) {
	a := startNode(t, "a")
	ra := NewRaftTransport(a.Transport, RaftOptions{})
	defer ra.Close()
	gone := startNode(t, "b", listenAgain)
	addr := gone.Addr()
	_ = gone.Close()

	beat := &raft.AppendEntriesRequest{RPCHeader: ra.header(), Term: 1}
	if err := ra.AppendEntries("b", raft.ServerAddress(addr), beat, &raft.AppendEntriesResponse{}); !errors.Is(err, ErrDial) {
		t.Errorf("a heartbeat to a dead peer: %v", err)
	}
	sent := make(chan error, 1)
	entries := &raft.AppendEntriesRequest{RPCHeader: ra.header(), Term: 1, LeaderCommitIndex: 1}
	send := func() {
		sent <- ra.AppendEntries("b", raft.ServerAddress(addr), entries, &raft.AppendEntriesResponse{})
	}
	go send()
	select {
	case err := <-sent:
		t.Fatalf("entries to a dead peer: %v", err)
	case <-time.After(2 * holdRedial):
	}

	b := startNode(t, "b", func(c *Config) { c.Listen = addr })
	rb := NewRaftTransport(b.Transport, RaftOptions{})
	defer rb.Close()
	for limit := time.After(patience); ; {
		select {
		case rpc := <-rb.Consumer():
			rpc.Respond(&raft.AppendEntriesResponse{Term: 1, Success: true}, nil)
			if err := <-sent; err != nil {
				t.Error(err)
			}
			return
		case <-sent: // they came before rb was there to take them; raft would send them again
			go send()
		case <-limit:
			t.Fatal("the entries did not arrive")
		}
	}
}

// TestReleaseEndsTheWait: raft's shutdown waits for its messages.
func TestReleaseEndsTheWait(t *testing.T) {
	a := startNode(t, "a")
	ra := NewRaftTransport(a.Transport, RaftOptions{})
	defer ra.Close()
	gone := startNode(t, "b", listenAgain)
	addr := raft.ServerAddress(gone.Addr())
	_ = gone.Close()
	sent := make(chan error, 1)
	go func() {
		sent <- ra.InstallSnapshot("b", addr, &raft.InstallSnapshotRequest{RPCHeader: ra.header(), Term: 1}, &raft.InstallSnapshotResponse{}, nil)
	}()
	ra.Release()
	ra.Release()
	if err := <-sent; !errors.Is(err, ErrDial) {
		t.Error(err)
	}
}

func (r *RaftTransport) header() raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("a"), Addr: []byte(r.LocalAddr())}
}
