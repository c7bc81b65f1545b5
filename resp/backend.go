package resp

import (
	"context"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// Backend is what the facade needs of a Raft node. All methods may be called from any goroutine.
type Backend interface {
	// Propose hands writes over; each proposal ends exactly once. See command.Proposal.
	Propose(p ...*command.Proposal)
	// Unblock ends the wait of a blocking command's proposal, which still ends by itself.
	Unblock(p *command.Proposal, how command.Unblocking)
	// Relay has the leader, wherever it is, put a proposal into the log, and waits for that, and for this node to apply it.
	// The proposal ends as those of Propose do, but its Reply gets nothing.
	Relay(ctx context.Context, p *command.Proposal)
	// OnEvents has listen told what is published and what happens to keys on this node: see fsm.Machine.OnEvents.
	OnEvents(classes command.EventClass, listen func(index uint64, happened []command.Event))
	// Leading reports whether this node serves as the leader.
	Leading() bool
	// ConfirmRead, ConfirmLease and ConfirmFollowerRead wait until a read may be served with linearizability: by a
	// read-index round, by the clock, or on a follower by the leader's word. Their errors mean "not served".
	ConfirmRead() error
	ConfirmLease() error
	// LeaseHolds reports that ConfirmLease would return nil at once.
	LeaseHolds() bool
	ConfirmFollowerRead(ctx context.Context) error
	// View and ViewTxn execute read commands on the applied state; false: the log time must advance first.
	View(calls []command.Call, o command.ReadOptions, r command.Reply) bool
	ViewTxn(watches []command.Watch, calls []command.Call, o command.ReadOptions, r command.Reply) bool
	// ViewBlocking executes a blocking read; waits: nothing was replied. WatchKeys returns a channel that is closed once the
	// log has changed one of the keys, and what ends the watch.
	ViewBlocking(c *command.Call, o command.ReadOptions, r command.Reply) (waits, ok bool)
	WatchKeys(db int, keys [][]byte) (changed <-chan struct{}, end func())
	// Watch returns what EXEC must find again.
	Watch(db int, keys [][]byte) []command.Watch
	// LogTime is the leader's stamp in milliseconds; AdvanceTime moves the log time to it.
	LogTime() int64
	AdvanceTime() error
	// Databases is the number of databases of the cluster.
	Databases() int

	Roles
	Operations
}

// Roles is what INFO, ROLE, WAIT and the gate ask about the node's place in the cluster.
type Roles interface {
	// NodeInfo is a picture of this node.
	NodeInfo() NodeInfo
	// Replicas lists the other members; their offsets are known on the leader.
	Replicas() []Replica
	// LeaderAddr is the leader's RESP address, "" where unknown.
	LeaderAddr() string
	// Loading reports that this node does not have the cluster's data yet, as after its start. It must be cheap.
	Loading() bool
	// Removed reports that this node is no member of its cluster any more: what it has would only get older.
	Removed() bool
	// LinkUp reports on a follower whether it hears of a leader, and how long ago it did.
	LinkUp() (up bool, ago time.Duration)
	// WaitReplicas waits until want followers have the entry at index or ctx ends, and returns how many have it.
	WaitReplicas(ctx context.Context, index uint64, want int) int
}

// Operations are what an operator may ask of the cluster. They return when the cluster has agreed.
type Operations interface {
	// Takeover makes this node the leader. Handover gives leadership to the member with that RESP address, "" any.
	Takeover(ctx context.Context) error
	Handover(ctx context.Context, respAddr string) error
	// HandingOver reports that a hand-over is under way.
	HandingOver() bool
	// Member reports whether a RESP address is a member's.
	Member(respAddr string) bool
	// JoinCluster makes this node, which must be in no cluster, a member of the cluster of the node at respAddr.
	JoinCluster(ctx context.Context, respAddr string) error
	// Admin carries out an operation of the container command REDOUBT by its name, and ClusterStatus returns JSON.
	Admin(ctx context.Context, op string, args []string) error
	ClusterStatus(ctx context.Context) ([]byte, error)
	// Snapshot takes a Raft snapshot; LastSnapshot is when the newest one was finished.
	Snapshot() error
	LastSnapshot() time.Time
	// Digest is a fingerprint of the applied state and the log index that it is of.
	Digest() (index uint64, sum string)
	// SetActiveExpire is DEBUG SET-ACTIVE-EXPIRE.
	SetActiveExpire(on bool)
	// KeyspaceInfo counts each database's keys and those that expire.
	KeyspaceInfo() []KeyspaceInfo
	// KeyCounters are what the state machine of this node has counted since the process started.
	KeyCounters() KeyCounters
	// Shutdown ends the process in an orderly way: the reply to SHUTDOWN is the closed connection.
	Shutdown()
}

// NodeInfo is a picture of a node for INFO, ROLE and HELLO.
type NodeInfo struct {
	ID, ClusterID string
	Version       string
	// State is leader, follower, candidate, joining, removed or failed.
	State                                               string
	Term                                                uint64
	LeaderID                                            string
	CommitIndex, AppliedIndex, LastIndex, SnapshotIndex uint64
	Voters, NonVoters                                   int
	ReplID, ReplID2                                     string
	ReplOffset2                                         int64
	FirstIndex                                          uint64
	RaftAddr, RespAddr                                  string
	LogStore                                            string
	ClockSkewMillis                                     int64
	// DiskFreeBytes is the room on the node's disk, DiskShort that it is short of it and refuses writes.
	DiskFreeBytes uint64
	DiskShort     bool
	LogTimeMillis int64
}

// Replica is another member of the cluster.
type Replica struct {
	ID, RespAddr string
	Voter        bool
	Online       bool
	Offset       uint64
	Lag          time.Duration
}

// KeyspaceInfo is one database's line of INFO keyspace.
type KeyspaceInfo struct {
	DB            int
	Keys, Expires int
	AvgTTLMillis  int64
}

// KeyCounters are INFO's keyspace_hits, keyspace_misses and expired_keys.
type KeyCounters struct{ Hits, Misses, Expired uint64 }
