package transport

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// acceptLoop admits connections until the listener is closed. A failing accept (no file descriptors left) backs off.
func (t *Transport) acceptLoop() {
	var backoff time.Duration
	for {
		raw, err := t.ln.Accept()
		if err == nil {
			backoff = 0
			t.admit(raw)
			continue
		}
		if t.ctx.Err() != nil {
			return
		}
		backoff = min(max(2*backoff, acceptBackoffMin), acceptBackoffMax)
		t.cfg.Logger.Warn("cannot accept a node connection", "error", err, "retry_in", backoff)
		select {
		case <-t.ctx.Done():
			return
		case <-time.After(backoff):
		}
	}
}

// admit starts the handshake of a new connection. Over the limit the oldest unfinished one has to go: it had the most
// time, and an honest handshake takes milliseconds.
func (t *Transport) admit(raw net.Conn) {
	tune(raw)
	var evicted net.Conn
	t.mu.Lock()
	if t.closed {
		evicted = raw
	} else {
		if t.pending.Len() >= t.cfg.PendingMax {
			evicted = t.pending.Remove(t.pending.Front()).(net.Conn)
		}
		place := t.pending.PushBack(raw)
		t.wg.Go(func() { t.receive(raw, place) })
	}
	t.mu.Unlock()
	if evicted != nil {
		_ = evicted.Close() // nobody relies on it
	}
}

// receive takes one inbound connection through its handshake and then serves it. place is its place in t.pending.
func (t *Transport) receive(raw net.Conn, place *list.Element) {
	s, err := t.welcome(raw, place)
	t.mu.Lock()
	t.pending.Remove(place) // does nothing if it was promoted or evicted
	t.mu.Unlock()
	if err != nil {
		t.refusals.note(raw.RemoteAddr(), err)
		if s != nil {
			_ = s.Close() // err is what counts
		}
		_ = raw.Close() // likewise
		return
	}
	switch s.purpose {
	case purposeRaft:
		t.handToRaft(s)
	case purposeAppend:
		t.handAppends(s)
	default:
		t.serveCalls(s)
	}
}

// welcome runs the accepting side's handshakes. The stream may be there although there is an error too: it was
// promoted and is to be closed.
func (t *Transport) welcome(raw net.Conn, place *list.Element) (*stream, error) {
	ctx, cancel := context.WithTimeout(t.ctx, t.cfg.HandshakeTimeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	_ = raw.SetDeadline(deadline) // fails on a closed connection only
	conn, binding, err := t.tls.accept(ctx, raw)
	if err != nil {
		if errors.Is(err, ErrAuth) {
			linger(raw)
		}
		return nil, err
	}
	var s *stream
	hs := session{rw: conn, secret: t.cfg.Secret, binding: binding, self: t.cfg.Self(), verify: t.verifier(conn)}
	hs.admit = func(peer Identity, purpose byte) error {
		s = &stream{Conn: conn, raw: raw, t: t, peer: peer, purpose: purpose, inbound: true}
		return t.promote(s, place)
	}
	if err := hs.accept(); err != nil {
		if errors.Is(err, ErrAuth) || errors.Is(err, ErrRefused) || errors.Is(err, errVersion) {
			linger(raw)
		}
		return s, err
	}
	return s, s.settle()
}

// promote makes a connection that has proved itself count as an authenticated one.
func (t *Transport) promote(s *stream, place *list.Element) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	if t.inbound >= t.cfg.ConnsMax {
		return fmt.Errorf("%w: this node has %d connections already (ConnsMax)", ErrRefused, t.inbound)
	}
	t.pending.Remove(place)
	t.streams[s] = struct{}{}
	t.inbound++
	return nil
}

// linger gives the peer a moment to read a refusal: closing with unread bytes would reset the connection, and the
// refusal would be lost on the way.
func linger(raw net.Conn) {
	if tc, ok := raw.(*net.TCPConn); ok {
		_ = tc.CloseWrite() // best effort, as all of this
	}
	_ = raw.SetReadDeadline(time.Now().Add(lingerTimeout))
	_, _ = io.CopyN(io.Discard, raw, lingerBytesMax)
}

// refusalLog logs inbound refusals, at most one an interval, with the number that it kept to itself.
type refusalLog struct {
	logger *slog.Logger

	mu         sync.Mutex
	last       time.Time
	suppressed int
}

func (l *refusalLog) note(from net.Addr, err error) {
	if errors.Is(err, ErrClosed) {
		return
	}
	l.mu.Lock()
	now := time.Now()
	if now.Sub(l.last) < refusalLogInterval {
		l.suppressed++
		l.mu.Unlock()
		return
	}
	n := l.suppressed
	l.last, l.suppressed = now, 0
	l.mu.Unlock()
	l.logger.Warn("refused a node connection", "from", from.String(), "error", err, "more_since_last", n)
}
