package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/integration/testcluster"
)

// patient is for tests in which leadership must stay where it is, however busy the machine.
var patient = []string{"--raft-profile", "wan"}

// relocate gives a node that does not run other ports.
func relocate(t *testing.T, n *testcluster.Node) {
	n.RespAddr, n.RaftAddr = testcluster.FreeAddr(t), testcluster.FreeAddr(t)
}

// TestAllNodesMove restarts a whole cluster under other ports. That two nodes are told the third one's RESP address by
// --join suffices for all to find each other; after that nobody needs to be told anything.
func TestAllNodesMove(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Password: "secret"})
	c.Do("SET", "k", "v")
	for _, n := range c.Nodes {
		n.Term()
		relocate(t, n)
		n.Flags = []string{"--join", c.Nodes[0].RespAddr}
	}
	for _, n := range c.Nodes {
		n.Launch()
	}
	c.AwaitVoters(3)
	if v := c.Do("GET", "k"); v.Str != "v" {
		t.Errorf("GET k: %+v", v)
	}
	awaitAddresses(t, c)
	for _, n := range c.Nodes {
		n.Kill9()
		n.Flags = nil
	}
	for _, n := range c.Nodes {
		n.Launch()
	}
	c.AwaitVoters(3)
}

// TestDamagedBook: the address book is a hint. A damaged one is named, and the node starts and writes it anew.
func TestDamagedBook(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
	n := c.Followers()[0]
	book := filepath.Join(n.Dir, "book")
	c.Await("the book has all nodes", func() bool {
		b, err := os.ReadFile(book)
		return err == nil && bytes.Contains(b, []byte(c.Nodes[0].RaftAddr)) && bytes.Contains(b, []byte(c.Nodes[1].RaftAddr)) &&
			bytes.Contains(b, []byte(c.Nodes[2].RaftAddr))
	})
	n.Term()
	flipData(t, book, "addr")
	n.Restart()
	c.AwaitVoters(3)
	if log := n.Log(); !strings.Contains(log, "the address book is passed over") || !strings.Contains(log, book) {
		t.Errorf("the damaged book is not named:\n%s", log)
	}
	c.Await("the book is whole again", func() bool {
		b, err := os.ReadFile(book)
		return err == nil && bytes.Contains(b, []byte(`"addr"`)) && bytes.Contains(b, []byte(c.Leader().RaftAddr))
	})
}

// TestRemovedWhileDown: a node that was removed while it was down learns it when it comes back.
func TestRemovedWhileDown(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
	gone := c.Followers()[0]
	gone.Term()
	mustCLI(t, c.Leader(), "remove", gone.ID)
	gone.Restart()
	c.Await("the removed node knows", func() bool { return gone.State() == "removed" })
}

// TestOldDirectory: a node was removed and let in again with an empty directory; then somebody puts the old directory
// back. No member may take it for the node, and its log says why.
func TestOldDirectory(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: patient})
	lead, n := c.Leader(), c.Followers()[0]
	lead.Do("SET", "k", "v")
	c.Await("it has the write", func() bool { return n.Do("GET", "k").Str == "v" })
	n.Term()
	old := n.Dir + ".old"
	if err := os.Rename(n.Dir, old); err != nil {
		t.Fatal(err)
	}
	mustCLI(t, lead, "remove", n.ID)
	n.Flags = []string{"--join", lead.RespAddr}
	n.Restart()
	c.AwaitVoters(3)
	lead.Do("SET", "k", "w")
	c.Await("it has the write", func() bool { return n.Do("GET", "k").Str == "w" })
	n.Term()

	n.Dir, old = old, n.Dir
	term := mustStatus(t, lead).Term
	n.Restart()
	c.Await("the node is told why it is kept out", func() bool { return strings.Contains(n.Log(), "is out of date") })
	if v, err := n.Try("GET", "k"); err == nil {
		t.Errorf("it serves reads: %+v", v)
	}
	st := mustStatus(t, lead)
	if st.Term != term {
		t.Errorf("it raised the term from %d to %d", term, st.Term)
	}
	if m, _ := st.Member(n.ID); m.State != "unreachable" {
		t.Errorf("the leader takes it for a member: %+v", m)
	}
	n.Term()
	n.Dir = old
	n.Restart()
	c.AwaitVoters(3)
}

// TestBootstrapTwice: a node whose data are gone is started with the --bootstrap that its unit file has always had. It
// must not begin a second cluster: where members call it it says so and ends, where it can ask one it joins.
func TestBootstrapTwice(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
	first := c.Nodes[0] // its flag is --bootstrap
	c.Do("SET", "k", "v")
	first.Term()
	if err := os.RemoveAll(first.Dir); err != nil {
		t.Fatal(err)
	}
	c.Leader()
	first.Launch()
	if exit := first.Wait(); exit.Code != 1 {
		t.Errorf("exit status %d", exit.Code)
	}
	if said := first.Log(); !strings.Contains(said, "bootstrap is refused") || !strings.Contains(said, "redoubt cluster remove n1") {
		t.Errorf("it does not say why it ended:\n%s", said)
	}
	first.Flags = []string{"--bootstrap", "--join", c.Nodes[1].RespAddr + "," + c.Nodes[2].RespAddr}
	first.Restart()
	c.Await("it joins, and is told to be removed before", func() bool {
		return strings.Contains(first.Log(), "bootstrap is not carried out") && strings.Contains(first.Log(), "remove it first")
	})
	mustCLI(t, c.Leader(), "remove", first.ID)
	c.AwaitVoters(3)
	if v := first.Do("GET", "k"); v.Str != "v" {
		t.Errorf("GET k: %+v", v)
	}
}

// TestBootstrapBesideNobody: --join beside --bootstrap does not keep the first node from beginning the cluster, and the
// others may be there already.
func TestBootstrapBesideNobody(t *testing.T) {
	t.Parallel()
	c := testcluster.New(t, testcluster.Options{})
	first, second, third := c.Add(), c.Add(), c.Add()
	second.Restart("--join", first.RespAddr) // is in no cluster, and says so
	first.Launch("--bootstrap", "--join", second.RespAddr, "--join", third.RespAddr)
	third.Launch("--join", first.RespAddr)
	c.AwaitVoters(3)
}

// TestStatusOfPausedMember: what is known of a member that is frozen is shown as old.
func TestStatusOfPausedMember(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: patient})
	lead, paused := c.Leader(), c.Followers()[0]
	paused.Pause()
	lead.Do("SET", "k", "v")
	c.Await("the status has the member's last figures", func() bool {
		var st struct {
			Members []struct {
				ID, State string
				Applied   uint64 `json:"applied_index"`
				Stale     int64  `json:"stale_ms"`
			}
		}
		if err := json.Unmarshal([]byte(lead.Do("REDOUBT", "STATUS").Str), &st); err != nil {
			t.Fatal(err)
		}
		for _, m := range st.Members {
			if m.ID == paused.ID && (m.State != "unreachable" || m.Applied == 0 || m.Stale <= 0) {
				t.Errorf("%+v", m)
			}
			if m.ID != paused.ID && (m.State == "unreachable" || m.Stale != 0) {
				return false // a busy machine
			}
		}
		return len(st.Members) == 3
	})
	if out := mustCLI(t, lead, "status"); !strings.Contains(out, " ago)") {
		t.Errorf("the table does not say how old the figures are:\n%s", out)
	}
	paused.Continue()
}
