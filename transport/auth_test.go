package transport

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMutualAuthentication(t *testing.T) {
	a, b := startNode(t, "a"), startNode(t, "b")
	seen := make(chan Identity, 1)
	b.Handle(9, func(peer Identity, _ []byte) ([]byte, error) { seen <- peer; return nil, nil })
	_, peer, err := a.Call(t.Context(), b.Addr(), 9, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Identity{"c1", "b", "i-b"}); peer != want {
		t.Errorf("a sees %v", peer)
	}
	if got, want := <-seen, (Identity{"c1", "a", "i-a"}); got != want {
		t.Errorf("b sees %v", got)
	}
}

func TestSecretsThatDoNotMatch(t *testing.T) {
	for _, tc := range []struct {
		name             string
		dialer, acceptor func(*Config)
		dialerText       string
		acceptorText     string
	}{
		{"different", secret("x"), secret("y"), "masterauth) differ", "masterauth) differ"},
		{"dialer has none", noSecret, secret("y"), "the peer has a secret", "the peer has none"},
		{"acceptor has none", secret("x"), noSecret, "the peer has none", "the peer has a secret"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := startNode(t, "a", tc.dialer), startNode(t, "b", tc.acceptor)
			_, err := a.echo(b.Addr(), "hi")
			wantErr(t, err, ErrAuth, tc.dialerText)
			if MaybeSent(err) {
				t.Error("nothing was sent")
			}
			eventually(t, "the acceptor says why", func() bool { return b.log.has(tc.acceptorText) })
			if _, inbound := b.conns(); inbound != 0 {
				t.Error("an unauthenticated connection counts")
			}
		})
	}
}

func TestNoSecretOnLoopback(t *testing.T) {
	a, b := startNode(t, "a", noSecret), startNode(t, "b", noSecret)
	if _, err := a.echo(b.Addr(), "hi"); err != nil {
		t.Fatal(err)
	}
}

func TestListenRefusals(t *testing.T) {
	self := func() Identity { return Identity{NodeID: "n"} }
	for _, tc := range []struct {
		cfg  Config
		want error
		text string
	}{
		{Config{Listen: "0.0.0.0:0", Self: self}, ErrInsecure, "masterauth"},
		{Config{Listen: ":0", Self: self}, ErrInsecure, "TLS"},
		{Config{Listen: "0.0.0.0:0", Self: self, AllowInsecure: true}, ErrConfig, "Advertise"},
		{Config{Listen: "0.0.0.0:0", Self: self, Secret: []byte("x"), Advertise: "0.0.0.0:1"}, ErrConfig, "cannot dial"},
		{Config{Listen: "nonsense", Self: self}, ErrConfig, "nonsense"},
		{Config{Listen: "127.0.0.1:0"}, ErrConfig, "Self"},
		{Config{Listen: "127.0.0.1:0", Self: self, CallsMax: -1}, ErrConfig, "CallsMax"},
		{Config{Listen: "127.0.0.1:0", Self: self, FrameBytesMax: 1 << 30}, ErrConfig, "FrameBytesMax"},
	} {
		tr, err := Listen(tc.cfg)
		if tr != nil {
			t.Fatal("listening", tc)
		}
		wantErr(t, err, tc.want, tc.text)
	}
	tr, err := Listen(Config{Listen: "0.0.0.0:0", Self: self, AllowInsecure: true, Advertise: "db.example:0"})
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(tr.ln.Addr().String())
	if tr.Addr() != "db.example:"+port {
		t.Error(tr.Addr())
	}
	_, _ = tr.Close(), tr.Close()
}

func TestVerifyRefusalTextArrives(t *testing.T) {
	t.Run("acceptor refuses", func(t *testing.T) {
		a, b := startNode(t, "a"), startNode(t, "b", verify(errors.New("foreign\ncluster "+strings.Repeat("x", 1000))))
		_, err := a.echo(b.Addr(), "hi")
		wantErr(t, err, ErrRefused, "the peer says: foreign cluster xxx")
		if len(err.Error()) > 700 {
			t.Error("text is not bounded")
		}
		eventually(t, "not counted", func() bool { _, n := b.conns(); return n == 0 })
	})
	t.Run("dialer refuses", func(t *testing.T) {
		a, b := startNode(t, "a", verify(errors.New("lost data directory"))), startNode(t, "b")
		_, err := a.echo(b.Addr(), "hi")
		wantErr(t, err, ErrRefused, "lost data directory")
		eventually(t, "b logs it", func() bool { return b.log.has("the peer says: lost data directory") })
		eventually(t, "not counted", func() bool { _, n := b.conns(); return n == 0 })
	})
}

func TestForeignProtocolsAreClosedAtOnce(t *testing.T) {
	n := startNode(t, "n")
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "*1\r\n$4\r\nPING\r\n", "\x16\x03\x01\x02\x00\x01", "\x00\x00\x00\x00\x00"} {
		c := rawDial(t, n)
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, c); len(got) != 0 {
			t.Errorf("%q got an answer: %q", text, got)
		}
	}
}

func TestOtherVersionIsTold(t *testing.T) {
	n := startNode(t, "n")
	c := rawDial(t, n)
	_, _ = c.Write(append([]byte{0xF5, 'R', 'D', 'T', 99}, make([]byte, 200)...))
	if err := readPrefix(c); err != nil {
		t.Fatal(err)
	}
	_, err := readMessage(c, msgHello)
	wantErr(t, err, ErrProtocol, "version 99")
}

