package transport

import (
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// writeTimeout is how long a peer may leave one write unread before its connection is closed.
	writeTimeout = 10 * time.Second
	// outboxKeepBytes is the largest buffer that is kept for the next round.
	outboxKeepBytes = 1 << 20
)

// outbox gathers the frames of many goroutines into few writes. Whoever flushes while nobody writes becomes the writer
// and goes on until nothing is left, so that a frame waits for at most one write in progress.
type outbox struct {
	bytesMax int           // of buf; as much again may be in the write in progress
	wake     chan struct{} // capacity 1: tells run that there is something to write

	mu      sync.Mutex
	room    sync.Cond // on mu: buf shrank, or err is set
	conn    net.Conn  // nil until attach
	buf     []byte    // not yet taken by a writer
	spare   []byte    // the buffer of the last write, to use again
	writing bool      // somebody is in conn.Write, with mu released
	err     error     // set once; nothing is taken from then on
}

func newOutbox(bytesMax int) *outbox {
	o := &outbox{bytesMax: bytesMax, wake: make(chan struct{}, 1)}
	o.room.L = &o.mu
	return o
}

// outboxBytesMax leaves room for a largest frame, and another on its heels.
func outboxBytesMax(frameBytesMax int) int { return 2 * (frameBytesMax + frameHeaderBytes) }

// attach gives the outbox its connection. Nothing is written before.
func (o *outbox) attach(conn net.Conn) {
	o.mu.Lock()
	o.conn = conn
	o.mu.Unlock()
}

// tryFrame adds a frame for run to write, or fails at once with ErrBusy or what closed the outbox. It copies payload.
func (o *outbox) tryFrame(kind, method byte, id uint64, payload []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	if !o.fits(frameHeaderBytes + len(payload)) {
		return fmt.Errorf("%w: %d bytes wait to be sent", ErrBusy, len(o.buf))
	}
	o.buf = appendFrame(o.buf, kind, method, id, payload)
	o.signal()
	return nil
}

// put adds whole frames, waiting for room; flush or run writes them.
func (o *outbox) put(frames []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && !o.fits(len(frames)) {
		o.signal()
		o.room.Wait()
	}
	if o.err != nil {
		return o.err
	}
	o.buf = append(o.buf, frames...)
	return nil
}

func (o *outbox) fits(n int) bool { return len(o.buf) == 0 || len(o.buf)+n <= o.bytesMax }

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run writes whenever there is something, until the outbox is closed. On an error of the network it closes conn, which
// ends the reader as well.
func (o *outbox) run() {
	for range o.wake {
		if o.flush() != nil {
			return
		}
	}
}

// flush writes what is there, or leaves it to the writer at work. It blocks for the network.
func (o *outbox) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.writing && len(o.buf) > 0 && o.err == nil {
		b := o.buf
		o.buf, o.spare, o.writing = o.spare[:0], nil, true
		o.mu.Unlock()
		err := o.write(b)
		o.mu.Lock()
		o.writing = false
		if cap(b) <= outboxKeepBytes {
			o.spare = b[:0]
		}
		if err != nil && o.err == nil {
			o.err = err
		}
		o.room.Broadcast()
	}
	return o.err
}

func (o *outbox) write(b []byte) error {
	err := o.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = o.conn.Write(b)
	}
	if err != nil {
		_ = o.conn.Close() // the write error is the one to report
	}
	return err
}

// close ends run and whoever waits for room. The connection is closed by its owner.
func (o *outbox) close(err error) {
	o.mu.Lock()
	if o.err == nil {
		o.err = err
	}
	o.buf, o.spare = nil, nil
	o.room.Broadcast()
	o.signal()
	o.mu.Unlock()
}
