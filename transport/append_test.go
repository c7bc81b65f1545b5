package transport

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// raftNode is a node with raft's transport, whose handler is the test's.
func raftNode(t *testing.T, id string, h func(raft.RPC), tweak ...func(*Config)) (*node, *RaftTransport) {
	t.Helper()
	n := startNode(t, id, tweak...)
	r := NewRaftTransport(n.Transport, RaftOptions{})
	t.Cleanup(func() { _ = r.Close() }) // before the node's own cleanup
	if h != nil {
		r.SetHandler(h)
	}
	return n, r
}

func pipelineTo(t *testing.T, from, to *RaftTransport) raft.AppendPipeline {
	t.Helper()
	p, err := from.AppendEntriesPipeline("b", to.LocalAddr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// answered waits for the next answer on p.
func answered(t *testing.T, p raft.AppendPipeline) raft.AppendFuture {
	t.Helper()
	select {
	case f := <-p.Consumer():
		return f
	case <-time.After(30 * time.Second):
		t.Fatal("no answer")
		return nil
	}
}

func TestAppendStreams(t *testing.T) {
	ca := newAuthority(t, "ca")
	for name, tweak := range map[string]func(id string) []func(*Config){
		"secret":         func(string) []func(*Config) { return nil },
		"TLS":            func(id string) []func(*Config) { return []func(*Config){withTLS(ca.node(id, false)), noSecret} },
		"TLS and secret": func(id string) []func(*Config) { return []func(*Config){withTLS(ca.node(id, false))} },
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan *raft.AppendEntriesRequest, 1)
			_, b := raftNode(t, "b", func(rpc raft.RPC) {
				req := rpc.Command.(*raft.AppendEntriesRequest)
				got <- req
				resp := fullAnswer()
				resp.Term, resp.LastLog = req.Term, req.PrevLogEntry
				rpc.Respond(resp, nil)
			}, tweak("b")...)
			_, a := raftNode(t, "a", nil, tweak("a")...)
			p := pipelineTo(t, a, b)
			for i := range uint64(20) {
				req := fullRequest()
				req.PrevLogEntry = i
				req.Entries[1].Data = bytes.Repeat([]byte{byte(i)}, int(i)*50_000)
				if _, err := p.AppendEntries(req, &raft.AppendEntriesResponse{}); err != nil {
					t.Fatal(err)
				}
				if g := <-got; !reflect.DeepEqual(normal(g), normal(req)) {
					t.Fatalf("request %d has changed on its way", i)
				}
				f := answered(t, p)
				want := fullAnswer()
				want.Term, want.LastLog = req.Term, i
				if f.Error() != nil || !reflect.DeepEqual(f.Response(), want) || f.Request() != req {
					t.Fatalf("%+v %v", f.Response(), f.Error())
				}
			}
		})
	}
}

// normal has nil where a request has nothing: the encoding knows no difference.
func normal(a *raft.AppendEntriesRequest) *raft.AppendEntriesRequest {
	for _, l := range a.Entries {
		if len(l.Data) == 0 {
			l.Data = nil
		}
	}
	return a
}

// TestAppendsWithoutAHandler: like every other message they come to Consumer then, and an error is told.
func TestAppendsWithoutAHandler(t *testing.T) {
	_, a := raftNode(t, "a", nil)
	_, b := raftNode(t, "b", nil)
	p := pipelineTo(t, a, b)
	if _, err := p.AppendEntries(fullRequest(), &raft.AppendEntriesResponse{}); err != nil {
		t.Fatal(err)
	}
	rpc := <-b.Consumer()
	rpc.Respond(nil, errors.New("no room"))
	f := answered(t, p)
	var remote *RemoteError
	if !errors.As(f.Error(), &remote) || remote.Text != "no room" || f.Response().Success {
		t.Errorf("%+v %v", f.Response(), f.Error())
	}
}

