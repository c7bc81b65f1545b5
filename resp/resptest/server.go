// Package resptest runs a RESP server inside a test, over a cluster of one node in memory.
//
//	s := resptest.Start(t, "maxclients 10", "requirepass secret")
//	c := s.Dial(t)
//	v, err := c.Do("PING")
//
// Start's server and Dial's connections are closed when the test ends. A Server and a Backend may be used by any
// goroutine, a connection by one at a time.
package resptest

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/config"
	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/resp"
)

const (
	// EntryBytesMax is the largest log entry of the server.
	EntryBytesMax = 8 << 20
	closePatience = 2 * time.Second
	startAttempts = 5 // another process may take a free port before the server does
)

// Table is the table of all commands.
var Table = sync.OnceValue(func() *command.Table { return resp.BuildTable(fsm.Commands) })

// Server is a running server.
type Server struct {
	*resp.Server
	Addr    string
	Config  *config.Config
	Backend *Backend
}

// Start runs a server on a free port of this machine with lines of redis.conf as its settings.
func Start(t testing.TB, lines ...string) *Server {
	t.Helper()
	return StartWith(t, nil, lines...)
}

// StartWith is Start with a say in the server's options.
func StartWith(t testing.TB, change func(*resp.Options), lines ...string) *Server {
	t.Helper()
	var err error
	for range startAttempts {
		var s *Server
		if s, err = start(t, change, lines); err == nil {
			t.Cleanup(func() { s.Close(closePatience) })
			return s
		}
	}
	t.Fatalf("resptest: %v", err)
	return nil
}

func start(t testing.TB, change func(*resp.Options), lines []string) (*Server, error) {
	t.Helper()
	addr := freeAddr(t)
	cfg := config.New()
	text := strings.Join(append([]string{"resp-addr " + addr}, lines...), "\n")
	if _, err := cfg.ParseReader("test", strings.NewReader(text)); err != nil {
		t.Fatalf("resptest: %v", err)
	}
	s := &Server{Addr: addr, Config: cfg, Backend: NewBackend()}
	o := resp.Options{Config: cfg, Backend: s.Backend, Table: Table(), EntryBytesMax: EntryBytesMax}
	if change != nil {
		change(&o)
	}
	s.Server = resp.NewServer(o)
	if err := s.Listen(); err != nil {
		return nil, err
	}
	s.Serve()
	return s, nil
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("resptest: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Dial connects a client.
func (s *Server) Dial(t testing.TB) *respclient.Conn {
	t.Helper()
	c, err := respclient.Dial(s.Addr)
	if err != nil {
		t.Fatalf("resptest: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// DialRaw connects without a client.
func (s *Server) DialRaw(t testing.TB) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatalf("resptest: %v", err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return nc
}
