package cluster

import (
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// proposer is group commit: it gathers the proposals of all connections into log entries. While an entry is in flight
// what arrives gathers for the next one, which goes when the one before it has ended, when it is full, or when its
// oldest proposal has waited for BatchDelayMax; so entries grow with the load. Sending small entries earlier would only
// share the disks' syncs among fewer writes: docs/adr/0001 has the measurements.
type proposer struct {
	n *Node

	mu         sync.Mutex
	queue      []*command.Proposal // waiting to be put into an entry
	queueBytes int
	oldest     time.Time   // since when the queue has not been empty
	ripe       *time.Timer // wakes the proposer when what waits has waited long enough
	regroup    regrouping
	flights    map[uint64]*flight // in flight, by serial
	serial     uint64
	// open is true while this node leads and takes proposals. held: a hand-over is under way; proposals wait.
	open, held bool
	closed     error // why it never opens again: the node closes or has failed
	stamps     stamper

	wake  chan struct{} // has room for one: there is work
	slots chan struct{} // one element a flight
}

// flight is one entry that was handed to Raft. Whoever removes it from proposer.flights ends it.
type flight struct {
	serial    uint64
	proposals []*command.Proposal
	targets   []fsm.Target
	since     time.Time
}

func newProposer(n *Node) *proposer {
	pr := &proposer{
		n:       n,
		flights: make(map[uint64]*flight),
		wake:    make(chan struct{}, 1),
		slots:   make(chan struct{}, n.cfg.BatchInflight),
	}
	pr.ripe = time.AfterFunc(time.Hour, pr.signal)
	pr.ripe.Stop()
	return pr
}

// Propose hands proposals over. It never blocks: each ends (and says so) now or later, exactly once.
func (n *Node) Propose(ps ...*command.Proposal) {
	pr := n.proposer
	pr.mu.Lock()
	if len(pr.queue) == 0 {
		pr.oldest = n.cfg.Clock.Now()
	}
	var refused []*command.Proposal
	var why []error
	for _, p := range ps {
		if err := pr.admitLocked(p); err != nil {
			refused, why = append(refused, p), append(why, err)
		}
	}
	pr.mu.Unlock()
	for i, p := range refused {
		p.Finish(command.Refused, 0, why[i])
	}
	if len(refused) < len(ps) {
		pr.signal()
	}
}

// admitLocked queues a proposal, or says why not.
func (pr *proposer) admitLocked(p *command.Proposal) error {
	noRoom := pr.n.RefuseWrites()
	switch {
	case fsm.EntryHeaderBytes+len(p.Body) > pr.n.cfg.EntryBytesMax:
		return ErrTooLarge
	case pr.closed != nil:
		return pr.closed
	case !pr.open:
		return ErrNotLeader
	case noRoom != nil:
		return noRoom
	case pr.queueBytes+len(p.Body) > pr.n.cfg.QueueBytesMax:
		return ErrQueueFull
	}
	pr.queue = append(pr.queue, p)
	pr.queueBytes += len(p.Body)
	return nil
}

func (pr *proposer) signal() {
	select {
	case pr.wake <- struct{}{}:
	default:
	}
}

// run is the proposer's goroutine.
func (pr *proposer) run() {
	for {
		select {
		case <-pr.wake:
		case <-pr.n.closing:
			return
		}
		for pr.step() {
		}
	}
}

// step proposes one entry. It is false when nothing waits.
func (pr *proposer) step() bool {
	select {
	case pr.slots <- struct{}{}:
	case <-pr.n.closing:
		return false
	}
	fl, data := pr.take()
	if fl == nil {
		<-pr.slots
		return false
	}
	future := pr.n.raft.Apply(data, pr.n.cfg.WriteTimeout)
	onEnd(future, func(err error) {
		if err != nil {
			outcome, why := outcomeOf(err)
			pr.abandon(fl.serial, outcome, why)
		}
	})
	return true
}

// take makes an entry of what waits: at least one proposal, then more up to the goal.
func (pr *proposer) take() (*flight, []byte) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	if len(pr.queue) == 0 || pr.held || !pr.open || !pr.dueLocked() {
		return nil, nil
	}
	count, bytes := 0, fsm.EntryHeaderBytes
	for _, p := range pr.queue {
		if count > 0 && bytes+len(p.Body) > pr.n.cfg.BatchBytesGoal {
			break
		}
		bytes += len(p.Body)
		count++
	}
	pr.serial++
	fl := &flight{serial: pr.serial, proposals: make([]*command.Proposal, count), targets: make([]fsm.Target, count), since: pr.n.cfg.Clock.Now()}
	copy(fl.proposals, pr.queue)
	data := fsm.AppendEntryHeader(make([]byte, 0, bytes), fsm.EntryHeader{
		Kind: fsm.EntryCalls, Time: pr.stamps.next(fl.since), Seed: pr.n.cfg.Entropy(),
		Origin: pr.n.origin, Serial: fl.serial,
	})
	for i, p := range fl.proposals {
		fl.targets[i] = fsm.Target{Units: p.Units, Reply: p.Reply}
		if p.MayWait {
			fl.targets[i].Waits = func(waiter uint64) {
				fl.proposals[i] = nil // from here on it has an end of its own
				pr.n.parking.park(waiter, p)
			}
		}
		data = append(data, p.Body...)
		pr.queueBytes -= len(p.Body)
	}
	rest := copy(pr.queue, pr.queue[count:])
	clear(pr.queue[rest:])
	pr.queue = pr.queue[:rest]
	pr.oldest = fl.since
	pr.flights[fl.serial] = fl
	return fl, data
}

