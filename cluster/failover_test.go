package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// pump writes INCRs without a pause until the returned function is called, which gives the longest time without an
// acknowledgement.
func pump(s *simtest.Sim) (stop func() (w *workload, longest time.Duration)) {
	w := newWorkload(s, simtest.Strong)
	var longest time.Duration
	w.wg.Go(func() {
		last := time.Now()
		for i := 0; !w.stop.Load(); i++ {
			w.incr(fmt.Sprint(i))
			longest = max(longest, time.Since(last))
			last = time.Now()
			time.Sleep(time.Millisecond)
		}
	})
	return func() (*workload, time.Duration) { w.end(); return w, longest }
}

func ctxFor(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

func TestBootstrapAndJoin(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		began := time.Now()
		s.Start(3)
		t.Logf("three voters after %s", time.Since(began))
		for i := range 100 {
			s.MustWrite("SET", fmt.Sprint("key", i), fmt.Sprint(i))
		}
		s.WaitConverged()
		for _, m := range s.Members() {
			for i := range 100 {
				if got, err := m.Read(simtest.Stale, "GET", fmt.Sprint("key", i)); err != nil || got[0] != fmt.Sprint("$", i) {
					t.Fatalf("%s: key%d is %v, %v", m.ID, i, got, err)
				}
			}
			if own := m.Disk().ClusterID(); own == "" || own != s.Member("n1").Disk().ClusterID() {
				t.Errorf("%s: cluster id %q", m.ID, own)
			}
		}
	})
}

// TestLeaderCrash: a crash costs about two heartbeat time outs, and nothing that was acknowledged.
func TestLeaderCrash(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		stop := pump(s)
		for range 5 {
			time.Sleep(time.Second)
			old := s.WaitLeader()
			crashed := time.Now()
			old.Crash()
			next := s.WaitOtherLeader(old)
			took := time.Since(crashed)
			t.Logf("%s to %s: %s", old.ID, next.ID, took)
			if limit := 10 * cluster.ProfileLAN.Election; took > limit {
				t.Errorf("failover took %s, more than %s", took, limit)
			}
			old.Start()
		}
		time.Sleep(time.Second)
		w, longest := stop()
		t.Logf("%s, longest pause %s", w, longest)
		w.checkCounter()
		s.WaitConverged()
	})
}

// TestIsolatedLeader: a leader that is cut off answers in-flight writes with unknown, what comes later is refused, and no
// read is confirmed once another leads.
func TestIsolatedLeader(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		s.MustWrite("SET", "k", "old")
		old := s.WaitLeader()
		for _, m := range s.Members() {
			if m != old {
				s.Net.Cut(m.ID, old.ID)
			}
		}
		flying := old.Propose(simtest.Call("SET", "k", "lost"))
		next := s.WaitOtherLeader(old)
		if w := next.Write("SET", "k", "new"); w.Outcome != command.Applied {
			t.Fatalf("the new leader: %+v", w)
		}
		for _, how := range []simtest.Consistency{simtest.Strong, simtest.Lease, simtest.Follower} {
			if got, err := old.Read(how, "GET", "k"); err == nil {
				t.Errorf("the deposed leader served read %d: %v", how, got)
			}
		}
		if w := flying.Wait(); w.Outcome != command.Unknown || !errors.Is(w.Err, cluster.ErrLeadershipLost) {
			t.Errorf("in flight: %+v", w)
		}
		if w := old.Write("SET", "k", "late"); w.Outcome != command.Refused || !errors.Is(w.Err, cluster.ErrNotLeader) {
			t.Errorf("queued: %+v", w)
		}
		s.Net.Heal()
		s.WaitConverged()
		if got, err := old.Read(simtest.Follower, "GET", "k"); err != nil || got[0] != "$new" {
			t.Errorf("after healing: %v, %v", got, err)
		}
	})
}

// TestWriteTimeout: a leader without a majority, whose lease has not run out, gives up waiting by itself.
func TestWriteTimeout(t *testing.T) {
	opts := simtest.Options{Tune: func(_ string, c *cluster.Config) { c.WriteTimeout = 100 * time.Millisecond }}
	simtest.Run(t, opts, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		l := s.WaitLeader()
		for _, m := range s.Members() {
			if m != l {
				s.Net.Cut(m.ID, l.ID)
			}
		}
		w := l.Write("SET", "k", "v")
		if w.Outcome != command.Unknown || !errors.Is(w.Err, cluster.ErrWriteTimeout) {
			t.Errorf("%+v", w)
		}
	})
}

// TestTransferUnderLoad: handing over loses nothing and hardly pauses.
func TestTransferUnderLoad(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		stop := pump(s)
		for i := range 6 {
			time.Sleep(time.Second)
			ctx, cancel := ctxFor(5 * time.Second)
			old := s.WaitLeader()
			var err error
			if i%2 == 0 {
				err = old.Node().TransferLeadership(ctx, "")
			} else {
				err = follower(s).Node().Takeover(ctx)
			}
			cancel()
			if err != nil {
				t.Fatalf("hand-over %d: %v", i, err)
			}
			if s.WaitLeader() == old {
				t.Errorf("hand-over %d: %s still leads", i, old.ID)
			}
		}
		w, longest := stop()
		t.Logf("%s, longest pause %s", w, longest)
		if w.unkno > 0 {
			t.Errorf("%d writes ended as unknown in orderly hand-overs", w.unkno)
		}
		if longest > cluster.ProfileLAN.Election {
			t.Errorf("a hand-over paused writes for %s", longest)
		}
		w.checkCounter()
		s.WaitConverged()
	})
}

