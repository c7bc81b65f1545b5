package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/raft"
)

func TestRaftLayerYieldsAuthenticatedStreams(t *testing.T) {
	a, b := startNode(t, "a"), startNode(t, "b")
	layer := b.RaftLayer()
	out, err := a.RaftLayer().Dial(raft.ServerAddress(layer.Addr().String()), patience)
	if err != nil {
		t.Fatal(err)
	}
	in, err := layer.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = out.Write([]byte("over here"))
	got := make([]byte, 9)
	if _, err := io.ReadFull(in, got); err != nil || string(got) != "over here" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := a.echo(b.Addr(), "beside it"); err != nil {
		t.Fatal(err)
	}

	// Closing the layer ends its streams and nothing else; the next one is new.
	_ = layer.Close()
	if _, err := layer.Accept(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := layer.Dial(raft.ServerAddress(a.Addr()), time.Second); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := out.Read(got); err == nil {
		t.Error("the stream lives")
	}
	if _, err := a.echo(b.Addr(), "still here"); err != nil {
		t.Error(err)
	}
	if next := b.RaftLayer(); next == layer || next != b.RaftLayer() {
		t.Error("not a new layer")
	}
}

func TestRaftStreamWithoutALayerIsClosed(t *testing.T) {
	a, b := startNode(t, "a"), startNode(t, "b")
	c, err := a.RaftLayer().Dial(raft.ServerAddress(b.Addr()), patience)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, c); len(got) != 0 {
		t.Error(got)
	}
	_ = c.Close()
}

// What raft's own network transport would take from anybody (pitfalls: a forged AppendEntries was applied, a forged
// InstallSnapshot replaced all data) must not come as far as Accept.
func TestForgedRaftMessagesReachNothing(t *testing.T) {
	n := startNode(t, "n")
	layer := n.RaftLayer().(*raftLayer)
	header := raft.RPCHeader{ProtocolVersion: 3, ID: []byte("evil"), Addr: []byte("evil:1")}
	for name, rpc := range map[string][]byte{
		"append entries": rpcBytes(t, 0, &raft.AppendEntriesRequest{RPCHeader: header, Term: 99,
			Entries: []*raft.Log{{Index: 1, Term: 99, Data: []byte("owned")}}, LeaderCommitIndex: 1}),
		"install snapshot": rpcBytes(t, 2, &raft.InstallSnapshotRequest{RPCHeader: header, Term: 99, Size: 1}),
	} {
		for _, before := range []struct {
			what  string
			bytes []byte
		}{
			{"at once", nil},
			{"after a prefix", appendPrefix(nil)},
			{"after a hello", appendMessage(appendPrefix(nil), msgHello,
				(&hello{hasSecret: true, purpose: purposeRaft, id: Identity{NodeID: "n2"}}).encode())},
			{"after a hello and a made up proof", appendMessage(appendMessage(appendPrefix(nil), msgHello,
				(&hello{hasSecret: true, purpose: purposeRaft, id: Identity{NodeID: "n2"}}).encode()),
				msgProof, make([]byte, proofBytes))},
		} {
			c := rawDial(t, n)
			_, _ = c.Write(append(bytes.Clone(before.bytes), rpc...))
			readAll(t, c) // closed by n
			if len(layer.incoming) != 0 {
				t.Fatalf("%s %s was accepted", name, before.what)
			}
		}
	}
	if _, inbound := n.conns(); inbound != 0 {
		t.Errorf("%d connections count", inbound)
	}
}

func rpcBytes(t *testing.T, kind byte, msg any) []byte {
	t.Helper()
	b := bytes.NewBuffer([]byte{kind})
	if err := codec.NewEncoder(b, &codec.MsgpackHandle{}).Encode(msg); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHeartbeatFastPathStaysOff(t *testing.T) {
	a, b := startNode(t, "a"), startNode(t, "b")
	ra, rb := NewRaftTransport(a.Transport, RaftOptions{}), NewRaftTransport(b.Transport, RaftOptions{})
	defer func() { _, _ = ra.Close(), rb.Close() }()
	rb.SetHeartbeatHandler(func(rpc raft.RPC) {
		t.Error("a heartbeat took the fast path")
		rpc.Respond(&raft.AppendEntriesResponse{}, nil)
	})
	sent := make(chan error, 1)
	go func() { // the shape of a heartbeat: no entries, no previous entry, no commit index
		var resp raft.AppendEntriesResponse
		sent <- ra.AppendEntries("b", rb.LocalAddr(), &raft.AppendEntriesRequest{
			RPCHeader: raft.RPCHeader{Addr: []byte("a")}, Term: 1}, &resp)
	}()
	select {
	case rpc := <-rb.Consumer():
		rpc.Respond(&raft.AppendEntriesResponse{Term: 1, Success: true}, nil)
		if err := <-sent; err != nil {
			t.Error(err)
		}
	case err := <-sent:
		t.Error("answered by somebody else", err)
	}
}

func TestRaftClusterOverTheTransport(t *testing.T) {
	var rafts []*raft.Raft
	var servers []raft.Server
	for i := range 3 {
		id := fmt.Sprint("n", i)
		n := startNode(t, id)
		tr := NewRaftTransport(n.Transport, RaftOptions{Timeout: time.Second, Logger: hclog.NewNullLogger()})
		cfg := raft.DefaultConfig()
		cfg.LocalID, cfg.Logger = raft.ServerID(id), hclog.NewNullLogger()
		const silence = 400 * time.Millisecond
		cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = silence, silence, silence
		store := raft.NewInmemStore()
		r, err := raft.NewRaft(cfg, &raft.MockFSM{}, store, store, raft.NewInmemSnapshotStore(), tr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // before the node's own cleanup
			if err := r.Shutdown().Error(); err != nil {
				t.Error(err)
			}
		})
		rafts = append(rafts, r)
		servers = append(servers, raft.Server{ID: cfg.LocalID, Address: tr.LocalAddr()})
	}
	if err := rafts[0].BootstrapCluster(raft.Configuration{Servers: servers}).Error(); err != nil {
		t.Fatal(err)
	}
	applied := 0
	eventually(t, "entries are applied", func() bool {
		for _, r := range rafts {
			if r.State() == raft.Leader && r.Apply([]byte("x"), time.Second).Error() == nil {
				applied++
			}
		}
		return applied >= 20
	})
	for _, r := range rafts {
		eventually(t, "every node has them", func() bool { return r.AppliedIndex() >= 20 })
	}
}
