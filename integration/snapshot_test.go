package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/testcluster"
)

// eager makes nodes take snapshots and shorten their logs all the time.
var eager = []string{"--snapshot-threshold", "200", "--snapshot-interval", "1", "--trailing-logs", "50"}

// entriesHeld is how many entries a leader may still have at hand for a follower that it can't reach, whatever its log
// has left: raft's largest message.
const entriesHeld = 1024

// awaitTruncated waits until a node's log no longer reaches back to an index.
func awaitTruncated(c *testcluster.Cluster, n *testcluster.Node, index uint64) {
	c.Await(fmt.Sprintf("the log of %s begins after %d", n.ID, index), func() bool {
		return n.InfoInt("raft", "raft_first_index") > index
	})
}

// TestSnapshotReachesFollower: a follower that was away for longer than the log reaches back is sent a snapshot while
// writes go on, and has the same state then: keys, deadlines and the versions that WATCH compares.
func TestSnapshotReachesFollower(t *testing.T) {
	t.Parallel()
	// raft-wal goes on serving what was removed for as long as the segment file is there, 64 MiB; boltdb does not.
	flags := append(slices.Concat(eager, patient), "--log-store", "boltdb")
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: flags})
	lead := c.Leader()
	for i := range 300 {
		lead.Do("SET", fmt.Sprintf("deadline:%d", i), "v", "EX", fmt.Sprint(1000+i))
	}
	lead.Do("SET", "short", "v", "PX", "300")
	watching := lead.Dial()
	for _, words := range [][]string{{"SET", "watched", "1"}, {"WATCH", "watched"}, {"MULTI"}, {"SET", "mine", "1"}} {
		if v, err := watching.Do(words...); err != nil || v.IsError() {
			t.Fatal(words, v, err)
		}
	}

	away := c.Followers()[0]
	index := away.InfoInt("raft", "raft_last_index")
	away.Kill9()
	load := c.StartLoad(testcluster.LoadOptions{Writers: 4, ValueBytes: 100})
	awaitTruncated(c, c.Leader(), index+entriesHeld)
	start := time.Now()
	away.Restart()
	away.AwaitCaughtUp()
	t.Logf("the follower had caught up by a snapshot %s after its start", time.Since(start))
	if got := away.InfoInt("raft", "raft_snapshot_index"); got <= index {
		t.Errorf("it has a snapshot of index %d, its log ended at %d", got, index)
	}
	load.AwaitAcks(200)
	record := load.Stop()
	c.CheckDigests()
	record.VerifyAt(c, away)
	if ttl := away.Do("TTL", "deadline:299").Int; ttl < 1200 || ttl > 1299 {
		t.Errorf("TTL of a restored key: %d", ttl)
	}
	if v := away.Do("EXISTS", "short"); v.Int != 0 {
		t.Error("an expired key is there")
	}

	// The versions are in the snapshot: the one who got it can judge the transaction as its leader.
	if v, err := watching.Do("EXEC"); err != nil || v.IsNull() || v.IsError() {
		t.Errorf("EXEC although nobody has touched the key: %+v %v", v, err)
	}
	c.AwaitVoters(3)
	mustCLI(t, away, "transfer-leader", "--to", away.ID)
	if v := c.Do("GET", "mine"); v.Str != "1" {
		t.Errorf("GET mine: %+v", v)
	}
}

// TestRestartFromSnapshots restarts everybody from snapshot and log: the state is the same to the byte.
func TestRestartFromSnapshots(t *testing.T) {
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: eager})
	load := c.StartLoad(testcluster.LoadOptions{Writers: 4, ValueBytes: 100})
	load.AwaitAcks(2000)
	record := load.Stop()
	c.Await("all have taken snapshots", func() bool {
		return !slices.ContainsFunc(c.Nodes, func(n *testcluster.Node) bool { return n.InfoInt("raft", "raft_snapshot_index") == 0 })
	})
	c.CheckDigests()
	keys := c.Do("DBSIZE").Int
	for _, n := range c.Nodes {
		n.Kill9()
	}
	for _, n := range c.Nodes {
		n.Launch()
	}
	c.AwaitVoters(3)
	c.CheckDigests()
	record.Verify(c)
	for _, n := range c.Nodes {
		if got := n.Do("DBSIZE").Int; got != keys {
			t.Errorf("%s has %d keys, had %d", n.ID, got, keys)
		}
	}
}

// TestDamagedSnapshot: a snapshot with a flipped byte is named and never served. Where the log goes on from the snapshot
// before, that one takes its place; else the node does not start.
func TestDamagedSnapshot(t *testing.T) {
	t.Run("PreviousUsed", func(t *testing.T) {
		t.Parallel()
		c, victim, record := damageSnapshot(t, "100000")
		victim.AwaitUp()
		c.AwaitVoters(3)
		c.CheckDigests()
		record.VerifyAt(c, victim)
	})
	t.Run("Refused", func(t *testing.T) {
		t.Parallel()
		c, victim, record := damageSnapshot(t, "50")
		if exit := victim.Wait(); exit.Code != 1 || !strings.Contains(victim.Log(), "remove the node from the cluster") {
			t.Errorf("exit status %d", exit.Code)
		}
		rejoin(t, c, victim)
		record.VerifyAt(c, victim)
	})
}

// damageSnapshot starts a follower again whose newest snapshot has a flipped bit.
func damageSnapshot(t *testing.T, trailing string) (*testcluster.Cluster, *testcluster.Node, testcluster.Record) {
	t.Helper()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: append(slices.Clone(eager), "--trailing-logs", trailing)})
	load := c.StartLoad(testcluster.LoadOptions{Writers: 4, ValueBytes: 100})
	victim := c.Followers()[0]
	c.Await("it has two snapshots", func() bool { return len(snapshots(t, victim)) >= 2 })
	victim.Term()
	record := load.Stop()
	newest := snapshots(t, victim)[0]
	flip(t, filepath.Join(newest, "state"), 2)
	victim.Launch()
	c.Await("the node's log names the damaged snapshot", func() bool {
		return strings.Contains(victim.Log(), "damaged") && strings.Contains(victim.Log(), newest)
	})
	return c, victim, record
}

// rejoin is what the messages tell an operator to do with a node whose data are damaged.
func rejoin(t *testing.T, c *testcluster.Cluster, n *testcluster.Node) {
	t.Helper()
	mustCLI(t, c.Leader(), "remove", n.ID)
	if err := os.RemoveAll(n.Dir); err != nil {
		t.Fatal(err)
	}
	n.Flags = []string{"--join", c.Leader().RespAddr}
	n.Restart()
	c.AwaitVoters(len(c.Nodes))
	c.CheckDigests()
}

// snapshots lists the directories of a node's snapshots, newest first.
func snapshots(t *testing.T, n *testcluster.Node) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(n.Dir, "snapshots", "*"))
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(p string) bool {
		_, err := os.Stat(filepath.Join(p, "meta"))
		return err != nil || strings.HasSuffix(p, ".tmp")
	})
	slices.Sort(all)
	slices.Reverse(all)
	return all
}

// flip flips a bit at a part of a file: the byte at 1/part of its length.
func flip(t *testing.T, path string, part int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/part] ^= 4
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
