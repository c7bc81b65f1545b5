package cluster

import (
	"context"
	"encoding/binary"
	"sort"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/transport"
)

// Reads are confirmed in rounds (Raft thesis, section 6.4, with our own messages: raft's VerifyLeader credits answers
// to old messages and counts non-voters). A round asks the voters over the node port for their current term. Once a
// majority, this node included, has answered after the round began with this leader's own term, nobody can have elected
// a newer leader before the round began: a voter of that election would have answered with a newer term. Everything
// acknowledged before the round began was therefore acknowledged by this leader or an earlier one, and applied here
// (this leader's by the rule that the answer follows the apply, the others' because serving starts after this term's
// first entry was applied). So the read may run on the applied state at once, without waiting for an index:
// docs/adr/0004.
//
// One round serves everybody who was waiting when it began. Up to roundsInflight rounds overlap.
type reader struct {
	n *Node

	mu      sync.Mutex
	next    *round // gathers those who came after the last round began
	running int
	closed  bool

	leaseMu sync.Mutex
	lease   time.Time // until when a majority of voters has promised not to elect anybody else
	blocked bool      // a leadership transfer is under way: promises don't hold
}

const roundsInflight = 2

// round is one read-index round. done is closed when err is set.
type round struct {
	done    chan struct{}
	err     error
	waiters int
}

func newReader(n *Node) *reader { return &reader{n: n, next: newRound()} }

func newRound() *round { return &round{done: make(chan struct{})} }

// ConfirmRead waits until a read that begins now may be served from the applied state with linearizability: until a
// round that began after the call has confirmed this leader. Errors: ErrNotLeader, ErrNotConfirmed, ErrReadTimeout,
// ErrClosed; the read was not served and may be tried elsewhere.
func (n *Node) ConfirmRead() error {
	l := n.lead.Load()
	if l == nil {
		return ErrNotLeader
	}
	t := n.newTally(l, nil)
	if t.need <= 0 {
		return t.check() // the only voter needs nobody's word
	}
	rd := n.reader
	rd.mu.Lock()
	if rd.closed {
		rd.mu.Unlock()
		return ErrClosed
	}
	r := rd.next
	r.waiters++
	start := rd.takeLocked()
	rd.mu.Unlock()
	if start != nil {
		n.newTally(l, func(err error) { rd.finish(start, err) }).ask()
	}
	<-r.done // every round ends: by answers, by its deadline, or by Close
	if r.err == nil && n.lead.Load() != l {
		return ErrNotLeader
	}
	return r.err
}

// takeLocked returns the next round to begin if somebody waits for it and there is room.
func (rd *reader) takeLocked() *round {
	if rd.running >= roundsInflight || rd.next.waiters == 0 {
		return nil
	}
	r := rd.next
	rd.next = newRound()
	rd.running++
	return r
}

func (rd *reader) finish(r *round, err error) {
	r.err = err
	close(r.done)
	l := rd.n.lead.Load()
	rd.mu.Lock()
	rd.running--
	var start *round
	switch {
	case l != nil && !rd.closed:
		start = rd.takeLocked()
	case rd.next.waiters > 0:
		// Not leading any more: those who wait for a round that nobody will begin are told.
		rd.next.err = ErrNotLeader
		close(rd.next.done)
		rd.next = newRound()
	}
	rd.mu.Unlock()
	if start != nil {
		rd.n.newTally(l, func(err error) { rd.finish(start, err) }).ask()
	}
}

// close ends the wait of everybody. Rounds under way end by their own deadlines.
func (rd *reader) close() {
	rd.mu.Lock()
	defer rd.mu.Unlock()
	rd.closed = true
	if rd.next.waiters > 0 {
		rd.next.err = ErrClosed
		close(rd.next.done)
		rd.next = newRound()
	}
}

// tally counts the answers of one round. done is called exactly once.
type tally struct {
	n     *Node
	l     *lead
	began time.Time
	peers []raft.Server // voters other than this node
	need  int           // answers from peers that make a majority

	mu       sync.Mutex
	yes      int
	answered int
	ended    bool
	promises []time.Time // until when each voter that answered will not elect another leader
	done     func(error)
}

func (n *Node) newTally(l *lead, done func(error)) *tally {
	t := &tally{n: n, l: l, began: n.cfg.Clock.Now(), done: done}
	voters, self := 0, false
	for _, s := range n.configuration().Servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		if string(s.ID) == n.cfg.NodeID {
			self = true
			continue
		}
		t.peers = append(t.peers, s)
	}
	t.need = voters/2 + 1
	if self {
		t.need--
	}
	return t
}

func (t *tally) ask() {
	switch {
	case t.need <= 0: // the membership changed since the round was called for
		t.done(t.check())
		return
	case len(t.peers) < t.need:
		t.done(ErrNotConfirmed)
		return
	}
	deadline, commit := t.began.Add(t.n.cfg.Profile.Election), t.n.raft.CommitIndex()
	for _, s := range t.peers {
		id := string(s.ID)
		t.n.cfg.Peers.Go(t.n.book.addrOf(s), methodProbe, nil, deadline, func(resp []byte, peer transport.Identity, err error) {
			t.answer(id, commit, resp, peer, err)
		})
	}
}

