package integration

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/redoubtdb/redoubt/integration/testcluster"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

// limitFiles sets how many descriptors a process may have, and returns how many it might before.
func limitFiles(t *testing.T, pid int, files uint64) (before uint64) {
	t.Helper()
	var limit syscall.Rlimit
	prlimit := func(set, get *syscall.Rlimit) {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_NOFILE,
			uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(get)), 0, 0)
		if errno != 0 {
			t.Fatal(errno)
		}
	}
	prlimit(nil, &limit)
	before, limit.Cur = limit.Cur, files // the hard limit stays: not everyone may raise it again
	prlimit(&limit, nil)
	return before
}

// TestNoDescriptorsLeft: a server that can't accept waits, it doesn't spin; who is connected is served, and once others
// have gone new clients are.
func TestNoDescriptorsLeft(t *testing.T) {
	const spare, clients = 10, 40
	c := testcluster.Start(t, testcluster.Options{Nodes: 1})
	n := c.Leader()
	cluster := n.Info("raft", "raft_cluster_id")
	c.Await("the node has written what it writes in its first moments", func() bool {
		identity, err := os.ReadFile(filepath.Join(n.Dir, "identity"))
		return err == nil && strings.Contains(string(identity), cluster)
	})
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	before := limitFiles(t, n.Pid(), uint64(len(open)+spare))
	besiege(t, c, cpuMax, func() {
		var conns []net.Conn
		for range clients {
			conns = append(conns, dialRaw(t, n)) // the kernel takes them, the server can't
		}
		c.Await("the server has noticed", func() bool { return strings.Contains(n.Log(), "too many open files") })
		awaitRest(t, c)
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	c.Await("a new client is served", func() bool {
		v, err := n.Try("PING")
		return err == nil && v.Str == "PONG"
	})
	limitFiles(t, n.Pid(), before)
}

// TestClientsLeaveDescriptors: however many clients come, the node keeps what its log and snapshots need.
func TestClientsLeaveDescriptors(t *testing.T) {
	const limit, more = 600, 200
	addr := testcluster.FreeAddr(t)
	cmd := exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, limit), testcluster.Binary(t), "server", "--bootstrap",
		"--node-id", "n1", "--data-dir", t.TempDir(), "--resp-addr", addr, "--raft-addr", testcluster.FreeAddr(t))
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v; its log:\n%s", err, log.Bytes())
		}
	}()
	admin := awaitLeader(t, addr)
	defer admin.Close()
	for range limit + more {
		conn, err := net.DialTimeout("tcp", addr, hostileTimeout)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	for _, args := range [][]string{{"SET", "k", "v"}, {"SAVE"}, {"SET", "k", "w"}} {
		if v, err := admin.Do(args...); err != nil || v.Str != "OK" {
			t.Fatalf("%q: %+v, %v", args, v, err)
		}
	}
	if v, err := admin.Do("CONFIG", "GET", "maxclients"); err != nil || v.Elems[1].Str != "216" {
		t.Errorf("maxclients: %+v, %v", v, err)
	}
}

// awaitLeader waits until the server at addr takes writes.
func awaitLeader(t *testing.T, addr string) *respclient.Conn {
	t.Helper()
	for deadline := time.Now().Add(testcluster.AwaitTimeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		conn, err := respclient.Dial(addr)
		if err != nil {
			continue
		}
		if v, err := conn.Do("SET", "up", "1"); err == nil && !v.IsError() {
			return conn
		}
		_ = conn.Close()
	}
	t.Fatalf("%s takes no writes", addr)
	return nil
}
