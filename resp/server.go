package resp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/config"
)

// Options is what a Server is made of. All fields are required but Logger, TLS and Now.
type Options struct {
	Config  *config.Config
	Backend Backend
	// Table is BuildTable's: the state machine's commands and the facade's.
	Table *command.Table
	// EntryBytesMax is the most bytes that one log entry, and so one command or transaction, may take.
	EntryBytesMax int
	// TLS serves tls-port.
	TLS    *tls.Config
	Logger *slog.Logger
	// NoEventLoops gives every connection a goroutine, as those of TLS have one.
	NoEventLoops bool
	// Now is the wall clock of TIME, TTL on followers and idle times. Default time.Now.
	Now func() time.Time
}

// Server serves RESP clients. Its methods may be called from any goroutine.
type Server struct {
	cfg      *config.Config
	backend  Backend
	table    *command.Table
	entryMax int
	tls      *tls.Config
	log      *slog.Logger
	now      func() time.Time
	noLoops  bool
	live     liveSettings

	stats   *stats
	slow    *slowlog
	pauses  pauses
	started time.Time
	runID   string

	mu         sync.Mutex
	listeners  []net.Listener
	turnedAway chan struct{} // one element for each that is being told so
	conns      map[int64]*conn
	loops      []*eventLoop
	closed     bool
	wg         sync.WaitGroup // connections, accept loops, the sampler, a FAILOVER under way
	// ctx ends when Close begins: what the server does by itself ends with it.
	ctx    context.Context
	cancel context.CancelFunc
	nextID atomic.Int64
	// failover is the state of a FAILOVER under way; see facade.go.
	failover failoverState
	// samples are INFO's rates and peaks.
	samples sampler
	latency latencyMonitor
	hub     *hub
	tracker *tracker
	// saving: a snapshot asked for by BGSAVE, SAVE or BGREWRITEAOF is being taken. saveFailed: the last one was not.
	saving, saveFailed atomic.Bool
}

// liveSettings are the settings that are looked at for every command.
type liveSettings struct {
	timeout, maxclients, bulkMax, queryMax  config.Live
	minReplicas, minReplicasLag, slowerThan config.Live
	serveStale, latencyMin, trackedKeys     config.Live
}

// NewServer returns a server that does not listen yet.
func NewServer(o Options) *Server {
	s := &Server{
		cfg: o.Config, backend: o.Backend, table: o.Table, entryMax: o.EntryBytesMax, tls: o.TLS, log: o.Logger, now: o.Now, noLoops: o.NoEventLoops,
		slow: &slowlog{}, conns: make(map[int64]*conn), turnedAway: make(chan struct{}, turnAwaysMax), runID: randomHex(20),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.stats = newStats(s.backend.KeyCounters, s.cfg.Live("latency-tracking"))
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.started = s.now()
	s.hub = newHub(s)
	s.tracker = newTracker(s)
	s.live = liveSettings{
		timeout: s.cfg.Live("timeout"), maxclients: s.cfg.Live("maxclients"),
		bulkMax: s.cfg.Live("proto-max-bulk-len"), queryMax: s.cfg.Live("client-query-buffer-limit"),
		minReplicas: s.cfg.Live("min-replicas-to-write"), minReplicasLag: s.cfg.Live("min-replicas-max-lag"),
		slowerThan: s.cfg.Live("slowlog-log-slower-than"), serveStale: s.cfg.Live("replica-serve-stale-data"),
		latencyMin: s.cfg.Live("latency-monitor-threshold"), trackedKeys: s.cfg.Live(tableKeysSetting),
	}
	return s
}

// Listen opens the RESP ports that the settings name. An address that is taken is an error.
func (s *Server) Listen() error {
	addrs, err := s.listenAddrs()
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if err := s.listenOne(a); err != nil {
			if a.optional {
				s.log.Debug("address not available", "addr", a.addr, "err", err)
				continue
			}
			s.closeListeners()
			return err
		}
	}
	if len(s.listeners) == 0 {
		return errors.New("no address to serve clients at: check bind, port and tls-port")
	}
	return nil
}

type listenAddr struct {
	addr     string
	tls      bool
	optional bool // "-addr" in bind: not having it is no error
}

// listenAddrs are the addresses of bind times the ports, by Redis's rules.
func (s *Server) listenAddrs() ([]listenAddr, error) {
	var out []listenAddr
	hosts := s.cfg.Words("bind")
	if len(hosts) == 0 {
		hosts = []string{"*"}
	}
	tlsPort := s.cfg.Int("tls-port")
	if tlsPort != 0 && s.tls == nil {
		return nil, errors.New("tls-port needs tls-cert-file and tls-key-file")
	}
	for _, h := range hosts {
		optional := len(h) > 1 && h[0] == '-'
		if optional {
			h = h[1:]
		}
		if h == "*" {
			h = ""
		}
		if h == "::*" {
			h, optional = "::", true
		}
		if p := s.cfg.Int("port"); p != 0 {
			out = append(out, listenAddr{net.JoinHostPort(h, strconv.FormatInt(p, 10)), false, optional})
		}
		if tlsPort != 0 {
			out = append(out, listenAddr{net.JoinHostPort(h, strconv.FormatInt(tlsPort, 10)), true, optional})
		}
	}
	return out, nil
}

