package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/testcluster"
)

const (
	smallDiskMB = "112m" // room for some segments of the log, and a reserve
	largeDiskMB = "2g"
	smallValues = 100_000 // bytes; some hundred of them fill a small disk
)

// smallDisk is a file system that runs full soon. It takes root on Linux.
type smallDisk struct {
	t   *testing.T
	dir string
}

func newSmallDisk(t *testing.T) *smallDisk {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("mounting a small file system takes root on Linux")
	}
	d := &smallDisk{t, t.TempDir()}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+smallDiskMB, "tmpfs", d.dir).CombinedOutput(); err != nil {
		t.Skipf("no small file system can be mounted here: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", d.dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	return d
}

// enlarge is how an operator makes room.
func (d *smallDisk) enlarge() {
	d.t.Helper()
	if out, err := exec.Command("mount", "-o", "remount,size="+largeDiskMB, d.dir).CombinedOutput(); err != nil {
		d.t.Fatalf("remount: %v %s", err, out)
	}
}

// startOnSmall starts three nodes, of which the first so many have a small disk, and makes the first one the leader.
func startOnSmall(t *testing.T, small int, flags ...string) (*testcluster.Cluster, []*smallDisk) {
	t.Helper()
	var disks []*smallDisk
	for range small {
		disks = append(disks, newSmallDisk(t))
	}
	c := testcluster.New(t, testcluster.Options{Flags: append([]string{"--snapshot-interval", "1000"}, flags...)})
	for i := range 3 {
		n := c.Add()
		if i < small {
			n.Dir = filepath.Join(disks[i].dir, "data")
		}
		if n.Flags = []string{"--bootstrap"}; i > 0 {
			n.Flags = []string{"--join", c.Nodes[0].RespAddr}
		}
		n.Launch()
	}
	c.AwaitVoters(3)
	if c.Leader() != c.Nodes[0] {
		mustCLI(t, c.Nodes[0], "transfer-leader", "--to", c.Nodes[0].ID)
	}
	return c, disks
}

func short(n *testcluster.Node) bool { return n.Info("raft", "raft_disk_short") == "1" }

// TestDiskNearlyFull lets the leader's disk run full under load: it hands leadership over and stays in the cluster,
// takes no more entries before its log would fail, and catches up by itself once there is room.
func TestDiskNearlyFull(t *testing.T) {
	c, disks := startOnSmall(t, 1, "--disk-reserve-bytes", "48mb")
	full := c.Nodes[0]
	pid := full.Pid()
	load := c.StartLoad(testcluster.LoadOptions{Writers: 4, ValueBytes: smallValues})
	c.Await("another node leads", func() bool {
		return short(full) && full.Info("raft", "raft_state") == "follower" && c.Leader() != full
	})
	load.AwaitAcks(50)
	c.Await("the node with the full disk takes no more entries", func() bool {
		return strings.Contains(full.Log(), "what the leader sends is declined")
	})
	behind := full.InfoInt("raft", "raft_last_index")
	load.AwaitAcks(200)
	if at := full.InfoInt("raft", "raft_last_index"); at != behind {
		t.Errorf("it declined entries at %d and has %d now", behind, at)
	}
	if state := full.Info("raft", "raft_state"); state != "follower" {
		t.Errorf("it is %s", state)
	}
	disks[0].enlarge()
	c.Await("there is room again", func() bool { return !short(full) })
	load.AwaitAcks(50)
	record := load.Stop()
	t.Logf("%s; caught up after %s", record, full.AwaitCaughtUp())
	record.VerifyAt(c, full)
	record.Verify(c)
	if !full.Running() || full.Pid() != pid || strings.Contains(full.Log(), "storage has failed") {
		t.Error("the node did not simply go on")
	}
}

// TestDisksFull lets the disks of all nodes run full: writes are refused with a reason, reads are served, and the cluster
// goes on by itself once there is room.
func TestDisksFull(t *testing.T) {
	c, disks := startOnSmall(t, 3, append([]string{"--disk-reserve-bytes", "48mb"}, patient...)...)
	load := c.StartLoad(testcluster.LoadOptions{Writers: 4, ValueBytes: smallValues})
	c.Await("all disks are full", func() bool { return short(c.Nodes[0]) && short(c.Nodes[1]) && short(c.Nodes[2]) })
	lead := c.Leader()
	for _, args := range [][]string{{"SET", "k", "v"}, {"DEL", "k"}} {
		if v, err := lead.Try(args...); err == nil || !strings.Contains(err.Error(), "MISCONF no room on disk") {
			t.Errorf("%v on full disks: %+v, %v", args, v, err)
		}
	}
	if v := lead.Do("GET", "k"); !v.IsNull() {
		t.Errorf("GET k: %+v: a refused write was applied", v)
	}
	if status := lead.Info("persistence", "aof_last_write_status"); status != "err" {
		t.Errorf("aof_last_write_status is %s", status)
	}
	if out := mustCLI(t, lead, "status"); strings.Count(out, "disk full") != 3 {
		t.Errorf("the status does not tell:\n%s", out)
	}
	for _, d := range disks {
		d.enlarge()
	}
	load.AwaitAcks(50)
	record := load.Stop()
	t.Log(record)
	record.Verify(c)
	for _, n := range c.Nodes {
		if strings.Contains(n.Log(), "storage has failed") {
			t.Errorf("%s met the end of its disk", n.ID)
		}
	}
}

// TestDiskQuiteFull has a leader meet the end of its disk, as one does that keeps no reserve: it stops at once, the
// others go on, its process waits, tells clients why, and starts again by itself once there is room.
func TestDiskQuiteFull(t *testing.T) {
	for _, store := range []string{"wal", "boltdb"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			c, disks := startOnSmall(t, 1, "--disk-reserve-bytes", "0", "--log-store", store)
			full := c.Nodes[0]
			pid := full.Pid()
			load := c.StartLoad(testcluster.LoadOptions{Writers: 4, ValueBytes: smallValues})
			c.Await("the node waits for room", func() bool {
				return strings.Contains(full.Log(), "no space left on device") && strings.Contains(full.Log(), "waits for room")
			})
			moment := time.Now()
			t.Logf("writes elsewhere %s after that", load.AwaitAckAfter(moment, full.RespAddr))
			load.AwaitAcks(50)
			c.Await("it says so", func() bool {
				_, err := full.Try("PING")
				return err != nil && strings.Contains(err.Error(), "MISCONF no room on disk: node "+full.ID)
			})
			disks[0].enlarge()
			full.AwaitUp()
			load.AwaitAcks(50)
			record := load.Stop()
			t.Logf("%s; caught up after %s", record, awaitReads(c, full))
			record.VerifyAt(c, full)
			record.Verify(c)
			if !full.Running() || full.Pid() != pid {
				t.Error("another process runs now")
			}
		})
	}
}
