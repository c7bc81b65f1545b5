package cluster_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/fsm/command"
)

const testStallLimit = 2 * time.Second

func quickStall(_ string, c *cluster.Config) { c.StallLimit = testStallLimit }

// TestStalledLeader: a leader whose disk does not return gives up in time, what it had in flight is unknown, and others
// take over, whether its process ends or hangs on.
func TestStalledLeader(t *testing.T) {
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprint("process stays ", keep), func(t *testing.T) {
			simtest.Run(t, simtest.Options{Tune: quickStall, KeepFailed: keep}, func(s *simtest.Sim) {
				t := s.T
				s.Start(3)
				s.WaitConverged()
				// A key that is due keeps the tender of the log busy with the disk: the watchdog must not wait for it.
				s.MustWrite("SET", "due", "v", "PX", "50")
				l := s.WaitLeader()
				l.Disk().Hang()
				stalled := time.Now()
				var flying []*simtest.Pending
				for i := range 10 {
					flying = append(flying, l.Propose(simtest.Call("SET", fmt.Sprint("k", i), "v")))
					time.Sleep(20 * time.Millisecond)
				}
				s.WaitFor("the leader to give up", 2*testStallLimit, func() bool { return l.Fatal() != nil })
				if took := time.Since(stalled); took > testStallLimit+500*time.Millisecond {
					t.Errorf("it took %s", took)
				}
				if !errors.Is(l.Fatal(), cluster.ErrFailed) {
					t.Errorf("reason: %v", l.Fatal())
				}
				for i, f := range flying {
					if w := f.Wait(); w.Outcome == command.Applied {
						t.Errorf("write %d: %+v", i, w)
					}
				}
				next := s.WaitOtherLeader(l)
				t.Logf("%s leads %s after the stall", next.ID, time.Since(stalled))
				if took := time.Since(stalled); took > testStallLimit+3*time.Second {
					t.Errorf("another leader after %s", took)
				}
				s.MustWrite("SET", "after", "v")
				if keep {
					if w := l.Write("SET", "late", "v"); w.Outcome != command.Refused || !errors.Is(w.Err, cluster.ErrFailed) {
						t.Errorf("a write to the failed node: %+v", w)
					}
					if got, err := l.Read(simtest.Strong, "GET", "after"); err == nil {
						t.Errorf("the failed node served %v", got)
					}
				}
				l.Crash()
				l.Start()
				s.WaitConverged()
			})
		})
	}
}

// TestFailedWrite: the first failed write ends a node, leader or follower, and the others go on.
func TestFailedWrite(t *testing.T) {
	for _, role := range []string{"leader", "follower"} {
		t.Run(role, func(t *testing.T) {
			simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
				t := s.T
				s.Start(3)
				stop := pump(s)
				m := s.WaitLeader()
				if role == "follower" {
					m = follower(s)
				}
				m.Disk().FailNextWrite()
				s.WaitFor("the node to give up", time.Second, func() bool { return m.Fatal() != nil })
				if !errors.Is(m.Fatal(), simtest.ErrDisk) {
					t.Errorf("reason: %v", m.Fatal())
				}
				s.WaitOtherLeader(m)
				time.Sleep(2 * time.Second)
				w, longest := stop()
				t.Logf("%s, longest pause %s", w, longest)
				w.checkCounter()
				m.Start()
				s.WaitConverged()
			})
		})
	}
}

// TestSlowDisks: slow is not stalled.
func TestSlowDisks(t *testing.T) {
	simtest.Run(t, simtest.Options{Tune: quickStall}, func(s *simtest.Sim) {
		s.Start(3)
		for _, m := range s.Members() {
			m.Disk().SetDelay(40 * time.Millisecond)
		}
		stop := pump(s)
		time.Sleep(10 * time.Second)
		w, longest := stop()
		s.T.Logf("%s, longest pause %s", w, longest)
		for _, m := range s.Members() {
			if m.Fatal() != nil {
				s.T.Errorf("%s gave up: %v", m.ID, m.Fatal())
			}
		}
		w.checkCounter()
	})
}

// TestUnknownEntry: an entry of a later version stops the node that meets it, and nothing is served from what it has.
func TestUnknownEntry(t *testing.T) {
	simtest.Run(t, simtest.Options{KeepFailed: true}, func(s *simtest.Sim) {
		t := s.T
		s.Start(1)
		l := s.WaitLeader()
		w := l.Propose(command.Call{Args: [][]byte{[]byte("FROM-THE-FUTURE")}}, simtest.Call("SET", "k", "v")).Wait()
		if w.Outcome != command.Unknown {
			t.Errorf("%+v", w)
		}
		s.WaitFor("the node to give up", time.Second, func() bool { return l.Fatal() != nil })
		s.WaitFor("the node to stop serving", time.Second, func() bool { return !l.Node().Leading() })
		if got, err := l.Read(simtest.Strong, "EXISTS", "k"); err == nil {
			t.Errorf("it serves %v", got)
		}
		if err := l.Node().Snapshot(); err == nil {
			t.Error("it takes snapshots")
		}
	})
}

// TestLeaseRestart: a voter that promised to follow a leader and restarts must not break its promise: the leader, cut
// off from then on, still serves reads by it.
func TestLeaseRestart(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		s.MustWrite("SET", "k", "old")
		s.WaitConverged()
		for range 20 {
			l := s.WaitLeader()
			promising, waiting := follower(s), (*simtest.Member)(nil)
			for _, m := range s.Members() {
				if m != l && m != promising {
					waiting = m
				}
			}
			value := fmt.Sprint(time.Now().UnixNano())
			// One follower hears nothing any more and soon campaigns; the other keeps promising until it restarts.
			s.Net.Cut(l.ID, waiting.ID)
			time.Sleep(s.Between(300*time.Millisecond, 600*time.Millisecond))
			_ = l.Node().ConfirmLease()
			s.Net.Cut(l.ID, promising.ID)
			promising.Crash()
			promising.Start()
			written := make(chan bool, 1)
			go func() {
				w := waiting.Write("SET", "k", value)
				for end := time.Now().Add(5 * time.Second); w.Outcome == command.Refused && time.Now().Before(end); {
					time.Sleep(time.Millisecond)
					if n := s.Leader(); n != nil && n != l {
						w = n.Write("SET", "k", value)
					}
				}
				written <- w.Outcome == command.Applied
			}()
			for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
				done := len(written) > 0
				if got, err := l.Read(simtest.Lease, "GET", "k"); err == nil && done && got[0] != "$"+value {
					t.Fatalf("the old leader served %v by its lease after %s was acknowledged", got, value)
				}
			}
			<-written
			s.Net.Heal()
			s.WaitConverged()
		}
	})
}
