package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/fsm"
)

// conflictScene brings a leader that was cut off into the state of hashicorp/raft #697: its log has a tail that nobody
// else has, beyond the snapshot that it is about to be sent. It returns how long the tail is.
type conflictScene struct {
	cut   func()                               // cuts the old leader off
	tail  func(i int)                          // begins a write there
	next  func()                               // waits for another leader
	write func(i int)                          // writes there
	snap  func()                               // takes a snapshot on every other node
	heal  func()                               // reconnects the old leader
	ends  func() (old uint64, snapshot uint64) // where the old leader's log and the others' snapshot end
}

func (c conflictScene) play(s *simtest.Sim) {
	s.T.Helper()
	c.cut()
	for i := range 40 {
		c.tail(i)
		time.Sleep(time.Millisecond)
	}
	c.next()
	for i := range 5 {
		c.write(i)
	}
	c.snap()
	if old, snapshot := c.ends(); old <= snapshot {
		s.T.Fatalf("the old leader's log ends at %d, the snapshot at %d: no conflict beyond it", old, snapshot)
	}
	c.heal()
}

// TestCure697: such a follower never comes back.
func TestCure697(t *testing.T) {
	both(t, without697, with697)
}

func without697(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		all := s.StartBare(simtest.BareConfig{Tune: func(c *raft.Config) { c.TrailingLogs = 1 }}, 3, 0)
		old := bareLeader(s, all)
		rest := others(all, old)
		mustApply(s, old, "before")
		var l *simtest.Bare
		conflictScene{
			cut: func() {
				for _, b := range rest {
					s.Net.Cut(old.ID, b.ID)
				}
			},
			tail:  func(i int) { old.Begin(fmt.Sprint("tail", i)) },
			next:  func() { l = bareLeader(s, rest) },
			write: func(i int) { mustApply(s, l, fmt.Sprint("after", i)) },
			snap: func() {
				for _, b := range rest {
					s.WaitFor("everything applied", time.Second, func() bool { return b.Has("after4") })
					if err := b.Wait(b.Raft.Snapshot(), time.Second); err != nil {
						s.T.Fatal(err)
					}
				}
			},
			ends: func() (uint64, uint64) { last, _ := old.Disk().Log().LastIndex(); return last, l.SnapshotIndex() },
			heal: s.Net.Heal,
		}.play(s)
		before := s.Counts().Installs
		time.Sleep(time.Minute)
		installs := s.Counts().Installs - before
		if old.Raft.LastIndex() == l.Raft.LastIndex() && old.Raft.CommitIndex() == l.Raft.CommitIndex() {
			s.T.Error("the follower has caught up: no harm is seen")
		}
		s.T.Logf("%d snapshots were installed in a minute; the follower is at %d of %d",
			installs, old.Raft.CommitIndex(), l.Raft.CommitIndex())
	})
}

func with697(t *testing.T) {
	tune := func(id string, c *cluster.Config) {
		smallLogs(id, c)
		c.TrailingLogs = 1
	}
	opts := simtest.Options{Tune: tune, Supervised: true}
	simtest.Run(t, opts, func(s *simtest.Sim) {
		s.Start(3)
		fill(s, "before", 5)
		s.WaitConverged()
		old := s.WaitLeader()
		var rest []*simtest.Member
		for _, m := range s.Members() {
			if m != old {
				rest = append(rest, m)
			}
		}
		var l *simtest.Member
		conflictScene{
			cut: func() {
				for _, m := range rest {
					s.Net.Cut(old.ID, m.ID)
				}
			},
			tail:  func(int) { old.Node().Raft().Apply(tick(), 0) },
			next:  func() { l = s.WaitOtherLeader(old) },
			write: func(i int) { s.MustWrite("SET", fmt.Sprint("after", i), "v") },
			snap: func() {
				for _, m := range rest {
					s.WaitFor("everything applied", time.Second, func() bool {
						return m.Node().Machine().Index() == l.Node().Machine().Index()
					})
					if err := m.Node().Snapshot(); err != nil {
						s.T.Fatal(err)
					}
				}
			},
			ends: func() (uint64, uint64) {
				last, _ := old.Disk().Log().LastIndex()
				return last, l.Node().Status().SnapshotIndex
			},
			heal: s.Net.Heal,
		}.play(s)
		time.Sleep(10 * time.Second)
		s.WaitConverged()
		s.MustWrite("SET", "late", "v")
		s.WaitConverged()
		s.T.Logf("the node ended by itself: %v", old.Fatal())
	})
}

// tick is a log entry that changes nothing but the time.
func tick() []byte { return fsm.AppendEntryHeader(nil, fsm.EntryHeader{Kind: fsm.EntryTick}) }
