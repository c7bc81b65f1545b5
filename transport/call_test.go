package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestCallRoundTrips(t *testing.T) {
	a, b := startNode(t, "a"), startNode(t, "b")
	for _, size := range []int{0, 1, 1000, readBufferBytes - frameHeaderBytes, readBufferBytes, readBufferBytes + 1, 3 << 20, 4 << 20} {
		for _, method := range []byte{methodEcho, methodSlow} {
			req := bytes.Repeat([]byte{byte(size), 7}, size/2+1)[:size]
			resp, peer, err := a.Call(t.Context(), b.Addr(), method, req)
			if err != nil || !bytes.Equal(resp, req) || peer.NodeID != "b" {
				t.Fatalf("%d bytes, method %d: %d bytes back from %v, %v", size, method, len(resp), peer, err)
			}
		}
	}
}

func TestRemoteErrors(t *testing.T) {
	a, b := startNode(t, "a"), startNode(t, "b")
	for _, tc := range []struct {
		method byte
		req    string
		want   string
	}{{methodFail, "", "no, a"}, {methodEcho, "fail", "fast no"}, {200, "", "no handler for method 200"}} {
		_, _, err := a.Call(t.Context(), b.Addr(), tc.method, []byte(tc.req))
		var remote *RemoteError
		if !errors.As(err, &remote) || remote.Text != tc.want || !MaybeSent(err) {
			t.Errorf("method %d: %v", tc.method, err)
		}
	}
}

func TestAnswerAndErrorTooLarge(t *testing.T) {
	a, b := startNode(t, "a"), startNode(t, "b")
	b.HandleFast(10, func(_ Identity, _, dst []byte) ([]byte, error) { return append(dst, make([]byte, 5<<20)...), nil })
	b.Handle(11, func(Identity, []byte) ([]byte, error) { return nil, errors.New(strings.Repeat("e", 1<<20)) })
	_, _, err := a.Call(t.Context(), b.Addr(), 10, nil)
	var remote *RemoteError
	if !errors.As(err, &remote) || !strings.Contains(remote.Text, "at most") {
		t.Error(err)
	}
	_, _, err = a.Call(t.Context(), b.Addr(), 11, nil)
	if !errors.As(err, &remote) || len(remote.Text) != errorTextBytesMax {
		t.Error(err)
	}
}

func TestRequestTooLarge(t *testing.T) {
	a, b := startNode(t, "a"), startNode(t, "b")
	_, _, err := a.Call(t.Context(), b.Addr(), methodEcho, make([]byte, 4<<20+1))
	wantErr(t, err, ErrTooLarge, "")
	small := startNode(t, "s", func(c *Config) { c.FrameBytesMax = 4 << 10 })
	_, _, err = a.Call(t.Context(), small.Addr(), methodEcho, make([]byte, 4<<10+1))
	wantErr(t, err, ErrLost, "")
}

func TestTenThousandAsyncCalls(t *testing.T) {
	const calls = 10000
	a, b := startNode(t, "a", callsMax(calls)), startNode(t, "b", callsMax(calls))
	var wg sync.WaitGroup
	var failed atomic.Int64
	wg.Add(calls)
	for i := range calls {
		req := binary.LittleEndian.AppendUint32(nil, uint32(i))
		a.Go(b.Addr(), byte(methodEcho+i%2), req, time.Time{}, func(resp []byte, peer Identity, err error) {
			if err != nil || binary.LittleEndian.Uint32(resp) != uint32(i) || peer.NodeID != "b" {
				failed.Add(1)
			}
			wg.Done()
		})
	}
	wg.Wait()
	if n := failed.Load(); n != 0 {
		t.Errorf("%d failed", n)
	}
	if _, inbound := b.conns(); inbound != 1 {
		t.Errorf("%d connections", inbound)
	}
}

