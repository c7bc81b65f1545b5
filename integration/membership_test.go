package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/testcluster"
)

// cli runs "redoubt cluster ..." against a node, as an operator would.
func cli(t *testing.T, n *testcluster.Node, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(testcluster.Binary(t), append(append([]string{"cluster"}, args...), "--addr", n.RespAddr)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// mustCLI is cli for commands that must succeed.
func mustCLI(t *testing.T, n *testcluster.Node, args ...string) string {
	t.Helper()
	out, errs, code := cli(t, n, args...)
	if code != 0 || errs != "" {
		t.Fatalf("redoubt cluster %q at %s: exit status %d\n%s%s", args, n.ID, code, out, errs)
	}
	return out
}

// refusedCLI is cli for commands that must fail, in one line that holds a text.
func refusedCLI(t *testing.T, n *testcluster.Node, why string, args ...string) {
	t.Helper()
	out, errs, code := cli(t, n, args...)
	if code != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, why) {
		t.Errorf("redoubt cluster %q at %s: exit status %d, want 1 and a line with %q\n%s%s", args, n.ID, code, why, out, errs)
	}
}

func join(t *testing.T, c *testcluster.Cluster, by *testcluster.Node, voters int) *testcluster.Node {
	t.Helper()
	n := c.Add()
	n.Flags = []string{"--join", by.RespAddr}
	start := time.Now()
	n.Launch()
	c.AwaitVoters(voters)
	t.Logf("%s is a voter %s after its start", n.ID, time.Since(start))
	return n
}

// TestGrowAndShrink takes a cluster from three nodes to five, through the loss of two, and back to three.
func TestGrowAndShrink(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: patient})
	load := c.StartLoad(testcluster.LoadOptions{Writers: 2, Pause: time.Millisecond})
	load.AwaitAcks(100)
	join(t, c, c.Followers()[0], 4) // by a follower's address
	join(t, c, c.Followers()[1], 5)
	small := load.Stop() // its clients know the first three nodes only
	load = c.StartLoad(testcluster.LoadOptions{Writers: 2, Pause: time.Millisecond})
	load.AwaitAcks(100)

	lost := []*testcluster.Node{c.Leader(), c.Followers()[0]}
	moment := time.Now()
	for _, n := range lost {
		n.Kill9()
	}
	t.Logf("two of five killed, the leader among them: writes again after %s", load.AwaitAckAfter(moment, lost[0].RespAddr))
	load.AwaitAcks(100)
	for _, n := range lost {
		n.Restart()
	}
	c.AwaitVoters(5)

	record := load.Stop()
	t.Log(record)
	term := mustStatus(t, c.Leader()).Term

	follower := c.Followers()[0]
	mustCLI(t, c.Leader(), "remove", follower.ID)
	c.Await("the removed follower knows", func() bool { return follower.State() == "removed" })
	if role := follower.Info("replication", "role"); role != "slave" {
		t.Errorf("role of a removed node: %q", role)
	}
	follower.Term()
	c.AwaitVoters(4)
	if now := mustStatus(t, c.Leader()).Term; now != term {
		t.Errorf("the removal of a follower raised the term from %d to %d", term, now)
	}

	lead := c.Leader()
	mustCLI(t, lead, "remove", lead.ID)
	c.Await("the removed leader knows", func() bool { return lead.State() == "removed" })
	if _, err := lead.Try("SET", "k", "v"); err == nil {
		t.Error("a removed node took a write")
	}
	term = mustStatus(t, c.Leader()).Term
	lead.Kill9()
	lead.Restart() // must not disturb the others: it has been told for good
	c.Await("the removed leader knows still", func() bool { return lead.State() == "removed" })
	if now := mustStatus(t, c.Leader()).Term; now != term {
		t.Errorf("the restart of a removed node raised the term from %d to %d", term, now)
	}
	lead.Term()
	c.AwaitVoters(3)
	small.Verify(c)
	record.Verify(c)
}

