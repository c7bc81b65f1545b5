package cluster_test

import (
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// TestCureCommitRule: a follower may take as committed no more than what the message that says so has verified (figure
// 2 of the Raft paper: the lesser of the leader's commit index and the index of the last new entry). The library takes
// the lesser of the commit index and the end of its own log, entries that nobody else has among it. A leader's message
// can be of that kind: its entries and its commit index are read at two moments.
func TestCureCommitRule(t *testing.T) {
	both(t, func(t *testing.T) {
		simtest.Run(t, simtest.Options{Expected: true}, func(s *simtest.Sim) {
			all := s.StartBare(simtest.BareConfig{}, 3, 0)
			old := bareLeader(s, all)
			mustApply(s, old, "before")
			rest := others(all, old)
			prev, term := old.Raft.LastIndex(), old.Raft.CurrentTerm()
			for _, b := range rest {
				s.WaitFor("the entry", time.Second, func() bool { return b.Raft.LastIndex() == prev })
				s.Net.Cut(old.ID, b.ID)
			}
			old.Begin("nobody else has this")
			next := bareLeader(s, rest)
			mustApply(s, next, "after")
			if ok := next.SendCommit(old, prev, term, next.Raft.CommitIndex()); !ok {
				s.T.Fatal("the message was refused")
			}
			s.WaitFor("the entry to be applied, which is the harm", time.Second, func() bool { return old.Has("nobody else has this") })
		})
	}, func(t *testing.T) {
		simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
			s.Start(3)
			s.MustWrite("SET", "k", "v")
			s.WaitConverged()
			old := s.WaitLeader()
			prev, term := old.Node().Raft().LastIndex(), old.Node().Raft().CurrentTerm()
			for _, m := range s.Members() {
				if m != old {
					s.Net.Cut(old.ID, m.ID)
				}
			}
			lost := old.Propose(simtest.Call("SET", "lost", "v"))
			next := s.WaitOtherLeader(old)
			if w := next.Write("SET", "k", "w"); w.Outcome != command.Applied {
				s.T.Fatalf("%+v", w)
			}
			if ok, err := next.SendCommit(old, prev, term, next.Node().Raft().CommitIndex()); err != nil || !ok {
				s.T.Fatalf("the message was refused: %v", err)
			}
			time.Sleep(time.Second)
			if w := lost.Wait(); w.Outcome == command.Applied {
				s.T.Error("an entry that nobody else has was acknowledged")
			}
			if got, _ := old.Read(simtest.Stale, "EXISTS", "lost"); got[0] != ":0" {
				s.T.Error("an entry that nobody else has was applied")
			}
			s.Net.Heal()
			s.WaitConverged()
		})
	})
}
