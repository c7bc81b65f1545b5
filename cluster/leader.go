package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/fsm"
)

// lead is one period of serving as the leader. Node.lead points to it from the moment this term's first entry is
// applied until leadership is lost: a read or write that finds the same pointer before and after was served by it.
type lead struct {
	term uint64
	done chan struct{} // closed when the period ends
}

// Leading reports whether this node serves as the leader. It is no proof for a read; ConfirmRead is.
func (n *Node) Leading() bool { return n.lead.Load() != nil }

// watchLeadership is the goroutine that follows raft's verdicts. Raft waits for it to take each.
func (n *Node) watchLeadership() {
	var current *lead
	for {
		select {
		case leading := <-n.notify:
			if current != nil {
				n.endLead(current)
				current = nil
			}
			if leading {
				current = n.beginLead()
			}
		case <-n.failing:
			if current != nil {
				n.endLead(current)
			}
			n.leaveRaft()
			return
		case <-n.closing:
			if current != nil {
				n.endLead(current)
			}
			return
		}
	}
}

// beginLead starts a term: entries of earlier terms are applied before its first entry is, and only then is anything
// served. The waiting happens aside, so that the loss of leadership is seen meanwhile.
func (n *Node) beginLead() *lead {
	l := &lead{term: n.raft.CurrentTerm(), done: make(chan struct{})}
	n.goOwned(func() { n.establish(l) })
	return l
}

// establish tries for as long as the term lasts: a leader that gave up (after a commit slower than WriteTimeout, say)
// would lead without serving, and nobody would take its place.
func (n *Node) establish(l *lead) {
	var stuck time.Time // of transferStuck
	for {
		err := n.beginTerm(l)
		if err == nil {
			break
		}
		n.log.Warn("could not begin the term yet", "term", l.term, "err", err)
		if n.transferStuck(err, &stuck) {
			return
		}
		select { // raft may still hold this node for the leader: try again until it says otherwise
		case <-time.After(n.cfg.Profile.Heartbeat / 4):
		case <-l.done:
			return
		case <-n.closing:
			return
		}
	}
	n.servingMu.Lock()
	defer n.servingMu.Unlock()
	select {
	case <-l.done:
		return // lost meanwhile
	default:
	}
	if n.failed.Load() != nil {
		return // what is committed may not be applied here
	}
	n.reader.blockLease(false)
	n.lead.Store(l)
	n.proposer.start()
	n.log.Info("serving as the leader", "term", l.term, "log_index", n.machine.Index())
	n.cfg.OnLeadership(true)
}

// beginTerm puts the first entries of a term into the log. What came before the term is applied when they are.
func (n *Node) beginTerm(l *lead) error {
	// An earlier try may have got there after all. The entry may also be another node's: then this one was deposed before
	// it could ask for its term, and must not take the other's for its own.
	if c := n.machine.Cluster(); c.LeadTerm != l.term || c.LeadID != n.cfg.NodeID {
		if err := n.applyEntry(fsm.EntryLead, fsm.Lead{Term: l.term, NodeID: n.cfg.NodeID}, n.cfg.Clock.Now().UnixMilli()); err != nil {
			return err
		}
	}
	select {
	case <-l.done:
		return ErrNotLeader // a later term's stamps may be under way: leave them alone
	default:
	}
	n.proposer.continueFrom(n.machine.Now())
	if n.machine.Cluster().ID != "" {
		return nil
	}
	return n.applyJSON(fsm.EntryInit, n.genesis())
}

func (n *Node) endLead(l *lead) {
	n.servingMu.Lock()
	defer n.servingMu.Unlock()
	close(l.done)
	if n.lead.CompareAndSwap(l, nil) {
		n.log.Info("no longer the leader", "term", l.term)
		n.reader.blockLease(true)
		n.proposer.stop(ErrNotLeader)
		n.parking.demoted()
		n.cfg.OnLeadership(false)
	}
}

// genesis is how the cluster begins. It keeps an id that the storage has: with syncs once a second, or none, a power cut can
// take this entry from all nodes, but not what they have noted of it.
func (n *Node) genesis() fsm.Genesis {
	id := n.cfg.Storage.ClusterID()
	if id == "" {
		id = fmt.Sprintf("%016x%016x", n.cfg.Entropy(), n.cfg.Entropy())
	}
	return fsm.Genesis{ClusterID: id, HashKey0: n.cfg.Entropy(), HashKey1: n.cfg.Entropy(), Databases: n.cfg.Databases}
}

// applyJSON puts an entry of the cluster's own into the log, stamped now, and waits until it is applied here.
func (n *Node) applyJSON(kind fsm.EntryKind, body any) error {
	return n.applyEntry(kind, body, n.proposer.stamp())
}

func (n *Node) applyEntry(kind fsm.EntryKind, body any, stamp int64) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return n.applyRaw(kind, b, stamp)
}

func (n *Node) applyRaw(kind fsm.EntryKind, body []byte, stamp int64) error {
	data := fsm.AppendEntryHeader(make([]byte, 0, fsm.EntryHeaderBytes+len(body)), fsm.EntryHeader{
		Kind: kind, Time: stamp, Seed: n.cfg.Entropy(), Origin: n.origin,
	})
	return n.wait(n.raft.Apply(append(data, body...), n.cfg.WriteTimeout))
}

// wait is the deadline that raft's futures do not have.
func (n *Node) wait(f raft.Future) error {
	done := make(chan error, 1)
	onEnd(f, func(err error) {
		if applied, is := f.(raft.ApplyFuture); is && err == nil {
			err, _ = applied.Response().(error) // raft was done with it, and it could not be applied
		}
		done <- err
	})
	t := time.NewTimer(n.cfg.WriteTimeout)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return ErrWriteTimeout
	case <-n.closing:
		return ErrClosed
	}
}