func follower(s *simtest.Sim) *simtest.Member {
	l := s.WaitLeader()
	for _, m := range s.Up() {
		if m != l {
			return m
		}
	}
	s.T.Fatal("no follower")
	return nil
}

// TestTransferToDeadNode: a transfer that can't work leaves the leader at work, also where the target is silent and the
// message to it takes raft's long time out.
func TestTransferToDeadNode(t *testing.T) {
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprint("silent ", silent), func(t *testing.T) {
			simtest.Run(t, simtest.Options{RaftTimeout: 10 * time.Second}, func(s *simtest.Sim) {
				t := s.T
				s.Start(3)
				l, dead := s.WaitLeader(), follower(s)
				if silent {
					s.Net.Cut(l.ID, dead.ID)
				} else {
					dead.Crash() // the leader believes it to be alive for a moment
				}
				ctx, cancel := ctxFor(10 * time.Second)
				defer cancel()
				if err := l.Node().TransferLeadership(ctx, dead.ID); err == nil {
					t.Error("leadership went to a dead node")
				}
				failed := time.Now()
				s.MustWrite("SET", "k", "v")
				if took := time.Since(failed); took > 100*time.Millisecond {
					t.Errorf("writes were refused for %s after the transfer had failed", took)
				}
				time.Sleep(3 * time.Second)
				if l.Fatal() != nil || s.Leader() != l {
					t.Fatalf("the leader gave up: %v", l.Fatal())
				}
				if err := l.Node().TransferLeadership(ctx, "nobody"); !errors.Is(err, cluster.ErrNoSuchNode) {
					t.Errorf("transfer to nobody: %v", err)
				}
			})
		})
	}
}

// TestDrain: a drained node hands over, does not keep leadership if it wins it, and leads again after undrain.
func TestDrain(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		old := s.WaitLeader()
		s.Admin(cluster.AdminRequest{Op: cluster.OpDrain, Node: old.ID})
		next := s.WaitOtherLeader(old)
		// Only the drained node can win the next election: the other one is cut off.
		for _, m := range s.Members() {
			if m != old && m != next {
				m.Crash()
			}
		}
		s.MustWrite("SET", "a", "1")
		next.Crash()
		for _, m := range s.Members() {
			if m != old && m != next {
				m.Start()
			}
		}
		s.MustWrite("SET", "a", "2")
		next.Start()
		s.WaitFor("the drained node to be a follower", 10*time.Second, func() bool {
			l := s.Leader()
			return l != nil && l != old
		})
		s.Admin(cluster.AdminRequest{Op: cluster.OpUndrain, Node: old.ID})
		ctx, cancel := ctxFor(5 * time.Second)
		defer cancel()
		if err := old.Node().Takeover(ctx); err != nil {
			t.Fatalf("takeover after undrain: %v", err)
		}
		time.Sleep(3 * time.Second)
		if s.Leader() != old {
			t.Error("leadership did not stay")
		}
	})
}

// TestOrderlyStop: Shutdown hands over first, so that the others need no election time out.
func TestOrderlyStop(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		stop := pump(s)
		time.Sleep(time.Second)
		ctx, cancel := ctxFor(5 * time.Second)
		defer cancel()
		old := s.WaitLeader()
		if err := old.Stop(ctx); err != nil {
			t.Error(err)
		}
		if w := old.Write("SET", "k", "v"); w.Outcome != command.Refused {
			t.Errorf("a write to a stopped node: %+v", w)
		}
		time.Sleep(time.Second)
		w, longest := stop()
		t.Logf("%s, longest pause %s", w, longest)
		if w.unkno > 0 || longest > cluster.ProfileLAN.Election {
			t.Errorf("an orderly stop left %d writes unknown and paused for %s", w.unkno, longest)
		}
		w.checkCounter()
	})
}

// TestCloseTwice: Close ends everything, may be called again, and what comes later is refused.
func TestCloseTwice(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(1)
		n := s.WaitLeader().Node()
		if err := errors.Join(n.Close(), n.Close()); err != nil {
			t.Error(err)
		}
		p := command.NewProposal(command.Discard)
		n.Propose(p)
		if <-p.Done; p.Outcome != command.Refused || !errors.Is(p.Err, cluster.ErrClosed) {
			t.Errorf("after Close: %d, %v", p.Outcome, p.Err)
		}
		if err := n.ConfirmRead(); err == nil {
			t.Error("a closed node confirmed a read")
		}
	})
}

// TestOneWayCut: a leader that can send but not hear loses leadership; one that can hear but not send is replaced.
func TestOneWayCut(t *testing.T) {
	for _, deaf := range []bool{true, false} {
		t.Run(fmt.Sprint("deaf ", deaf), func(t *testing.T) {
			simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
				t := s.T
				s.Start(3)
				old := s.WaitLeader()
				cut := time.Now()
				for _, m := range s.Members() {
					if m == old {
						continue
					}
					if deaf {
						s.Net.CutOneWay(m.ID, old.ID)
					} else {
						s.Net.CutOneWay(old.ID, m.ID)
					}
				}
				s.WaitOtherLeader(old)
				t.Logf("another leader after %s", time.Since(cut))
				s.MustWrite("SET", "k", "v")
				s.Net.Heal()
				s.WaitConverged()
			})
		})
	}
}
