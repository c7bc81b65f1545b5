package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	methodEcho  = 1 // fast
	methodSlow  = 2 // goroutine, echoes
	methodFail  = 3
	methodBlock = 4 // until the node is closed
)

// node is a Transport with an identity, a log that tests can read, and the handlers above.
type node struct {
	*Transport
	log     *syncBuffer
	entered chan struct{} // one for each methodBlock that began
	release chan struct{} // closed by the test's end
}

func startNode(t testing.TB, id string, tweak ...func(*Config)) *node {
	t.Helper()
	n := &node{log: &syncBuffer{}, entered: make(chan struct{}, 1<<16), release: make(chan struct{})}
	cfg := Config{
		Listen: "127.0.0.1:0",
		Secret: []byte("correct horse"),
		// Long, for megabytes under the race detector on a busy machine.
		CallTimeout: patience, HandshakeTimeout: patience,
		Self:   func() Identity { return Identity{ClusterID: "c1", NodeID: id, Instance: "i-" + id} },
		Logger: slog.New(slog.NewTextHandler(n.log, nil)),
	}
	for _, f := range tweak {
		f(&cfg)
	}
	tr, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Transport = tr
	tr.HandleFast(methodEcho, func(_ Identity, req, dst []byte) ([]byte, error) {
		if string(req) == "fail" {
			return nil, errors.New("fast no")
		}
		return append(dst, req...), nil
	})
	tr.Handle(methodSlow, func(_ Identity, req []byte) ([]byte, error) { return req, nil })
	tr.Handle(methodFail, func(peer Identity, _ []byte) ([]byte, error) { return nil, errors.New("no, " + peer.NodeID) })
	tr.Handle(methodBlock, func(Identity, []byte) ([]byte, error) {
		n.entered <- struct{}{}
		<-n.release
		return nil, nil
	})
	t.Cleanup(func() {
		n.unblock()
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *node) unblock() {
	select {
	case <-n.release:
	default:
		close(n.release)
	}
}

func (n *node) echo(addr, text string) (Identity, error) {
	resp, peer, err := n.Call(context.Background(), addr, methodEcho, []byte(text))
	if err == nil && string(resp) != text {
		err = errors.New("wrong answer " + string(resp))
	}
	return peer, err
}

// conns counts n's inbound connections before and after authentication.
func (n *node) conns() (pending, inbound int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pending.Len(), n.inbound
}

// patience is how long anything may take that must come about, on a busy machine too.
const patience = 30 * time.Second

// eventually polls for a state that no event announces.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// wantErr checks the sentinel and, where given, a piece of the text.
func wantErr(t *testing.T, err, want error, text string) {
	t.Helper()
	if !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %v, want %v with %q", err, want, text)
	}
}

func noSecret(c *Config)                  { c.Secret = nil }
func secret(s string) func(*Config)       { return func(c *Config) { c.Secret = []byte(s) } }
func withTLS(tc *TLSConfig) func(*Config) { return func(c *Config) { c.TLS = tc } }
func shortHandshake(c *Config)            { c.HandshakeTimeout = 50 * time.Millisecond }
func verify(err error) func(*Config) {
	return func(c *Config) { c.Verify = func(Identity) error { return err } }
}

// listenAgain has a node listen on a port below those that the system gives to outgoing connections, so that it is free
// for another node once this one has gone.
func listenAgain(c *Config) {
	const first, last = 11000, 12000
	for range last - first {
		c.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(last-first)))
		if l, err := net.Listen("tcp", c.Listen); err == nil {
			_ = l.Close()
			return
		}
	}
}

func callsMax(n int) func(*Config) { return func(c *Config) { c.CallsMax = n } }
func rawDial(t *testing.T, n *node) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// readAll reads until the other side closes, gracefully or not.
func readAll(t *testing.T, c net.Conn) []byte {
	t.Helper()
	b, err := io.ReadAll(c)
	if isTimeout(err) {
		t.Fatal("the connection was not closed")
	}
	return b
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.b.String(), text)
}
