package simtest

import (
	"context"
	"errors"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// ErrDown is why a call on a member without a process failed, or on one that was killed meanwhile.
var ErrDown = errors.New("simulated client: the node is down")

// Write is a write's end as its client sees it: the three outcomes, with the rule that a process killed before it could
// answer leaves Unknown.
type Write struct {
	Outcome command.Outcome
	Err     error
	Replies []string
	Index   uint64
}

// table is what clients know of commands.
var table = func() *command.Table {
	t := command.NewTable()
	fsm.Commands(t)
	return t
}()

func args(words []string) [][]byte {
	out := make([][]byte, len(words))
	for i, w := range words {
		out[i] = []byte(w)
	}
	return out
}

// Call makes a call of words in database 0, as a connection does.
func Call(words ...string) command.Call {
	a := args(words)
	return command.Call{Spec: table.Lookup(a), Args: a}
}

// Pending is a write under way.
type Pending struct {
	proc  *process
	prop  *command.Proposal
	reply *Reply
}

// Propose begins a write of one or several commands. Any goroutine may call it.
func (m *Member) Propose(calls ...command.Call) *Pending {
	return m.propose(func(p *command.Proposal) {
		for _, c := range calls {
			p.AddCall(c.DB, c.Args)
		}
	})
}

// ProposeBlocking begins a write that may have to wait for another.
func (m *Member) ProposeBlocking(words ...string) *Pending {
	return m.propose(func(p *command.Proposal) {
		p.AddCall(0, args(words))
		p.MayWait = true
	})
}

// Unblock asks for the end of a blocking write's wait.
func (w *Pending) Unblock(how command.Unblocking) {
	if w.proc != nil {
		w.proc.node.Unblock(w.prop, how)
	}
}

// Ended reports whether the write has ended.
func (w *Pending) Ended() bool { return w.proc == nil || len(w.prop.Done) > 0 || w.proc.killed() }

// ProposeTxn begins a transaction.
func (m *Member) ProposeTxn(watches []command.Watch, calls ...command.Call) *Pending {
	return m.propose(func(p *command.Proposal) { p.AddTxn(watches, calls) })
}

func (m *Member) propose(fill func(*command.Proposal)) *Pending {
	r := &Reply{}
	w := &Pending{proc: m.process(), prop: command.NewProposal(r), reply: r}
	fill(w.prop)
	if p := w.proc; p != nil {
		w.prop.Ended = func() { p.acknowledged(w.prop); w.prop.Done <- struct{}{} }
		p.node.Propose(w.prop)
	}
	return w
}

// Wait waits for the write's end.
func (w *Pending) Wait() Write {
	if w.proc == nil {
		return Write{Outcome: command.Refused, Err: ErrDown}
	}
	select {
	case <-w.prop.Done:
	case <-w.proc.gone:
		return Write{Outcome: command.Unknown, Err: ErrDown}
	}
	if w.proc.killed() {
		return Write{Outcome: command.Unknown, Err: ErrDown}
	}
	return Write{Outcome: w.prop.Outcome, Err: w.prop.Err, Replies: w.reply.Values, Index: w.prop.Index}
}

func (p *process) killed() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// Write writes one command and waits for its end. Any goroutine may call it.
func (m *Member) Write(words ...string) Write { return m.Propose(Call(words...)).Wait() }

// Consistency is how a read is confirmed.
type Consistency int

// The kinds of reads.
const (
	Stale    Consistency = iota // whatever this node has
	Strong                      // Node.ConfirmRead: the leader only
	Lease                       // Node.ConfirmLease: the leader only
	Follower                    // Node.ConfirmFollowerRead: any node
)

// readPatience bounds one read.
const readPatience = 5 * time.Second

// Read reads as a connection does. A read that fails was not served. Any goroutine may call it.
func (m *Member) Read(how Consistency, words ...string) ([]string, error) {
	p := m.process()
	if p == nil {
		return nil, ErrDown
	}
	for {
		if err := p.confirm(how); err != nil {
			return nil, err
		}
		r := &Reply{}
		o := command.ReadOptions{Clock: m.Clock.Now().UnixMilli(), NoTouch: true}
		if how == Strong || how == Lease {
			o.Clock, o.Strict = p.node.LogTime(), true
		}
		ok := p.node.View([]command.Call{Call(words...)}, o, r)
		if p.killed() {
			return nil, ErrDown
		}
		if ok {
			return r.Values, nil
		}
		if err := p.node.AdvanceTime(); err != nil {
			return nil, err
		}
	}
}

func (p *process) confirm(how Consistency) error {
	switch how {
	case Strong:
		return p.node.ConfirmRead()
	case Lease:
		return p.node.ConfirmLease()
	case Follower:
		ctx, cancel := context.WithTimeout(context.Background(), readPatience)
		defer cancel()
		return p.node.ConfirmFollowerRead(ctx)
	}
	return nil
}

// MustWrite writes through whoever leads, trying again while it is refused, and fails the test unless it is applied.
func (s *Sim) MustWrite(words ...string) Write {
	s.T.Helper()
	end := time.Now().Add(electionLimit)
	for {
		w := Write{Outcome: command.Refused, Err: cluster.ErrLeaderUnknown}
		if l := s.Leader(); l != nil {
			w = l.Write(words...)
		}
		switch {
		case w.Outcome == command.Applied:
			return w
		case w.Outcome == command.Unknown || time.Now().After(end):
			s.T.Fatalf("write %q: %v\n%s", words, w.Err, s.describe())
		}
		time.Sleep(10 * time.Millisecond)
	}
}
