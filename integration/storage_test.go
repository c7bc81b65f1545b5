package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/testcluster"
)

// TestStorageRefusals starts nodes on directories that they must not start on: each says why in one line and ends with
// exit status 1, without having changed anything.
func TestStorageRefusals(t *testing.T) {
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

// diskBytes leaves room for the log's first segment, which is allocated at once, and a little more.
const diskBytes = "90m"

// TestDiskFull lets the leader's disk run full under load: that node gives up with a reason, the others go on, and
// nothing that was acknowledged is lost.
func TestDiskFull(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("mounting a small file system takes root on Linux")
	}
	small := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+diskBytes, "tmpfs", small).CombinedOutput(); err != nil {
		t.Skipf("no small file system can be mounted here: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", small).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	c := testcluster.New(t, testcluster.Options{Flags: []string{"--snapshot-interval", "1000"}})
	for i := range 3 {
		n := c.Add()
		if i == 0 {
			n.Dir, n.Flags = filepath.Join(small, "data"), []string{"--bootstrap"}
		} else {
			n.Flags = []string{"--join", c.Nodes[0].RespAddr}
		}
		n.Launch()
	}
	c.AwaitVoters(3)
	full := c.Nodes[0]
	if c.Leader() != full {
		mustCLI(t, full, "transfer-leader", "--to", full.ID)
	}
	load := c.StartLoad(testcluster.LoadOptions{Writers: 4, ValueBytes: 100_000})
	c.Await("the node whose disk is full gives up", func() bool { return !full.Running() })
	moment := time.Now()
	if exit := full.Wait(); exit.Code != 1 || !strings.Contains(full.Log(), "no space left on device") {
		t.Errorf("exit status %d, and the log is\n%s", exit.Code, full.Log())
	}
	t.Logf("the disk ran full: writes elsewhere %s after the node's end", load.AwaitAckAfter(moment, full.RespAddr))
	load.AwaitAcks(50)
	record := load.Stop()
	t.Log(record)
	record.Verify(c)

	from := len(full.Log())
	full.Launch() // there is still no room: it may start, or say why not
	c.Await("the node starts or says why not", func() bool {
		_, err := full.Try("PING")
		return err == nil || !full.Running()
	})
	if !full.Running() && !strings.Contains(full.Log()[from:], "no space left on device") {
		t.Errorf("it did not start on a full disk and does not say why:\n%s", full.Log()[from:])
	}
	if full.Running() {
		full.Kill9()
	}
}
