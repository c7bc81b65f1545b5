package simtest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/transport"
)

// peers is cluster.Peers over the simulated network.
type peers struct{ e *endpoint }

var _ cluster.Peers = peers{}

// Handle implements cluster.Peers.
func (p peers) Handle(method byte, h func(peer transport.Identity, req []byte) ([]byte, error)) {
	p.e.handlersMu.Lock()
	defer p.e.handlersMu.Unlock()
	p.e.handlers[method] = h
}

// HandleFast implements cluster.Peers.
func (p peers) HandleFast(method byte, h func(peer transport.Identity, req, dst []byte) ([]byte, error)) {
	p.Handle(method, func(peer transport.Identity, req []byte) ([]byte, error) { return h(peer, req, nil) })
}

// answer is how a call ended.
type answer struct {
	resp []byte
	peer transport.Identity
	err  error
}

// callTimeout is the patience of a call without a deadline.
const callTimeout = 3 * time.Second

// Go implements cluster.Peers.
func (p peers) Go(addr string, method byte, req []byte, deadline time.Time, done func([]byte, transport.Identity, error)) {
	req = bytes.Clone(req)
	p.e.net.run(func() {
		patience := p.e.clock.until(deadline)
		if deadline.IsZero() {
			patience = callTimeout
		}
		limit := time.NewTimer(patience)
		defer limit.Stop()
		to, err := p.e.dial(addr, limit.C)
		if err != nil {
			done(nil, transport.Identity{}, err)
			return
		}
		a := p.exchange(to, method, req, limit.C)
		done(a.resp, a.peer, a.err)
	})
}

// exchange runs the handler on the other side and brings its answer back. A handler that outlives the deadline goes on
// unheard.
func (p peers) exchange(to *endpoint, method byte, req []byte, limit <-chan time.Time) answer {
	to.handlersMu.Lock()
	h := to.handlers[method]
	to.handlersMu.Unlock()
	if h == nil {
		return answer{err: fmt.Errorf("simulated network: no handler for method %d", method)}
	}
	if late, yes := p.e.net.twice(); yes {
		second := bytes.Clone(req)
		p.e.net.again(to, late, func() { _, _ = h(p.e.identity(), second) })
	}
	handled := make(chan answer, 1)
	self := p.e.identity()
	p.e.net.run(func() {
		resp, err := h(self, req)
		if err != nil {
			err = &transport.RemoteError{Text: err.Error()}
		}
		handled <- answer{bytes.Clone(resp), to.identity(), err}
	})
	select {
	case a := <-handled:
		if to.isStopped() {
			return answer{err: errLost}
		}
		if err := p.e.net.travel(to, p.e, limit); err != nil {
			return answer{err: err}
		}
		return a
	case <-limit:
		return answer{err: errTimeout}
	case <-to.stopped:
		return answer{err: errLost}
	case <-p.e.stopped:
		return answer{err: errStopped}
	}
}
