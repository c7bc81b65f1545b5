package transport

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	keepAliveIdle     = 15 * time.Second
	keepAliveInterval = 5 * time.Second
	keepAliveProbes   = 3
	// Sent bytes may stay unacknowledged, or the peer's window closed, this long. Calls are always read at once; a raft
	// stream may rightly wait for a slow disk while a snapshot is installed, and has raft's own time outs besides.
	unackedTimeout     = 5 * time.Second
	unackedTimeoutRaft = 30 * time.Second

	acceptBackoffMin = 5 * time.Millisecond
	acceptBackoffMax = time.Second

	// lingerTimeout and lingerBytesMax bound the wait for a refused peer to read why.
	lingerTimeout  = 250 * time.Millisecond
	lingerBytesMax = 4 << 10

	// refusalLogInterval bounds how often inbound refusals are logged; a flood must not become one of the log.
	refusalLogInterval = time.Second
)

// Transport is one node's end of all its connections to other nodes.
type Transport struct {
	cfg       Config // defaults filled in, read-only
	tls       *tlsSetup
	ln        net.Listener
	advertise string

	ctx    context.Context // ends with Close: stops dials and waits
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine; Add only under mu with closed false, or from one that is counted

	handlers [256]atomic.Pointer[handler]
	handling atomic.Int64 // handlers running, see Config.HandlersMax

	mu      sync.Mutex
	closed  bool
	pending *list.List           // of net.Conn: inbound, not authenticated, oldest first
	streams map[*stream]struct{} // authenticated, both directions
	inbound int                  // those of streams that were accepted
	layer   *raftLayer           // open, or nil

	peersMu sync.RWMutex
	peers   map[string]*peer // by address

	refusals refusalLog
}

// Listen binds cfg.Listen and starts to serve it: Self and Verify may be called before it returns. A method that has
// no handler yet answers with a RemoteError, and a raft stream is refused until RaftLayer was called. Errors:
// ErrConfig, ErrInsecure, or what the operating system says.
func Listen(cfg Config) (*Transport, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	addr, err := cfg.listenAddr()
	if err != nil {
		return nil, err
	}
	setup, err := cfg.TLS.load()
	if err != nil {
		return nil, err
	}
	// Keepalive is set on each connection, with shorter times than the listener's default.
	ln, err := (&net.ListenConfig{KeepAlive: -1}).Listen(context.Background(), "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("transport: %w", err)
	}
	advertise, err := cfg.advertised(ln.Addr().(*net.TCPAddr))
	if err != nil {
		_ = ln.Close() // never used
		return nil, err
	}
	t := newTransport(cfg, setup, ln, advertise)
	t.wg.Go(t.acceptLoop)
	return t, nil
}

func newTransport(cfg Config, setup *tlsSetup, ln net.Listener, advertise string) *Transport {
	t := &Transport{
		cfg: cfg, tls: setup, ln: ln, advertise: advertise,
		pending: list.New(),
		streams: make(map[*stream]struct{}),
		peers:   make(map[string]*peer),
	}
	t.refusals.logger = cfg.Logger
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// Addr is the address that peers dial.
func (t *Transport) Addr() string { return t.advertise }

// Close closes every connection, ends outstanding calls with ErrLost, and waits for all goroutines, running handlers
// included.
func (t *Transport) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		t.wg.Wait()
		return nil
	}
	t.closed = true
	layer := t.layer
	var conns []net.Conn
	for e := t.pending.Front(); e != nil; e = e.Next() {
		conns = append(conns, e.Value.(net.Conn))
	}
	for s := range t.streams {
		conns = append(conns, s)
	}
	t.mu.Unlock()

	t.cancel()
	err := t.ln.Close()
	if layer != nil {
		_ = layer.Close() // never fails
	}
	for _, c := range conns {
		_ = c.Close() // gone either way
	}
	t.wg.Wait()
	return err
}

