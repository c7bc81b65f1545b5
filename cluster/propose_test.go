package cluster

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// idleProposer is a proposer without raft behind it: take and finish are called by hand.
func idleProposer(t *testing.T, change func(*Config)) (*Node, *proposer) {
	t.Helper()
	serial := uint64(0)
	n := &Node{
		space:   &space{},
		cfg:     Config{Clock: SystemClock{}, BatchBytesGoal: 1000, EntryBytesMax: 2000, BatchInflight: 4, QueueBytesMax: 3000},
		closing: make(chan struct{}),
	}
	n.cfg.Entropy = func() uint64 { serial++; return serial }
	if change != nil {
		change(&n.cfg)
	}
	n.origin = 7
	n.proposer = newProposer(n)
	return n, n.proposer
}

func proposalOf(size int) *command.Proposal {
	p := command.NewProposal(command.Discard)
	p.AddCall(0, [][]byte{[]byte("SET"), []byte("k"), bytes.Repeat([]byte("x"), size)})
	return p
}

func hasEnded(p *command.Proposal) bool {
	select {
	case <-p.Done:
		return true
	default:
		return false
	}
}

func TestProposerGathersUpToTheGoal(t *testing.T) {
	n, pr := idleProposer(t, nil)
	pr.start()
	var all []*command.Proposal
	for range 5 {
		p := proposalOf(300)
		all = append(all, p)
		n.Propose(p)
	}
	var counts []int
	for fl, data := pr.take(); fl != nil; fl, data = pr.take() {
		counts = append(counts, len(fl.proposals))
		h, body, err := fsm.DecodeEntry(data)
		if err != nil || h.Kind != fsm.EntryCalls || h.Origin != 7 || h.Serial != fl.serial || h.Time == 0 {
			t.Fatalf("entry %+v: %v", h, err)
		}
		units := 0
		var r command.UnitReader
		for r.Reset(body); r.Next() != nil; {
			units++
		}
		if r.Err() != nil || units != len(fl.proposals) {
			t.Fatalf("%d units of %d proposals: %v", units, len(fl.proposals), r.Err())
		}
	}
	if len(counts) != 2 || counts[0] != 3 || counts[1] != 2 {
		t.Errorf("entries of %v proposals", counts)
	}
	if pr.queueBytes != 0 || len(pr.queue) != 0 {
		t.Errorf("%d bytes of %d proposals left in the queue", pr.queueBytes, len(pr.queue))
	}
	for _, p := range all {
		if hasEnded(p) {
			t.Error("a proposal in flight has ended")
		}
	}
}

func TestProposerTakesOneLargerThanTheGoal(t *testing.T) {
	n, pr := idleProposer(t, nil)
	pr.start()
	n.Propose(proposalOf(1500))
	n.Propose(proposalOf(10))
	if fl, _ := pr.take(); fl == nil || len(fl.proposals) != 1 {
		t.Fatalf("flight %+v", fl)
	}
}

func TestProposerRefusals(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(*Node, *proposer)
		size    int
		want    error
	}{
		{"before the term", func(*Node, *proposer) {}, 10, ErrNotLeader},
		{"too large", func(_ *Node, pr *proposer) { pr.start() }, 2000, ErrTooLarge},
		{"queue full", func(n *Node, pr *proposer) {
			pr.start()
			n.Propose(proposalOf(1900))
		}, 1900, ErrQueueFull},
		{"after the term", func(_ *Node, pr *proposer) { pr.start(); pr.stop(ErrNotLeader) }, 10, ErrNotLeader},
		{"closed", func(_ *Node, pr *proposer) { pr.start(); pr.close(ErrClosed) }, 10, ErrClosed},
		{"closed before a term that comes late", func(_ *Node, pr *proposer) { pr.close(ErrFailed); pr.start() }, 10, ErrFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, pr := idleProposer(t, nil)
			tt.prepare(n, pr)
			p := proposalOf(tt.size)
			n.Propose(p)
			if !hasEnded(p) || p.Outcome != command.Refused || !errors.Is(p.Err, tt.want) {
				t.Errorf("outcome %d, %v; want refused, %v", p.Outcome, p.Err, tt.want)
			}
		})
	}
}