func mustStatus(t *testing.T, n *testcluster.Node) *testcluster.Status {
	t.Helper()
	st, err := n.Status()
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// TestOperateByCLI is the rest of what an operator does, on one cluster.
func TestOperateByCLI(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: patient})
	other := c.Followers()[0]

	if out := mustCLI(t, other, "status"); !strings.Contains(out, "leader "+c.Leader().ID) || !strings.Contains(out, "majority 2 of 3 voters") {
		t.Errorf("status:\n%s", out)
	}
	var st testcluster.Status
	if err := json.Unmarshal([]byte(mustCLI(t, other, "status", "--output", "json")), &st); err != nil || st.NodeID != other.ID || len(st.Members) != 3 {
		t.Errorf("status --output json: %+v, %v", st, err)
	}

	mustCLI(t, c.Leader(), "transfer-leader", "--to", other.ID)
	if lead := c.Leader(); lead != other {
		t.Errorf("%s leads after a transfer to %s", lead.ID, other.ID)
	}

	mustCLI(t, other, "drain", other.ID)
	if lead := c.Leader(); lead == other {
		t.Errorf("%s leads although it is drained", other.ID)
	}
	refusedCLI(t, c.Leader(), "no reachable voter", "transfer-leader", "--to", other.ID)
	c.Leader().Kill9() // a drained node may vote, and lead for a moment if it must, but hands over
	c.Await("a node that is not drained leads", func() bool {
		return len(c.Up()) == 2 && c.Leader() != other
	})
	for _, n := range c.Nodes {
		if !n.Running() {
			n.Restart()
		}
	}
	c.AwaitVoters(3)
	mustCLI(t, other, "undrain", other.ID)

	mustCLI(t, other, "demote", other.ID)
	c.AwaitVoters(2)
	if m, _ := mustStatus(t, c.Leader()).Member(other.ID); m.Voter || !m.Standby {
		t.Errorf("demoted: %+v", m)
	}
	refusedCLI(t, c.Leader(), "no reachable voter", "transfer-leader", "--to", other.ID)
	mustCLI(t, c.Leader(), "promote", other.ID)
	c.AwaitVoters(3)

	mustCLI(t, other, "snapshot")
	if i := other.InfoInt("raft", "raft_snapshot_index"); i == 0 {
		t.Error("no snapshot after redoubt cluster snapshot")
	}

	refusedCLI(t, c.Leader(), "no such node", "remove", "nobody")
	// A node that went down this moment counts for nothing when another one is to go.
	lead := c.Leader()
	down, stays := c.Followers()[0], c.Followers()[1]
	down.Kill9()
	refusedCLI(t, lead, "no majority", "remove", stays.ID)
	refusedCLI(t, lead, "no majority", "demote", stays.ID)
	down.Restart()
	c.AwaitVoters(3)
}

// TestNodesMove restarts nodes under other ports: the cluster must learn them, of one node and of two at a time.
func TestNodesMove(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
	load := c.StartLoad(testcluster.LoadOptions{Writers: 2, Pause: time.Millisecond})
	load.AwaitAcks(100)
	var moved []*testcluster.Node
	move := func(n *testcluster.Node) {
		n.Term()
		n.RespAddr, n.RaftAddr = testcluster.FreeAddr(t), testcluster.FreeAddr(t)
		n.Launch()
		moved = append(moved, n)
	}
	settle := func(what string) {
		t.Helper()
		start := time.Now()
		c.AwaitVoters(3)
		awaitAddresses(t, c)
		c.Await("the log has all addresses", func() bool { // nodes that go down now will find each other by it
			logs := ""
			for _, n := range c.Nodes {
				logs += n.Log()
			}
			for _, n := range moved {
				if !strings.Contains(logs, "member="+n.ID+" raft_addr="+n.RaftAddr) {
					return false
				}
			}
			return true
		})
		t.Logf("%s: settled after %s", what, time.Since(start))
	}
	move(c.Followers()[0])
	settle("one follower moved")
	record := load.Stop() // it knows the old addresses only

	moved = nil
	lead := c.Leader()
	for _, n := range c.Nodes {
		if n != lead {
			move(n)
		}
	}
	settle("two of three moved")
	moved = nil
	move(c.Leader())
	settle("the leader moved")
	record.Verify(c)
	t.Log(record)
}