// regrouping is what the proposer remembers of the flight that ended last, to know for whom to wait.
type regrouping struct {
	goal    int       // proposals that are worth the wait: most of those that were on their way
	until   time.Time // when the wait ends
	misses  int       // waits in a row that ended far from the goal
	skip    int       // flights after which nobody is waited for, because of misses
	waiting bool
}

const (
	regroupMax     = 2 * time.Millisecond
	regroupSkipMax = 64
)

// landed plans the wait that follows a flight.
func (r *regrouping) landed(answered, queued int, took time.Duration, now time.Time) {
	*r = regrouping{goal: (answered + queued) * 7 / 8, until: now.Add(min(2*took, regroupMax)), misses: r.misses, skip: r.skip}
	if r.skip > 0 {
		r.skip--
		r.goal = 0
	}
}

// left is how long is still to be waited with so many proposals in the queue; 0: not at all.
func (r *regrouping) left(queued int, now time.Time) time.Duration {
	if queued >= r.goal {
		if r.waiting {
			r.misses, r.waiting = 0, false
		}
		return 0
	}
	left := r.until.Sub(now)
	if left > 0 {
		r.waiting = true
		return left
	}
	if r.waiting && queued < r.goal*3/4 {
		r.misses++
		r.skip = min(1<<min(r.misses, 16), regroupSkipMax)
	}
	r.waiting = false
	return 0
}

// dueLocked reports whether what waits shall go now; if not, it sees to it that the proposer looks again in time.
//
// While an entry is in flight the rest waits for it, for BatchDelayMax at most. When one has just ended, the connections
// that it answered are about to send again: going at once with those that waited meanwhile would split the load into two
// entries that take turns, each paying for a sync and a message to every node. So the proposer waits until most are
// back, for two commits' time at most. Where clients do not come back so soon the wait is in vain: then it is left out,
// for longer each time. A single connection never waits.
func (pr *proposer) dueLocked() bool {
	if pr.queueBytes >= pr.n.cfg.BatchBytesGoal {
		return true
	}
	now := pr.n.cfg.Clock.Now()
	var left time.Duration
	if len(pr.flights) > 0 {
		left = pr.n.cfg.BatchDelayMax - now.Sub(pr.oldest)
	} else {
		left = pr.regroup.left(len(pr.queue), now)
	}
	if left <= 0 {
		return true
	}
	pr.ripe.Reset(left)
	return false
}

