package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/transport"
)

const (
	tendPeriod = 250 * time.Millisecond
	// promoteAfter is how long a new node must have been caught up before it becomes a voter.
	promoteAfter = time.Second
	// lonelyAfter is how long a node hears of no leader before it asks the others whether it is still a member.
	lonelyAfter = 3 * time.Second
	// joinPatience is how long a node whose join was not completed waits to be let in again.
	joinPatience = 10 * time.Second
	// skewWarn is the difference between two nodes' clocks that is reported.
	skewWarn = time.Second
)

// tender is the state of tendMembership's goroutine.
type tender struct {
	n          *Node
	stamp      int64                // of this process's announcements
	caughtUp   map[string]time.Time // since when a non-voter has been caught up
	led        bool                 // a leader was known since this process started
	lonely     time.Time            // since when no leader is known
	lastAnnual time.Time            // when this node last announced itself to everybody
	notMember  time.Time            // since when leaders have said that this node is no member
	refused    time.Time            // when a refusal was last logged
	skewSaid   map[string]time.Time
	// answers takes what announcements ended with; asked has the addresses of those that are on their way.
	answers chan announced
	asked   map[string]bool
}

// tendMembership is the goroutine that keeps addresses known, promotes nodes that have caught up, keeps drained nodes
// from leading and finds out whether this node was removed.
func (n *Node) tendMembership() {
	t := &tender{
		n: n, caughtUp: make(map[string]time.Time), skewSaid: make(map[string]time.Time),
		answers: make(chan announced, announcementsMax), asked: make(map[string]bool),
		stamp: n.book.begin(n.cfg.NodeID, n.cfg.RaftAddr, n.cfg.Clock.Now().UnixMilli()),
	}
	tick := time.NewTicker(tendPeriod)
	defer tick.Stop()
	for {
		t.fillBook()
		if !n.removed.Load() {
			t.step()
		}
		if !t.await(tick.C) {
			return
		}
	}
}

// await waits for the next time to look, and heeds what comes in meanwhile. It returns false when the node closes.
func (t *tender) await(tick <-chan time.Time) bool {
	for {
		select {
		case <-tick:
			return true
		case a := <-t.answers:
			delete(t.asked, a.addr)
			t.heed(a)
		case addr := <-t.n.hints:
			t.announce(addr)
		case <-t.n.closing:
			return false
		}
	}
}

func (t *tender) step() {
	n := t.n
	servers := n.configuration().Servers
	if len(servers) == 0 {
		return // in no cluster yet
	}
	if n.Leading() {
		n.probePeers(servers)
		t.lead(servers)
		t.led, t.lonely = true, time.Time{}
		return
	}
	clear(t.caughtUp)
	now := n.cfg.Clock.Now()
	leader := n.leaderRaftAddr()
	if n.removalHint.Swap(false) {
		if !t.announceToAll(servers) { // what is under way may have been answered before the removal
			n.removalHint.Store(true)
		}
		return
	}
	if leader != "" {
		t.led, t.lonely, t.notMember = true, time.Time{}, time.Time{}
		if own, ok := n.machine.Member(n.cfg.NodeID); !ok || !n.isSelf(own) {
			t.announce(leader)
		}
		return
	}
	if t.lonely.IsZero() {
		t.lonely = now
	}
	// A node that has just started asks at once: it may have been removed, or the others may have moved, while it was down.
	if now.Sub(t.lonely) > lonelyAfter || !t.led || !t.known() {
		if now.Sub(t.lastAnnual) > lonelyAfter/3 {
			t.lastAnnual = now
			t.announceToAll(servers)
		}
	}
}

// known reports whether the log has this node's present addresses.
func (t *tender) known() bool {
	own, ok := t.n.machine.Member(t.n.cfg.NodeID)
	return ok && t.n.isSelf(own)
}

// Self is what this node tells of itself.
func (n *Node) Self() fsm.Member {
	return fsm.Member{
		ID: n.cfg.NodeID, RaftAddr: n.cfg.RaftAddr, RespAddr: n.cfg.RespAddr,
		Instance: n.cfg.Storage.Instance(), Version: n.cfg.Version,
	}
}

func (n *Node) isSelf(m fsm.Member) bool {
	m.Drained, m.Standby = false, false
	return m == n.Self()
}

// fillBook takes addresses over from the log, and from raft's configuration those of nodes that the log does not know.
func (t *tender) fillBook() {
	n := t.n
	members := n.machine.Cluster().Members
	n.book.learn(n.cfg.NodeID, members, n.machine.Index())
	for _, s := range n.configuration().Servers {
		n.book.fill(string(s.ID), string(s.Address))
	}
}

