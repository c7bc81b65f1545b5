package resp

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/internal/config"
)

// push is a message on its way to one subscriber, an invalidation to one that tracks, or a line to one that monitors. Its
// strings are shared by all of them.
type push struct {
	kind          string // "message", "pmessage" or "smessage"; the others have none
	pattern       string // of a pmessage
	channel, text string // of a line text alone
	invalid       *invalidation
}

// everything is the goal of taking all.
const everything = math.MaxInt

const pushOverheadBytes = 64 // what a push takes beside its strings

func (p *push) bytes() int64 {
	n := int64(len(p.pattern)+len(p.channel)+len(p.text)) + pushOverheadBytes
	if p.invalid != nil {
		n += p.invalid.bytes
	}
	return n
}

// writeTo writes a push in the protocol that the connection speaks by now. listens: it has subscriptions.
func (p *push) writeTo(w *Writer, listens bool) {
	if p.invalid != nil {
		p.invalid.writeTo(w, listens)
		return
	}
	n := 3
	if p.pattern != "" {
		n = 4
	}
	w.Push(n)
	w.BulkString(p.kind)
	if p.pattern != "" {
		w.BulkString(p.pattern)
	}
	w.BulkString(p.channel)
	w.BulkString(p.text)
}

// inbox is the queue of the pushes of one connection, which client-output-buffer-limit bounds. Whoever applies the log fills
// it, and the connection's owner empties it into the Writer: before it executes anything and behind the replies. So pushes
// and replies keep an order in which they can have come about: a push that follows a read's reply is never of something
// that the read could not see yet, told before it.
type inbox struct {
	waiting atomic.Bool // there is something in queue; the rest is under mu

	mu     sync.Mutex
	queue  []push
	head   int // of queue: those before are taken
	bytes  int64
	over   time.Time // since when bytes has been over the soft limit; zero: it is not
	closed bool      // takes nothing any more
}

// put adds a push and reports whether it is the first: then the owner must be told. ok is false, once, where the queue has
// grown past a limit.
func (in *inbox) put(p push, limit config.OutputLimit, now time.Time) (first, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return false, true
	}
	in.queue = append(in.queue, p)
	in.bytes += p.bytes()
	if in.overLocked(limit, now) {
		in.closeLocked()
		return false, false
	}
	return !in.waiting.Swap(true), true
}

// overLocked reports whether the queue is past its hard limit, or has been past the soft one for too long.
func (in *inbox) overLocked(limit config.OutputLimit, now time.Time) bool {
	switch {
	case limit.HardBytes > 0 && in.bytes > limit.HardBytes:
		return true
	case limit.SoftBytes == 0 || in.bytes <= limit.SoftBytes:
		in.over = time.Time{}
	case in.over.IsZero():
		in.over = now
	case now.Sub(in.over) > limit.SoftTime:
		return true
	}
	return false
}

// expired is put's check of the limits for a queue that nothing is added to.
func (in *inbox) expired(limit config.OutputLimit, now time.Time) bool {
	if !in.waiting.Load() {
		return false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed || !in.overLocked(limit, now) {
		return false
	}
	in.closeLocked()
	return true
}

// take moves pushes into a Writer until that holds goal bytes. listens: the connection has subscriptions.
func (in *inbox) take(w *Writer, goal int, listens bool) {
	if !in.waiting.Load() {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for ; in.head < len(in.queue) && w.Len() < goal; in.head++ {
		p := &in.queue[in.head]
		p.writeTo(w, listens)
		in.bytes -= p.bytes()
		*p = push{}
	}
	if in.head == len(in.queue) {
		in.queue, in.head = in.queue[:0], 0
		if cap(in.queue) > pushesKept {
			in.queue = nil
		}
		in.waiting.Store(false)
		in.over = time.Time{}
	}
}

const pushesKept = 256 // a longer queue is given back to the collector once it is empty

func (in *inbox) closeLocked() {
	in.closed, in.queue, in.head, in.bytes = true, nil, 0, 0
	in.waiting.Store(false)
}

// close drops what is queued, and what is still to come.
func (in *inbox) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closeLocked()
}

// figures are for CLIENT LIST.
func (in *inbox) figures() (pushes int, bytes int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.queue) - in.head, in.bytes
}

// receive queues a push. It never waits, and may be called by any goroutine.
func (c *conn) receive(p push, limit config.OutputLimit, now time.Time) {
	first, ok := c.inbox.put(p, limit, now)
	switch {
	case !ok:
		go c.cutOff() // closing may take its time
	case !first:
	case c.ev.loop != nil:
		c.ev.loop.nudge(c)
	case c.shared.reading.Load():
		c.wakeReader()
	}
}

// cutOff ends the connection of a client that does not take its pushes.
func (c *conn) cutOff() {
	c.srv.stats.outputLimit.Add(1)
	c.srv.log.Warn("what was queued for a client passed client-output-buffer-limit; it is closed", "client", c.nc.RemoteAddr())
	c.shared.killed.Store(true)
	c.kill()
}

// takePushes writes what is queued behind the replies that are there. What would make more than goal bytes waits.
func (c *conn) takePushes(goal int) { c.inbox.take(c.w, goal, c.subs.total() > 0) }

// sendPushes sends all that is queued. It is false when the connection is over.
func (c *conn) sendPushes() bool {
	for c.inbox.waiting.Load() {
		c.takePushes(pipelineBytesGoal)
		if !c.send() {
			return false
		}
	}
	return true
}

// beforeWaiting sends what is answered, before a command that may wait long.
func (c *conn) beforeWaiting() {
	if !c.answer() {
		c.quit = true
	}
}

// sendAside sends what is queued while a command waits, whose reply may be written to c.w at any moment. There is nothing
// else in c.w: see beforeWaiting.
func (c *conn) sendAside() {
	for c.inbox.waiting.Load() && !c.quit {
		w := NewWriter()
		w.SetProtocol(int(c.shared.proto.Load()))
		c.inbox.take(w, pipelineBytesGoal, c.subs.total() > 0)
		_, err := c.nc.Write(w.Bytes())
		c.quit = err != nil
		c.srv.stats.bytesOut.Add(int64(w.Len()))
		c.srv.stats.writes.Add(1)
	}
}

// closeSlow cuts off the subscribers whose queues have been long for too long.
func (s *Server) closeSlow() {
	limit, now := s.cfg.OutputLimit(config.PubSubClient), time.Now()
	if limit.SoftBytes == 0 {
		return
	}
	s.each(func(c *conn) {
		if c.inbox.expired(limit, now) {
			c.cutOff()
		}
	})
}