func TestProposerHoldAndStop(t *testing.T) {
	n, pr := idleProposer(t, nil)
	pr.start()
	flying := proposalOf(10)
	n.Propose(flying)
	fl, _ := pr.take()
	pr.hold(true)
	waiting := proposalOf(10)
	n.Propose(waiting)
	if got, _ := pr.take(); got != nil {
		t.Fatal("a held proposer made an entry")
	}
	pr.hold(false)
	pr.stop(ErrNotLeader)
	if !hasEnded(waiting) || waiting.Outcome != command.Refused {
		t.Errorf("what waited ended as %d", waiting.Outcome)
	}
	if hasEnded(flying) {
		t.Error("what was in flight ended with the term")
	}
	pr.slots <- struct{}{} // as step does
	pr.abandon(fl.serial, command.Unknown, ErrLeadershipLost)
	if !hasEnded(flying) || flying.Outcome != command.Unknown {
		t.Errorf("what was in flight ended as %d", flying.Outcome)
	}
	pr.abandon(fl.serial, command.Unknown, ErrLeadershipLost) // a second end is none
	if pr.claim(fl.serial) != nil {
		t.Error("a flight was ended and is still there to be applied")
	}
}

func TestProposerOverdue(t *testing.T) {
	n, pr := idleProposer(t, nil)
	pr.start()
	p := proposalOf(10)
	n.Propose(p)
	fl, _ := pr.take()
	pr.slots <- struct{}{}
	if pr.overdue(fl.since, ErrWriteTimeout); hasEnded(p) {
		t.Error("ended at its deadline, not after")
	}
	pr.overdue(fl.since.Add(1), ErrWriteTimeout)
	if !hasEnded(p) || p.Outcome != command.Unknown || !errors.Is(p.Err, ErrWriteTimeout) {
		t.Errorf("outcome %d, %v", p.Outcome, p.Err)
	}
}

func TestStamper(t *testing.T) {
	start := time.Now()
	ms := start.UnixMilli()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	behind := func(d, off time.Duration) time.Time { return wallOff(at(d), off) }
	tests := []struct {
		name  string
		last  int64
		steps []time.Time
		want  []int64 // less ms
	}{
		{"follows the wall clock", ms, []time.Time{at(0), at(5 * time.Millisecond), at(7 * time.Millisecond)}, []int64{0, 5, 7}},
		{"goes on from a later stamp by elapsed time", ms + 1000, []time.Time{at(0), at(10 * time.Millisecond), at(11 * time.Millisecond)}, []int64{1000, 1010, 1011}},
		{"keeps fractions", ms + 1000, []time.Time{at(600 * time.Microsecond), at(1200 * time.Microsecond), at(1800 * time.Microsecond), at(2400 * time.Microsecond)}, []int64{1000, 1001, 1001, 1002}},
		{"a wall clock that jumps back", ms, []time.Time{at(10 * time.Millisecond), behind(20*time.Millisecond, -time.Hour), behind(30*time.Millisecond, -time.Hour)}, []int64{10, 20, 30}},
		{"a wall clock that jumps ahead", ms, []time.Time{at(10 * time.Millisecond), behind(20*time.Millisecond, time.Second), at(30 * time.Millisecond)}, []int64{10, 1020, 1030}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s stamper
			s.reset(tt.last, start)
			for i, now := range tt.steps {
				if got := s.next(now) - ms; got != tt.want[i] {
					t.Errorf("step %d: %d, want %d", i, got, tt.want[i])
				}
			}
		})
	}
}

// TestStamperBeforeAnyStamp: a stamper that has stamped nothing has no elapsed time to go on by. (It once answered with
// the year 2262.)
func TestStamperBeforeAnyStamp(t *testing.T) {
	var s stamper
	now := time.Now()
	if got := s.next(now); got != now.UnixMilli() {
		t.Errorf("%d, want %d", got, now.UnixMilli())
	}
}

// TestLeaseOfAnEarlierTerm: a round that ends late must not extend the lease of the term that has begun since.
func TestLeaseOfAnEarlierTerm(t *testing.T) {
	n, _ := idleProposer(t, nil)
	n.reader = newReader(n)
	before, now := &lead{term: 1}, &lead{term: 2}
	until := time.Now().Add(time.Hour)
	n.lead.Store(now)
	for _, l := range []*lead{before, now} {
		n.reader.extendLease(&tally{n: n, l: l, need: 1, promises: []time.Time{until}})
		if got := !n.reader.lease.IsZero(); got != (l == now) {
			t.Errorf("extended by a round of term %d: %v", l.term, got)
		}
	}
}
