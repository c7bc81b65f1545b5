package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/resp"
)

// commandTable is built once: all servers of a process share it.
var commandTable = sync.OnceValue(func() *command.Table { return resp.BuildTable(fsm.Commands) })

// backend is the Raft node as the RESP facade sees it. It translates types and decides nothing.
type backend struct{ s *server }

var _ resp.Backend = (*backend)(nil)

func (b *backend) Propose(ps ...*command.Proposal) { b.s.node.Propose(ps...) }

func (b *backend) Unblock(p *command.Proposal, how command.Unblocking) { b.s.node.Unblock(p, how) }

func (b *backend) Relay(ctx context.Context, p *command.Proposal) { b.s.node.Relay(ctx, p) }

func (b *backend) OnEvents(classes command.EventClass, listen func(uint64, []command.Event)) {
	b.s.node.Machine().OnEvents(classes, listen)
}

func (b *backend) Leading() bool       { return b.s.node.Leading() }
func (b *backend) ConfirmRead() error  { return b.s.node.ConfirmRead() }
func (b *backend) ConfirmLease() error { return b.s.node.ConfirmLease() }
func (b *backend) LeaseHolds() bool    { return b.s.node.LeaseHolds() }
func (b *backend) ConfirmFollowerRead(ctx context.Context) error {
	return b.s.node.ConfirmFollowerRead(ctx)
}
func (b *backend) LogTime() int64                       { return b.s.node.LogTime() }
func (b *backend) AdvanceTime() error                   { return b.s.node.AdvanceTime() }
func (b *backend) Databases() int                       { return b.s.node.Machine().Databases() }
func (b *backend) Digest() (uint64, string)             { return b.s.node.Machine().DigestAt() }
func (b *backend) SetActiveExpire(on bool)              { b.s.node.SetActiveExpire(on) }
func (b *backend) SetClockOffset(d time.Duration) error { return b.s.clock.SetOffset(d) }
func (b *backend) Snapshot() error                      { return b.s.node.Snapshot() }
func (b *backend) HandingOver() bool                    { return b.s.node.HandingOver() }
func (b *backend) Takeover(ctx context.Context) error   { return b.s.node.Takeover(ctx) }
func (b *backend) Removed() bool                        { return b.s.node.Removed() }
func (b *backend) Loading() bool                        { return b.s.loading.Load() && !b.s.node.Leading() }
func (b *backend) LinkUp() (bool, time.Duration)        { return b.s.node.LinkUp() }

func (b *backend) View(calls []command.Call, o command.ReadOptions, r command.Reply) bool {
	return b.s.node.Machine().View(calls, o, r)
}

func (b *backend) ViewTxn(w []command.Watch, calls []command.Call, o command.ReadOptions, r command.Reply) bool {
	return b.s.node.Machine().ViewTxn(w, calls, o, r)
}

func (b *backend) ViewBlocking(c *command.Call, o command.ReadOptions, r command.Reply) (waits, ok bool) {
	return b.s.node.Machine().ViewBlocking(c, o, r)
}

func (b *backend) WatchKeys(db int, keys [][]byte) (changed <-chan struct{}, end func()) {
	return b.s.node.Machine().WatchKeys(db, keys)
}

func (b *backend) Watch(db int, keys [][]byte) []command.Watch {
	if b.s.node.Leading() {
		return b.s.node.Machine().WatchAt(db, keys, b.s.node.LogTime())
	}
	return b.s.node.Machine().Watch(db, keys)
}

func (b *backend) WaitReplicas(ctx context.Context, index uint64, want int) int {
	return b.s.node.WaitReplicas(ctx, index, want)
}

func (b *backend) LeaderAddr() string {
	_, addr := b.s.node.Leader()
	return addr
}

func (b *backend) NodeInfo() resp.NodeInfo {
	st, c := b.s.node.Status(), b.s.node.Machine().Cluster()
	voters, nonVoters := b.s.node.Suffrage()
	return resp.NodeInfo{
		ID: st.ID, ClusterID: c.ID, Version: version, State: st.State, Term: st.Term, LeaderID: st.LeaderID,
		CommitIndex: st.CommitIndex, AppliedIndex: st.AppliedIndex, LastIndex: st.LastIndex, SnapshotIndex: st.SnapshotIndex,
		FirstIndex: st.FirstIndex, Voters: voters, NonVoters: nonVoters, ReplID: c.ReplID, ReplID2: c.ReplID2,
		ReplOffset2: c.ReplOffset2, RaftAddr: st.RaftAddr, RespAddr: st.RespAddr, LogStore: b.s.cfg.String("log-store"),
		DiskFreeBytes: st.DiskFreeBytes, DiskShort: st.DiskShort,
		LogTimeMillis: b.s.node.Machine().Now(), ClockSkewMillis: b.s.node.ClockSkew().Milliseconds(),
	}
}

func (b *backend) Replicas() []resp.Replica {
	in := b.s.node.Replicas()
	out := make([]resp.Replica, len(in))
	for i, r := range in {
		out[i] = resp.Replica{ID: r.ID, RespAddr: r.RespAddr, Voter: r.Voter, Online: r.Online, Offset: r.Applied, Lag: r.Lag}
	}
	return out
}

func (b *backend) Handover(ctx context.Context, respAddr string) error {
	id := ""
	if respAddr != "" {
		var ok bool
		if id, ok = b.s.node.NodeIDAt(respAddr); !ok {
			return fmt.Errorf("%w: nobody is at %s", cluster.ErrNoSuchNode, respAddr)
		}
	}
	return b.s.node.TransferLeadership(ctx, id)
}

func (b *backend) Member(respAddr string) bool {
	_, ok := b.s.node.NodeIDAt(respAddr)
	return ok
}

func (b *backend) JoinCluster(ctx context.Context, respAddr string) error {
	return b.s.joinOnce(ctx, respAddr)
}

// Admin carries out an operation of the REDOUBT command. join takes id, raft address, RESP address, instance, version.
func (b *backend) Admin(ctx context.Context, op string, args []string) error {
	req := cluster.AdminRequest{Op: op}
	if op == cluster.OpJoin {
		if len(args) != 5 {
			return errors.New("join takes a node id, its raft address, its RESP address, its instance and its version")
		}
		req.Member = fsm.Member{ID: args[0], RaftAddr: args[1], RespAddr: args[2], Instance: args[3], Version: args[4]}
	} else if len(args) > 0 {
		req.Node = args[0]
	}
	return b.s.node.Admin(ctx, req)
}

func (b *backend) ClusterStatus(ctx context.Context) ([]byte, error) {
	return json.Marshal(b.s.node.ClusterStatus(ctx))
}

func (b *backend) LastSnapshot() time.Time { return b.s.node.LastSnapshot() }

func (b *backend) KeyspaceInfo() []resp.KeyspaceInfo {
	in := b.s.node.Machine().Keyspaces()
	out := make([]resp.KeyspaceInfo, len(in))
	for i, k := range in {
		out[i] = resp.KeyspaceInfo{DB: k.DB, Keys: k.Keys, Expires: k.Expires, AvgTTLMillis: k.AvgTTLMillis}
	}
	return out
}

func (b *backend) KeyCounters() resp.KeyCounters {
	return resp.KeyCounters(b.s.node.Machine().Counters())
}

func (b *backend) Shutdown() {
	select {
	case b.s.stop <- struct{}{}:
	default:
	}
}
