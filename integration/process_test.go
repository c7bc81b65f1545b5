package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	startTimeout = 20 * time.Second
	stopTimeout  = 10 * time.Second
	pollInterval = 20 * time.Millisecond
	outputMax    = 1 << 20 // bytes of a process's output that are kept for a failed test
)

// freePort finds a loopback port that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// output keeps the first bytes that a process prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Write(p[:min(len(p), outputMax-o.buf.Len())])
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start runs a program until the test ends, and waits until it answers PING at addr.
func start(t testing.TB, addr, name string, args ...string) {
	t.Helper()
	out := &output{}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		stop(cmd.Process, exited)
		if t.Failed() {
			t.Logf("output of %s:\n%s", name, out)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := awaitReady(ctx, addr, exited); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func stop(p *os.Process, exited <-chan struct{}) {
	_ = p.Signal(syscall.SIGTERM)
	select {
	case <-exited:
	case <-time.After(stopTimeout):
		_ = p.Kill()
		<-exited
	}
}

// awaitReady asks until a write is taken: a node of a cluster may listen before it leads.
func awaitReady(ctx context.Context, addr string, exited <-chan struct{}) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	var last error
	for {
		if last = ready(addr); last == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-exited:
			return errors.New("the process has ended")
		case <-ctx.Done():
			return fmt.Errorf("not ready after %s: %w", startTimeout, last)
		}
	}
}

func ready(addr string) error {
	c, err := respclient.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	v, err := c.Do("FLUSHALL")
	if err == nil && v.IsError() {
		err = errors.New(v.Str)
	}
	return err
}

// startRedis starts the oracle and returns its address.
func startRedis(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server 7.0 is needed: apt-get install redis-server")
	}
	version, err := exec.Command(path, "--version").Output()
	if err != nil || !bytes.Contains(version, []byte("v=7.0.")) {
		t.Fatalf("redis-server 7.0 is needed: apt-get install redis-server (found: %s, %v)", version, err)
	}
	port := freePort(t)
	addr := net.JoinHostPort("127.0.0.1", port)
	start(t, addr, path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--daemonize", "no", "--dir", t.TempDir())
	return addr
}

// binary is the program under test, built once for all tests that need it.
var binary = struct {
	once sync.Once
	dir  string
	err  error
}{}

func redoubt(t testing.TB) string {
	t.Helper()
	binary.once.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "redoubt-integration-"); binary.err != nil {
			return
		}
		build := exec.Command("go", "build", "-o", binary.dir, "../cmd/redoubt")
		var out []byte
		if out, binary.err = build.CombinedOutput(); binary.err != nil {
			binary.err = fmt.Errorf("go build: %w\n%s", binary.err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return filepath.Join(binary.dir, "redoubt")
}

// startRedoubt starts a cluster of one node and returns its address.
func startRedoubt(t testing.TB) string {
	t.Helper()
	path := redoubt(t)
	port := freePort(t)
	addr := net.JoinHostPort("127.0.0.1", port)
	start(t, addr, path, "server", "--node-id", "n1", "--data-dir", t.TempDir(),
		"--resp-addr", addr, "--raft-addr", net.JoinHostPort("127.0.0.1", freePort(t)), "--bootstrap")
	return addr
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if binary.dir != "" {
			if err := os.RemoveAll(binary.dir); err != nil {
				_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
			}
		}
		os.Exit(code)
	}))
}
