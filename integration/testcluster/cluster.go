package testcluster

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	// AwaitTimeout is how long anything that must come about may take. Whatever takes longer is stuck.
	AwaitTimeout = 30 * time.Second
	pollInterval = 10 * time.Millisecond
)

// Options are how a cluster is started.
type Options struct {
	// Nodes is how many nodes there are at first; n1 bootstraps, the others join it.
	Nodes int
	// Flags are given to every node, in every run.
	Flags []string
	// Password is requirepass and masterauth of every node; empty for none.
	Password string
	// Unchecked turns off what is checked when the test ends.
	Unchecked bool
}

// Cluster is a set of nodes, of which some may not run.
type Cluster struct {
	t     testing.TB
	o     Options
	dir   string
	Nodes []*Node
}

// Node is one node. Its process comes and goes, its directory and id stay.
type Node struct {
	ID, Dir            string
	RespAddr, RaftAddr string
	// Flags are those that the node has beside its id, directory, addresses and the cluster's.
	Flags []string

	c      *Cluster
	proc   *process
	paused bool
}

// New returns a cluster without nodes.
func New(t testing.TB, o Options) *Cluster {
	c := &Cluster{t: t, o: o, dir: t.TempDir()}
	t.Cleanup(c.end)
	return c
}

// Start starts a cluster and waits until all its nodes vote.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	c := New(t, o)
	for i := range o.Nodes {
		n := c.Add()
		if i == 0 {
			n.Flags = []string{"--bootstrap"}
		} else {
			n.Flags = []string{"--join", c.Nodes[0].RespAddr}
		}
		n.Launch()
	}
	c.AwaitVoters(o.Nodes)
	return c
}

// Add makes a node, with ports and a directory of its own, and does not start it.
func (c *Cluster) Add() *Node {
	c.t.Helper()
	id := fmt.Sprintf("n%d", len(c.Nodes)+1)
	n := &Node{ID: id, Dir: filepath.Join(c.dir, id), RespAddr: FreeAddr(c.t), RaftAddr: FreeAddr(c.t), c: c}
	c.Nodes = append(c.Nodes, n)
	return n
}

// ByID finds a node.
func (c *Cluster) ByID(id string) *Node {
	for _, n := range c.Nodes {
		if n.ID == id {
			return n
		}
	}
	c.t.Helper()
	c.t.Fatalf("no node %q", id)
	return nil
}

// Up lists the nodes that run and are not paused.
func (c *Cluster) Up() []*Node {
	var up []*Node
	for _, n := range c.Nodes {
		if n.Running() && !n.paused {
			up = append(up, n)
		}
	}
	return up
}

// Followers lists the nodes that run, but not the leader.
func (c *Cluster) Followers() []*Node {
	c.t.Helper()
	lead := c.Leader()
	var out []*Node
	for _, n := range c.Up() {
		if n != lead {
			out = append(out, n)
		}
	}
	return out
}

// Addrs are the RESP addresses of all nodes, as an application has them in its settings.
func (c *Cluster) Addrs() []string {
	var out []string
	for _, n := range c.Nodes {
		out = append(out, n.RespAddr)
	}
	return out
}

// Await waits until a condition holds; it fails the test after AwaitTimeout.
func (c *Cluster) Await(what string, holds func() bool) {
	c.t.Helper()
	c.AwaitWithin(AwaitTimeout, what, holds)
}

// AwaitWithin is Await with another limit. It returns how long it took.
func (c *Cluster) AwaitWithin(limit time.Duration, what string, holds func() bool) time.Duration {
	c.t.Helper()
	start := time.Now()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !holds() {
		if time.Since(start) > limit {
			c.t.Fatalf("not within %s: %s\n%s", limit, what, c.describe())
		}
		<-tick.C
	}
	return time.Since(start)
}

// AwaitVoters waits until the nodes that run agree that there are so many voters, all of them reachable, and a leader.
func (c *Cluster) AwaitVoters(want int) {
	c.t.Helper()
	c.Await(fmt.Sprintf("%d voters are up", want), func() bool {
		for _, n := range c.Up() {
			st, err := n.Status()
			if err != nil || !st.settled(want) {
				return false
			}
		}
		return true
	})
}

// Leader waits until the members that run agree on a leader, which serves, and returns it. It asks no node for another
// one's state: a paused node would have it wait.
func (c *Cluster) Leader() *Node {
	c.t.Helper()
	var lead *Node
	c.Await("the nodes agree on a leader", func() bool {
		id, serves := "", false
		for _, n := range c.Up() {
			info := n.Fields("raft")
			switch info["raft_state"] {
			case "removed", "joining":
				continue
			case "leader":
				serves = info["raft_leader_id"] == n.ID
			}
			if info["raft_leader_id"] == "" || id != "" && info["raft_leader_id"] != id {
				return false
			}
			id = info["raft_leader_id"]
		}
		if serves {
			lead = c.ByID(id)
		}
		return serves
	})
	return lead
}

// Do sends a command that must succeed to the leader, and again should leadership move meanwhile: it may be carried out
// twice.
func (c *Cluster) Do(args ...string) (v respclient.Value) {
	c.t.Helper()
	var err error
	defer func() {
		if err != nil {
			c.t.Logf("the last answer to %.100q: %v", args, err)
		}
	}()
	c.Await(args[0]+" is carried out", func() bool {
		v, err = c.Leader().Try(args...)
		return err == nil
	})
	return v
}

// end is the last thing of a test: the invariants, and no process left.
func (c *Cluster) end() {
	if !c.o.Unchecked && !c.t.Failed() {
		c.CheckDigests()
	}
	var wg sync.WaitGroup
	exits := make([]Exit, len(c.Nodes))
	asked := make([]bool, len(c.Nodes))
	for i, n := range c.Nodes {
		if n.paused {
			n.Continue()
		}
		if asked[i] = n.Running(); asked[i] {
			wg.Go(func() { exits[i] = n.Term() })
		}
	}
	wg.Wait()
	for i, n := range c.Nodes {
		if asked[i] && exits[i].Code != 0 && !c.o.Unchecked {
			c.t.Errorf("%s: exit status %d on SIGTERM, after %s", n.ID, exits[i].Code, exits[i].Took)
		}
	}
	if !c.t.Failed() {
		return
	}
	for _, n := range c.Nodes {
		c.t.Logf("log of %s (resp %s, raft %s):\n%s", n.ID, n.RespAddr, n.RaftAddr, n.logTail())
	}
}

func (c *Cluster) describe() string {
	var b strings.Builder
	for _, n := range c.Nodes {
		if !n.Running() {
			fmt.Fprintf(&b, "%s does not run\n", n.ID)
			continue
		}
		if n.paused {
			fmt.Fprintf(&b, "%s is paused\n", n.ID)
			continue
		}
		st, err := n.Status()
		fmt.Fprintf(&b, "%s: %+v %v\n", n.ID, st, err)
	}
	return b.String()
}
