package cluster_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/fsm/command"
)

func fill(s *simtest.Sim, prefix string, n int) {
	s.T.Helper()
	for i := range n {
		s.MustWrite("SET", fmt.Sprint(prefix, i), strings.Repeat("v", i%50))
	}
}

// TestInstallSnapshot: a follower that was away for longer than the log reaches back gets a snapshot, and is the same as
// the others afterwards; so is a node that starts from snapshot and log, and a new one.
func TestInstallSnapshot(t *testing.T) {
	simtest.Run(t, simtest.Options{Tune: smallLogs}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		fill(s, "a", 50)
		away := follower(s)
		away.Crash()
		fill(s, "b", 1500)
		s.WaitFor("a shortened log", 20*time.Second, func() bool { return s.WaitLeader().Node().Status().FirstIndex > 200 })
		away.Start()
		s.WaitConverged()
		if st := away.Node().Status(); st.SnapshotIndex == 0 {
			t.Errorf("%s came back without a snapshot: %+v", away.ID, st)
		}
		for _, m := range s.Members() {
			m.Restart(100 * time.Millisecond)
			s.WaitLeader()
		}
		fill(s, "c", 20)
		s.Join("n4")
		s.WaitVoters(4)
		s.WaitConverged()
	})
}

// TestFollowerWithConflictingLog: a deposed leader whose log has entries that nobody else has, and that comes back when
// the others' logs no longer reach back to them.
func TestFollowerWithConflictingLog(t *testing.T) {
	simtest.Run(t, simtest.Options{Tune: smallLogs}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		fill(s, "a", 30)
		old := s.WaitLeader()
		for _, m := range s.Members() {
			if m != old {
				s.Net.Cut(m.ID, old.ID)
			}
		}
		var lost []*simtest.Pending
		for i := range 100 {
			lost = append(lost, old.Propose(simtest.Call("SET", fmt.Sprint("lost", i), "x")))
			time.Sleep(time.Millisecond)
		}
		s.WaitOtherLeader(old)
		for _, l := range lost {
			if w := l.Wait(); w.Outcome == command.Applied {
				t.Errorf("a write without a majority was acknowledged: %+v", w)
			}
		}
		old.Crash()
		fill(s, "b", 1000)
		s.WaitFor("a shortened log", 20*time.Second, func() bool { return s.WaitLeader().Node().Status().FirstIndex > 300 })
		s.Net.Heal()
		old.Start()
		s.WaitConverged()
		if got, _ := old.Read(simtest.Stale, "EXISTS", "lost0"); got[0] != ":0" {
			t.Errorf("a lost write is back: %v", got)
		}
		old.Restart(time.Second)
		s.WaitConverged()
	})
}

// TestRestartAll: the whole cluster stops at once and comes back with everything.
func TestRestartAll(t *testing.T) {
	simtest.Run(t, simtest.Options{Tune: smallLogs}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		fill(s, "a", 700)
		for _, m := range s.Members() {
			m.Crash()
		}
		for _, m := range s.Members() {
			m.Start()
		}
		for i := range 700 {
			if got, err := s.WaitLeader().Read(simtest.Strong, "EXISTS", fmt.Sprint("a", i)); err != nil || got[0] != ":1" {
				t.Fatalf("a%d: %v, %v", i, got, err)
			}
		}
		s.WaitConverged()
	})
}

// TestTransactionsOnAllReplicas: WATCH versions that one replica gave out hold on every other, whether it replayed the
// log or restored a snapshot.
func TestTransactionsOnAllReplicas(t *testing.T) {
	simtest.Run(t, simtest.Options{Tune: smallLogs}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		fill(s, "a", 20)
		away := follower(s)
		away.Crash()
		fill(s, "b", 1000)
		s.WaitFor("a shortened log", 20*time.Second, func() bool { return s.WaitLeader().Node().Status().FirstIndex > 200 })
		away.Start()
		s.WaitConverged()
		exec := func(m *simtest.Member, key string, want string) {
			t.Helper()
			ws := m.Node().Machine().Watch(0, [][]byte{[]byte(key)})
			if want == "[_*]" {
				s.MustWrite("SET", key, "changed")
			}
			w := s.WaitLeader().ProposeTxn(ws, simtest.Call("SET", key, m.ID), simtest.Call("GET", key)).Wait()
			if w.Outcome != command.Applied || fmt.Sprint(w.Replies) != want {
				t.Errorf("%s, %s: %+v, want %s", m.ID, key, w, want)
			}
			s.WaitConverged()
		}
		for _, m := range s.Members() {
			for _, key := range []string{"a3", "b7", "absent-" + m.ID} {
				exec(m, key, "[*2 +OK $"+m.ID+"]")
				exec(m, key, "[_*]")
			}
		}
	})
}

// TestSnapshotNotNeeded: a late or repeated InstallSnapshot must not take entries from a follower that has them; raft
// itself would empty the follower's log and stop at the next commit.
func TestSnapshotNotNeeded(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		l, f := s.WaitLeader(), follower(s)
		s.MustWrite("SET", "before", "1")
		if err := l.Node().Snapshot(); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			s.MustWrite("INCR", "after")
		}
		s.WaitConverged()
		first, _ := f.Disk().Log().LastIndex()
		for range 3 {
			if err := l.SendSnapshot(f); err != nil {
				t.Fatal(err)
			}
		}
		if last, err := f.Disk().Log().LastIndex(); err != nil || last < first {
			t.Fatalf("the follower's log ended at %d and ends at %d now (%v)", first, last, err)
		}
		s.MustWrite("INCR", "after")
		s.WaitConverged()
		if f.Fatal() != nil {
			t.Fatal(f.Fatal())
		}
	})
}