// lead is what the leader looks after.
func (t *tender) lead(servers []raft.Server) {
	n := t.n
	if !n.tryLockMembership() {
		return // an operation is under way
	}
	err := t.repair(servers)
	n.unlockMembership()
	if err != nil {
		n.log.Debug("membership upkeep", "err", err)
	}
	if own, ok := n.machine.Member(n.cfg.NodeID); ok && own.Drained && !n.transferring.Load() {
		ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
		defer cancel()
		if err := n.TransferLeadership(ctx, ""); err != nil && !errors.Is(err, ErrNoSuchNode) {
			n.log.Warn("drained, but leadership could not be handed over", "err", err)
		}
	}
}

func (t *tender) repair(servers []raft.Server) error {
	n := t.n
	if own, ok := n.machine.Member(n.cfg.NodeID); !ok || !n.isSelf(own) {
		if err := n.recordMember(n.Self()); err != nil {
			return err
		}
	}
	if err := n.forgetRemoved(); err != nil {
		return err
	}
	for _, s := range servers {
		m, ok := n.machine.Member(string(s.ID))
		if ok && m.RaftAddr != string(s.Address) {
			if err := n.setServer(s, true, m); err != nil {
				return err
			}
			n.log.Info("a node moved", "member", m.ID, "raft_addr", m.RaftAddr)
		}
		t.watchClock(string(s.ID))
		if s.Suffrage != raft.Voter && ok && !m.Standby {
			if err := t.promoteWhenReady(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgetRemoved finishes removals whose leader was lost half way: a node that is out of the configuration must not stay
// on record, or it could never join again with new data.
func (n *Node) forgetRemoved() error {
	for _, m := range n.machine.Cluster().Members {
		if _, in := n.server(m.ID); in {
			continue
		}
		if err := n.applyRaw(fsm.EntryForget, []byte(m.ID), n.proposer.stamp()); err != nil {
			return err
		}
		n.book.drop(m.ID)
	}
	return nil
}

func (t *tender) promoteWhenReady(s raft.Server) error {
	n, id := t.n, string(s.ID)
	now := n.cfg.Clock.Now()
	if !n.caughtUp(id) {
		delete(t.caughtUp, id)
		return nil
	}
	since, ok := t.caughtUp[id]
	if !ok {
		t.caughtUp[id] = now
		return nil
	}
	if now.Sub(since) < promoteAfter {
		return nil
	}
	delete(t.caughtUp, id)
	if err := n.wait(n.raft.AddVoter(s.ID, s.Address, 0, n.cfg.WriteTimeout)); err != nil {
		return err
	}
	n.log.Info("a node has caught up and is a voter now", "member", id)
	return nil
}

// watchClock reports a node whose wall clock is far from this one's: expiry goes by the leader's.
func (t *tender) watchClock(id string) {
	n := t.n
	seen, ok := n.peersSeen.get(id)
	if !ok {
		return
	}
	skew := seen.skew()
	if skew > skewWarn && n.cfg.Clock.Now().Sub(t.skewSaid[id]) > time.Minute {
		t.skewSaid[id] = n.cfg.Clock.Now()
		n.log.Warn("the clocks of two nodes are far apart; keys expire by the leader's", "other", id, "difference", skew.Round(time.Millisecond))
	}
}

func (n *Node) inConfiguration(servers []raft.Server) bool {
	for _, s := range servers {
		if string(s.ID) == n.cfg.NodeID {
			return true
		}
	}
	return false
}

func (n *Node) answerRemoved(transport.Identity, []byte) ([]byte, error) {
	// The word of a removal is checked by the loop that announces: a forged or late one must not stop a member.
	switch servers := n.configuration().Servers; {
	case len(servers) == 0:
		return nil, nil // not this node, but one before it whose data is gone: this one is about to join
	case !n.inConfiguration(servers):
		n.becomeRemoved()
		return nil, nil
	}
	n.removalHint.Store(true)
	return nil, nil
}

// becomeRemoved ends this node's part in the cluster: it votes and leads no more, and says so to clients.
func (n *Node) becomeRemoved() {
	if n.removed.Swap(true) {
		return
	}
	n.log.Warn("this node was removed from the cluster; empty its data directory before it joins one again")
	n.goOwned(func() { _ = n.stopRaft().Error() })
}

// Removed reports whether this node was removed from its cluster.
func (n *Node) Removed() bool { return n.removed.Load() }