// claim takes a flight for the one who ends it; nil if it has been taken.
func (pr *proposer) claim(serial uint64) *flight {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	fl := pr.flights[serial]
	delete(pr.flights, serial)
	return fl
}

// finish ends a claimed flight, but for what waits on.
func (pr *proposer) finish(fl *flight, o command.Outcome, index uint64, err error) {
	now := pr.n.cfg.Clock.Now()
	pr.mu.Lock()
	pr.regroup.landed(len(fl.proposals), len(pr.queue), now.Sub(fl.since), now)
	pr.mu.Unlock()
	for _, p := range fl.proposals {
		if p != nil {
			p.Finish(o, index, err)
		}
	}
	<-pr.slots
	pr.signal() // what gathered meanwhile
}

// abandon ends a flight that Raft gave up on, unless it was applied meanwhile.
func (pr *proposer) abandon(serial uint64, o command.Outcome, err error) {
	if fl := pr.claim(serial); fl != nil {
		pr.finish(fl, o, 0, err)
	}
}

// overdue ends the flights that began before t as unknown.
func (pr *proposer) overdue(t time.Time, err error) {
	pr.mu.Lock()
	var late []uint64
	for serial, fl := range pr.flights {
		if fl.since.Before(t) {
			late = append(late, serial)
		}
	}
	pr.mu.Unlock()
	for _, serial := range late {
		pr.abandon(serial, command.Unknown, err)
	}
}

// start opens the proposer for a term. After close it stays shut: nobody would answer what it took.
func (pr *proposer) start() {
	pr.mu.Lock()
	pr.open, pr.held = pr.closed == nil, false
	pr.mu.Unlock()
}

// close is stop for good.
func (pr *proposer) close(err error) {
	pr.mu.Lock()
	if pr.closed == nil {
		pr.closed = err
	}
	pr.mu.Unlock()
	pr.stop(err)
}

// stop refuses what has not been handed to Raft, and everything that comes.
func (pr *proposer) stop(err error) {
	pr.mu.Lock()
	waiting := pr.queue
	pr.queue, pr.queueBytes, pr.open, pr.held = nil, 0, false, false
	pr.mu.Unlock()
	for _, p := range waiting {
		p.Finish(command.Refused, 0, err)
	}
}

// refuseWaiting refuses what has not been handed to raft.
func (pr *proposer) refuseWaiting(err error) {
	pr.mu.Lock()
	waiting := pr.queue
	pr.queue, pr.queueBytes = nil, 0
	pr.mu.Unlock()
	for _, p := range waiting {
		p.Finish(command.Refused, 0, err)
	}
}

// hold makes new proposals wait (true) or lets them go on.
func (pr *proposer) hold(on bool) {
	pr.mu.Lock()
	pr.held = on
	pr.mu.Unlock()
	if !on {
		pr.signal()
	}
}

// stamp returns the leader's time for an entry or a read, in milliseconds.
func (pr *proposer) stamp() int64 {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	return pr.stamps.next(pr.n.cfg.Clock.Now())
}

// continueFrom makes stamps go on from a log time.
func (pr *proposer) continueFrom(ms int64) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	pr.stamps.reset(ms, pr.n.cfg.Clock.Now())
}

// stamper makes the leader's time stamps: the wall clock, but never behind the last stamp plus the time that has
// passed since. So log time neither goes back nor stands still when the wall clock does.
type stamper struct {
	last int64     // milliseconds
	at   time.Time // when last was right; zero: nothing has been stamped
}

func (s *stamper) reset(last int64, now time.Time) { s.last, s.at = last, now }

func (s *stamper) next(now time.Time) int64 {
	if s.at.IsZero() { // no elapsed time to go on by
		s.reset(now.UnixMilli(), now)
	}
	elapsed := now.Sub(s.at).Milliseconds()
	if wall := now.UnixMilli(); wall > s.last+elapsed {
		s.last, s.at = wall, now
	} else if elapsed > 0 {
		s.last += elapsed
		s.at = s.at.Add(time.Duration(elapsed) * time.Millisecond) // keeps the fraction: no drift
	}
	return s.last
}
