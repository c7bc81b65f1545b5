package cluster

import (
	"context"
	"encoding/json"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/transport"
)

// NodeStatus is what a node knows of itself.
type NodeStatus struct {
	ID            string `json:"id"`
	RaftAddr      string `json:"raft_addr"`
	RespAddr      string `json:"resp_addr"`
	Version       string `json:"version"`
	State         string `json:"state"` // leader, follower, candidate, removed, failed, joining
	Term          uint64 `json:"term"`
	LeaderID      string `json:"leader_id"`
	CommitIndex   uint64 `json:"commit_index"`
	AppliedIndex  uint64 `json:"applied_index"`
	LastIndex     uint64 `json:"last_index"`
	SnapshotIndex uint64 `json:"snapshot_index"`
	FirstIndex    uint64 `json:"first_index"`
	// LastContactMillis is how long ago the leader was heard of; 0 on the leader, -1 never.
	LastContactMillis int64  `json:"last_contact_ms"`
	UptimeSeconds     int64  `json:"uptime_s"`
	ClusterID         string `json:"cluster_id"`
	ClockMillis       int64  `json:"clock_ms"`
	// DiskFreeBytes is the room on the node's disk; DiskShort: it is short of it and refuses writes.
	DiskFreeBytes uint64 `json:"disk_free_bytes"`
	DiskShort     bool   `json:"disk_short"`
}

// Status returns what this node knows of itself.
func (n *Node) Status() NodeStatus {
	now := n.cfg.Clock.Now()
	_, leaderID := n.raft.LeaderWithID()
	st := NodeStatus{
		ID: n.cfg.NodeID, RaftAddr: n.cfg.RaftAddr, RespAddr: n.cfg.RespAddr, Version: n.cfg.Version,
		State: n.stateName(), Term: n.raft.CurrentTerm(), LeaderID: string(leaderID),
		CommitIndex: n.logs.limit(n.raft.CommitIndex()), AppliedIndex: n.machine.Index(), LastIndex: n.raft.LastIndex(),
		UptimeSeconds: int64(now.Sub(n.started) / time.Second), ClusterID: n.cfg.Storage.ClusterID(),
		ClockMillis: now.UnixMilli(), LastContactMillis: -1,
	}
	st.DiskFreeBytes, st.DiskShort = n.DiskSpace()
	st.SnapshotIndex = n.snapshotIndex()
	if first, err := n.cfg.Storage.Log().FirstIndex(); err == nil {
		st.FirstIndex = first
	}
	switch last := n.raft.LastContact(); {
	case n.raft.State() == raft.Leader:
		st.LastContactMillis = 0
	case !last.IsZero():
		st.LastContactMillis = time.Since(last).Milliseconds()
	}
	return st
}

// snapshotIndex is the index of the newest snapshot. Raft tells it among its statistics only.
func (n *Node) snapshotIndex() uint64 {
	i, _ := strconv.ParseUint(n.raft.Stats()["last_snapshot_index"], 10, 64)
	return i
}

func (n *Node) stateName() string {
	switch {
	case n.removed.Load():
		return "removed"
	case n.failed.Load() != nil:
		return "failed"
	case len(n.configuration().Servers) == 0:
		return "joining"
	}
	switch n.raft.State() {
	case raft.Leader:
		if n.Leading() {
			return "leader"
		}
		return "candidate" // elected, but it does not serve before its term's first entry is applied
	case raft.Candidate:
		return "candidate"
	case raft.Shutdown:
		return "shutdown"
	}
	return "follower"
}

// MemberStatus is what a cluster status says of one node.
type MemberStatus struct {
	ID       string `json:"id"`
	RaftAddr string `json:"raft_addr"`
	RespAddr string `json:"resp_addr"`
	Role     string `json:"role"` // leader or follower
	Voter    bool   `json:"voter"`
	Drained  bool   `json:"drained"`
	Standby  bool   `json:"standby"`
	// DiskShort: the node is short of room on its disk; it refuses writes and will not lead if another can.
	DiskShort bool `json:"disk_short"`
	// State is the node's own word, "unreachable" if it gave none.
	State             string `json:"state"`
	LastContactMillis int64  `json:"last_contact_ms"`
	AppliedIndex      uint64 `json:"applied_index"`
	// Lag is how many entries the node is behind the most advanced one.
	Lag     uint64 `json:"lag"`
	Version string `json:"version"`
	// StaleMillis, of a node that is unreachable, is how old AppliedIndex is; 0: it is not known.
	StaleMillis int64 `json:"stale_ms,omitempty"`
}

