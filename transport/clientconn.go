package transport

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// sweepMin is the shortest pause between two looks for calls that are past their deadline. Deadlines so close together
// share one look, which is how late a time out may be reported.
const sweepMin = 2 * time.Millisecond

// call is one that waits for its answer.
type call struct {
	deadline time.Time
	done     func(resp []byte, peer Identity, err error)
}

// clientConn is one connection to a peer with its outstanding calls. Calls are taken from the start, while it is still
// connecting; what they send waits in out. When it dies all of them end, and it is never used again.
type clientConn struct {
	p    *peer
	out  *outbox
	peer Identity      // set before reading starts
	over chan struct{} // closed by run: ends the sweeper

	mu      sync.Mutex
	calls   map[uint64]call // nil once dead
	dead    error           // why calls is nil
	lastID  uint64
	sweepAt time.Time     // when the sweeper looks next; zero: it sleeps until rearm
	rearm   chan struct{} // capacity 1: sweepAt has moved closer
}

func newClientConn(p *peer) *clientConn {
	return &clientConn{
		p:     p,
		out:   newOutbox(outboxBytesMax(p.t.cfg.FrameBytesMax)),
		over:  make(chan struct{}),
		calls: make(map[uint64]call),
		rearm: make(chan struct{}, 1),
	}
}

// run owns the connection from dialing to the end.
func (c *clientConn) run() {
	t := c.p.t
	defer close(c.over)
	t.wg.Go(c.sweep)
	s, err := t.dial(t.ctx, c.p.addr, purposeCalls, t.cfg.HandshakeTimeout)
	if err == nil {
		c.peer = s.peer
		c.p.connected()
		c.out.attach(s)
		t.wg.Go(c.out.run)
		c.out.signal()
		err = c.read(s)
		if t.ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", ErrLost, ErrClosed)
		} else {
			// The cause is no sentinel to match: what counts for the calls is that they were in flight.
			err = fmt.Errorf("call %s: %w: %v", c.p.addr, ErrLost, err)
		}
		_ = s.Close() // err says why
	}
	c.p.disconnected(c, err)
	c.end(err)
	c.out.close(err)
}

// read completes calls until the connection ends.
func (c *clientConn) read(s *stream) error {
	frames := newFrameReader(s, c.p.t.cfg.FrameBytesMax)
	for {
		f, err := frames.next()
		if err == io.EOF {
			return fmt.Errorf("the peer closed it")
		}
		if err != nil {
			return err
		}
		var resp []byte
		var result error
		switch f.kind {
		case frameAnswer:
			resp = f.payload
		case frameError:
			result = &RemoteError{Text: printable(f.payload)}
		case frameBusy:
			result = fmt.Errorf("%w at the peer", ErrBusy)
		default:
			return fmt.Errorf("%w: a request on the calling side", ErrProtocol)
		}
		if cl, ok := c.take(f.id); ok { // else it timed out or was given up
			cl.done(resp, c.peer, result)
		}
	}
}

// send queues one request. An error means that done will not be called.
func (c *clientConn) send(method byte, req []byte, deadline time.Time,
	done func([]byte, Identity, error)) (uint64, error) {
	c.mu.Lock()
	if c.calls == nil {
		defer c.mu.Unlock()
		return 0, fmt.Errorf("%w: %w", ErrBackoff, c.dead)
	}
	if len(c.calls) >= c.p.t.cfg.CallsMax {
		defer c.mu.Unlock()
		return 0, fmt.Errorf("%w: %d to this peer (CallsMax)", ErrBusy, len(c.calls))
	}
	c.lastID++
	id := c.lastID
	c.calls[id] = call{deadline: deadline, done: done}
	if c.sweepAt.IsZero() || deadline.Before(c.sweepAt) {
		c.sweepAt = deadline
		select {
		case c.rearm <- struct{}{}:
		default:
		}
	}
	c.mu.Unlock()
	if err := c.out.tryFrame(frameRequest, method, id, req); err != nil && c.forget(id) {
		if errors.Is(err, ErrBusy) {
			return 0, err
		}
		return 0, fmt.Errorf("%w: %w", ErrBackoff, err) // the connection just died: nothing was sent
	}
	return id, nil // or the connection died meanwhile and has called done
}

// take removes and returns a call, once.
func (c *clientConn) take(id uint64) (call, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cl, ok := c.calls[id]
	if ok {
		delete(c.calls, id)
	}
	return cl, ok
}

// forget gives a call up; false says that done has been called, or is about to be.
func (c *clientConn) forget(id uint64) bool {
	_, ok := c.take(id)
	return ok
}

// end fails every outstanding call and all later ones.
func (c *clientConn) end(err error) {
	c.mu.Lock()
	calls := c.calls
	c.calls, c.dead = nil, err
	c.mu.Unlock()
	for _, cl := range calls {
		cl.done(nil, c.peer, err)
	}
}

// sweep ends calls that are past their deadline, with one timer for all.
func (c *clientConn) sweep() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	timer.Stop()
	for {
		select {
		case <-c.over:
			return
		case <-c.rearm:
		case <-timer.C:
			c.expire(time.Now())
		}
		c.mu.Lock()
		at := c.sweepAt
		c.mu.Unlock()
		if at.IsZero() {
			timer.Stop()
			continue
		}
		timer.Reset(max(time.Until(at), sweepMin))
	}
}

// expire ends the calls whose deadline is not after now, and sets sweepAt to the earliest of the rest.
func (c *clientConn) expire(now time.Time) {
	var expired []call
	c.mu.Lock()
	c.sweepAt = time.Time{}
	for id, cl := range c.calls {
		switch {
		case !cl.deadline.After(now):
			delete(c.calls, id)
			expired = append(expired, cl)
		case c.sweepAt.IsZero() || cl.deadline.Before(c.sweepAt):
			c.sweepAt = cl.deadline
		}
	}
	c.mu.Unlock()
	if len(expired) == 0 {
		return
	}
	err := fmt.Errorf("call %s: %w", c.p.addr, ErrTimeout)
	for _, cl := range expired {
		cl.done(nil, Identity{}, err)
	}
}