func (s *Server) listenOne(a listenAddr) error {
	l, err := net.Listen("tcp", a.addr)
	if err != nil {
		return fmt.Errorf("serve clients at %s: %w", a.addr, err)
	}
	if a.tls {
		l = tls.NewListener(l, s.tls)
	}
	s.mu.Lock()
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	return nil
}

// Addrs are the addresses that are listened at.
func (s *Server) Addrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []net.Addr
	for _, l := range s.listeners {
		out = append(out, l.Addr())
	}
	return out
}

// Serve accepts connections on what Listen opened. It returns at once.
func (s *Server) Serve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.noLoops {
		s.loops = startLoops(s)
	}
	s.hub.listen()
	s.cfg.OnChange(eventsSetting, func(_, _ string) error {
		s.hub.listen()
		return nil
	})
	s.cfg.OnChange(tableKeysSetting, func(_, _ string) error {
		s.tracker.shrink()
		return nil
	})
	for _, l := range s.listeners {
		s.wg.Add(1)
		go s.acceptLoop(l)
	}
	s.wg.Add(1)
	go s.sample()
}

const (
	acceptBackoffMin = 5 * time.Millisecond
	acceptBackoffMax = time.Second
)

// acceptLoop accepts until the listener is closed. Errors (no descriptors left) are waited out, longer each time.
func (s *Server) acceptLoop(l net.Listener) {
	defer s.wg.Done()
	backoff := acceptBackoffMin
	for {
		nc, err := l.Accept()
		if err == nil {
			backoff = acceptBackoffMin
			s.admit(nc)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		s.log.Warn("accept", "err", err)
		time.Sleep(backoff)
		backoff = min(2*backoff, acceptBackoffMax)
	}
}

// admit starts a connection, or turns it away with Redis's words.
func (s *Server) admit(nc net.Conn) {
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		_ = nc.Close()
		return
	case int64(len(s.conns)) >= s.live.maxclients.Int():
		s.mu.Unlock()
		s.stats.rejected.Add(1)
		s.turnAway(nc, "ERR max number of clients reached")
		return
	}
	if s.protects(nc) {
		s.mu.Unlock()
		s.stats.rejected.Add(1)
		s.turnAway(nc, deniedText)
		return
	}
	c := newConn(s, nc)
	inLoop := len(s.loops) > 0 && s.loops[int(c.id)%len(s.loops)].attach(c)
	s.conns[c.id] = c
	s.wg.Add(1)
	s.mu.Unlock()
	s.stats.connections.Add(1)
	if inLoop {
		c.ev.loop.start(c)
		return
	}
	go func() {
		c.serve()
		s.forget(c)
	}()
}

// forget is the end of a connection that was admitted.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c.id)
	s.mu.Unlock()
	s.wg.Done()
}

const deniedText = "DENIED Redoubt is running in protected mode because no password is set for the default user (requirepass). " +
	"In this mode connections are accepted from this machine only. To serve other machines set a password, bind to an " +
	"address that only they can reach, or, where the network is trusted, run with 'protected-mode no'."

// protects is protected-mode: without a password only this machine is served. As in Redis 7.0 it looks at the peer alone.
func (s *Server) protects(nc net.Conn) bool {
	if !s.cfg.Bool("protected-mode") || s.cfg.String("requirepass") != "" {
		return false
	}
	a, ok := nc.RemoteAddr().(*net.TCPAddr)
	return ok && !a.IP.IsLoopback()
}

const (
	turnAwayTimeout = time.Second
	turnAwaysMax    = 64 // at a time; beyond them nobody is told why
)

// turnAway closes a connection with a word of why. A TLS handshake must not hold the accept loop up, so that it has a
// goroutine, which the deadline ends.
func (s *Server) turnAway(nc net.Conn, text string) {
	select {
	case s.turnedAway <- struct{}{}:
	default:
		_ = nc.Close()
		return
	}
	_ = nc.SetDeadline(time.Now().Add(turnAwayTimeout))
	go func() {
		_, _ = nc.Write([]byte("-" + text + "\r\n"))
		_ = nc.Close()
		<-s.turnedAway
	}()
}

// each runs f on every connection.
func (s *Server) each(f func(*conn)) {
	s.mu.Lock()
	all := make([]*conn, 0, len(s.conns))
	for _, c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		f(c)
	}
}

// closeIdle closes connections in event loops that have been idle for longer than the setting timeout; those with a
// goroutine have a deadline.
func (s *Server) closeIdle() {
	limit := s.live.timeout.Duration()
	if limit <= 0 {
		return
	}
	s.each(func(c *conn) {
		if c.ev.loop != nil {
			c.closeIdle(limit)
		}
	})
}

// Demoted closes ordinary client connections after what is in flight has been answered, as Sentinel makes a demoted
// Redis do: no client shall read on from a deposed leader believing that it leads.
func (s *Server) Demoted() {
	s.each(func(c *conn) { c.closeWhenAnswered() })
}

func (s *Server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.listeners = nil
}

// Close stops accepting, lets every connection answer what it has read, closes them and waits, for at most patience;
// then what is left is cut off.
func (s *Server) Close(patience time.Duration) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.closeListeners()
	s.pauses.end()
	s.each(func(c *conn) { c.closeWhenAnswered() })
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		s.each(func(c *conn) { c.kill() })
		<-done
	}
	s.mu.Lock()
	loops := s.loops
	s.loops = nil
	s.mu.Unlock()
	for _, l := range loops {
		l.close()
	}
}
