package integration

import (
	"slices"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/testcluster"
)

// TestFailoverUnderLoad kills the leader again and again while clients write: another node must go on within a moment,
// with everything that was acknowledged, and the killed node must catch up.
func TestFailoverUnderLoad(t *testing.T) {
	kills := 3
	if testcluster.Long() {
		kills = 20
	}
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
	load := c.StartLoad(testcluster.LoadOptions{Writers: 4})
	var took []time.Duration
	for range kills {
		load.AwaitAcks(200)
		lead := c.Leader()
		moment := time.Now()
		lead.Kill9()
		took = append(took, load.AwaitAckAfter(moment, lead.RespAddr))
		lead.Restart()
		c.AwaitVoters(3)
	}
	record := load.Stop()
	t.Logf("from kill -9 of the leader to the first acknowledged write: %v", took)
	slices.Sort(took)
	t.Logf("min %s, median %s, max %s; %s", took[0], took[len(took)/2], took[len(took)-1], record)
	record.Verify(c)
	c.CheckDigests()
	for _, n := range c.Nodes {
		record.VerifyAt(c, n)
	}
}

// TestMajorityKilled: without a majority nothing may be acknowledged, and nothing may be lost when it comes back.
func TestMajorityKilled(t *testing.T) {
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
	load := c.StartLoad(testcluster.LoadOptions{Writers: 4})
	load.AwaitAcks(500)
	lead := c.Leader()
	var killed []*testcluster.Node
	for _, n := range c.Nodes {
		if n != lead {
			n.Kill9()
			killed = append(killed, n)
		}
	}
	c.Await("the leader without a majority steps down", func() bool { return lead.State() != "leader" })
	before := load.Acks()
	if _, err := lead.Try("SET", "lonely", "1"); err == nil {
		t.Error("a write was acknowledged without a majority")
	}
	if now := load.Acks(); now != before {
		t.Errorf("%d writes were acknowledged without a majority", now-before)
	}
	for _, n := range killed {
		n.Restart()
	}
	c.AwaitVoters(3)
	load.AwaitAcks(200)
	record := load.Stop()
	t.Log(record)
	record.Verify(c)
}

// TestAllKilled is a power cut of the whole cluster, as far as processes go.
func TestAllKilled(t *testing.T) {
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
	load := c.StartLoad(testcluster.LoadOptions{Writers: 4})
	for range 2 {
		load.AwaitAcks(500)
		for _, n := range c.Nodes {
			n.Kill9()
		}
		start := time.Now()
		for _, n := range c.Nodes {
			n.Launch()
		}
		c.AwaitVoters(3)
		t.Logf("all nodes were killed and are back after %s", time.Since(start))
	}
	load.AwaitAcks(100)
	record := load.Stop()
	t.Log(record)
	record.Verify(c)
}

// TestPausedLeader: a leader that was stopped and goes on has been replaced. It must not answer from its old state.
func TestPausedLeader(t *testing.T) {
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
	old := c.Leader()
	conn := old.Dial()
	if v, err := conn.Do("SET", "k", "old"); err != nil || v.IsError() {
		t.Fatal(v, err)
	}
	writing := old.Dial()
	old.Pause()
	if err := writing.Send("SET", "late", "1"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Send("GET", "k"); err != nil { // waits in the paused leader's socket
		t.Fatal(err)
	}
	c.Do("SET", "k", "new")
	old.Continue()
	start := time.Now()
	v, err := conn.Receive()
	if err == nil && v.Str == "old" {
		t.Error("a deposed leader served a stale read")
	}
	t.Logf("the read that waited in the paused leader ended after %s: %s %v", time.Since(start), v.Str, err)
	late, err := writing.Receive()
	acked := err == nil && !late.IsError()
	t.Logf("so did the write: %s %v", late.Str, err)
	c.AwaitVoters(3)
	if got := c.Do("EXISTS", "late"); acked && got.Int != 1 {
		t.Error("a deposed leader acknowledged a write that is lost")
	}
	if v = c.Do("GET", "k"); v.Str != "new" {
		t.Errorf("GET k: %+v", v)
	}
}
