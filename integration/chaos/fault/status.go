package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	askTimeout   = 3 * time.Second  // of a question that is polled: a node that hangs is asked again
	adminTimeout = 16 * time.Second // the server's own limit is 15 s
)

// Do sends one command over a connection of its own. An error reply is an error.
func (n *Node) Do(args ...string) (respclient.Value, error) { return n.do(askTimeout, args...) }

func (n *Node) do(limit time.Duration, args ...string) (respclient.Value, error) {
	nc, err := net.DialTimeout("tcp", n.RespAddr, min(limit, time.Second))
	if err != nil {
		return respclient.Value{}, err
	}
	conn := respclient.NewConn(nc)
	defer conn.Close()
	conn.Timeout = limit
	v, err := conn.Do(args...)
	if err == nil && v.IsError() {
		err = errors.New(v.Str)
	}
	if err != nil {
		err = fmt.Errorf("%s: %s: %w", n.ID, strings.Join(args, " "), err)
	}
	return v, err
}

// member is one node in the status of the cluster.
type member struct {
	ID      string `json:"id"`
	Voter   bool   `json:"voter"`
	Standby bool   `json:"standby"`
	State   string `json:"state"`
}

// status is what REDOUBT STATUS says, as far as this package looks at it.
type status struct {
	LeaderID string   `json:"leader_id"`
	Members  []member `json:"members"`
}

func (n *Node) status() (*status, error) {
	v, err := n.Do("REDOUBT", "STATUS")
	if err != nil {
		return nil, err
	}
	st := new(status)
	if err := json.Unmarshal([]byte(v.Str), st); err != nil {
		return nil, fmt.Errorf("status of %s: %w", n.ID, err)
	}
	return st, nil
}

// raftInfo is the part of INFO raft that this package looks at.
type raftInfo struct {
	state, leader string
	term          uint64
}

func (n *Node) raftInfo() (raftInfo, error) {
	v, err := n.Do("INFO", "raft")
	if err != nil {
		return raftInfo{}, err
	}
	var r raftInfo
	for line := range strings.Lines(v.Str) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		switch name {
		case "raft_state":
			r.state = value
		case "raft_leader_id":
			r.leader = value
		case "raft_term":
			r.term, _ = strconv.ParseUint(value, 10, 64) // 0 where it is missing
		}
	}
	return r, nil
}

// leaderWait is how long a fault looks for a leader to strike. In a cluster that has none it takes any node.
const leaderWait = 5 * time.Second

// Leader returns the node that leads by its own word, in the newest term; nil where none does within a few seconds.
func (c *Cluster) Leader(ctx context.Context) *Node {
	var lead *Node
	_ = await(ctx, leaderWait, "a node leads", func() bool { // the caller sees the nil
		term := uint64(0)
		for _, n := range c.Up() {
			if r, err := n.raftInfo(); err == nil && r.state == "leader" && r.term >= term {
				lead, term = n, r.term
			}
		}
		return lead != nil
	})
	return lead
}

// AwaitSettled waits until every node says that all of them are members, vote and answer, and follow one leader.
func (c *Cluster) AwaitSettled(ctx context.Context) error {
	var last error
	err := await(ctx, AwaitTimeout, "the cluster is settled", func() bool {
		last = c.unsettled()
		return last == nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return nil
}

// unsettled says what is not as it should be in a healed cluster; nil if all is.
func (c *Cluster) unsettled() error {
	nodes := c.Nodes()
	leader := ""
	for _, n := range nodes {
		st, err := n.status()
		if err != nil {
			return err
		}
		if leader == "" {
			leader = st.LeaderID
		}
		if leader == "" || st.LeaderID != leader {
			return fmt.Errorf("%s follows %q, others %q", n.ID, st.LeaderID, leader)
		}
		if err := st.complete(nodes); err != nil {
			return fmt.Errorf("%s: %w", n.ID, err)
		}
	}
	return nil
}

func (st *status) complete(nodes []*Node) error {
	if len(st.Members) != len(nodes) {
		return fmt.Errorf("%d members, not %d", len(st.Members), len(nodes))
	}
	for _, m := range st.Members {
		leads := m.State == "leader" && m.ID == st.LeaderID
		if !m.Voter || !leads && m.State != "follower" {
			return fmt.Errorf("%s is %s, voter: %t", m.ID, m.State, m.Voter)
		}
	}
	return nil
}

// ErrDiverged is returned by CheckDigests where nodes differ.
var ErrDiverged = errors.New("nodes differ")

// CheckDigests waits until all nodes are at one log index, which asks for an idle cluster, and holds their states
// together.
func (c *Cluster) CheckDigests(ctx context.Context) error {
	var diverged error
	last := ""
	err := await(ctx, AwaitTimeout, "all nodes are at one index", func() bool {
		sums := make(map[int64]string)
		last = ""
		for _, n := range c.Nodes() {
			v, err := n.Do("REDOUBT", "DIGEST")
			if err != nil || len(v.Elems) != 2 {
				last += fmt.Sprintf(" %s: %v %v", n.ID, v, err)
				return false
			}
			index, sum := v.Elems[0].Int, v.Elems[1].Str
			last += fmt.Sprintf(" %s: %s at %d", n.ID, sum, index)
			if other, ok := sums[index]; ok && other != sum {
				diverged = fmt.Errorf("%w:%s", ErrDiverged, last)
			}
			sums[index] = sum
		}
		return diverged != nil || len(sums) == 1
	})
	if err != nil {
		return fmt.Errorf("%w:%s", err, last)
	}
	return diverged
}