// scripted runs a dialing session against an acceptor that is a function.
func scripted(t *testing.T, acceptor func(c net.Conn)) error {
	t.Helper()
	here, there := net.Pipe()
	_ = here.SetDeadline(time.Now().Add(patience))
	_ = there.SetDeadline(time.Now().Add(patience))
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = there.Close() }()
		acceptor(there)
	}()
	s := session{rw: here, secret: []byte("s"), self: Identity{NodeID: "a"}, verify: func(Identity) error { return nil }}
	_, err := s.dial(purposeRaft)
	_ = here.Close()
	<-done
	return err
}

func TestReflectionToTheDialer(t *testing.T) {
	t.Run("its own hello", func(t *testing.T) {
		err := scripted(t, func(c net.Conn) {
			_ = readPrefix(c)
			raw, _ := readMessage(c, msgHello)
			_, _ = c.Write(appendMessage(appendPrefix(nil), msgHello, raw))
		})
		wantErr(t, err, ErrProtocol, "not to this hello")
	})
	t.Run("its own proof", func(t *testing.T) {
		err := scripted(t, func(c net.Conn) {
			_ = readPrefix(c)
			_, _ = readMessage(c, msgHello)
			h := hello{hasSecret: true, purpose: purposeRaft, id: Identity{NodeID: "b"}}
			_, _ = rand.Read(h.nonce[:])
			_, _ = c.Write(appendMessage(appendPrefix(nil), msgHello, h.encode()))
			proof, _ := readMessage(c, msgProof)
			_, _ = c.Write(appendMessage(nil, msgProof, proof))
			_, _ = readMessage(c, msgAccept)
		})
		wantErr(t, err, ErrAuth, "differ")
	})
	t.Run("claims to have no secret", func(t *testing.T) {
		err := scripted(t, func(c net.Conn) {
			_ = readPrefix(c)
			_, _ = readMessage(c, msgHello)
			h := hello{purpose: purposeRaft, id: Identity{NodeID: "b"}}
			_, _ = c.Write(appendMessage(appendPrefix(nil), msgHello, h.encode()))
		})
		wantErr(t, err, ErrAuth, "the peer has none")
	})
}

func TestAcceptorIsNoOracle(t *testing.T) {
	n := startNode(t, "n")
	c := rawDial(t, n)
	h := hello{hasSecret: true, purpose: purposeRaft, id: Identity{NodeID: "evil"}}
	_, _ = c.Write(appendMessage(appendPrefix(nil), msgHello, h.encode()))
	if err := readPrefix(c); err != nil {
		t.Fatal(err)
	}
	if _, err := readMessage(c, msgHello); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write(appendMessage(nil, msgProof, make([]byte, proofBytes)))
	rest := readAll(t, c)
	if len(rest) == 0 || rest[0] != msgRefuse {
		t.Fatalf("answer to a wrong proof: %q", rest)
	}
}

// A proof that was overheard is of no use in another connection: the acceptor's nonce is new.
func TestReplayedDialerFails(t *testing.T) {
	n := startNode(t, "n")
	rec := &bytes.Buffer{}
	c := rawDial(t, n)
	s := session{rw: &teeConn{c, rec}, secret: []byte("correct horse"), verify: func(Identity) error { return nil }}
	if _, err := s.dial(purposeCalls); err != nil {
		t.Fatal(err)
	}
	replay := rawDial(t, n)
	_, _ = replay.Write(rec.Bytes())
	if got := string(readAll(t, replay)); !strings.Contains(got, "differ") {
		t.Fatalf("%q", got)
	}
}

type teeConn struct {
	net.Conn
	rec *bytes.Buffer
}

func (c *teeConn) Write(p []byte) (int, error) {
	c.rec.Write(p)
	return c.Conn.Write(p)
}

func TestSlowHandshakeIsCutOff(t *testing.T) {
	n := startNode(t, "n", shortHandshake)
	c := rawDial(t, n)
	_, _ = c.Write(magic[:2])
	if got := readAll(t, c); len(got) != 0 {
		t.Errorf("%q", got)
	}
	eventually(t, "nothing pending", func() bool { p, _ := n.conns(); return p == 0 })

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	_, err = n.echo(silent.Addr().String(), "hi")
	wantErr(t, err, ErrTimeout, "")
	wantErr(t, err, ErrDial, "")
	if MaybeSent(err) {
		t.Error("nothing was sent")
	}
}

func TestFloodOfSilentConnectionsLetsNodesIn(t *testing.T) {
	const limit = 8
	a, b := startNode(t, "a"), startNode(t, "b", func(c *Config) { c.PendingMax = limit; c.HandshakeTimeout = time.Minute })
	var flood []net.Conn
	for range 4 * limit {
		flood = append(flood, rawDial(t, b))
	}
	if _, err := a.echo(b.Addr(), "hi"); err != nil {
		t.Fatal(err)
	}
	if p, _ := b.conns(); p > limit {
		t.Errorf("%d pending", p)
	}
	readAll(t, flood[0]) // evicted
	_ = flood[len(flood)-1].SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := flood[len(flood)-1].Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the youngest went as well: %v", err)
	}
}

func TestConnsMax(t *testing.T) {
	b := startNode(t, "b", func(c *Config) { c.ConnsMax = 2 })
	var nodes []*node
	for _, id := range []string{"x", "y", "z"} {
		nodes = append(nodes, startNode(t, id))
	}
	for _, n := range nodes[:2] {
		if _, err := n.echo(b.Addr(), "hi"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := nodes[2].echo(b.Addr(), "hi")
	wantErr(t, err, ErrRefused, "ConnsMax")
	if b.Drop(func(p Identity) bool { return p.NodeID == "x" }) != 1 {
		t.Error("x is not connected")
	}
	eventually(t, "room for z", func() bool { _, err := nodes[2].echo(b.Addr(), "hi"); return err == nil })
}
