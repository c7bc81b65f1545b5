package integration

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redoubtdb/redoubt/integration/testcluster"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startRedoubt starts a cluster of one node and returns its address.
func startRedoubt(t testing.TB) string {
	t.Helper()
	return testcluster.Start(t, testcluster.Options{Nodes: 1}).Nodes[0].RespAddr
}

const (
	redisTimeout = 20 * time.Second // for its start, and for its end
	redisPoll    = 20 * time.Millisecond
)

// startRedis starts the oracle, which runs until the test ends, and returns its address.
func startRedis(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server 7.0 is needed: scripts/test-deps.sh installs it")
	}
	version, err := exec.Command(path, "--version").Output()
	if err != nil || !bytes.Contains(version, []byte("v=7.0.")) {
		t.Fatalf("redis-server 7.0 is needed: scripts/test-deps.sh installs it (found: %s, %v)", version, err)
	}
	addr, dir := testcluster.FreeAddr(t), t.TempDir()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	logFile := filepath.Join(dir, "redis.log")
	cmd := exec.Command(path, "--port", port, "--bind", host, "--save", "", "--appendonly", "no", "--daemonize", "no",
		"--dir", dir, "--logfile", logFile)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it ends by a signal, or the test fails
		close(exited)
	}()
	t.Cleanup(func() {
		end(cmd.Process, exited)
		if t.Failed() {
			said, _ := os.ReadFile(logFile) // nothing to show where there is no log
			t.Logf("log of redis-server at %s:\n%s", addr, said)
		}
	})
	awaitPing(t, addr, exited)
	return addr
}

// end stops a process in order, or else at once.
func end(p *os.Process, exited <-chan struct{}) {
	_ = p.Signal(syscall.SIGTERM) // fails if it has ended
	select {
	case <-exited:
	case <-time.After(redisTimeout):
		_ = p.Kill()
		<-exited
	}
}

func awaitPing(t testing.TB, addr string, exited <-chan struct{}) {
	t.Helper()
	tick := time.NewTicker(redisPoll)
	defer tick.Stop()
	limit := time.After(redisTimeout)
	for !answers(addr) {
		select {
		case <-tick.C:
		case <-exited:
			t.Fatal("redis-server has ended")
		case <-limit:
			t.Fatalf("redis-server does not answer at %s", addr)
		}
	}
}

func answers(addr string) bool {
	c, err := respclient.Dial(addr)
	if err != nil {
		return false
	}
	defer c.Close()
	v, err := c.Do("PING")
	return err == nil && v.Str == "PONG"
}
