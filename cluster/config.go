package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/transport"
)

// Profile is a set of Raft time outs. All nodes of a cluster should use the same one.
type Profile struct {
	Heartbeat   time.Duration // a follower that hears nothing for one to two of these calls an election
	Election    time.Duration // a candidate that has no majority after one to two of these tries again
	LeaderLease time.Duration // a leader that reaches no majority for this long steps down; at most Heartbeat
	Commit      time.Duration // an idle leader tells followers the commit index this often
	RPC         time.Duration // one exchange of raft's between two nodes may take this long; for the transport
}

// ProfileLAN is for nodes within a data centre; ProfileWAN for nodes with tens of milliseconds between them. Heartbeats
// wait behind the follower's disk (transport.RaftTransport says why), so LAN leaves room for slow fsyncs.
var (
	ProfileLAN = Profile{Heartbeat: 200 * time.Millisecond, Election: 200 * time.Millisecond, LeaderLease: 200 * time.Millisecond, Commit: 10 * time.Millisecond, RPC: 3 * time.Second}
	ProfileWAN = Profile{Heartbeat: 2 * time.Second, Election: 2 * time.Second, LeaderLease: 1500 * time.Millisecond, Commit: 50 * time.Millisecond, RPC: 10 * time.Second}
)

// Clock is the node's idea of time: the wall clock decides expiry, elapsed time never runs backwards.
type Clock interface {
	// Now returns the wall clock with a monotonic reading.
	Now() time.Time
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Time { return time.Now() }

// Peers carries calls between nodes. *transport.Transport implements it; simulations have their own.
type Peers interface {
	// Go sends a request and returns at once; done runs exactly once, on the transport's goroutine, and must not block.
	Go(addr string, method byte, req []byte, deadline time.Time, done func(resp []byte, peer transport.Identity, err error))
	// Handle registers a handler that may block.
	Handle(method byte, h func(peer transport.Identity, req []byte) ([]byte, error))
	// HandleFast registers a handler that never blocks and appends its answer to dst.
	HandleFast(method byte, h func(peer transport.Identity, req, dst []byte) ([]byte, error))
}

// Storage is what Raft keeps on disk. *storage.Dir provides all of it; simulations have their own.
type Storage interface {
	Log() raft.LogStore
	Stable() raft.StableStore
	Snapshots() raft.SnapshotStore
	// Instance is the random id of the data directory.
	Instance() string
	// SetClusterID records which cluster the data belongs to; ClusterID returns it, "" before.
	SetClusterID(id string) error
	ClusterID() string
	// Stalled reports a write that has not returned, and since when it has been waiting.
	Stalled() (op string, waiting time.Duration, ok bool)
}

// Config says how a node runs. Zero values take the defaults that are named.
type Config struct {
	// NodeID is the node's name in the cluster, for good. Required.
	NodeID string
	// RaftAddr and RespAddr are the addresses that other nodes and clients reach this node at. Required.
	RaftAddr, RespAddr string
	// Version is this build's version, shown to operators.
	Version string
	// Bootstrap begins a new cluster of this one node if the storage is empty.
	Bootstrap bool
	// Databases is used by Bootstrap. Default 16.
	Databases int

	// Profile: default ProfileLAN.
	Profile Profile
	// BatchBytesGoal closes a log entry of calls, default 256 KiB; EntryBytesMax is the most one may take, default and
	// greatest 32 MiB. Nodes should agree.
	BatchBytesGoal, EntryBytesMax int
	// BatchInflight is how many entries may be in flight. Default 4.
	BatchInflight int
	// BatchDelayMax is how long a proposal waits for the entry before it to end before it goes in one of its own, if a
	// slot is free. Default 5 ms.
	BatchDelayMax time.Duration
	// QueueBytesMax bounds what waits to be proposed; past it proposals are refused. Default 256 MiB.
	QueueBytesMax int
	// WriteTimeout is how long a proposal may be in flight before its outcome is called unknown. Default 10 s.
	WriteTimeout time.Duration
	// StallLimit is how long one disk write may take before the node gives up. Default 10 s.
	StallLimit time.Duration
	// SnapshotThreshold (entries, default 65536, less a node's share: see stagger), SnapshotInterval (how often it is looked
	// at, default 20 s) and TrailingLogs (entries kept behind a snapshot for slow followers, default 32768).
	SnapshotThreshold, TrailingLogs uint64
	SnapshotInterval                time.Duration

	// DiskReserve is the room on disk, in bytes, below which this node refuses writes, hands leadership over, and goes on
	// once there is room again; see space.go. Default 64 MiB; negative: the room is not watched.
	DiskReserve int64

	// Transport, Peers, Storage: required. Transport must be raft.WithPreVote and raft.WithClose too. Clock: default
	// SystemClock.
	Transport raft.Transport
	Peers     Peers
	Storage   Storage
	Clock     Clock
	// Book is shared with the transport, so that a node that moved is found. Default a new one. SaveBook makes it
	// durable, on a goroutine of its own; nil: it is not kept.
	Book     *AddressBook
	SaveBook func(BookState) error
	// Entropy seeds entries and names; default the system's. Simulations make it repeatable.
	Entropy func() uint64

	Logger     *slog.Logger
	RaftLogger hclog.Logger

	// OnLeadership is told when this node starts (true) and stops (false) to serve as the leader. It must not block long.
	OnLeadership func(leading bool)
	// OnFatal is told once why the node can't go on: a storage error, a stalled disk, an entry it does not know. The
	// process should end; what was in flight has been answered. It runs on goroutines that Close waits for: it must not
	// call Close itself.
	OnFatal func(error)
}

// StallLimitDefault is how long one disk write may take before a node gives up.
const StallLimitDefault = 10 * time.Second

const entryBytesGreatest = 32 << 20

// Limits of the writing of a snapshot; see pacedWriter.
const (
	// snapshotSlice is how long it works before it may rest, and snapshotRestFactor for how many times as long it rests
	// then: three leave it a quarter of a core.
	snapshotSlice      = time.Millisecond
	snapshotRestFactor = 3
	// snapshotRestMax bounds one rest: a slice that a slow disk made long costs no more. snapshotRestsMax bounds all of one
	// snapshot, which takes so much longer at most.
	snapshotRestMax  = 250 * time.Millisecond
	snapshotRestsMax = 2 * time.Minute
	// snapshotIdle is the time without clients after which it rests no longer.
	snapshotIdle = time.Second
	// snapshotPartBytes is the most that is written at once.
	snapshotPartBytes = 64 << 10
	// snapshotLogGrowthMax is how many bytes the log may grow meanwhile before it rests no longer.
	snapshotLogGrowthMax = LogBytesGoal / 2
)

var errConfig = errors.New("cluster configuration")

func (c *Config) validate() error {
	switch {
	case c.NodeID == "":
		return fmt.Errorf("%w: node id is empty", errConfig)
	case c.RaftAddr == "" || c.RespAddr == "":
		return fmt.Errorf("%w: node %s has no addresses", errConfig, c.NodeID)
	case c.Transport == nil || c.Peers == nil || c.Storage == nil:
		return fmt.Errorf("%w: transport, peers and storage are required", errConfig)
	case !isPeerTransport(c.Transport):
		return fmt.Errorf("%w: the transport must have pre-votes and Close", errConfig)
	case c.EntryBytesMax > entryBytesGreatest || c.EntryBytesMax < 0:
		return fmt.Errorf("%w: an entry of %d bytes; the most is %d", errConfig, c.EntryBytesMax, entryBytesGreatest)
	case c.Databases < 0 || c.Databases > fsm.DatabasesMax:
		return fmt.Errorf("%w: %d databases", errConfig, c.Databases)
	}
	orDefault(&c.Databases, fsm.DatabasesDefault)
	orDefault(&c.Profile, ProfileLAN)
	orDefault(&c.BatchBytesGoal, 256<<10)
	orDefault(&c.EntryBytesMax, entryBytesGreatest)
	orDefault(&c.BatchInflight, 4)
	orDefault(&c.BatchDelayMax, 5*time.Millisecond)
	orDefault(&c.QueueBytesMax, 256<<20)
	orDefault(&c.WriteTimeout, 10*time.Second)
	orDefault(&c.StallLimit, StallLimitDefault)
	orDefault(&c.SnapshotThreshold, 65536)
	orDefault(&c.TrailingLogs, 32768)
	orDefault(&c.SnapshotInterval, 20*time.Second)
	orDefault(&c.DiskReserve, DiskReserveDefault)
	if c.Clock == nil {
		c.Clock = SystemClock{}
	}
	if c.Book == nil {
		c.Book = NewAddressBook()
	}
	if c.Entropy == nil {
		c.Entropy = systemEntropy
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.RaftLogger == nil {
		c.RaftLogger = hclog.NewNullLogger()
	}
	if c.OnLeadership == nil {
		c.OnLeadership = func(bool) {}
	}
	if c.OnFatal == nil {
		c.OnFatal = func(error) {}
	}
	return nil
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c *Config) raftConfig() *raft.Config {
	rc := raft.DefaultConfig()
	rc.LocalID = raft.ServerID(c.NodeID)
	rc.HeartbeatTimeout = c.Profile.Heartbeat
	rc.ElectionTimeout = c.Profile.Election
	rc.LeaderLeaseTimeout = c.Profile.LeaderLease
	rc.CommitTimeout = c.Profile.Commit
	// A message is one append of the follower's, and heartbeats wait behind it: full entries make it 8 MiB; docs/adr/0003.
	rc.MaxAppendEntries = 32
	rc.SnapshotThreshold = stagger(c.SnapshotThreshold, c.NodeID)
	rc.SnapshotInterval = c.SnapshotInterval
	rc.TrailingLogs = c.TrailingLogs
	rc.ShutdownOnRemove = false // a removed node says so and stays reachable for its operator
	rc.Logger = c.RaftLogger
	return rc
}