// onEnd calls f, which must not block, with the end of one of raft's futures. Close does not wait for the goroutine that
// does: when raft is shut down it drops what is committed and not applied yet, and says nothing to those who wait for it
// (v1.7.3, fsm.go, runFSM).
func onEnd(future raft.Future, f func(err error)) {
	go func() { f(future.Error()) }()
}

const (
	keeperPeriod = 100 * time.Millisecond // Redis's hz 10
	expireBatch  = 2000                   // keys an entry; a bound on how long one entry holds the lock
)

// keep is the goroutine of the watchdogs. It never waits for raft or for the disk.
func (n *Node) keep() {
	tick := time.NewTicker(keeperPeriod)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n.checkStall()
			n.checkLogEnd()
			n.proposer.overdue(n.cfg.Clock.Now().Add(-n.cfg.WriteTimeout), ErrWriteTimeout)
		case <-n.closing:
			return
		}
	}
}

// tendLog is the goroutine of what is written a few times a second. It may hang with the disk.
func (n *Node) tendLog() {
	tick := time.NewTicker(keeperPeriod)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n.checkTransferStuck()
			n.learnClusterID()
			if n.Leading() {
				n.expireDue()
			}
		case <-n.closing:
			return
		}
	}
}

// expireDue lets the log remove keys whose deadline the leader's clock has passed.
func (n *Node) expireDue() {
	if !n.activeExpire.Load() {
		return
	}
	for n.Leading() {
		stamp := n.proposer.stamp()
		due := n.machine.Due(stamp, expireBatch)
		if due == 0 {
			return
		}
		if err := n.applyRaw(fsm.EntryExpire, expireBody, stamp); err != nil {
			return
		}
		if due < expireBatch {
			return
		}
	}
}

var expireBody = []byte{expireBatch & 0xff, expireBatch >> 8, 0, 0}

// SetActiveExpire turns the leader's removal of expired keys on or off (DEBUG SET-ACTIVE-EXPIRE). Reads and writes
// treat expired keys as absent either way.
func (n *Node) SetActiveExpire(on bool) { n.activeExpire.Store(on) }

// LogTime returns the leader's stamp in milliseconds: what a strict read compares deadlines with.
func (n *Node) LogTime() int64 { return n.proposer.stamp() }

// AdvanceTime moves the log time to now. Callers that wait at the same moment share one entry. Errors as ConfirmRead.
func (n *Node) AdvanceTime() error {
	if !n.Leading() { // before the term has begun there is no stamp to trust
		return ErrNotLeader
	}
	n.advanceMu.Lock()
	a, first := n.advance, false
	if a == nil {
		a, first = &advance{done: make(chan struct{})}, true
		n.advance = a
	}
	n.advanceMu.Unlock()
	if first {
		n.goOwned(func() { n.runAdvance(a) })
	}
	select {
	case <-a.done:
	case <-n.closing:
		return ErrClosed
	}
	if a.err != nil {
		_, why := outcomeOf(a.err)
		return why
	}
	return nil
}

func (n *Node) runAdvance(a *advance) {
	n.advanceMu.Lock()
	n.advance = nil // whoever comes now needs a later stamp
	n.advanceMu.Unlock()
	a.err = n.applyRaw(fsm.EntryTick, nil, n.proposer.stamp())
	close(a.done)
}

type advance struct {
	done chan struct{}
	err  error
}

// checkStall gives up when a disk write does not return: a leader on a stalled disk would keep its leadership for ever
// (hashicorp/raft #503, #612, #614).
func (n *Node) checkStall() {
	op, waiting, ok := n.cfg.Storage.Stalled()
	if ok && waiting > n.cfg.StallLimit {
		n.fatal(fmt.Errorf("%w: the disk has not finished %s for %s", ErrFailed, op, waiting.Round(time.Millisecond)))
	}
}

// checkTransferStuck gives up when raft refuses everything because of a leadership transfer that ended long ago
// (hashicorp/raft #696): a restart gives leadership up, and nothing else does.
func (n *Node) checkTransferStuck() {
	if !n.Leading() || n.transferring.Load() || !n.transferSuspect.Load() {
		n.transferStuckSince = time.Time{}
		return
	}
	err := n.applyRaw(fsm.EntryTick, nil, n.proposer.stamp())
	if !errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		n.transferSuspect.Store(false)
	}
	n.transferStuck(err, &n.transferStuckSince)
}

// transferStuck gives up when raft has refused for too long because of a transfer; since is when that began. The flag may
// also be left from an earlier term of this node's: then not even the first entry of the term gets through.
func (n *Node) transferStuck(err error, since *time.Time) bool {
	if !errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		*since = time.Time{}
		return false
	}
	now := n.cfg.Clock.Now()
	if since.IsZero() {
		*since = now
	}
	if now.Sub(*since) <= 2*n.cfg.Profile.Election {
		return false
	}
	n.fatal(fmt.Errorf("%w: a leadership transfer that ended still blocks writes (hashicorp/raft #696); restarting gives leadership up", ErrFailed))
	return true
}

// learnClusterID records in the data directory which cluster it belongs to, as soon as the log has said so.
func (n *Node) learnClusterID() {
	if n.cfg.Storage.ClusterID() != "" {
		return
	}
	id := n.machine.Cluster().ID
	if id == "" {
		return
	}
	if err := n.cfg.Storage.SetClusterID(id); err != nil {
		n.fatal(fmt.Errorf("%w: record the cluster id: %w", ErrFailed, err))
	}
}
