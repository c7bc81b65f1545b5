package testcluster

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

const (
	binaryEnv  = "REDOUBT_BIN"
	binaryName = "redoubt-under-test"
)

// build makes the binary beside the test's own executable, where go test cleans up after itself.
var build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(binaryEnv); path != "" {
		return filepath.Abs(path)
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), binaryName)
	out, err := exec.Command("go", "build", "-o", path, "github.com/redoubtdb/redoubt/cmd/redoubt").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// Binary returns the path of the program under test, which is built once in a test process.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Long reports whether the long versions of tests are asked for.
func Long() bool { return os.Getenv("REDOUBT_LONG") == "1" }

// Ports lie below those that the system gives to outgoing connections, so that none is taken while a node is down.
const (
	portMin = 20000
	portMax = 32000
)

var ports struct {
	mu   sync.Mutex
	next int
}

// FreeAddr finds a loopback address that nobody listens on and that no other call of this process has returned lately.
func FreeAddr(t testing.TB) string {
	t.Helper()
	ports.mu.Lock()
	defer ports.mu.Unlock()
	if ports.next == 0 {
		ports.next = portMin + os.Getpid()*61%(portMax-portMin)
	}
	for range portMax - portMin {
		ports.next++
		if ports.next >= portMax {
			ports.next = portMin
		}
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports.next))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return addr
	}
	t.Fatal("no free port")
	return ""
}