// TestHandlerTakesEverything: messages of raft's own transport come to it, too.
func TestHandlerTakesEverything(t *testing.T) {
	_, a := raftNode(t, "a", nil)
	_, b := raftNode(t, "b", func(rpc raft.RPC) { rpc.Respond(&raft.RequestVoteResponse{Term: 1}, nil) })
	err := a.RequestVote("b", b.LocalAddr(), &raft.RequestVoteRequest{RPCHeader: a.header(), Term: 1}, &raft.RequestVoteResponse{})
	if err != nil {
		t.Error(err)
	}
}

// TestHandlerTakesWhatWaits: a message may come before there is a handler.
func TestHandlerTakesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &RaftTransport{layer: &raftLayer{ctx: t.Context()}, consumer: make(chan raft.RPC), handled: make(chan struct{})}
		early := make(chan struct{})
		go func() { r.deliver(raft.RPC{}); close(early) }()
		synctest.Wait()
		taken := 0
		r.SetHandler(func(raft.RPC) { taken++ })
		<-early
		if taken != 1 {
			t.Error("it was not given to the handler")
		}
	})
}

func TestPipeliningCanBeOff(t *testing.T) {
	n := startNode(t, "n")
	r := NewRaftTransport(n.Transport, RaftOptions{MaxRPCsInFlight: 1})
	defer r.Close()
	if _, err := r.AppendEntriesPipeline("b", "127.0.0.1:1"); err != raft.ErrPipelineReplicationNotSupported {
		t.Error(err)
	}
}

type movedTo raft.ServerAddress

func (m movedTo) ServerAddr(raft.ServerID) (raft.ServerAddress, error) {
	return raft.ServerAddress(m), nil
}

func TestAppendStreamsGoWhereThePeerIs(t *testing.T) {
	_, b := raftNode(t, "b", func(rpc raft.RPC) { rpc.Respond(fullAnswer(), nil) })
	n := startNode(t, "a")
	a := NewRaftTransport(n.Transport, RaftOptions{AddressProvider: movedTo(b.LocalAddr())})
	defer a.Close()
	p, err := a.AppendEntriesPipeline("b", "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.AppendEntries(fullRequest(), &raft.AppendEntriesResponse{}); err != nil {
		t.Error(err)
	}
	answered(t, p)
	_ = p.Close()
}

