package cluster_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/cluster/simtest"
)

const (
	little   = cluster.DiskReserveDefault - 1     // short of room
	none     = cluster.DiskReserveDefault/2 - 1   // below the floor
	enough   = cluster.DiskReserveDefault * 5 / 4 // goes on
	noMoving = 10 * time.Second
)

// refusing reports whether a node refuses writes for want of room.
func refusing(m *simtest.Member) bool { return errors.Is(m.Node().RefuseWrites(), cluster.ErrNoRoom) }

// TestShortLeader: a leader short of room refuses writes and hands over to a node that has room, and may lead again
// once it has room itself.
func TestShortLeader(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		s.MustWrite("SET", "k", "1")
		l, other := s.WaitLeader(), follower(s)
		other.Disk().SetFree(little) // not this one
		s.WaitFor("the leader to know", 2*time.Second, func() bool { return memberStatus(l, other.ID).DiskShort })
		time.Sleep(2 * time.Second) // as long as the leader takes between two questions, and more
		l.Disk().SetFree(little)
		s.WaitFor("the leader to refuse writes", time.Second, func() bool { return refusing(l) })
		next := s.WaitOtherLeader(l)
		if next == other {
			t.Errorf("leadership went to %s, which has no room either", next.ID)
		}
		if refusing(next) {
			t.Errorf("the new leader refuses writes: %v", next.Node().RefuseWrites())
		}
		s.MustWrite("SET", "k", "2")
		if l.Fatal() != nil || other.Fatal() != nil {
			t.Errorf("stopped: %v, %v", l.Fatal(), other.Fatal())
		}
		l.Disk().SetFree(enough - 1)
		time.Sleep(time.Second)
		if !refusing(l) {
			t.Error("it goes on before there is enough room")
		}
		l.Disk().SetFree(enough)
		other.Disk().SetFree(0)
		s.WaitFor("the node to take writes again", time.Second, func() bool { return !refusing(l) })
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := l.Node().Takeover(ctx); err != nil {
			t.Error(err)
		}
		s.MustWrite("SET", "k", "3")
		s.WaitConverged()
	})
}

// TestAllShort: where no node has room the leader stays, refuses writes, serves reads, and goes on by itself.
func TestAllShort(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		s.MustWrite("SET", "k", "1")
		l := s.WaitLeader()
		for _, m := range s.Members() {
			m.Disk().SetFree(none)
		}
		s.WaitFor("the leader to refuse writes", time.Second, func() bool { return refusing(l) })
		time.Sleep(noMoving)
		if s.WaitLeader() != l {
			t.Error("leadership moved, and to a node without room")
		}
		if got, err := l.Read(simtest.Strong, "GET", "k"); err != nil || got[0] != "$1" {
			t.Errorf("GET k: %v, %v", got, err)
		}
		for _, m := range s.Members() {
			m.Disk().SetFree(enough)
		}
		s.WaitFor("the leader to take writes again", 3*time.Second, func() bool { return !refusing(l) })
		s.MustWrite("SET", "k", "2")
		s.WaitConverged()
	})
}

// TestMajorityShort: a leader that has room refuses writes that no majority could store.
func TestMajorityShort(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		s.MustWrite("SET", "k", "1")
		l := s.WaitLeader()
		for i, m := range s.Members() {
			if m == l {
				continue
			}
			m.Disk().SetFree(little)
			if i == 0 || l == s.Members()[0] && i == 1 {
				time.Sleep(noMoving)
				if refusing(l) {
					t.Errorf("one of three is short, and the leader refuses: %v", l.Node().RefuseWrites())
				}
			}
		}
		s.WaitFor("the leader to refuse writes", 3*time.Second, func() bool { return refusing(l) })
		for _, m := range s.Members() {
			m.Disk().SetFree(0)
		}
		s.WaitFor("the leader to take writes again", 3*time.Second, func() bool { return !refusing(l) })
		s.MustWrite("SET", "k", "2")
		s.WaitConverged()
	})
}

// TestFullFollower: a follower without room takes no entries, stays a member that votes, and catches up by itself once
// there is room, by a snapshot too.
func TestFullFollower(t *testing.T) {
	simtest.Run(t, simtest.Options{Tune: smallLogs}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		fill(s, "before", 10)
		s.WaitConverged()
		l, m := s.WaitLeader(), follower(s)
		m.Disk().SetFree(none)
		s.WaitFor("the node to notice", time.Second, func() bool { return refusing(m) })
		at := m.Node().Status().LastIndex
		fill(s, "meanwhile", 400)
		if err := l.Node().Snapshot(); err != nil {
			t.Fatal(err)
		}
		fill(s, "after", 10)
		if st := m.Node().Status(); st.LastIndex > at || st.State != "follower" || m.Fatal() != nil {
			t.Errorf("a node without room is %s at %d, after %d: %v", st.State, st.LastIndex, at, m.Fatal())
		}
		m.Disk().SetFree(0)
		s.WaitFor("the node to catch up", 30*time.Second, func() bool {
			return m.Node().Status().AppliedIndex >= l.Node().Status().CommitIndex
		})
		s.WaitConverged()
	})
}

// memberStatus is what a node knows of another.
func memberStatus(of *simtest.Member, id string) cluster.MemberStatus {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, m := range of.Node().ClusterStatus(ctx).Members {
		if m.ID == id {
			return m
		}
	}
	return cluster.MemberStatus{}
}