// Drop closes every authenticated connection whose peer match says true to, and returns how many. Their outstanding
// calls end with ErrLost. Calls and raft dial anew, and with the new handshake Self and Verify are asked again.
func (t *Transport) Drop(match func(peer Identity) bool) int {
	t.mu.Lock()
	var drop []*stream
	for s := range t.streams {
		if match(s.peer) {
			drop = append(drop, s)
		}
	}
	t.mu.Unlock()
	for _, s := range drop {
		_ = s.Close() // gone either way
	}
	return len(drop)
}

// spawn runs f on a goroutine that Close waits for, or returns false after Close.
func (t *Transport) spawn(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.wg.Go(f)
	return true
}

// stream is an authenticated connection.
type stream struct {
	net.Conn          // TLS, or raw itself
	raw      net.Conn // closed directly: closing TLS waits for a peer that may not read
	t        *Transport
	peer     Identity
	purpose  byte
	inbound  bool
}

// Close may be called by several goroutines, and twice.
func (s *stream) Close() error {
	s.t.mu.Lock()
	if _, ok := s.t.streams[s]; ok {
		delete(s.t.streams, s)
		if s.inbound {
			s.t.inbound--
		}
	}
	s.t.mu.Unlock()
	return s.raw.Close()
}

// dial makes an authenticated connection, within timeout and as long as ctx and the transport live.
func (t *Transport) dial(ctx context.Context, addr string, purpose byte, timeout time.Duration) (*stream, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	s, err := t.dialUnder(ctx, addr, purpose)
	if err != nil && t.ctx.Err() != nil {
		err = ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	return s, nil
}

func (t *Transport) dialUnder(ctx context.Context, addr string, purpose byte) (*stream, error) {
	raw, err := (&net.Dialer{KeepAlive: -1}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, networkError(err)
	}
	tune(raw)
	deadline, _ := ctx.Deadline()
	_ = raw.SetDeadline(deadline)                              // fails on a closed connection only
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() }) // ends the handshake at once
	s, err := t.introduce(ctx, &stream{raw: raw, t: t, purpose: purpose}, addr)
	if !stop() && (err == nil || errors.Is(err, net.ErrClosed)) {
		err = networkError(ctx.Err()) // that is what closed it
	}
	if err == nil {
		err = t.register(s)
	}
	if err != nil {
		_ = raw.Close() // err says more
		return nil, err
	}
	return s, nil
}

// introduce runs the dialing side's handshakes on s.
func (t *Transport) introduce(ctx context.Context, s *stream, addr string) (*stream, error) {
	conn, binding, err := t.tls.dial(ctx, s.raw, addr)
	if err != nil {
		return nil, err
	}
	s.Conn = conn
	hs := session{rw: conn, secret: t.cfg.Secret, binding: binding, self: t.cfg.Self(), verify: t.verifier(conn)}
	if s.peer, err = hs.dial(s.purpose); err != nil {
		return nil, err
	}
	return s, s.settle()
}

// settle ends the handshake's deadline and gives the connection what its purpose needs.
func (s *stream) settle() error {
	if tc, ok := s.raw.(*net.TCPConn); ok && s.purpose != purposeCalls {
		setUnackedTimeout(tc, unackedTimeoutRaft)
	}
	return s.raw.SetDeadline(time.Time{})
}

func (t *Transport) register(s *stream) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	t.streams[s] = struct{}{}
	return nil
}

func (t *Transport) verifier(conn net.Conn) func(Identity) error {
	return func(peer Identity) error {
		if err := t.tls.checkNodeName(conn, peer); err != nil {
			return err
		}
		return t.cfg.Verify(peer)
	}
}

// tune sets what every connection between nodes needs. All of it is best effort.
func tune(conn net.Conn) {
	tc, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	_ = tc.SetNoDelay(true)
	_ = tc.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveProbes,
	})
	setUnackedTimeout(tc, unackedTimeout)
}
