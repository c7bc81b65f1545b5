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

// announcement is a node's word to another: where it is. The answer tells what the other knows.
type announcement struct {
	Member fsm.Member `json:"member"`
	Stamp  int64      `json:"stamp"` // of BookEntry
}

type announceAnswer struct {
	Book BookState `json:"book"`
	// NotMember: the one who answers knows for certain that the node was removed.
	NotMember bool `json:"not_member"`
}

// announced is how an announcement ended.
type announced struct {
	addr string
	peer transport.Identity
	ans  announceAnswer
	err  error
}

const (
	// announcementsMax bounds those that are on their way.
	announcementsMax = 64
	hintsMax         = 16
	// refusedEvery is how often it is logged that other nodes refuse this one.
	refusedEvery = 30 * time.Second
)

// Seek has the node announce itself at a raft address where a member of its cluster may be: an operator's hint for a
// node that hears of no leader. The address is noted if a member answers there.
func (n *Node) Seek(raftAddr string) {
	select {
	case n.hints <- raftAddr:
	default: // enough of them are waiting
	}
}

// announceToAll tries every address at which a member may be: those that have moved are where the book has them, those
// that have moved back where the log has them. It returns false if one has yet to answer to an earlier announcement.
func (t *tender) announceToAll(servers []raft.Server) (all bool) {
	all = true
	n := t.n
	tried := map[string]bool{n.cfg.RaftAddr: true, "": true}
	for _, s := range servers {
		if string(s.ID) == n.cfg.NodeID {
			continue
		}
		m, _ := n.machine.Member(string(s.ID))
		for _, addr := range []string{n.book.addrOf(s), m.RaftAddr, string(s.Address)} {
			if !tried[addr] {
				tried[addr] = true
				all = t.announce(addr) && all
			}
		}
	}
	return all
}

// announce tells another node where this one is, and does not wait for the answer. It returns false if one is awaited
// from there already.
func (t *tender) announce(addr string) bool {
	n := t.n
	if t.asked[addr] || len(t.asked) == cap(t.answers) {
		return false
	}
	body, err := json.Marshal(announcement{n.Self(), t.stamp})
	if err != nil {
		n.log.Error("announce", "err", err)
		return false
	}
	t.asked[addr] = true
	deadline := n.cfg.Clock.Now().Add(callTimeout)
	n.cfg.Peers.Go(addr, methodAnnounce, body, deadline, func(resp []byte, peer transport.Identity, err error) {
		a := announced{addr: addr, peer: peer, err: err}
		if err == nil {
			a.err = json.Unmarshal(resp, &a.ans)
		}
		t.answers <- a // there is room: asked has as many at most
	})
	return true
}

// heed takes over what another node has answered.
func (t *tender) heed(a announced) {
	n := t.n
	if a.err != nil {
		t.heedError(a)
		return
	}
	if _, in := n.server(a.peer.NodeID); in {
		n.book.put(a.peer.NodeID, a.addr) // it has proved itself, there
	}
	delete(a.ans.Book.Nodes, a.peer.NodeID) // where that is was just seen
	n.book.gossip(n.cfg.NodeID, a.ans.Book)
	if a.ans.NotMember && !n.removed.Load() {
		t.heardNotMember()
	}
}

// heedError says aloud that a member keeps this node out: only an operator can do something about that.
func (t *tender) heedError(a announced) {
	n := t.n
	now := n.cfg.Clock.Now()
	if !errors.Is(a.err, transport.ErrRefused) || !t.refused.IsZero() && now.Sub(t.refused) < refusedEvery {
		n.log.Debug("announce", "to", a.addr, "err", a.err)
		return
	}
	t.refused = now
	n.log.Warn("another node refuses this one", "at", a.addr, "err", a.err)
}

// heardNotMember takes a confirmed leader's word that this node is no member. While nothing shows that its membership
// was ever committed, neither its state nor what an earlier process of it saw, that is no proof of a removal: a leader
// that began to let it in may have been lost with that entry, and whoever asked for the join asks again. So it waits for
// that a while.
func (t *tender) heardNotMember() {
	n := t.n
	now := n.cfg.Clock.Now()
	if t.notMember.IsZero() {
		t.notMember = now
	}
	_, in := n.server(n.cfg.NodeID)
	_, recorded := n.machine.Member(n.cfg.NodeID)
	if recorded || n.book.recorded() || !in || now.Sub(t.notMember) > joinPatience {
		n.becomeRemoved()
	}
}

func (n *Node) answerAnnounce(peer transport.Identity, body []byte) ([]byte, error) {
	var a announcement
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, err
	}
	if a.Member.ID != peer.NodeID {
		return nil, fmt.Errorf("%w: node %s announced itself as %s", ErrRefusedOp, peer.NodeID, a.Member.ID)
	}
	_, in := n.server(a.Member.ID)
	if in {
		n.book.heard(a.Member.ID, a.Member.RaftAddr, a.Stamp)
	}
	if n.Leading() && in {
		if err := n.admitAnnounced(a.Member); err != nil {
			return nil, err
		}
	}
	// Only a leader that a majority confirms knows for certain who is no member, and only once the log has forgotten the
	// node: a removal that is not committed may yet come to nothing.
	_, recorded := n.machine.Member(a.Member.ID)
	gone := !in && !recorded && n.Leading() && n.ConfirmRead() == nil
	return json.Marshal(announceAnswer{Book: n.book.State(), NotMember: gone})
}

func (n *Node) admitAnnounced(m fsm.Member) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	if err := n.lockMembership(ctx); err != nil {
		return err
	}
	defer n.unlockMembership()
	if _, in := n.server(m.ID); !in {
		return nil // removed while it waited
	}
	return n.admit(m)
}