// TestLostDirectory: a node whose data are gone must not come back under its id as if nothing had happened.
func TestLostDirectory(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
	c.Do("SET", "k", "v")
	lost := c.Followers()[0]
	lost.Term()
	if err := os.RemoveAll(lost.Dir); err != nil {
		t.Fatal(err)
	}
	by := c.Leader()
	lost.Restart("--join", by.RespAddr)
	c.Await("the node is told why it may not join", func() bool {
		return strings.Contains(lost.Log(), "remove it first (redoubt cluster remove "+lost.ID+")")
	})
	if state := lost.State(); state != "joining" {
		t.Errorf("a node that lost its data is %s", state)
	}
	// It must not help the others to a majority.
	other := c.Followers()
	for _, n := range other {
		if n != lost {
			n.Kill9()
		}
	}
	c.Await("the leader steps down", func() bool { return by.State() != "leader" })
	if _, err := by.Try("SET", "k", "w"); err == nil {
		t.Error("a write was acknowledged with the help of a node that had lost its data")
	}
	for _, n := range c.Nodes {
		if !n.Running() {
			n.Restart()
		}
	}
	c.Await("two nodes agree on a leader again", func() bool {
		_, err := c.Nodes[0].Try("REDOUBT", "STATUS")
		return err == nil && c.Leader() != lost
	})

	mustCLI(t, c.Leader(), "remove", lost.ID) // then its next try is let in
	c.AwaitVoters(3)
	if v := lost.Do("GET", "k"); v.Str != "v" {
		t.Errorf("GET k: %+v", v)
	}
}

// TestStateWinsOverFlags: bootstrap and join are for nodes without state.
func TestStateWinsOverFlags(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 2})
	follower := c.Followers()[0]
	follower.Term()
	follower.Flags = []string{"--bootstrap"}
	follower.Restart()
	c.AwaitVoters(2)
	if !strings.Contains(follower.Log(), "bootstrap is ignored") {
		t.Error("the log does not say that bootstrap is ignored")
	}
	lead := c.Leader()
	lead.Term()
	lead.Flags = []string{"--join", follower.RespAddr}
	lead.Restart()
	c.AwaitVoters(2)
	if !strings.Contains(lead.Log(), "it does not join again") {
		t.Error("the log does not say that the node does not join again")
	}
	if st := mustStatus(t, c.Leader()); len(st.Members) != 2 {
		t.Errorf("%+v", st)
	}
}

// TestJoinNeverBootstraps: a node that finds no cluster goes on looking and begins none.
func TestJoinNeverBootstraps(t *testing.T) {
	t.Parallel()
	c := testcluster.New(t, testcluster.Options{Unchecked: true})
	n, later := c.Add(), c.Add()
	n.Launch("--join", later.RespAddr)
	n.AwaitUp()
	c.Await("it has tried twice", func() bool { return strings.Count(n.Log(), "could not join yet") >= 2 })
	if state := n.State(); state != "joining" {
		t.Errorf("state %s", state)
	}
	if _, err := os.Stat(filepath.Join(n.Dir, "identity")); err != nil {
		t.Error(err)
	}
	later.Launch("--bootstrap")
	c.AwaitVoters(2)
}

// awaitAddresses waits until every node knows where all of them are.
func awaitAddresses(t *testing.T, c *testcluster.Cluster) {
	t.Helper()
	c.Await("all know all addresses", func() bool {
		for _, n := range c.Nodes {
			st, err := n.Status()
			if err != nil {
				return false // it closes its connections where leadership moves
			}
			for _, m := range st.Members {
				if at := c.ByID(m.ID); m.RespAddr != at.RespAddr || m.RaftAddr != at.RaftAddr {
					return false
				}
			}
		}
		return true
	})
}
