package cluster_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/cluster/simtest"
)

// TestLostData: a node that comes back under its id with an empty disk gets no vote, and is let in again once removed.
func TestLostData(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		s.MustWrite("SET", "k", "v")
		s.WaitConverged()
		lost := follower(s)
		lost.Crash()
		lost.Wipe()
		lost.Start()
		if err := once(s, cluster.AdminRequest{Op: cluster.OpJoin, Member: lost.Self()}); !errors.Is(err, cluster.ErrRefusedOp) {
			t.Errorf("join with other data: %v", err)
		}
		// With one more node down there is no majority: the empty node must not make one.
		for _, m := range s.Up() {
			if m != lost && m != s.Leader() {
				m.Crash()
			}
		}
		time.Sleep(10 * time.Second)
		if l := s.Leader(); l != nil {
			t.Errorf("%s leads with the vote of a node that forgot everything", l.ID)
		}
		for _, m := range s.Members() {
			if m.Node() == nil {
				m.Start()
			}
		}
		s.Admin(op(cluster.OpRemove, lost.ID))
		s.Admit(lost)
		s.WaitVoters(3)
		s.WaitConverged()
	})
}

// TestLostDataAfterRestart: nodes that have just started, with nothing applied yet, must not be elected by a node that lost
// its data either: here that would lose an acknowledged write.
func TestLostDataAfterRestart(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		s.WaitConverged()
		l := s.WaitLeader()
		lost := follower(s)
		var behind *simtest.Member
		for _, m := range s.Members() {
			if m != l && m != lost {
				behind = m
			}
		}
		behind.Crash()
		s.MustWrite("SET", "k", "acknowledged") // on the leader and on the one that will lose it
		l.Crash()
		lost.Crash()
		lost.Wipe()
		behind.Start()
		lost.Start()
		time.Sleep(10 * time.Second)
		if e := s.Leader(); e != nil {
			t.Errorf("%s leads", e.ID)
		}
		l.Start()
		if got, err := s.WaitLeader().Read(simtest.Strong, "GET", "k"); err != nil || got[0] != "$acknowledged" {
			t.Errorf("an acknowledged write is %v, %v", got, err)
		}
	})
}

// TestRejoinedUnknownToRestarted: a node that was removed and let in again with new data, while another one was away, and
// that now leads: the other one must take the log from it although it remembers it with its old data.
func TestRejoinedUnknownToRestarted(t *testing.T) {
	simtest.Run(t, simtest.Options{Tune: smallLogs}, func(s *simtest.Sim) {
		s.Start(3)
		fill(s, "a", 400)
		s.WaitConverged()
		l, away := s.WaitLeader(), follower(s)
		if err := away.Node().Snapshot(); err != nil {
			s.T.Fatal(err)
		}
		away.Crash()
		var again *simtest.Member
		for _, m := range s.Members() {
			if m != l && m != away {
				again = m
			}
		}
		s.Join("n4")
		s.WaitVoters(4)
		s.Admin(op(cluster.OpRemove, again.ID))
		again.Crash()
		again.Wipe()
		again.Start()
		s.Admit(again)
		s.WaitVoters(4)
		ctx, cancel := ctxFor(5 * time.Second)
		defer cancel()
		if err := again.Node().Takeover(ctx); err != nil {
			s.T.Fatal(err)
		}
		s.MustWrite("SET", "k", "v")
		away.Start()
		s.WaitConverged()
	})
}
