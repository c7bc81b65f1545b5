package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/testcluster"
)

// TestStorageRefusals starts nodes on directories that they must not start on: each says why in one line and ends with
// exit status 1, without having changed anything.
func TestStorageRefusals(t *testing.T) {
	t.Parallel()
	c := testcluster.New(t, testcluster.Options{Unchecked: true})
	owner := c.Add()
	owner.Launch("--bootstrap")
	c.AwaitVoters(1)
	owner.Do("SET", "k", "v")

	refused := func(what string, n *testcluster.Node, want ...string) {
		t.Helper()
		from := len(n.Log())
		n.Launch()
		exit := n.Wait()
		said := n.Log()[from:]
		if exit.Code != 1 {
			t.Errorf("%s: exit status %d", what, exit.Code)
		}
		if strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "redoubt: ") {
			t.Errorf("%s: not one line that begins with the program's name:\n%s", what, said)
		}
		for _, w := range want {
			if !strings.Contains(said, w) {
				t.Errorf("%s: %q is not in: %s", what, w, said)
			}
		}
	}

	second := c.Add()
	second.ID, second.Dir = owner.ID, owner.Dir
	refused("a directory in use", second, "in use by another process", owner.Dir)
	second.ID = "n2"

	foreign := c.Add()
	if err := os.MkdirAll(foreign.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(foreign.Dir, "letters.txt"), []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("somebody else's directory", foreign, "letters.txt", "empty directory")
	if entries, err := os.ReadDir(foreign.Dir); err != nil || len(entries) != 1 {
		t.Errorf("somebody else's directory has %v now, %v", entries, err)
	}

	if exit := owner.Term(); exit.Code != 0 {
		t.Errorf("exit status %d", exit.Code)
	}
	renamed := c.Add()
	renamed.Dir = owner.Dir
	refused("another node's directory", renamed, `"n1"`, `"`+renamed.ID+`"`)

	port := c.Add()
	owner.Restart()
	port.RespAddr = owner.RespAddr
	refused("a RESP port that is taken", port, owner.RespAddr, "address already in use")
	port.RespAddr, port.RaftAddr = testcluster.FreeAddr(t), owner.RaftAddr
	refused("a node port that is taken", port, "node port", owner.RaftAddr, "address already in use")
	owner.Term()

	log := newestSegment(t, owner)
	flipData(t, log, "SET")
	refused("a log with a flipped bit", owner, filepath.Dir(log), "damaged")
}

// newestSegment is the file that holds a node's log.
func newestSegment(t *testing.T, n *testcluster.Node) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(n.Dir, "log", "*.wal"))
	if err != nil || len(all) == 0 {
		t.Fatalf("no log segments in %s: %v", n.Dir, err)
	}
	return slices.Max(all)
}

// flipData flips a bit in a word that is written in a file.
func flipData(t *testing.T, path, word string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.LastIndex(string(b), word)
	if i < 0 {
		t.Fatalf("%s does not hold %q", path, word)
	}
	b[i] ^= 4
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFsyncFails has a sync of the leader's log fail. Whatever a second try would say, the node ends with a message that
// names the file, the others go on, and started again it is a member as before.
func TestFsyncFails(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("strace, which makes syncs fail, is for Linux")
	}
	for _, store := range []string{"wal", "boltdb"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: []string{"--log-store", store}})
			load := c.StartLoad(testcluster.LoadOptions{Writers: 4})
			load.AwaitAcks(100)
			failing := c.Leader()
			file := filepath.Join(failing.Dir, "log", "log.db")
			if store == "wal" {
				file = newestSegment(t, failing)
			}
			moment := time.Now()
			endBySyncs(t, failing, file)
			if exit := failing.Wait(); exit.Code != 1 {
				t.Errorf("exit status %d", exit.Code)
			}
			lines := strings.Split(strings.TrimSpace(failing.Log()), "\n")
			last := lines[len(lines)-1]
			for _, want := range []string{"redoubt: ", "storage has failed", file, "input/output error"} {
				if !strings.Contains(last, want) {
					t.Errorf("the last line does not say %q: %s", want, last)
				}
			}
			t.Logf("writes elsewhere %s after strace attached", load.AwaitAckAfter(moment, failing.RespAddr))
			load.AwaitAcks(50)
			failing.Restart()
			record := load.Stop()
			t.Logf("%s; caught up after %s", record, awaitReads(c, failing))
			record.VerifyAt(c, failing)
			record.Verify(c)
		})
	}
}

// endBySyncs has every sync of a file fail that a node under load writes to, and waits until that has ended the node. That
// may be before strace has attached to all threads.
func endBySyncs(t *testing.T, n *testcluster.Node, path string) {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command("strace", "-f", "-qq", "-p", strconv.Itoa(n.Pid()), "-P", path,
		"-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO", "-o", filepath.Join(t.TempDir(), "strace"))
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("strace is needed (scripts/test-deps.sh installs it): %v", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it ends with what it traces, or by a signal
		close(exited)
	}()
	t.Cleanup(func() { end(cmd.Process, exited) })
	select {
	case <-exited:
	case <-time.After(testcluster.AwaitTimeout):
		t.Fatal("syncs fail, and the node goes on")
	}
	if strings.Contains(said.String(), "attach") {
		t.Skipf("this machine does not let processes be traced: %s", said.String())
	}
}

// awaitReads waits until a node that has started has caught up and answers reads, and returns how long the first took.
func awaitReads(c *testcluster.Cluster, n *testcluster.Node) time.Duration {
	took := n.AwaitCaughtUp()
	c.Await(n.ID+" answers reads", func() bool { return n.Info("persistence", "loading") == "0" })
	return took
}
