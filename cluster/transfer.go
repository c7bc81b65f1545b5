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
	var err error
	for range transferTries {
		if err = n.transferOnce(ctx, l, id, &sent); err == nil || ctx.Err() != nil || errors.Is(err, ErrNoSuchNode) {
			return err
		}
		n.log.Warn("leadership transfer failed", "err", err)
	}
	return err
}

func (n *Node) transferOnce(ctx context.Context, l *lead, id string, sent *bool) error {
	target, ok := n.chooseTarget(id)
	if !ok {
		if id != "" {
			return fmt.Errorf("%w: %s is no reachable voter", ErrNoSuchNode, id)
		}
		return fmt.Errorf("%w: no other voter is reachable", ErrNoSuchNode)
	}
	n.drainFlights(ctx)
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

// chooseTarget finds a voter that may take over: the one asked for, or the least behind of those that are reachable and
// not drained.
func (n *Node) chooseTarget(id string) (raft.Server, bool) {
	var best raft.Server
	var bestIndex uint64
	found := false
	for _, s := range n.configuration().Servers {
		sid := string(s.ID)
		if s.Suffrage != raft.Voter || sid == n.cfg.NodeID || (id != "" && sid != id) || !n.alive(sid) {
			continue
		}
		if m, ok := n.machine.Member(sid); ok && m.Drained {
			continue
		}
		if seen, ok := n.peersSeen.get(sid); ok && (!found || seen.lastIndex > bestIndex) {
			best, bestIndex, found = s, seen.lastIndex, true
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