func TestCallsMaxOnBothSides(t *testing.T) {
	const limit = 10
	for _, tc := range []struct {
		name     string
		mine     int
		theirs   func(*Config)
		text     string
		admitted int
	}{
		{"caller", limit, callsMax(1000), "CallsMax", limit},
		{"peer", 1000, callsMax(limit), "at the peer", limit},
		{"peer over all", 1000, func(c *Config) { c.HandlersMax = limit }, "at the peer", limit},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := startNode(t, "a", callsMax(tc.mine)), startNode(t, "b", tc.theirs)
			errs := make(chan error, 3*limit)
			for range 3 * limit {
				a.Go(b.Addr(), methodBlock, nil, time.Time{}, func(_ []byte, _ Identity, err error) { errs <- err })
			}
			for range 2 * limit {
				err := <-errs
				wantErr(t, err, ErrBusy, tc.text)
				if MaybeSent(err) {
					t.Error("not executed")
				}
			}
			for range limit {
				<-b.entered
			}
			b.unblock()
			for range limit {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			if len(b.entered) != 0 {
				t.Error("more ran than allowed")
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	a, b := startNode(t, "a", func(c *Config) { c.CallTimeout = 30 * time.Millisecond }), startNode(t, "b")
	begin := time.Now()
	_, _, err := a.Call(context.Background(), b.Addr(), methodBlock, nil)
	wantErr(t, err, ErrTimeout, "")
	if d := time.Since(begin); d < 30*time.Millisecond || !MaybeSent(err) {
		t.Errorf("after %v: %v", d, err)
	}
	// Deadlines out of order, the later one first.
	late, soon := make(chan error, 1), make(chan error, 1)
	begin = time.Now()
	a.Go(b.Addr(), methodBlock, nil, begin.Add(patience), func(_ []byte, _ Identity, err error) { late <- err })
	a.Go(b.Addr(), methodBlock, nil, begin.Add(20*time.Millisecond), func(_ []byte, _ Identity, err error) { soon <- err })
	wantErr(t, <-soon, ErrTimeout, "")
	b.unblock() // answers of calls that have ended find nobody and do no harm
	if err := <-late; err != nil {
		t.Error(err)
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	a, b := startNode(t, "a"), startNode(t, "b")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-b.entered
		cancel()
	}()
	_, _, err := a.Call(ctx, b.Addr(), methodBlock, nil)
	wantErr(t, err, context.Canceled, "")
	if !MaybeSent(err) {
		t.Error("it was sent")
	}
	_, _, err = a.Call(ctx, b.Addr(), methodEcho, nil)
	wantErr(t, err, context.Canceled, "before the call was sent")
}

func TestDeathOfAConnectionEndsItsCalls(t *testing.T) {
	a, b := startNode(t, "a"), startNode(t, "b")
	const calls = 50
	errs := make(chan error, calls)
	for range calls {
		a.Go(b.Addr(), methodBlock, nil, time.Now().Add(time.Minute), func(_ []byte, _ Identity, err error) { errs <- err })
	}
	for range calls {
		<-b.entered
	}
	b.Drop(func(Identity) bool { return true })
	for range calls {
		err := <-errs
		wantErr(t, err, ErrLost, "")
		if !MaybeSent(err) {
			t.Error("it was sent")
		}
	}
	eventually(t, "a dials again", func() bool { _, err := a.echo(b.Addr(), "again"); return err == nil })
}

func TestCloseEndsOutstandingCalls(t *testing.T) {
	a, b := startNode(t, "a"), startNode(t, "b")
	errs := make(chan error, 2)
	a.Go(b.Addr(), methodBlock, nil, time.Now().Add(time.Minute), func(_ []byte, _ Identity, err error) { errs <- err })
	<-b.entered
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	err := <-errs
	wantErr(t, err, ErrLost, "")
	wantErr(t, err, ErrClosed, "")
	a.Go(b.Addr(), methodEcho, nil, time.Time{}, func(_ []byte, _ Identity, err error) { errs <- err })
	err = <-errs
	wantErr(t, err, ErrClosed, "")
	if MaybeSent(err) {
		t.Error("not sent")
	}
	if _, err := a.RaftLayer().Accept(); !errors.Is(err, ErrClosed) || !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestCloseDuringDial(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	a := startNode(t, "a")
	errs := make(chan error, 1)
	a.Go(silent.Addr().String(), methodEcho, nil, time.Now().Add(time.Minute), func(_ []byte, _ Identity, err error) { errs <- err })
	c, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = a.Close()
	err = <-errs
	wantErr(t, err, ErrClosed, "")
	if MaybeSent(err) {
		t.Error("not sent")
	}
}

func TestBackoffFailsFastAndRecovers(t *testing.T) {
	a, b := startNode(t, "a"), startNode(t, "b", listenAgain)
	addr := b.Addr()
	_ = b.Close()
	_, err := a.echo(addr, "hi")
	wantErr(t, err, ErrDial, "refused")
	p := a.peers[addr]
	p.mu.Lock()
	p.notYet = time.Now().Add(time.Hour)
	p.mu.Unlock()
	_, err = a.echo(addr, "hi")
	wantErr(t, err, ErrBackoff, "refused")
	wantErr(t, err, ErrDial, "")
	p.mu.Lock()
	p.notYet = time.Time{}
	p.mu.Unlock()
	startNode(t, "b2", func(c *Config) { c.Listen = addr })
	eventually(t, "it is back", func() bool { p, err := a.echo(addr, "hi"); return err == nil && p.NodeID == "b2" })
}

func TestPeersAreBounded(t *testing.T) {
	a := startNode(t, "a", func(c *Config) { c.ConnsMax = 2 })
	b, d := startNode(t, "b"), startNode(t, "d")
	for range 3 { // dead addresses make way
		if _, err := a.echo("127.0.0.1:1", "hi"); !errors.Is(err, ErrDial) {
			t.Fatal(err)
		}
	}
	for _, n := range []*node{b, d} {
		if _, err := a.echo(n.Addr(), "hi"); err != nil {
			t.Fatal(err)
		}
	}
	e := startNode(t, "e")
	_, err := a.echo(e.Addr(), "hi")
	wantErr(t, err, ErrBusy, "ConnsMax")
}

// callsConn is an authenticated connection for calls on which a test writes what it likes.
func callsConn(t *testing.T, n *node) net.Conn {
	t.Helper()
	c := rawDial(t, n)
	s := session{rw: c, secret: []byte("correct horse"), self: Identity{NodeID: "x"}, verify: func(Identity) error { return nil }}
	if _, err := s.dial(purposeCalls); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMalformedFramesCloseTheConnection(t *testing.T) {
	n := startNode(t, "n")
	for name, b := range map[string][]byte{
		"oversized":    appendFrameHeader(nil, frameRequest, methodEcho, 1, 4<<20+1),
		"huge":         {0xff, 0xff, 0xff, 0xff, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0},
		"short length": {9, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0},
		"unknown kind": appendFrame(nil, 77, methodEcho, 1, nil),
		"answer":       appendFrame(nil, frameAnswer, methodEcho, 1, nil),
	} {
		c := callsConn(t, n)
		_, _ = c.Write(b)
		if got := readAll(t, c); len(got) != 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestRequestsInPieces(t *testing.T) {
	n := startNode(t, "n")
	c := callsConn(t, n)
	two := appendFrame(appendFrame(nil, frameRequest, methodEcho, 1, []byte("one")), frameRequest, methodEcho, 2, []byte("two"))
	frames := newFrameReader(c, 100)
	_, _ = c.Write(two[:len(two)-1]) // the first is answered although the second is not complete
	if f, err := frames.next(); err != nil || f.id != 1 || string(f.payload) != "one" {
		t.Fatal(f, err)
	}
	_, _ = c.Write(two[len(two)-1:])
	if f, err := frames.next(); err != nil || f.id != 2 || string(f.payload) != "two" {
		t.Fatal(f, err)
	}
}

func TestOutboxBounds(t *testing.T) {
	here, there := net.Pipe()
	o := newOutbox(100)
	for range 2 {
		if err := o.tryFrame(frameRequest, 1, 1, make([]byte, 30)); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.tryFrame(frameRequest, 1, 1, make([]byte, 30)); !errors.Is(err, ErrBusy) {
		t.Fatal(err)
	}
	o.attach(here)
	stopped := make(chan struct{})
	go func() { defer close(stopped); o.run() }()
	put := make(chan error, 1)
	go func() { put <- o.put(make([]byte, 90)) }() // waits for room
	if _, err := io.ReadFull(there, make([]byte, 88)); err != nil {
		t.Fatal(err)
	}
	if err := <-put; err != nil {
		t.Fatal(err)
	}
	o.signal()
	_, _ = io.ReadFull(there, make([]byte, 90))
	o.close(ErrClosed)
	<-stopped
	if err := o.put(nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	_, _ = here.Close(), there.Close()
}

// failingListener fails every Accept until it is closed.
type failingListener struct {
	accepts atomic.Int64
}

func (l *failingListener) Accept() (net.Conn, error) {
	l.accepts.Add(1)
	return nil, errors.New("too many open files")
}
func (l *failingListener) Close() error   { return nil }
func (l *failingListener) Addr() net.Addr { return address("x") }

func TestAcceptErrorsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := &failingListener{}
		cfg, err := Config{Self: func() Identity { return Identity{} }}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		tr := newTransport(cfg, nil, ln, "x")
		tr.wg.Go(tr.acceptLoop)
		time.Sleep(time.Minute) // of the bubble's clock
		if n := ln.accepts.Load(); n < 60 || n > 80 {
			t.Errorf("%d accepts in a minute", n)
		}
		_ = tr.Close()
	})
}

func BenchmarkFastCall(b *testing.B) {
	x, y := startNode(b, "x"), startNode(b, "y")
	ctx, req := context.Background(), []byte("term?")
	b.Run("one caller", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := x.Call(ctx, y.Addr(), methodEcho, req); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, inFlight := range []int{16, 256} {
		b.Run(fmt.Sprintf("%d in flight", inFlight), func(b *testing.B) {
			b.ReportAllocs()
			slots := make(chan struct{}, inFlight)
			done := func(_ []byte, _ Identity, err error) {
				if err != nil {
					b.Error(err)
				}
				<-slots
			}
			for b.Loop() {
				slots <- struct{}{}
				x.Go(y.Addr(), methodEcho, req, time.Now().Add(time.Second), done)
			}
			for range inFlight {
				slots <- struct{}{}
			}
		})
	}
}
