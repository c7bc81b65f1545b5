package resptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/resp"
)

// Version is what a Backend says of itself.
const Version = "0.0.0-test"

// Backend is a cluster of one node in memory: a state machine without a log. It leads unless Follow is called.
type Backend struct {
	machine *fsm.Machine
	clock   func() time.Time

	mu      sync.Mutex // one entry at a time; guards parked and served
	parked  map[uint64]*command.Proposal
	served  []*command.Proposal
	index   uint64
	stamp   int64
	entries atomic.Int64

	following    atomic.Bool
	snapshotting atomic.Pointer[chan struct{}]
	snapshots    atomic.Int64
	shutdowns    atomic.Int64
	activeExpire atomic.Bool
}

var _ resp.Backend = (*Backend)(nil)

// NewBackend returns a Backend with empty databases. It panics if the state machine refuses its first entry.
func NewBackend() *Backend {
	b := &Backend{machine: fsm.New(), clock: time.Now, parked: make(map[uint64]*command.Proposal)}
	b.machine.OnWaiting(waiting{b})
	b.activeExpire.Store(true)
	genesis, err := json.Marshal(fsm.Genesis{ClusterID: "test", HashKey0: 1, HashKey1: 2, Databases: fsm.DatabasesDefault})
	if err == nil {
		_, err = b.apply(fsm.EntryInit, genesis, nil)
	}
	if err != nil {
		panic(fmt.Sprintf("resptest: %v", err))
	}
	return b
}

func (b *Backend) apply(kind fsm.EntryKind, body []byte, targets []fsm.Target) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.index++
	b.stamp = max(b.stamp+1, b.clock().UnixMilli())
	data := fsm.AppendEntryHeader(nil, fsm.EntryHeader{Kind: kind, Time: b.stamp, Seed: b.index})
	b.entries.Add(1)
	err := b.machine.Apply(b.index, append(data, body...), targets)
	for _, p := range b.served {
		p.Finish(command.Applied, b.index, nil)
	}
	b.served = nil
	return b.index, err
}

// waiting is fsm.Waiting, called by apply.
type waiting struct{ b *Backend }

func (w waiting) Reply(id uint64) command.Reply {
	if p := w.b.parked[id]; p != nil {
		return p.Reply
	}
	return nil
}

func (w waiting) Served(id uint64) {
	if p := w.b.parked[id]; p != nil {
		delete(w.b.parked, id)
		w.b.served = append(w.b.served, p)
	}
}

// Follow makes the node a follower, which refuses writes, or a leader again.
func (b *Backend) Follow(on bool) { b.following.Store(on) }

// HoldSnapshots has Snapshot wait until release is called.
func (b *Backend) HoldSnapshots() (release func()) {
	gate := make(chan struct{})
	b.snapshotting.Store(&gate)
	return sync.OnceFunc(func() {
		b.snapshotting.Store(nil)
		close(gate)
	})
}

// Entries is the number of log entries so far, Shutdowns how often Shutdown was called, ActiveExpire what
// SetActiveExpire was told last.
func (b *Backend) Entries() int64     { return b.entries.Load() }
func (b *Backend) Shutdowns() int64   { return b.shutdowns.Load() }
func (b *Backend) ActiveExpire() bool { return b.activeExpire.Load() }

// Propose implements resp.Backend, as do all methods below.
func (b *Backend) Propose(ps ...*command.Proposal) {
	for _, p := range ps {
		b.propose(p)
	}
}

func (b *Backend) propose(p *command.Proposal) {
	if b.following.Load() {
		p.Finish(command.Refused, 0, command.ErrNotLeader)
		return
	}
	waits := false
	index, err := b.apply(fsm.EntryCalls, p.Body, []fsm.Target{{Units: p.Units, Reply: p.Reply, Waits: func(id uint64) {
		waits, p.Waiter, b.parked[id] = true, id, p
	}}})
	if err != nil {
		p.Finish(command.Unknown, 0, fmt.Errorf("%w: %w", command.ErrFailed, err))
		return
	}
	if !waits {
		p.Finish(command.Applied, index, nil)
	}
}

// Unblock takes effect on what waits already.
func (b *Backend) Unblock(p *command.Proposal, how command.Unblocking) {
	_, _ = b.apply(fsm.EntryUnblock, fsm.AppendUnblock(nil, p.Waiter, how), nil) // who was served meanwhile is not there
}

// Relay applies what another node would put into the log.
func (b *Backend) Relay(_ context.Context, p *command.Proposal) {
	index, err := b.apply(fsm.EntryCalls, p.Body, nil)
	if err != nil {
		p.Finish(command.Unknown, 0, fmt.Errorf("%w: %w", command.ErrFailed, err))
		return
	}
	p.Finish(command.Applied, index, nil)
}