// ClusterStatus is the state of all members, as seen from one of them.
type ClusterStatus struct {
	NodeID    string         `json:"node_id"` // the node that was asked
	ClusterID string         `json:"cluster_id"`
	LeaderID  string         `json:"leader_id"`
	Term      uint64         `json:"term"`
	Quorum    int            `json:"quorum"`
	Members   []MemberStatus `json:"members"`
}

func (n *Node) answerStatus(transport.Identity, []byte) ([]byte, error) {
	return json.Marshal(n.Status())
}

// statusPatience is how long a member may take to tell its status, or a heartbeat's time out where that is longer. A node
// that is slower could not follow a leader either.
const statusPatience = 300 * time.Millisecond

// ClusterStatus asks every member and puts the answers together. Members that do not answer in time are shown as
// unreachable, with what was last known of them.
func (n *Node) ClusterStatus(ctx context.Context) ClusterStatus {
	ctx, cancel := context.WithTimeout(ctx, max(statusPatience, n.cfg.Profile.Heartbeat))
	defer cancel()
	own := n.Status()
	servers := n.configuration().Servers
	answers := make([]*NodeStatus, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		if string(s.ID) == n.cfg.NodeID {
			answers[i] = &own
			continue
		}
		wg.Add(1)
		n.goOwned(func() {
			defer wg.Done()
			var st NodeStatus
			if err := n.callJSON(ctx, n.book.addrOf(s), methodStatus, nil, &st); err == nil && st.ID == string(s.ID) {
				answers[i] = &st
				n.peersSeen.noteStatus(st, n.cfg.Clock.Now())
			}
		})
	}
	wg.Wait()
	return n.assemble(own, servers, answers)
}

func (n *Node) assemble(own NodeStatus, servers []raft.Server, answers []*NodeStatus) ClusterStatus {
	out := ClusterStatus{NodeID: own.ID, ClusterID: own.ClusterID, LeaderID: own.LeaderID, Term: own.Term}
	voters, newest := 0, uint64(0)
	for _, a := range answers {
		if a != nil {
			newest = max(newest, a.AppliedIndex)
		}
	}
	for i, s := range servers {
		if s.Suffrage == raft.Voter {
			voters++
		}
		m := n.memberStatus(s, answers[i])
		m.Lag = max(newest, m.AppliedIndex) - m.AppliedIndex
		if m.State == stateUnreachable && m.StaleMillis == 0 {
			m.Lag = 0
		}
		if m.ID == out.LeaderID {
			m.Role = "leader"
		}
		out.Members = append(out.Members, m)
	}
	out.Quorum = voters/2 + 1
	sort.Slice(out.Members, func(i, j int) bool { return out.Members[i].ID < out.Members[j].ID })
	return out
}

// stateUnreachable is the state of a member that does not tell its own.
const stateUnreachable = "unreachable"

// memberStatus is what a member has answered, or else what the log and its earlier answers say.
func (n *Node) memberStatus(s raft.Server, a *NodeStatus) MemberStatus {
	id := string(s.ID)
	m := MemberStatus{
		ID: id, RaftAddr: n.book.addrOf(s), Role: "follower", Voter: s.Suffrage == raft.Voter, State: stateUnreachable,
		LastContactMillis: -1,
	}
	if mem, ok := n.machine.Member(id); ok {
		m.RespAddr, m.Drained, m.Standby, m.Version = mem.RespAddr, mem.Drained, mem.Standby, mem.Version
	}
	if a != nil {
		m.State, m.LastContactMillis, m.AppliedIndex, m.Version = a.State, a.LastContactMillis, a.AppliedIndex, a.Version
		m.RespAddr, m.RaftAddr, m.DiskShort = a.RespAddr, a.RaftAddr, a.DiskShort
	} else if applied, at, ok := n.peersSeen.lastKnown(id); ok {
		m.AppliedIndex = applied
		m.StaleMillis = max(1, n.cfg.Clock.Now().Sub(at).Milliseconds())
	}
	return m
}

// leaderRaftAddr is where the leader's node port is; "" if no leader is known.
func (n *Node) leaderRaftAddr() string {
	addr, id := n.raft.LeaderWithID()
	if id == "" {
		return ""
	}
	return n.book.addrOf(raft.Server{ID: id, Address: addr})
}

// Leader names the leader and its RESP address; empty where unknown.
func (n *Node) Leader() (id, respAddr string) {
	_, lid := n.raft.LeaderWithID()
	if lid == "" {
		return "", ""
	}
	m, _ := n.machine.Member(string(lid))
	return string(lid), m.RespAddr
}

