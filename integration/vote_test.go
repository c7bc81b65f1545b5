package integration

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/testcluster"
)

// TestFailedVote: a node can't write its term or vote, because its disk refuses. It says so in one clear line and ends
// with exit status 1; the library would panic.
func TestFailedVote(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("strace, which makes writes fail, is for Linux")
	}
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
	voter := c.Followers()[0]
	from := len(voter.Log())
	failSyncs(t, voter.Pid(), filepath.Join(voter.Dir, "stable.db"))
	c.Leader().Kill9() // the voter campaigns or is asked for its vote: either way it has a new term to write
	exit := voter.Wait()
	said := voter.Log()[from:]
	if exit.Code != 1 {
		t.Errorf("exit status %d", exit.Code)
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	last := lines[len(lines)-1]
	if !strings.HasPrefix(last, "redoubt: ") || !strings.Contains(last, "stable write") || !strings.Contains(last, "input/output error") {
		t.Errorf("its last line is %q", last)
	}
	if strings.Contains(said, "panic:") || strings.Contains(said, "goroutine ") {
		t.Errorf("it panicked:\n%s", said)
	}
	for _, n := range c.Nodes {
		if !n.Running() {
			n.Restart()
		}
	}
	c.AwaitVoters(3)
}

// failSyncs has every sync of one file of a process fail from now on.
func failSyncs(t *testing.T, pid int, path string) {
	t.Helper()
	cmd := exec.Command("strace", "-f", "-qq", "-p", strconv.Itoa(pid), "-P", path,
		"-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO", "-o", filepath.Join(t.TempDir(), "strace"))
	var said bytes.Buffer
	cmd.Stderr = &said
	switch err := cmd.Start(); {
	case errors.Is(err, exec.ErrNotFound):
		t.Fatal("strace is needed: scripts/test-deps.sh installs it")
	case err != nil:
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it ends with what it traces, or by a signal
		close(exited)
	}()
	t.Cleanup(func() { end(cmd.Process, exited) })
	limit := time.After(testcluster.AwaitTimeout)
	for !traced(t, pid, cmd.Process.Pid) {
		select {
		case <-time.After(redisPoll):
		case <-exited:
			t.Skipf("this machine does not let processes be traced: %s", said.String())
		case <-limit:
			t.Fatal("strace does not attach")
		}
	}
}

// traced reports whether all threads of a process are traced by another one, or the process has ended by it.
func traced(t *testing.T, pid, by int) bool {
	t.Helper()
	threads, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		}
		if err != nil || !bytes.Contains(b, []byte("TracerPid:\t"+strconv.Itoa(by)+"\n")) {
			return false
		}
	}
	return true
}
