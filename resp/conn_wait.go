package resp

import (
	"errors"
	"os"
	"time"
)

// next waits for a command, for at most the idle time out, and sends pushes meanwhile.
func (c *conn) next() ([][]byte, error) {
	for {
		if !c.sendPushes() {
			return nil, errClosing
		}
		deadline, ready := c.awaitInput()
		switch {
		case c.shared.closing.Load() && !c.rd.Buffered():
			return nil, errClosing
		case !ready:
			continue
		}
		args, err := c.rd.Next()
		c.shared.reading.Store(false)
		if err == nil && !c.sendPushes() { // what came while it waited was told before the command was sent
			return nil, errClosing
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return args, err
		}
		if c.shared.closing.Load() {
			return nil, errClosing
		}
		if !deadline.IsZero() && !time.Now().Before(deadline) {
			return nil, err
		}
		// It was woken for pushes.
	}
}

// awaitInput prepares the wait for input, until a deadline (zero: for ever). It is not ready where there are pushes, of
// which nobody would wake it any more.
func (c *conn) awaitInput() (deadline time.Time, ready bool) {
	if c.rd.Buffered() {
		return deadline, true
	}
	if t := c.srv.live.timeout.Duration(); t > 0 && !c.subscriber() {
		deadline = time.Now().Add(t)
	}
	_ = c.nc.SetReadDeadline(deadline)
	c.followLimits()
	c.publishBuffers()
	c.shared.reading.Store(true)
	return deadline, !c.inbox.waiting.Load()
}

var errClosing = errors.New("resp: the server closes this connection")

// followLimits has the reader keep to the settings as they are now.
func (c *conn) followLimits() {
	bulk, query := c.srv.live.bulkMax.Int(), c.srv.live.queryMax.Int()
	if bulk == c.bulkMax && query == c.queryMax {
		return
	}
	c.bulkMax, c.queryMax = bulk, query
	limits := DefaultLimits()
	limits.BulkBytesMax, limits.QueryBufferMax = bulk, query
	c.rd.SetLimits(&limits)
}

// closeWhenAnswered ends the connection as soon as what has arrived is answered. Safe from any goroutine.
func (c *conn) closeWhenAnswered() {
	c.shared.closingReads.Store(true)
	c.shared.closing.Store(true)
	if c.ev.loop != nil {
		c.ev.loop.nudge(c)
		return
	}
	if c.shared.reading.Load() {
		c.wakeReader()
	}
}

// wakeReader wakes the connection's goroutine if it waits. If it has just begun to serve a command, the deadline hits its
// next wait.
func (c *conn) wakeReader() { _ = c.nc.SetReadDeadline(time.Unix(1, 0)) }