// ID returns the node's id.
func (n *Node) ID() string { return n.cfg.NodeID }

// Replica is what the leader knows of a follower.
type Replica struct {
	ID, RespAddr string
	Voter        bool
	Online       bool
	Applied      uint64
	// Lag is how long ago the follower answered last.
	Lag time.Duration
}

// Replicas lists every member but this node. Offsets and lags are known on the leader.
func (n *Node) Replicas() []Replica {
	now := n.cfg.Clock.Now()
	var out []Replica
	for _, s := range n.configuration().Servers {
		id := string(s.ID)
		if id == n.cfg.NodeID {
			continue
		}
		r := Replica{ID: id, Voter: s.Suffrage == raft.Voter, Online: n.alive(id)}
		if m, ok := n.machine.Member(id); ok {
			r.RespAddr = m.RespAddr
		}
		if seen, ok := n.peersSeen.get(id); ok {
			r.Applied, r.Lag = seen.applied, now.Sub(seen.at)
		}
		out = append(out, r)
	}
	return out
}

// NodeIDAt finds the member whose RESP address is given.
func (n *Node) NodeIDAt(respAddr string) (string, bool) {
	for _, m := range n.machine.Cluster().Members {
		if m.RespAddr == respAddr {
			return m.ID, true
		}
	}
	return "", false
}

// LinkUp reports, on a follower, whether it hears of a leader, and how long ago it did.
func (n *Node) LinkUp() (up bool, ago time.Duration) {
	if n.Leading() {
		return true, 0
	}
	last := n.raft.LastContact()
	if last.IsZero() {
		return false, n.cfg.Clock.Now().Sub(n.started)
	}
	ago = time.Since(last)
	_, id := n.raft.LeaderWithID()
	return id != "" && !n.removed.Load(), ago
}

// CountReplicas returns how many followers surely have the entry at index, which this node has applied.
func (n *Node) CountReplicas(index uint64) int {
	// It is committed: a majority of voters has it, this node among them.
	voters := 0
	for _, s := range n.configuration().Servers {
		if s.Suffrage == raft.Voter {
			voters++
		}
	}
	if n.configurationIndex() > n.raft.CommitIndex() {
		voters-- // a node that is being added may not have counted when the entry was committed
	}
	sure, count := voters/2, 0
	for _, r := range n.Replicas() {
		if r.Applied >= index {
			count++
		}
	}
	return max(sure, count)
}

// WaitReplicas waits until want followers have the entry at index, or until ctx ends, and returns how many have it.
func (n *Node) WaitReplicas(ctx context.Context, index uint64, want int) int {
	period := max(n.cfg.Profile.Commit, time.Millisecond)
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		got := n.CountReplicas(index)
		if got >= want {
			return got
		}
		now, last := n.cfg.Clock.Now().UnixNano(), n.lastAsked.Load()
		if now-last > int64(period/2) && n.lastAsked.CompareAndSwap(last, now) { // one asks for all who wait
			n.probePeers(n.configuration().Servers)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return n.CountReplicas(index)
		case <-n.closing:
			return got
		}
	}
}

// Suffrage counts the members that vote and those that do not.
func (n *Node) Suffrage() (voters, nonVoters int) {
	for _, s := range n.configuration().Servers {
		if s.Suffrage == raft.Voter {
			voters++
		} else {
			nonVoters++
		}
	}
	return voters, nonVoters
}

// HandingOver reports whether a hand-over of leadership is under way on this node.
func (n *Node) HandingOver() bool { return n.transferring.Load() }

// ClockSkew is the largest difference between this node's wall clock and that of a member that it has probed.
func (n *Node) ClockSkew() time.Duration {
	worst := time.Duration(0)
	for _, s := range n.configuration().Servers {
		if seen, ok := n.peersSeen.get(string(s.ID)); ok {
			worst = max(worst, seen.skew())
		}
	}
	return worst
}

// skew is how far the other node's clock was from this one's, the way of the answer included.
func (p peerSeen) skew() time.Duration { return p.at.Sub(time.UnixMilli(p.wallMillis)).Abs() }

// LastSnapshot is when the newest snapshot of this process was finished, or zero.
func (n *Node) LastSnapshot() time.Time {
	if p := n.lastSnapshot.Load(); p != nil {
		return *p
	}
	return time.Time{}
}

// Voters lists the members of the configuration that quorums count by: true for a voter, false for a non-voter.
func (n *Node) Voters() map[string]bool {
	out := make(map[string]bool)
	for _, s := range n.configuration().Servers {
		out[string(s.ID)] = s.Suffrage == raft.Voter
	}
	return out
}