// appendConn is an authenticated connection of a purpose on which a test writes what it likes.
func appendConn(t *testing.T, n *node, purpose byte) net.Conn {
	t.Helper()
	c := rawDial(t, n)
	s := session{rw: c, secret: []byte("correct horse"), self: Identity{NodeID: "x"}, verify: func(Identity) error { return nil }}
	if _, err := s.dial(purpose); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBadAppendStreamsAreClosed(t *testing.T) {
	unwanted := func(rpc raft.RPC) {
		t.Errorf("raft was given %T", rpc.Command)
		rpc.Respond(nil, errors.New("unwanted"))
	}
	n, _ := raftNode(t, "n", unwanted)
	request := requestBytes(t, fullRequest())
	for name, c := range map[string]struct {
		purpose byte
		bytes   []byte
		logged  string
	}{
		"raft's own encoding":      {purposeAppend, rpcBytes(t, 0, fullRequest()), "of version"},
		"frames of calls":          {purposeAppend, appendFrame(nil, frameRequest, methodEcho, 1, make([]byte, 100)), "behind the last"},
		"an answer":                {purposeAppend, answerBytes(t, fullAnswer(), ""), "cut short"},
		"oversized":                {purposeAppend, []byte{1, 0, 0xff, 0xff, appendVersion}, "at most"},
		"a newer version":          {purposeAppend, at(request, 4, appendVersion+1), "version 2"},
		"a request for raft's own": {purposeRaft, at(request, 0, 'x'), ""},
	} {
		conn := appendConn(t, n, c.purpose)
		_, _ = conn.Write(c.bytes)
		if got := readAll(t, conn); len(got) != 0 {
			t.Errorf("%s: %q", name, got)
		}
		eventually(t, name+" is logged", func() bool { return c.logged == "" || n.log.has(c.logged) })
	}
}

// TestForgedAppendsReachNothing: entries come from authenticated nodes only.
func TestForgedAppendsReachNothing(t *testing.T) {
	n, _ := raftNode(t, "n", func(rpc raft.RPC) {
		t.Error("raft was given a forged request")
		rpc.Respond(fullAnswer(), nil)
	})
	own := appendMessage(appendPrefix(nil), msgHello, (&hello{hasSecret: true, purpose: purposeAppend, id: Identity{NodeID: "n2"}}).encode())
	open := appendMessage(appendPrefix(nil), msgHello, (&hello{purpose: purposeAppend, id: Identity{NodeID: "n2"}}).encode())
	for _, before := range [][]byte{
		nil, appendPrefix(nil), own, open, appendMessage(bytes.Clone(own), msgAccept, nil),
		appendMessage(bytes.Clone(own), msgProof, make([]byte, proofBytes)),
		appendMessage(appendMessage(bytes.Clone(own), msgProof, make([]byte, proofBytes)), msgAccept, nil),
	} {
		c := rawDial(t, n)
		_, _ = c.Write(append(bytes.Clone(before), requestBytes(t, fullRequest())...))
		readAll(t, c)
	}
	if _, inbound := n.conns(); inbound != 0 {
		t.Errorf("%d connections count", inbound)
	}
}

func TestAppendStreamWithoutRaftIsClosed(t *testing.T) {
	n := startNode(t, "n")
	if got := readAll(t, appendConn(t, n, purposeAppend)); len(got) != 0 {
		t.Error(got)
	}
	n.RaftLayer() // without a RaftTransport
	if got := readAll(t, appendConn(t, n, purposeAppend)); len(got) != 0 {
		t.Error(got)
	}
}

// TestCloseWhileRaftIsAtWork: a request that raft never answers holds neither side.
func TestCloseWhileRaftIsAtWork(t *testing.T) {
	for _, closed := range []string{"a", "b"} {
		t.Run(closed, func(t *testing.T) {
			taken := make(chan raft.RPC, 1)
			nb, b := raftNode(t, "b", func(rpc raft.RPC) { taken <- rpc })
			na, a := raftNode(t, "a", nil)
			p := pipelineTo(t, a, b)
			f, err := p.AppendEntries(fullRequest(), &raft.AppendEntriesResponse{})
			if err != nil {
				t.Fatal(err)
			}
			rpc := <-taken
			_ = map[string]*RaftTransport{"a": a, "b": b}[closed].Close()
			if err := f.Error(); !errors.Is(err, ErrLost) {
				t.Error(err)
			}
			if closed == "b" { // it waits for no answer
				_ = nb.Transport.Close()
			}
			rpc.Respond(fullAnswer(), nil) // late: nobody hears it
			_, _ = na.Transport.Close(), nb.Transport.Close()
		})
	}
}

func BenchmarkAppendPipeline(b *testing.B) {
	for _, size := range []int{100, 4 << 10, 256 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			x, y := startNode(b, "x"), startNode(b, "y")
			from, to := NewRaftTransport(x.Transport, RaftOptions{}), NewRaftTransport(y.Transport, RaftOptions{})
			defer func() { _, _ = from.Close(), to.Close() }()
			to.SetHandler(func(rpc raft.RPC) { rpc.Respond(fullAnswer(), nil) })
			for name, open := range map[string]func(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error){
				"ours": from.AppendEntriesPipeline, "raft's": from.NetworkTransport.AppendEntriesPipeline,
			} {
				b.Run(name, func(b *testing.B) {
					p, err := open("y", to.LocalAddr())
					if err != nil {
						b.Fatal(err)
					}
					defer p.Close()
					req := fullRequest()
					req.Entries = req.Entries[:1]
					req.Entries[0].Data = make([]byte, size)
					b.ReportAllocs()
					for b.Loop() {
						go func() { _, _ = p.AppendEntries(req, &raft.AppendEntriesResponse{}) }()
						<-p.Consumer()
					}
				})
			}
		})
	}
}
