package transport

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
)

// batchBytesMax is how much of answers the reader gathers before it has them written.
const batchBytesMax = 64 << 10

// Handler answers one call. req is the handler's own. An error reaches the caller as a RemoteError with the first 4 KiB
// of its text.
type Handler func(peer Identity, req []byte) ([]byte, error)

// FastHandler answers one call by appending to dst. req is valid, and dst may be used, only until it returns.
type FastHandler func(peer Identity, req, dst []byte) ([]byte, error)

type handler struct {
	slow Handler
	fast FastHandler
}

// Handle sets the handler of a method. Each call runs on a goroutine of its own, within CallsMax for a connection and
// HandlersMax for all; beyond these the caller gets ErrBusy. A method can be set once; twice panics.
func (t *Transport) Handle(method byte, h func(peer Identity, req []byte) ([]byte, error)) {
	t.setHandler(method, &handler{slow: h})
}

// HandleFast sets a handler that runs right on the goroutine that reads the connection: it must not block or take
// long, since everything else that the same peer asks waits. A method can be set once; twice panics.
func (t *Transport) HandleFast(method byte, h func(peer Identity, req, dst []byte) ([]byte, error)) {
	t.setHandler(method, &handler{fast: h})
}

func (t *Transport) setHandler(method byte, h *handler) {
	if !t.handlers[method].CompareAndSwap(nil, h) {
		panic(fmt.Sprintf("transport: method %d has a handler already", method))
	}
}

// serverConn serves the calls of one inbound connection.
type serverConn struct {
	t       *Transport
	s       *stream
	out     *outbox
	batch   []byte // frames to be written, of the reader alone
	scratch []byte // where fast handlers append, of the reader alone
	running atomic.Int64
}

// serveCalls reads requests until the connection ends.
func (t *Transport) serveCalls(s *stream) {
	sc := &serverConn{t: t, s: s, out: newOutbox(outboxBytesMax(t.cfg.FrameBytesMax))}
	sc.out.attach(s)
	t.wg.Go(sc.out.run)
	err := sc.read()
	_ = s.Close() // err says why
	sc.out.close(ErrClosed)
	if t.ctx.Err() == nil && !errors.Is(err, io.EOF) {
		t.cfg.Logger.Info("a node's call connection ended", "peer", s.peer.NodeID, "error", err)
	}
}

func (sc *serverConn) read() error {
	frames := newFrameReader(sc.s, sc.t.cfg.FrameBytesMax)
	for {
		if len(sc.batch) > 0 && (len(sc.batch) >= batchBytesMax || !frames.ready()) {
			if err := sc.flush(); err != nil {
				return err
			}
		}
		f, err := frames.next()
		if err != nil {
			return err
		}
		if f.kind != frameRequest {
			return fmt.Errorf("%w: a frame of kind %d from a caller", ErrProtocol, f.kind)
		}
		sc.dispatch(f)
	}
}

// flush writes from the reader's own goroutine: one hand-off less, and a peer that does not read its answers is not
// read from either.
func (sc *serverConn) flush() error {
	if err := sc.out.put(sc.batch); err != nil {
		return err
	}
	if sc.batch = sc.batch[:0]; cap(sc.batch) > outboxKeepBytes {
		sc.batch = nil
	}
	return sc.out.flush()
}

func (sc *serverConn) dispatch(f frame) {
	h := sc.t.handlers[f.method].Load()
	switch {
	case h == nil:
		sc.batch = appendError(sc.batch, f.method, f.id, fmt.Sprintf("no handler for method %d", f.method))
	case h.fast != nil:
		answer, err := h.fast(sc.s.peer, f.payload, sc.scratch[:0])
		sc.batch = sc.appendAnswer(sc.batch, f.method, f.id, answer, err)
		if cap(answer) <= outboxKeepBytes {
			sc.scratch = answer
		}
	default:
		sc.dispatchSlow(f, h.slow)
	}
}

func (sc *serverConn) dispatchSlow(f frame, h Handler) {
	t := sc.t
	if sc.running.Add(1) > int64(t.cfg.CallsMax) {
		sc.running.Add(-1)
		sc.batch = appendFrame(sc.batch, frameBusy, f.method, f.id, nil)
		return
	}
	if t.handling.Add(1) > int64(t.cfg.HandlersMax) {
		t.handling.Add(-1)
		sc.running.Add(-1)
		sc.batch = appendFrame(sc.batch, frameBusy, f.method, f.id, nil)
		return
	}
	method, id, req := f.method, f.id, slices.Clone(f.payload)
	t.wg.Go(func() {
		defer sc.running.Add(-1)
		defer t.handling.Add(-1)
		answer, err := h(sc.s.peer, req)
		frame := sc.appendAnswer(make([]byte, 0, frameHeaderBytes+len(answer)), method, id, answer, err)
		if sc.out.put(frame) == nil { // the caller of a dead connection has been told by its own side
			sc.out.signal()
		}
	})
}

// appendAnswer appends the frame that tells how a handler ended.
func (sc *serverConn) appendAnswer(b []byte, method byte, id uint64, answer []byte, err error) []byte {
	if limit := sc.t.cfg.FrameBytesMax; err == nil && len(answer) > limit {
		err = fmt.Errorf("the answer has %d bytes, at most %d are allowed", len(answer), limit)
	}
	if err != nil {
		return appendError(b, method, id, err.Error())
	}
	return appendFrame(b, frameAnswer, method, id, answer)
}

func appendError(b []byte, method byte, id uint64, text string) []byte {
	if len(text) > errorTextBytesMax {
		text = strings.ToValidUTF8(text[:errorTextBytesMax], "")
	}
	return appendFrame(b, frameError, method, id, []byte(text))
}
