package transport

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// raftBacklogMax bounds the authenticated raft streams that wait for Accept; more are closed.
const raftBacklogMax = 64

// raftLayer is a raft.StreamLayer over a Transport. Closing it closes the raft streams, not the transport.
type raftLayer struct {
	t        *Transport
	incoming chan *stream
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	once     sync.Once
	appends  func(*stream) // serves an append stream until it ends; nil: there are none. t.mu guards it
}

// RaftLayer returns the open raft layer, or opens one. There is one at a time; after its Close the next call opens
// another, so that a raft instance can be replaced within a process. Accept yields authenticated streams only; Dial
// connects and authenticates (timeout 0: Config.HandshakeTimeout). After Close both answer ErrClosed.
func (t *Transport) RaftLayer() raft.StreamLayer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.layer == nil {
		t.layer = &raftLayer{t: t, incoming: make(chan *stream, raftBacklogMax)}
		t.layer.ctx, t.layer.cancel = context.WithCancel(t.ctx)
	}
	return t.layer
}

// handToRaft gives an inbound stream to whoever accepts on the raft layer. Sending under the lock that Close takes
// before it drains leaves no stream behind.
func (t *Transport) handToRaft(s *stream) {
	t.mu.Lock()
	taken := false
	if l := t.layer; l != nil && l.ctx.Err() == nil {
		select {
		case l.incoming <- s:
			taken = true
		default:
		}
	}
	t.mu.Unlock()
	if !taken {
		t.cfg.Logger.Warn("closed a raft stream that nobody accepts", "peer", s.peer.NodeID)
		_ = s.Close() // nobody relies on it
	}
}

// handAppends serves an inbound append stream on the calling goroutine.
func (t *Transport) handAppends(s *stream) {
	t.mu.Lock()
	var serve func(*stream)
	if l := t.layer; l != nil && l.ctx.Err() == nil {
		serve = l.appends
	}
	t.mu.Unlock()
	if serve == nil {
		t.cfg.Logger.Warn("closed an append stream that nobody serves", "peer", s.peer.NodeID)
		_ = s.Close() // nobody relies on it
		return
	}
	serve(s)
}

func (l *raftLayer) serveAppends(f func(*stream)) {
	l.t.mu.Lock()
	defer l.t.mu.Unlock()
	l.appends = f
}

// Accept waits for the next inbound raft stream.
func (l *raftLayer) Accept() (net.Conn, error) {
	if l.ctx.Err() != nil {
		return nil, ErrClosed
	}
	select {
	case s := <-l.incoming:
		return s, nil
	case <-l.ctx.Done():
		return nil, ErrClosed
	}
}

// Dial connects to a peer's raft.
func (l *raftLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	s, err := l.dial(address, purposeRaft, timeout)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (l *raftLayer) dial(address raft.ServerAddress, purpose byte, timeout time.Duration) (*stream, error) {
	if timeout <= 0 {
		timeout = l.t.cfg.HandshakeTimeout
	}
	s, err := l.t.dial(l.ctx, string(address), purpose, timeout)
	if l.ctx.Err() != nil {
		if err == nil {
			_ = s.Close() // registered too late for Close to see it, perhaps
		}
		return nil, ErrClosed
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends Accept and Dial and closes every raft and append stream, in both directions.
func (l *raftLayer) Close() error {
	l.once.Do(func() {
		t := l.t
		t.mu.Lock()
		l.cancel()
		if t.layer == l && !t.closed {
			t.layer = nil
		}
		var streams []*stream
		for s := range t.streams {
			if s.purpose != purposeCalls {
				streams = append(streams, s)
			}
		}
		t.mu.Unlock()
		for _, s := range streams {
			_ = s.Close() // gone either way
		}
	})
	return nil
}

// Addr is the advertised address, which raft takes for the node's own.
func (l *raftLayer) Addr() net.Addr { return address(l.t.advertise) }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }
