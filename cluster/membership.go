package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/transport"
)

// Operations on the membership, as operators name them.
const (
	OpJoin     = "join"
	OpRemove   = "remove"
	OpPromote  = "promote"
	OpDemote   = "demote"
	OpTransfer = "transfer-leader"
	OpDrain    = "drain"
	OpUndrain  = "undrain"
)

// AdminRequest is one operation on the membership. Node is a node id; for OpTransfer it may be empty (the cluster
// chooses). Member is the node that OpJoin lets in.
type AdminRequest struct {
	Op     string     `json:"op"`
	Node   string     `json:"node,omitempty"`
	Member fsm.Member `json:"member"`
}

// ErrRefusedOp is an operation that would harm the cluster, or that makes no sense in its present state.
var ErrRefusedOp = errors.New("refused")

// Admin carries out an operation, on the leader wherever it is. It returns when the cluster has agreed on it.
func (n *Node) Admin(ctx context.Context, req AdminRequest) error {
	if n.Leading() {
		_, err := outcomeOf(n.adminHere(ctx, req))
		return err
	}
	addr := n.leaderRaftAddr()
	if addr == "" || addr == n.cfg.RaftAddr { // its own: it has just been elected and does not serve yet
		return ErrLeaderUnknown
	}
	return n.callJSON(ctx, addr, methodAdmin, req, nil)
}

func (n *Node) answerAdmin(_ transport.Identity, body []byte) ([]byte, error) {
	var req AdminRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	if !n.Leading() {
		return nil, ErrNotLeader // one hop only: two nodes that each take the other for the leader must not loop
	}
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	return nil, n.adminHere(ctx, req)
}

const adminTimeout = 10 * time.Second

func (n *Node) adminHere(ctx context.Context, req AdminRequest) error {
	if err := n.lockMembership(ctx); err != nil {
		return err
	}
	defer n.unlockMembership()
	n.lookAround(ctx)
	switch req.Op {
	case OpJoin:
		return n.admit(req.Member)
	case OpRemove:
		return n.remove(ctx, req.Node)
	case OpPromote:
		return n.promote(req.Node)
	case OpDemote:
		return n.demote(ctx, req.Node)
	case OpTransfer:
		return n.TransferLeadership(ctx, req.Node)
	case OpDrain:
		return n.drain(ctx, req.Node, true)
	case OpUndrain:
		return n.drain(ctx, req.Node, false)
	}
	return fmt.Errorf("%w: unknown operation %q", ErrRefusedOp, req.Op)
}

// lockMembership waits for its turn, no longer than ctx allows: an operation takes as long as a commit.
func (n *Node) lockMembership(ctx context.Context) error {
	select {
	case n.membership <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("another membership operation is under way: %w", ctx.Err())
	case <-n.closing:
		return ErrClosed
	}
}

func (n *Node) tryLockMembership() bool {
	select {
	case n.membership <- struct{}{}:
		return true
	default:
		return false
	}
}

func (n *Node) unlockMembership() { <-n.membership }

func (n *Node) server(id string) (raft.Server, bool) {
	for _, s := range n.configuration().Servers {
		if string(s.ID) == id {
			return s, true
		}
	}
	return raft.Server{}, false
}

// admit lets a node in as a non-voter; tendMembership promotes it when it has caught up. A node that is in already
// only has its addresses noted.
func (n *Node) admit(m fsm.Member) error {
	if m.ID == "" || m.RaftAddr == "" || m.RespAddr == "" || m.Instance == "" {
		return fmt.Errorf("%w: a joining node must tell its id, addresses and instance", ErrRefusedOp)
	}
	for _, s := range n.configuration().Servers {
		if string(s.ID) != m.ID && string(s.Address) == m.RaftAddr {
			return fmt.Errorf("%w: the address %s belongs to node %s", ErrRefusedOp, m.RaftAddr, s.ID)
		}
	}
	if old, known := n.machine.Member(m.ID); known && old.Instance != m.Instance {
		return fmt.Errorf("%w: node %s is a member with other data; remove it first (redoubt cluster remove %s), then join again", ErrRefusedOp, m.ID, m.ID)
	}
	n.book.put(m.ID, m.RaftAddr)
	if s, in := n.server(m.ID); !in || string(s.Address) != m.RaftAddr {
		if err := n.setServer(s, in, m); err != nil {
			return err
		}
		if in {
			n.log.Info("a node moved", "member", m.ID, "raft_addr", m.RaftAddr)
		}
	}
	return n.recordMember(m)
}

// setServer adds a non-voter, or changes the address of a server of either kind.
func (n *Node) setServer(old raft.Server, in bool, m fsm.Member) error {
	id, addr := raft.ServerID(m.ID), raft.ServerAddress(m.RaftAddr)
	if in && old.Suffrage == raft.Voter {
		return n.wait(n.raft.AddVoter(id, addr, 0, n.cfg.WriteTimeout))
	}
	return n.wait(n.raft.AddNonvoter(id, addr, 0, n.cfg.WriteTimeout))
}

// recordMember writes a member's addresses into the log, keeping what operators decided of it.
func (n *Node) recordMember(m fsm.Member) error {
	old, _ := n.machine.Member(m.ID)
	m.Drained, m.Standby = old.Drained, old.Standby
	if m == old {
		return nil
	}
	return n.applyJSON(fsm.EntryMember, m)
}

// changeMember edits what the log says of a member.
func (n *Node) changeMember(id string, edit func(*fsm.Member)) error {
	m, ok := n.machine.Member(id)
	if !ok {
		return fmt.Errorf("%w: %s", ErrNoSuchNode, id)
	}
	edit(&m)
	return n.applyJSON(fsm.EntryMember, m)
}

func (n *Node) promote(id string) error {
	s, in := n.server(id)
	if !in {
		return fmt.Errorf("%w: %s", ErrNoSuchNode, id)
	}
	if err := n.changeMember(id, func(m *fsm.Member) { m.Standby = false }); err != nil {
		return err
	}
	if s.Suffrage == raft.Voter {
		return nil
	}
	if !n.caughtUp(id) {
		return fmt.Errorf("%w: node %s has not caught up; it will be promoted by itself once it has", ErrRefusedOp, id)
	}
	return n.wait(n.raft.AddVoter(s.ID, s.Address, 0, n.cfg.WriteTimeout))
}

func (n *Node) demote(ctx context.Context, id string) error {
	s, in := n.server(id)
	if !in {
		return fmt.Errorf("%w: %s", ErrNoSuchNode, id)
	}
	if s.Suffrage != raft.Voter {
		return n.changeMember(id, func(m *fsm.Member) { m.Standby = true })
	}
	if err := n.safeWithout(ctx, id); err != nil {
		return err
	}
	if id == n.cfg.NodeID {
		return n.moveAwayAnd(ctx, AdminRequest{Op: OpDemote, Node: id})
	}
	if err := n.changeMember(id, func(m *fsm.Member) { m.Standby = true }); err != nil {
		return err
	}
	return n.wait(n.raft.DemoteVoter(s.ID, 0, n.cfg.WriteTimeout))
}

func (n *Node) remove(ctx context.Context, id string) error {
	s, in := n.server(id)
	if _, recorded := n.machine.Member(id); !in && recorded {
		return n.forgetRemoved() // an earlier try got half way
	}
	if !in {
		return fmt.Errorf("%w: %s", ErrNoSuchNode, id)
	}
	if s.Suffrage == raft.Voter {
		if err := n.safeWithout(ctx, id); err != nil {
			return err
		}
	}
	if id == n.cfg.NodeID {
		return n.moveAwayAnd(ctx, AdminRequest{Op: OpRemove, Node: id})
	}
	addr := n.book.addrOf(s)
	if err := n.wait(n.raft.RemoveServer(s.ID, 0, n.cfg.WriteTimeout)); err != nil {
		return err
	}
	if err := n.applyRaw(fsm.EntryForget, []byte(id), n.proposer.stamp()); err != nil {
		return err
	}
	n.book.drop(id)
	n.peersSeen.drop(id)
	// Tell the node. If it can't be reached now it learns it from the first member that it announces itself to.
	if _, err := n.call(ctx, addr, methodRemoved, nil); err != nil {
		n.log.Info("a removed node could not be told yet", "removed", id, "err", err)
	}
	return nil
}

// moveAwayAnd hands leadership over and lets the new leader carry out an operation on this node.
func (n *Node) moveAwayAnd(ctx context.Context, req AdminRequest) error {
	if err := n.TransferLeadership(ctx, ""); err != nil {
		return err
	}
	return n.retryAdmin(ctx, req)
}

func (n *Node) retryAdmin(ctx context.Context, req AdminRequest) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	var err error
	for {
		if addr := n.leaderRaftAddr(); addr != "" && !n.Leading() {
			if err = n.callJSON(ctx, addr, methodAdmin, req, nil); err == nil {
				return nil
			}
		}
		select {
		case <-time.After(n.cfg.Profile.Heartbeat / 4):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-n.closing:
			return ErrClosed
		}
	}
}

// safeWithout refuses what would leave the cluster without a working majority. Nodes count by what they answer now: one
// that died a moment ago would pass for reachable by its last answer.
func (n *Node) safeWithout(ctx context.Context, id string) error {
	asked := n.cfg.Clock.Now()
	n.lookAroundFor(ctx, aliveWithin)
	voters, alive := 0, 0
	for _, s := range n.configuration().Servers {
		if s.Suffrage != raft.Voter || string(s.ID) == id {
			continue
		}
		voters++
		seen, ok := n.peersSeen.get(string(s.ID))
		if string(s.ID) == n.cfg.NodeID || ok && !seen.at.Before(asked) {
			alive++
		}
	}
	switch {
	case voters == 0:
		return fmt.Errorf("%w: node %s is the last voter", ErrRefusedOp, id)
	case alive < voters/2+1:
		return fmt.Errorf("%w: without node %s only %d of %d voters would be reachable, which is no majority", ErrRefusedOp, id, alive, voters)
	}
	return nil
}

// aliveWithin is how old a node's last answer may be for it to count as reachable.
const aliveWithin = 2 * time.Second

func (n *Node) alive(id string) bool {
	s, ok := n.peersSeen.get(id)
	return ok && n.cfg.Clock.Now().Sub(s.at) < max(aliveWithin, 2*n.cfg.Profile.Heartbeat)
}

// caughtUpEntries is how far behind a node may be and still count as caught up.
const caughtUpEntries = 64

func (n *Node) caughtUp(id string) bool {
	s, ok := n.peersSeen.get(id)
	return ok && n.alive(id) && s.applied+caughtUpEntries >= s.asked && s.term == n.raft.CurrentTerm()
}

func (n *Node) drain(ctx context.Context, id string, on bool) error {
	if id == "" {
		id = n.cfg.NodeID
	}
	if on && id == n.cfg.NodeID {
		if _, ok := n.chooseTarget("", nil); !ok {
			return fmt.Errorf("%w: no other voter could take leadership over", ErrRefusedOp)
		}
	}
	if err := n.changeMember(id, func(m *fsm.Member) { m.Drained = on }); err != nil {
		return err
	}
	if on && id == n.cfg.NodeID {
		return n.TransferLeadership(ctx, "")
	}
	return nil
}
