package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// waiters begins n blocking pops of a list at a leader, and waits until every node knows of them.
func waiters(s *simtest.Sim, l *simtest.Member, n int) []*simtest.Pending {
	s.T.Helper()
	var out []*simtest.Pending
	for i := range n {
		out = append(out, l.ProposeBlocking("BLPOP", "list", "0"))
		s.WaitFor("the call to wait", time.Second, func() bool {
			return !slices.ContainsFunc(s.Up(), func(m *simtest.Member) bool { return m.Node().Machine().Waiters() != i+1 })
		})
	}
	return out
}

func wantWrite(s *simtest.Sim, w *simtest.Pending, outcome command.Outcome, replies ...string) {
	s.T.Helper()
	if got := w.Wait(); got.Outcome != outcome || !slices.Equal(got.Replies, replies) {
		s.T.Errorf("%+v, want outcome %v and %q", got, outcome, replies)
	}
}

// listIs checks a list through whoever leads.
func listIs(s *simtest.Sim, want ...string) {
	s.T.Helper()
	var elems []string
	for _, e := range want {
		elems = append(elems, "$"+e)
	}
	w := s.MustWrite("LTRIM", "list", "0", "-1") // so that all before it is applied
	got, err := s.WaitLeader().Read(simtest.Strong, "LRANGE", "list", "0", "-1")
	if err != nil || !slices.Equal(got, append([]string{fmt.Sprint("*", len(want))}, elems...)) {
		s.T.Errorf("the list at index %d is %q, %v, want %q", w.Index, got, err, want)
	}
}

const unblockedByRole = "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"

// TestWaitersAreServed: first come, first served, each with its own element; ends of waits go through the log.
func TestWaitersAreServed(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		s.Start(3)
		l := s.WaitLeader()
		w := waiters(s, l, 4)
		w[1].Unblock(command.UnblockTimeout)
		wantWrite(s, w[1], command.Applied, "_*")
		w[2].Unblock(command.UnblockError)
		wantWrite(s, w[2], command.Applied, "-UNBLOCKED client unblocked via CLIENT UNBLOCK")
		s.MustWrite("RPUSH", "list", "a", "b", "c")
		wantWrite(s, w[0], command.Applied, "*2", "$list", "$a")
		wantWrite(s, w[3], command.Applied, "*2", "$list", "$b")
		w[3].Unblock(command.UnblockTimeout) // too late
		listIs(s, "c")
		s.WaitConverged()
	})
}

// TestUnblockBeforeItWaits: the time is over before the call is in the log.
func TestUnblockBeforeItWaits(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		s.Start(3)
		l := s.WaitLeader()
		w := l.ProposeBlocking("BLPOP", "list", "0")
		w.Unblock(command.UnblockTimeout)
		wantWrite(s, w, command.Applied, "_*")
		if n := l.Node().Machine().Waiters(); n != 0 {
			s.T.Errorf("%d calls wait", n)
		}
	})
}

// TestWaitersAtHandOver: the next term ends the waits with an error that says that nothing was taken, and nothing is.
func TestWaitersAtHandOver(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		s.Start(3)
		l := s.WaitLeader()
		w := waiters(s, l, 2)
		if err := l.Node().TransferLeadership(context.Background(), ""); err != nil {
			s.T.Fatal(err)
		}
		for _, p := range w {
			wantWrite(s, p, command.Applied, unblockedByRole)
		}
		s.WaitOtherLeader(l)
		s.MustWrite("RPUSH", "list", "a")
		listIs(s, "a")
		s.WaitConverged()
	})
}

// TestWaitersOfAnIsolatedLeader: a leader that is cut off can't learn what has become of its clients' waits, so it says that
// it does not know; the others have ended them, and take nothing for them.
func TestWaitersOfAnIsolatedLeader(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		s.Start(3)
		l := s.WaitLeader()
		w := waiters(s, l, 2)
		for _, m := range restOf(s, l) {
			s.Net.Cut(l.ID, m.ID)
		}
		for _, p := range w {
			wantWrite(s, p, command.Unknown)
		}
		s.WaitOtherLeader(l)
		s.MustWrite("RPUSH", "list", "a")
		s.Net.Heal()
		listIs(s, "a")
		s.WaitConverged()
	})
}

// TestWaiterServedByAnEntryInFlight: leadership is lost while the push that serves a waiter is on its way. Where the push
// survives, its element has gone to the waiter, and to nobody else; what the waiter is told fits.
func TestWaiterServedByAnEntryInFlight(t *testing.T) {
	for seed := range uint64(10) {
		simtest.RunSeed(t, seed, simtest.Options{}, func(s *simtest.Sim) {
			s.Start(3)
			l := s.WaitLeader()
			w := waiters(s, l, 1)[0]
			push := l.Propose(simtest.Call("RPUSH", "list", "a"))
			time.Sleep(s.Between(0, 4*time.Millisecond))
			for _, m := range restOf(s, l) {
				s.Net.Cut(l.ID, m.ID)
			}
			got := w.Wait()
			s.WaitOtherLeader(l)
			s.Net.Heal()
			s.WaitConverged()
			left, err := s.WaitLeader().Read(simtest.Strong, "LLEN", "list")
			if err != nil {
				s.T.Fatal(err)
			}
			served := got.Outcome == command.Applied && slices.Equal(got.Replies, []string{"*2", "$list", "$a"})
			refused := got.Outcome == command.Applied && slices.Equal(got.Replies, []string{unblockedByRole})
			switch {
			case served && left[0] != ":0", !served && !refused && got.Outcome != command.Unknown:
				s.T.Errorf("the waiter was told %+v, the list has %s", got, left)
			case refused && left[0] == ":0" && push.Wait().Outcome == command.Applied:
				s.T.Errorf("the waiter was told that nothing was taken, and the element is gone")
			}
		})
	}
}

// TestWaitersCrossSnapshots: who waits is in snapshots: a follower that was away serves the same waiters as the others.
func TestWaitersCrossSnapshots(t *testing.T) {
	simtest.Run(t, simtest.Options{Tune: smallLogs}, func(s *simtest.Sim) {
		s.Start(3)
		l := s.WaitLeader()
		away := restOf(s, l)[0]
		away.Crash()
		var w []*simtest.Pending
		for range 3 {
			w = append(w, l.ProposeBlocking("BLPOP", "list", "0"))
		}
		for i := range 500 {
			s.MustWrite("SET", fmt.Sprint("k", i%10), "v")
		}
		if err := l.Node().Snapshot(); err != nil {
			s.T.Fatal(err)
		}
		away.Start()
		s.WaitConverged()
		if got := away.Node().Machine().Waiters(); got != 3 {
			s.T.Errorf("%d calls wait at the follower that was away", got)
		}
		s.MustWrite("RPUSH", "list", "a", "b")
		wantWrite(s, w[0], command.Applied, "*2", "$list", "$a")
		wantWrite(s, w[1], command.Applied, "*2", "$list", "$b")
		s.WaitConverged()
		w[2].Unblock(command.UnblockGone)
		w[2].Wait()
		s.WaitConverged()
	})
}

// TestWaitersOfAClosingNode: a node that stops leaves no call without an answer.
func TestWaitersOfAClosingNode(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		s.Start(1)
		l := s.WaitLeader()
		w := waiters(s, l, 1)[0]
		if err := l.Node().Close(); err != nil {
			s.T.Fatal(err)
		}
		wantWrite(s, w, command.Unknown)
	})
}
