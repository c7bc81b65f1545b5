package testcluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

// statusTimeout bounds the questions that are polled: a node that hangs is asked again.
const statusTimeout = 3 * time.Second

// Status is what REDOUBT STATUS says, as far as tests look at it.
type Status struct {
	NodeID   string   `json:"node_id"`
	LeaderID string   `json:"leader_id"`
	Term     uint64   `json:"term"`
	Quorum   int      `json:"quorum"`
	Members  []Member `json:"members"`
}

// Member is one node in a Status.
type Member struct {
	ID       string `json:"id"`
	RaftAddr string `json:"raft_addr"`
	RespAddr string `json:"resp_addr"`
	Voter    bool   `json:"voter"`
	Drained  bool   `json:"drained"`
	Standby  bool   `json:"standby"`
	State    string `json:"state"`
	Applied  uint64 `json:"applied_index"`
}

// Member finds one by its id.
func (s *Status) Member(id string) (Member, bool) {
	for _, m := range s.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// settled reports whether there is a leader and so many voters, and every member has answered.
func (s *Status) settled(voters int) bool {
	led, votes := false, 0
	for _, m := range s.Members {
		if m.State != "leader" && m.State != "follower" {
			return false
		}
		led = led || m.State == "leader" && m.ID == s.LeaderID
		if m.Voter {
			votes++
		}
	}
	return led && votes == voters
}

// Dial connects to the node and logs in. The connection is closed when the test ends, if not before.
func (n *Node) Dial() *respclient.Conn {
	n.c.t.Helper()
	conn, err := n.dial()
	if err != nil {
		n.c.t.Fatalf("%s: %v", n.ID, err)
	}
	n.c.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (n *Node) dial() (*respclient.Conn, error) { return dialAs(n.RespAddr, n.c.o.Password) }

func dialAs(addr, password string) (*respclient.Conn, error) {
	conn, err := respclient.Dial(addr)
	if err != nil || password == "" {
		return conn, err
	}
	v, err := conn.Do("AUTH", password)
	if err == nil && v.IsError() {
		err = errors.New(v.Str)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// Try sends one command over a connection of its own. An error reply is an error.
func (n *Node) Try(args ...string) (respclient.Value, error) {
	conn, err := n.dial()
	if err != nil {
		return respclient.Value{}, err
	}
	defer conn.Close()
	conn.Timeout = statusTimeout
	v, err := conn.Do(args...)
	if err == nil && v.IsError() {
		err = errors.New(v.Str)
	}
	return v, err
}

// Do is Try for commands that must succeed.
func (n *Node) Do(args ...string) respclient.Value {
	n.c.t.Helper()
	v, err := n.Try(args...)
	if err != nil {
		n.c.t.Fatalf("%s: %q: %v", n.ID, args, err)
	}
	return v
}

// AwaitUp waits until the node answers PING.
func (n *Node) AwaitUp() {
	n.c.t.Helper()
	n.c.Await(n.ID+" answers", func() bool {
		if !n.Running() {
			n.c.t.Fatalf("%s has ended with exit status %d:\n%s", n.ID, n.proc.cmd.ProcessState.ExitCode(), n.logTail())
		}
		_, err := n.Try("PING")
		return err == nil
	})
}

// Status asks the node for the state of the cluster.
func (n *Node) Status() (*Status, error) {
	v, err := n.Try("REDOUBT", "STATUS")
	if err != nil {
		return nil, err
	}
	st := new(Status)
	if err := json.Unmarshal([]byte(v.Str), st); err != nil {
		return nil, fmt.Errorf("status of %s: %w", n.ID, err)
	}
	return st, nil
}

// State is the node's own word of its role ("leader", "follower", "removed"...), "" if it gives none.
func (n *Node) State() string { return n.Info("raft", "raft_state") }

// Info returns a field of INFO, "" where it is not there or the node does not answer.
func (n *Node) Info(section, field string) string { return n.Fields(section)[field] }

// Fields returns a section of INFO; nothing where the node does not answer.
func (n *Node) Fields(section string) map[string]string {
	v, err := n.Try("INFO", section)
	if err != nil {
		return nil
	}
	fields := make(map[string]string)
	for line := range strings.Lines(v.Str) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// InfoInt is a field of INFO that is a number; 0 where there is none.
func (n *Node) InfoInt(section, field string) uint64 {
	i, err := strconv.ParseUint(n.Info(section, field), 10, 64)
	if err != nil {
		return 0
	}
	return i
}

// digest is what REDOUBT DIGEST answers.
type digest struct {
	index int64
	sum   string
}

func (n *Node) digest() (digest, error) {
	v, err := n.Try("REDOUBT", "DIGEST")
	if err != nil {
		return digest{}, err
	}
	if len(v.Elems) != 2 {
		return digest{}, fmt.Errorf("REDOUBT DIGEST: %+v", v)
	}
	return digest{v.Elems[0].Int, v.Elems[1].Str}, nil
}

// CheckDigests waits until all nodes that run and are members are at one log index, which asks for an idle cluster, and
// holds their states together. It returns the digest.
func (c *Cluster) CheckDigests() string {
	c.t.Helper()
	sum := ""
	c.Await("all nodes are at one index", func() bool {
		digests := make(map[string]digest)
		for _, n := range c.Up() {
			if n.State() == "removed" {
				continue
			}
			d, err := n.digest()
			if err != nil {
				return false
			}
			digests[n.ID] = d
		}
		index := int64(-1)
		sum = ""
		for _, d := range digests {
			if index >= 0 && d.index != index {
				return false
			}
			index = d.index
		}
		for id, d := range digests {
			if sum != "" && d.sum != sum {
				c.t.Fatalf("states differ at index %d: %s has %s, others %s", index, id, d.sum, sum)
			}
			sum = d.sum
		}
		return true
	})
	return sum
}

// AwaitCaughtUp waits until the node has applied what the leader had applied when this was called, and returns how long
// that took.
func (n *Node) AwaitCaughtUp() time.Duration {
	n.c.t.Helper()
	want := n.c.Leader().InfoInt("raft", "raft_applied_index")
	return n.c.AwaitWithin(AwaitTimeout, n.ID+" has caught up", func() bool {
		return n.InfoInt("raft", "raft_applied_index") >= want
	})
}