func (b *Backend) OnEvents(classes command.EventClass, listen func(uint64, []command.Event)) {
	b.machine.OnEvents(classes, listen)
}

func (b *Backend) Leading() bool                             { return !b.following.Load() }
func (b *Backend) ConfirmRead() error                        { return nil }
func (b *Backend) ConfirmLease() error                       { return nil }
func (b *Backend) LeaseHolds() bool                          { return true }
func (b *Backend) ConfirmFollowerRead(context.Context) error { return nil }

func (b *Backend) View(calls []command.Call, o command.ReadOptions, r command.Reply) bool {
	return b.machine.View(calls, o, r)
}

func (b *Backend) ViewTxn(w []command.Watch, calls []command.Call, o command.ReadOptions, r command.Reply) bool {
	return b.machine.ViewTxn(w, calls, o, r)
}

func (b *Backend) ViewBlocking(c *command.Call, o command.ReadOptions, r command.Reply) (waits, ok bool) {
	return b.machine.ViewBlocking(c, o, r)
}

func (b *Backend) WatchKeys(db int, keys [][]byte) (changed <-chan struct{}, end func()) {
	return b.machine.WatchKeys(db, keys)
}

func (b *Backend) Watch(db int, keys [][]byte) []command.Watch { return b.machine.Watch(db, keys) }
func (b *Backend) LogTime() int64                              { return b.clock().UnixMilli() }

func (b *Backend) AdvanceTime() error {
	_, err := b.apply(fsm.EntryTick, nil, nil)
	return err
}

func (b *Backend) Databases() int { return b.machine.Databases() }

func (b *Backend) NodeInfo() resp.NodeInfo {
	state := "leader"
	if b.following.Load() {
		state = "follower"
	}
	index := b.machine.Index()
	return resp.NodeInfo{ID: "n1", ClusterID: "test", Version: Version, State: state, Term: 1, LeaderID: "n1",
		CommitIndex: index, AppliedIndex: index, LastIndex: index, Voters: 1, LogTimeMillis: b.machine.Now()}
}

func (b *Backend) Replicas() []resp.Replica { return nil }
func (b *Backend) LeaderAddr() string       { return "" }

// Loading is false: the state is whole from the beginning.
func (b *Backend) Loading() bool { return false }

// Removed implements resp.Backend: never.
func (b *Backend) Removed() bool { return false }

func (b *Backend) LinkUp() (bool, time.Duration)                         { return b.following.Load(), 0 }
func (b *Backend) HandingOver() bool                                     { return false }
func (b *Backend) Member(string) bool                                    { return false }
func (b *Backend) Takeover(context.Context) error                        { return errAlone }
func (b *Backend) Handover(context.Context, string) error                { return errAlone }
func (b *Backend) JoinCluster(context.Context, string) error             { return errAlone }
func (b *Backend) Admin(context.Context, string, []string) error         { return errAlone }
func (b *Backend) ClusterStatus(context.Context) ([]byte, error)         { return []byte("{}"), nil }
func (b *Backend) WaitReplicas(ctx context.Context, _ uint64, n int) int { return waitAlone(ctx, n) }

var errAlone = errors.New("resptest: this cluster has one node")

func waitAlone(ctx context.Context, want int) int {
	if want > 0 {
		<-ctx.Done()
	}
	return 0
}

func (b *Backend) Snapshot() error {
	if gate := b.snapshotting.Load(); gate != nil {
		<-*gate
	}
	b.snapshots.Add(1)
	return nil
}

func (b *Backend) LastSnapshot() time.Time  { return time.Time{} }
func (b *Backend) Digest() (uint64, string) { return b.machine.DigestAt() }
func (b *Backend) SetActiveExpire(on bool)  { b.activeExpire.Store(on) }
func (b *Backend) Shutdown()                { b.shutdowns.Add(1) }

func (b *Backend) KeyspaceInfo() []resp.KeyspaceInfo {
	in := b.machine.Keyspaces()
	out := make([]resp.KeyspaceInfo, len(in))
	for i, k := range in {
		out[i] = resp.KeyspaceInfo{DB: k.DB, Keys: k.Keys, Expires: k.Expires, AvgTTLMillis: k.AvgTTLMillis}
	}
	return out
}

func (b *Backend) KeyCounters() resp.KeyCounters {
	c := b.machine.Counters()
	return resp.KeyCounters{Hits: c.Hits, Misses: c.Misses, Expired: c.Expired}
}
