package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// transferTries bounds the attempts of one hand-over.
const transferTries = 3

// TransferLeadership hands leadership to a node, or (id "") to the voter that is reachable and least behind: raft's own
// choice ignores whether a node is alive. Writes that come meanwhile wait, and are refused by the rules of a follower
// once leadership has moved; writes in flight are finished first. It returns when this node no longer leads.
func (n *Node) TransferLeadership(ctx context.Context, id string) error {
	if !n.Leading() {
		return ErrNotLeader
	}
	if id == n.cfg.NodeID {
		return nil
	}
	if !n.transferring.CompareAndSwap(false, true) {
		return ErrHandingOver
	}
	defer n.transferring.Store(false)
	n.lookAround(ctx)
	l := n.lead.Load()
	if l == nil {
		return nil
	}
	n.proposer.hold(true)
	n.reader.blockLease(true)
	sent := false
	defer func() {
		n.proposer.hold(false) // whatever came of it: a later term must not be held either
		if n.lead.Load() != l {
			return
		}
		// It did not work: go on.
		n.transferSuspect.Store(true)
		if !sent { // else a target that was told late may yet be elected against the promises: no lease in this term
			n.reader.blockLease(false)
		}
	}()
	var last error
	tried := make(map[string]bool, transferTries)
	for range transferTries {
		target, ok := n.chooseTarget(id, tried)
		if !ok {
			return errors.Join(noTarget(id), last)
		}
		tried[string(target.ID)] = true
		if last = n.transferOnce(ctx, l, target, &sent); last == nil || ctx.Err() != nil {
			return last
		}
		n.log.Warn("leadership transfer failed", "err", last)
	}
	return last
}

func noTarget(id string) error {
	if id != "" {
		return fmt.Errorf("%w: %s is no reachable voter that may lead", ErrNoSuchNode, id)
	}
	return fmt.Errorf("%w: no other voter is reachable", ErrNoSuchNode)
}

func (n *Node) transferOnce(ctx context.Context, l *lead, target raft.Server, sent *bool) error {
	n.drainFlights(ctx)
	if err := n.awaitTarget(ctx, target); err != nil {
		return err
	}
	n.log.Info("handing leadership over", "to", target.ID)
	*sent = true
	if err := n.wait(n.raft.LeadershipTransferToServer(target.ID, target.Address)); err != nil {
		return fmt.Errorf("transfer to %s: %w", target.ID, err)
	}
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(2 * n.cfg.Profile.Election):
		return fmt.Errorf("transfer to %s: leadership did not move", target.ID)
	}
}

// awaitTarget waits until the target answers that it has this node's whole log, for an election's length at most. Raft
// must not be asked to transfer to a node that its replication does not reach: a second such request blocks all writes
// until the exchange under way there has timed out (raft v1.7.3, leadershipTransfer: the send to triggerDeferErrorCh heeds
// no stop; hashicorp/raft #696).
func (n *Node) awaitTarget(ctx context.Context, target raft.Server) error {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Profile.Election)
	defer cancel()
	want, term := n.raft.LastIndex(), n.raft.CurrentTerm()
	for {
		resp, err := n.call(ctx, string(target.Address), methodProbe, nil)
		if err == nil {
			var p probe
			if p, err = decodeProbe(resp); err == nil && p.term == term && p.lastIndex >= want {
				return nil
			}
		}
		select {
		case <-time.After(max(n.cfg.Profile.Commit, time.Millisecond)):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("transfer to %s: it does not answer or has not caught up", target.ID), err)
		}
	}
}

// chooseTarget finds a voter that may take over: the one asked for, or the least behind of those that are reachable and
// not drained, one that has room on its disk before one that has not. Those in except have been tried.
func (n *Node) chooseTarget(id string, except map[string]bool) (raft.Server, bool) {
	var best raft.Server
	var bestIndex uint64
	found, bestShort := false, false
	for _, s := range n.configuration().Servers {
		sid := string(s.ID)
		if s.Suffrage != raft.Voter || sid == n.cfg.NodeID || except[sid] || (id != "" && sid != id) || !n.alive(sid) {
			continue
		}
		if m, ok := n.machine.Member(sid); ok && m.Drained {
			continue
		}
		short := n.space.peerShort(sid)
		if seen, ok := n.peersSeen.get(sid); ok && (!found || bestShort && !short || bestShort == short && seen.lastIndex > bestIndex) {
			best, bestIndex, found, bestShort = s, seen.lastIndex, true, short
		}
	}
	best.Address = raft.ServerAddress(n.book.addrOf(best))
	return best, found
}

// drainFlights waits until nothing is in flight, for an election's length at most.
func (n *Node) drainFlights(ctx context.Context) {
	deadline := time.NewTimer(n.cfg.Profile.Election)
	defer deadline.Stop()
	for range cap(n.proposer.slots) {
		select {
		case n.proposer.slots <- struct{}{}:
			defer func() { <-n.proposer.slots }()
		case <-deadline.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// Takeover makes this node the leader: it asks the present leader to hand over, and returns once this node serves.
func (n *Node) Takeover(ctx context.Context) error {
	if n.Leading() {
		return nil
	}
	if err := n.Admin(ctx, AdminRequest{Op: OpTransfer, Node: n.cfg.NodeID}); err != nil {
		return err
	}
	tick := time.NewTicker(n.cfg.Profile.Heartbeat / 20)
	defer tick.Stop()
	for !n.Leading() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-n.closing:
			return ErrClosed
		}
	}
	return nil
}
