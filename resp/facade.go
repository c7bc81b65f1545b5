package resp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// This file is what the role commands (cmd_replication.go) and INFO share: the node's place in the cluster in Redis's
// words, and the FAILOVER under way.

// States of NodeInfo that the facade tells apart.
const (
	stateJoining = "joining"
	stateRemoved = "removed"
	stateFailed  = "failed"
)

// roleView is a node's place in the cluster. A leader is a master; every other node is a replica, of the leader that it
// knows or, with its link down, of the one that it looks for.
type roleView struct {
	node   NodeInfo
	master bool
	// replicas are the other members that are there, on the leader.
	replicas []replicaView

	// On a replica: where the leader is (host "" and port 0 where unknown), and whether it is heard of.
	host   string
	port   int
	linkUp bool
	// heard is how long ago the leader was heard of; on a node that never heard of one, how long it has run.
	heard time.Duration
	// syncing: nothing of the leader's data has been applied yet.
	syncing bool
}

// replicaView is a follower as the leader's INFO and ROLE show it.
type replicaView struct {
	host   string
	port   int
	online bool // it is sent the log; otherwise a snapshot, since the log no longer reaches back to where it is
	offset uint64
	lag    time.Duration
	voter  bool
}

func (s *Server) role() roleView {
	b := s.backend
	// The replicas are looked at before the node: their offsets must not seem ahead of the leader's.
	master, replicas := b.Leading(), b.Replicas()
	v := roleView{node: b.NodeInfo(), master: master}
	if master {
		for _, r := range replicas {
			if rv, ok := viewReplica(r, v.node.FirstIndex); ok {
				v.replicas = append(v.replicas, rv)
			}
		}
		return v
	}
	v.linkUp, v.heard = b.LinkUp()
	addr := b.LeaderAddr()
	if addr == "" || v.node.LeaderID == v.node.ID { // nobody, or this node, which does not serve as the leader yet
		addr, v.linkUp = "", false
	}
	if v.node.State == stateJoining {
		v.linkUp = false
		if join := s.cfg.JoinAddrs(); len(join) > 0 {
			addr = join[0]
		}
	}
	v.host, v.port = splitAddr(addr)
	v.syncing = v.linkUp && v.node.AppliedIndex == 0
	return v
}

// viewReplica is false for a member that is not there, or that has not told its RESP address yet.
func viewReplica(r Replica, firstIndex uint64) (replicaView, bool) {
	if !r.Online || r.RespAddr == "" {
		return replicaView{}, false
	}
	v := replicaView{online: r.Offset+1 >= firstIndex, offset: r.Offset, lag: r.Lag, voter: r.Voter}
	v.host, v.port = splitAddr(r.RespAddr)
	return v, true
}

func splitAddr(addr string) (host string, port int) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0
	}
	port, _ = strconv.Atoi(p)
	return host, port
}

// linkState is the fourth word of a replica's ROLE.
func (v *roleView) linkState() string {
	switch {
	case v.syncing:
		return "sync"
	case v.linkUp:
		return "connected"
	}
	return "connect"
}

// offset is the applied log index, -1 on a node that has none because it is in no cluster.
func (v *roleView) offset() int64 {
	if v.node.State == stateJoining {
		return -1
	}
	return int64(v.node.AppliedIndex)
}

// failoverPhase is INFO's master_failover_state.
type failoverPhase uint8

const (
	noFailover failoverPhase = iota
	waitingForSync
	failoverInProgress
)

func (p failoverPhase) String() string {
	return [...]string{"no-failover", "waiting-for-sync", "failover-in-progress"}[p]
}

// failoverState is the FAILOVER under way, of which there is one at most. The zero value is none.
type failoverState struct {
	mu     sync.Mutex
	phase  failoverPhase
	cancel context.CancelFunc // ends the run
	done   chan struct{}      // closed when it has ended
}