// answer counts one voter's answer; commit is the commit index when it was asked. It runs on the transport's goroutine.
func (t *tally) answer(id string, commit uint64, resp []byte, peer transport.Identity, err error) {
	ok, newer := false, false
	var promise time.Time
	if err == nil && peer.NodeID == id {
		if p, perr := decodeProbe(resp); perr == nil {
			ok = p.term == t.l.term
			newer = p.term > t.l.term
			promise = t.began.Add(t.n.cfg.Profile.Heartbeat - p.contactAge)
			t.n.peersSeen.note(id, p, t.n.cfg.Clock.Now(), commit)
		}
	}
	t.mu.Lock()
	if t.ended {
		t.mu.Unlock()
		return
	}
	t.answered++
	if ok {
		t.yes++
		t.promises = append(t.promises, promise)
	}
	won := t.yes >= t.need
	lost := newer || t.yes+len(t.peers)-t.answered < t.need
	t.ended = won || lost
	t.mu.Unlock()
	switch {
	case won:
		t.n.reader.extendLease(t)
		t.done(t.check())
	case lost:
		t.done(ErrNotConfirmed)
	}
}

// check makes sure that the term that was asked for is still the one being served.
func (t *tally) check() error {
	if t.n.lead.Load() != t.l || t.n.raft.CurrentTerm() != t.l.term {
		return ErrNotLeader
	}
	return nil
}

// extendLease notes that a majority has promised to follow this leader: hashicorp/raft's voters refuse to vote for
// anybody else within the heartbeat time out of their last contact (raft.go, requestVote), leadership transfer
// excepted, which ends the lease first. The margin allows for clocks that run at rates 10 % apart.
func (rd *reader) extendLease(t *tally) {
	sort.Slice(t.promises, func(i, j int) bool { return t.promises[i].After(t.promises[j]) })
	until := t.promises[t.need-1].Add(-t.n.cfg.Profile.Heartbeat / 10)
	rd.leaseMu.Lock()
	defer rd.leaseMu.Unlock()
	// What was promised to an earlier term holds no longer: its voters have forgotten that leader.
	if until.After(rd.lease) && !rd.blocked && rd.n.lead.Load() == t.l {
		rd.lease = until
	}
}

// blockLease ends the lease and keeps it ended (true), or lets later rounds extend it again.
func (rd *reader) blockLease(on bool) {
	rd.leaseMu.Lock()
	defer rd.leaseMu.Unlock()
	rd.lease, rd.blocked = time.Time{}, on
}

// ConfirmLease is ConfirmRead by the clock: it returns at once while a majority's promise to follow this leader lasts,
// and runs a round otherwise. It is linearizable as long as the nodes' clocks run at rates less than 10 % apart.
func (n *Node) ConfirmLease() error {
	l := n.lead.Load()
	if l == nil {
		return ErrNotLeader
	}
	if n.leaseHolds(l) {
		return nil
	}
	return n.ConfirmRead()
}

// LeaseHolds is ConfirmLease where that need not wait: false says nothing.
func (n *Node) LeaseHolds() bool {
	l := n.lead.Load()
	return l != nil && n.leaseHolds(l)
}

func (n *Node) leaseHolds(l *lead) bool {
	rd := n.reader
	rd.leaseMu.Lock()
	valid := n.cfg.Clock.Now().Before(rd.lease)
	rd.leaseMu.Unlock()
	// The majority that promised counts this node in, and a node that has stepped down may vote for another before it
	// takes notice here. Its term tells: voting raises it first.
	return valid && n.raft.CurrentTerm() == l.term
}

// ConfirmFollowerRead makes a read on this node linearizable wherever it is: on the leader by ConfirmRead, on a follower
// by asking the leader for a confirmed index and waiting until that is applied here.
func (n *Node) ConfirmFollowerRead(ctx context.Context) error {
	if n.Leading() {
		return n.ConfirmRead()
	}
	addr := n.leaderRaftAddr()
	if addr == "" {
		return ErrLeaderUnknown
	}
	resp, err := n.call(ctx, addr, methodReadIndex, nil)
	if err != nil {
		return err
	}
	if len(resp) != 8 {
		return errBadAnswer
	}
	return n.WaitApplied(ctx, binary.LittleEndian.Uint64(resp))
}

func (n *Node) answerReadIndex(transport.Identity, []byte) ([]byte, error) {
	if err := n.ConfirmRead(); err != nil {
		return nil, err
	}
	return binary.LittleEndian.AppendUint64(nil, n.machine.Index()), nil
}

// WaitApplied waits until a log index is applied on this node.
func (n *Node) WaitApplied(ctx context.Context, index uint64) error {
	ch, cancel := n.applier.waitFor(index)
	defer cancel()
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return ErrReadTimeout
	case <-n.closing:
		return ErrClosed
	}
}
