package fsm

import (
	"crypto/sha1" //nolint:gosec // an identifier of Redis's length, no secret
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
)

// clusterState is what the log says of the cluster itself.
type clusterState struct {
	ID        string
	Databases int
	hash      hashKey
	members   map[string]Member
	retired   []string     // instances of members that are members no more, oldest first, retiredMax at most
	leads     [2]leadStart // the present leader's term and the one before it
}

// leadStart is where a leader's term begins in the log.
type leadStart struct {
	Term, Index uint64
	NodeID      string
}

// Genesis is the body of EntryInit: what is settled once, when a cluster begins.
type Genesis struct {
	ClusterID string `json:"cluster_id"`
	HashKey0  uint64 `json:"hash_key_0"`
	HashKey1  uint64 `json:"hash_key_1"`
	Databases int    `json:"databases"`
}

// Lead is the body of EntryLead.
type Lead struct {
	Term   uint64 `json:"term"`
	NodeID string `json:"node_id"`
}

// Member is what the cluster knows of a node beyond Raft's configuration, and the body of EntryMember.
type Member struct {
	ID       string `json:"id"`
	RaftAddr string `json:"raft_addr"`
	RespAddr string `json:"resp_addr"`
	// Instance is the random id of the node's data directory: a node that comes back under its id with another
	// instance has lost its data and may not vote.
	Instance string `json:"instance"`
	Version  string `json:"version"`
	// Drained: the node refuses to lead until undrained.
	Drained bool `json:"drained,omitempty"`
	// Standby: an operator demoted the node; it is not promoted until one promotes it.
	Standby bool `json:"standby,omitempty"`
}

// Cluster is a copy of what the log says of the cluster.
type Cluster struct {
	ID        string
	Databases int
	Members   []Member // by id
	// ReplID and ReplID2 are Redis's replication ids: of the present leader's term, and of the one before it, which
	// ended at ReplOffset2. 40 hex digits; ReplID2 is all zeros and ReplOffset2 -1 where there was none.
	ReplID, ReplID2 string
	ReplOffset2     int64
	LeadTerm        uint64
	LeadID          string
}

func (m *Machine) applyCluster(k EntryKind, index uint64, body []byte) error {
	c := &m.cluster
	switch k {
	case EntryInit:
		var g Genesis
		if err := json.Unmarshal(body, &g); err != nil {
			return fmt.Errorf("%w: %w", ErrEntryCorrupt, err)
		}
		m.applyGenesis(g)
	case EntryLead:
		var l Lead
		if err := json.Unmarshal(body, &l); err != nil {
			return fmt.Errorf("%w: %w", ErrEntryCorrupt, err)
		}
		if c.leads[0].Term == l.Term && c.leads[0].NodeID == l.NodeID { // said twice: the first one was thought lost
			return nil
		}
		c.leads[1], c.leads[0] = c.leads[0], leadStart{Term: l.Term, Index: index, NodeID: l.NodeID}
		m.unblockAll()
	case EntryMember:
		var mem Member
		if err := json.Unmarshal(body, &mem); err != nil {
			return fmt.Errorf("%w: %w", ErrEntryCorrupt, err)
		}
		if c.members == nil {
			c.members = make(map[string]Member)
		}
		if old, ok := c.members[mem.ID]; ok && old.Instance != mem.Instance {
			c.retire(old.Instance)
		}
		c.members[mem.ID] = mem
	case EntryForget:
		if old, ok := c.members[string(body)]; ok {
			c.retire(old.Instance)
		}
		delete(c.members, string(body))
	default:
		return ErrEntryVersion
	}
	return nil
}

// retiredMax bounds what is remembered of removed nodes.
const retiredMax = 1024

// retire remembers that an instance's data are given up: they must not come back under the node's id beside newer ones.
func (c *clusterState) retire(instance string) {
	if instance == "" || slices.Contains(c.retired, instance) {
		return
	}
	c.retired = append(c.retired, instance)
	if len(c.retired) > retiredMax {
		c.retired = slices.Clone(c.retired[1:])
	}
}

// Retired reports whether the log has given an instance up.
func (m *Machine) Retired(instance string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Contains(m.cluster.retired, instance)
}

// applyGenesis takes effect once; a second one (two leaders in a row proposed it) changes nothing.
func (m *Machine) applyGenesis(g Genesis) {
	if m.cluster.ID != "" || g.ClusterID == "" || g.Databases < 1 || g.Databases > DatabasesMax {
		return
	}
	m.cluster.ID = g.ClusterID
	m.cluster.Databases = g.Databases
	m.cluster.hash = hashKey{g.HashKey0, g.HashKey1}
	m.dbs = newDatabases(g.Databases)
}

// Cluster returns what the log says of the cluster.
func (m *Machine) Cluster() Cluster {
	m.mu.RLock()
	defer m.mu.RUnlock()
	c := &m.cluster
	out := Cluster{
		ID: c.ID, Databases: c.Databases, Members: c.sortedMembers(),
		ReplID: replID(c.ID, c.leads[0]), ReplID2: noReplID, ReplOffset2: -1,
		LeadTerm: c.leads[0].Term, LeadID: c.leads[0].NodeID,
	}
	if c.leads[1].Index != 0 {
		out.ReplID2, out.ReplOffset2 = replID(c.ID, c.leads[1]), int64(c.leads[0].Index)
	}
	return out
}

func (c *clusterState) sortedMembers() []Member {
	out := make([]Member, 0, len(c.members))
	for _, m := range c.members {
		out = append(out, m)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// Member returns what is known of one node.
func (m *Machine) Member(id string) (Member, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	mem, ok := m.cluster.members[id]
	return mem, ok
}

const noReplID = "0000000000000000000000000000000000000000"

// replID is a replication id: the same on all nodes, another for each leader's term.
func replID(clusterID string, l leadStart) string {
	sum := sha1.Sum(fmt.Appendf(nil, "%s/%d/%d", clusterID, l.Term, l.Index)) //nolint:gosec // see import
	return hex.EncodeToString(sum[:])
}
