package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	redialMin = 20 * time.Millisecond
	redialMax = 250 * time.Millisecond // reads wait for it: a round needs answers over these connections
)

// peer is the calling side towards one address: at most one connection at a time, made when a call needs it.
type peer struct {
	t    *Transport
	addr string

	mu      sync.Mutex
	conn    *clientConn   // connecting or connected; nil: the next call makes one, unless notYet says no
	notYet  time.Time     // no new connection before this moment
	backoff time.Duration // the last pause after a failure, zero after a success
	lastErr error         // why conn is nil, for ErrBackoff
}

// Call asks the peer at addr and waits for its answer, until ctx ends or, where it has no deadline, for
// Config.CallTimeout. It returns who answered. Errors: a RemoteError from the handler, or this package's; MaybeSent
// tells which leave the outcome open. req may be used again once Call has returned; resp is the caller's.
func (t *Transport) Call(ctx context.Context, addr string, method byte, req []byte) ([]byte, Identity, error) {
	if err := ctx.Err(); err != nil {
		return nil, Identity{}, fmt.Errorf("%w before the call was sent", err)
	}
	type result struct {
		resp []byte
		peer Identity
		err  error
	}
	ch := make(chan result, 1)
	deadline, _ := ctx.Deadline()
	conn, id := t.start(addr, method, req, deadline, func(resp []byte, peer Identity, err error) {
		ch <- result{slices.Clone(resp), peer, err}
	})
	select {
	case r := <-ch:
		return r.resp, r.peer, r.err
	case <-ctx.Done():
	}
	if conn != nil && conn.forget(id) {
		err := ctx.Err()
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", ErrTimeout, err)
		}
		return nil, Identity{}, fmt.Errorf("call %s: %w", addr, err)
	}
	r := <-ch // it has just ended by itself, or is about to without waiting for anything
	return r.resp, r.peer, r.err
}

// Go asks the peer at addr and returns without waiting for the network, not even for a connection to be made. done is
// called exactly once, on a goroutine of the transport, with what Call would return; it must not block, and resp is
// valid only until it returns. A zero deadline means Config.CallTimeout from now. req is copied. After Close done may
// still be running when Close has returned, for calls that were started after it.
func (t *Transport) Go(addr string, method byte, req []byte, deadline time.Time,
	done func(resp []byte, peer Identity, err error)) {
	t.start(addr, method, req, deadline, done)
}

// start begins a call. It returns where the call is outstanding, or nil if it has failed already.
func (t *Transport) start(addr string, method byte, req []byte, deadline time.Time,
	done func([]byte, Identity, error)) (*clientConn, uint64) {
	if deadline.IsZero() {
		deadline = time.Now().Add(t.cfg.CallTimeout)
	}
	if len(req) > t.cfg.FrameBytesMax {
		t.fail(done, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(req), t.cfg.FrameBytesMax))
		return nil, 0
	}
	if t.ctx.Err() != nil {
		t.fail(done, ErrClosed)
		return nil, 0
	}
	conn, err := t.connTo(addr)
	var id uint64
	if err == nil {
		id, err = conn.send(method, req, deadline, done)
	}
	if err != nil {
		t.fail(done, fmt.Errorf("call %s: %w", addr, err))
		return nil, 0
	}
	return conn, id
}

// fail calls done from another goroutine, since the caller may hold locks that done takes.
func (t *Transport) fail(done func([]byte, Identity, error), err error) {
	f := func() { done(nil, Identity{}, err) }
	if !t.spawn(f) {
		go f() // closed: nobody waits any more
	}
}

// connTo returns the connection to addr, connecting or connected, making one if it may.
func (t *Transport) connTo(addr string) (*clientConn, error) {
	t.peersMu.RLock()
	p := t.peers[addr]
	t.peersMu.RUnlock()
	if p == nil {
		var err error
		if p, err = t.addPeer(addr); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		return p.conn, nil
	}
	if time.Now().Before(p.notYet) {
		return nil, fmt.Errorf("%w: %w", ErrBackoff, p.lastErr)
	}
	c := newClientConn(p)
	if !t.spawn(c.run) {
		return nil, ErrClosed
	}
	p.conn = c
	return c, nil
}

// addPeer enters an address. The table is bounded: addresses that nobody is connected to make way.
func (t *Transport) addPeer(addr string) (*peer, error) {
	t.peersMu.Lock()
	defer t.peersMu.Unlock()
	if p := t.peers[addr]; p != nil {
		return p, nil
	}
	if len(t.peers) >= t.cfg.ConnsMax {
		for a, p := range t.peers {
			if p.idle() {
				delete(t.peers, a)
			}
		}
	}
	if len(t.peers) >= t.cfg.ConnsMax {
		return nil, fmt.Errorf("%w: %d peers are being called already (ConnsMax)", ErrBusy, len(t.peers))
	}
	p := &peer{t: t, addr: addr}
	t.peers[addr] = p
	return p, nil
}

func (p *peer) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn == nil
}

// connected notes that c's handshake succeeded.
func (p *peer) connected() {
	p.mu.Lock()
	p.backoff = 0
	p.mu.Unlock()
}

// disconnected notes that c is over. The pause doubles with each attempt that fails and starts small after a
// connection that worked.
func (p *peer) disconnected(c *clientConn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != c {
		return
	}
	p.conn, p.lastErr = nil, err
	p.backoff = min(max(2*p.backoff, redialMin), redialMax)
	p.notYet = time.Now().Add(p.backoff)
}