// failoverPhase shows hand-overs that an operator asked for by other commands too.
func (s *Server) failoverPhase() failoverPhase {
	s.failover.mu.Lock()
	p := s.failover.phase
	s.failover.mu.Unlock()
	if p == noFailover && s.backend.HandingOver() {
		return failoverInProgress
	}
	return p
}

// startFailover begins to hand leadership to the member at a RESP address, "" for any, and returns. Without patience
// (0) it waits for ever for the target to have what this node has. It is false where one is under way or the server
// closes.
func (s *Server) startFailover(target string, patience time.Duration) bool {
	s.mu.Lock() // orders wg.Add with Close
	defer s.mu.Unlock()
	f := &s.failover
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.closed || f.phase != noFailover {
		return false
	}
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	f.phase, f.cancel, f.done = waitingForSync, cancel, done
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		defer close(done)
		defer cancel()
		err := s.runFailover(ctx, target, patience)
		f.mu.Lock()
		f.phase = noFailover
		f.mu.Unlock()
		if err != nil {
			s.log.Warn("FAILOVER did not move leadership", "to", target, "err", err)
		}
	}()
	return true
}

// abortFailover ends the run under way and waits until it has. It is false if there is none.
func (s *Server) abortFailover(ctx context.Context) (found bool, err error) {
	f := &s.failover
	f.mu.Lock()
	if f.phase == noFailover {
		f.mu.Unlock()
		return false, nil
	}
	f.cancel()
	done := f.done
	f.mu.Unlock()
	select {
	case <-done:
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

var (
	errNotSynced     = errors.New("the replica did not catch up in time")
	errNoLongerLeads = errors.New("this node is no longer the leader")
)

func (s *Server) runFailover(ctx context.Context, target string, patience time.Duration) error {
	sync, cancel := ctx, context.CancelFunc(func() {})
	if patience > 0 {
		sync, cancel = context.WithTimeoutCause(ctx, patience, errNotSynced)
	}
	defer cancel()
	if err := s.awaitSync(sync, target); err != nil {
		return err
	}
	s.failover.mu.Lock()
	s.failover.phase = failoverInProgress
	s.failover.mu.Unlock()
	move, cancel := context.WithTimeout(ctx, s.cfg.Duration("handover-timeout-ms"))
	defer cancel()
	return s.backend.Handover(move, target)
}

const syncPeriod = 10 * time.Millisecond // how often FAILOVER looks whether its target has caught up

// awaitSync waits until a voter, the one at target if it is given, has what this node had when FAILOVER was called. What
// is written meanwhile follows while writes are held, which is the hand-over's part; so they are held for a short time.
func (s *Server) awaitSync(ctx context.Context, target string) error {
	index := s.backend.NodeInfo().AppliedIndex
	all := len(s.backend.Replicas()) + 1 // more than there are: the wait below ends with its time
	for {
		if !s.backend.Leading() {
			return errNoLongerLeads
		}
		for _, r := range s.backend.Replicas() {
			if r.Online && r.Voter && r.Offset >= index && (target == "" || r.RespAddr == target) {
				return nil
			}
		}
		step, cancel := context.WithTimeout(ctx, syncPeriod)
		s.backend.WaitReplicas(step, index, all) // asks the replicas where they are
		<-step.Done()
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// nodeAddr is the RESP address of a member, or of a node to join, by what an operator calls it: as written if a member
// is known by it, else by an address that the name stands for.
func (s *Server) nodeAddr(ctx context.Context, host string, port int) (addr string, member bool) {
	p := strconv.Itoa(port)
	addr = net.JoinHostPort(host, p)
	if s.backend.Member(addr) {
		return addr, true
	}
	ips, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return addr, false
	}
	for _, ip := range ips {
		if a := net.JoinHostPort(ip, p); s.backend.Member(a) {
			return a, true
		}
	}
	return addr, false
}

// memberID finds the other member at a RESP address.
func (s *Server) memberID(addr string) (string, error) {
	for _, r := range s.backend.Replicas() {
		if r.RespAddr == addr {
			return r.ID, nil
		}
	}
	return "", fmt.Errorf("no other member is at %s", addr)
}
