package cluster_test

import (
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster/simtest"
)

// The tests named TestCure show, for each open bug of hashicorp/raft that bites us, the harm without our cure, and that
// it is gone with it. Without: the library alone (simtest.Bare), or our nodes with the cure taken away. Where the harm
// is no longer seen without the cure the test fails too: the library has changed, and the cure may go.

// both runs the two sides of a cure.
func both(t *testing.T, without, with func(t *testing.T)) {
	t.Run("without", without)
	t.Run("with", with)
}

func bareLeader(s *simtest.Sim, all []*simtest.Bare) *simtest.Bare {
	s.T.Helper()
	var l *simtest.Bare
	s.WaitFor("a leader", 15*time.Second, func() bool {
		l = nil
		for _, b := range all {
			if b.Leads() && b.Wait(b.Raft.Barrier(0), time.Second) == nil {
				l = b
			}
		}
		return l != nil
	})
	return l
}

// others are all nodes but some.
func others(all []*simtest.Bare, except ...*simtest.Bare) []*simtest.Bare {
	var out []*simtest.Bare
	for _, b := range all {
		skip := false
		for _, e := range except {
			skip = skip || b == e
		}
		if !skip {
			out = append(out, b)
		}
	}
	return out
}

func mustApply(s *simtest.Sim, l *simtest.Bare, text string) {
	s.T.Helper()
	if err := l.Apply(text, 5*time.Second); err != nil {
		s.T.Fatalf("apply %q at %s: %v", text, l.ID, err)
	}
}

// TestCureStalledStore: a leader whose disk does not return keeps its leadership for ever, and answers nobody
// (hashicorp/raft #503, #612, #614).
func TestCureStalledStore(t *testing.T) {
	both(t, func(t *testing.T) {
		simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
			all := s.StartBare(simtest.BareConfig{}, 3, 0)
			l := bareLeader(s, all)
			l.Disk().Hang()
			if err := l.Apply("x", 3*time.Minute); !simtest.Unanswered(err) {
				s.T.Errorf("a write to a stalled disk ended: %v", err)
			}
			for _, b := range all {
				if b.Leads() != (b == l) {
					s.T.Errorf("after three minutes %s leads: %v", b.ID, b.Leads())
				}
			}
		})
	}, TestStalledLeader)
}

// TestCureLostData: a node that comes back empty under its old id votes, and elects a node without what it had
// acknowledged.
func TestCureLostData(t *testing.T) {
	both(t, func(t *testing.T) {
		simtest.Run(t, simtest.Options{Expected: true}, func(s *simtest.Sim) {
			all := s.StartBare(simtest.BareConfig{}, 3, 0)
			l := bareLeader(s, all)
			rest := others(all, l)
			lost, behind := rest[0], rest[1]
			behind.Crash()
			mustApply(s, l, "acknowledged")
			l.Crash()
			lost.Crash()
			lost.Wipe()
			behind.Start()
			lost.Start()
			s.WaitFor("the node that is behind to lead", 10*time.Second, behind.Leads)
			mustApply(s, behind, "later")
			l.Start()
			s.WaitFor("the old leader to follow", 10*time.Second, func() bool { return l.Has("later") })
			for _, b := range all {
				if b.Has("acknowledged") {
					s.T.Errorf("%s still has the acknowledged write: no harm is seen", b.ID)
				}
			}
		})
	}, TestLostDataAfterRestart)
}

// TestCureLateSnapshot: a late or repeated InstallSnapshot takes entries from a follower that it has acknowledged.
func TestCureLateSnapshot(t *testing.T) {
	both(t, func(t *testing.T) {
		simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
			all := s.StartBare(simtest.BareConfig{}, 3, 0)
			l := bareLeader(s, all)
			mustApply(s, l, "before")
			if err := l.Wait(l.Raft.Snapshot(), time.Second); err != nil {
				s.T.Fatal(err)
			}
			f := others(all, l)[0]
			mustApply(s, l, "after")
			s.WaitFor("the follower to have it", time.Second, func() bool { return f.Has("after") })
			for _, b := range others(all, f) {
				s.Net.Cut(f.ID, b.ID) // with the next commit raft would panic: "log not found"
			}
			s.Net.Heal()
			s.Net.Cut(f.ID, others(all, f, l)[0].ID)
			acked, _ := f.Disk().Log().LastIndex()
			if err := f.InstallFrom(l); err != nil {
				s.T.Fatal(err)
			}
			if last, _ := f.Disk().Log().LastIndex(); last >= acked {
				s.T.Errorf("the follower's log still ends at %d: no harm is seen", last)
			}
			if f.Has("after") {
				s.T.Error("the follower still has the write: no harm is seen")
			}
			f.Crash()
		})
	}, TestSnapshotNotNeeded)
}
