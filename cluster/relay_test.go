package cluster_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// relay has a member pass a write on, for at most so long.
func relay(m *simtest.Member, patience time.Duration, words ...string) *command.Proposal {
	ctx, cancel := ctxFor(patience)
	defer cancel()
	p := command.NewProposal(command.Discard)
	p.AddCall(0, simtest.Call(words...).Args)
	m.Node().Relay(ctx, p)
	<-p.Done
	return p
}

// number is what a member has of a counter.
func number(t testing.TB, m *simtest.Member, how simtest.Consistency, key string) int {
	t.Helper()
	got, err := m.Read(how, "GET", key)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(got[0][1:])
	return n
}

// TestRelay: what any node passes on is applied once, and on that node too by the time it hears of it.
func TestRelay(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		total := 0
		for range 20 {
			for _, m := range s.Members() {
				p := relay(m, time.Minute, "INCR", "n")
				total++
				if p.Outcome != command.Applied || p.Index == 0 {
					t.Fatalf("%s: %v, %v", m.ID, p.Outcome, p.Err)
				}
				if got := number(t, m, simtest.Stale, "n"); got != total {
					t.Fatalf("%s has %d after %d", m.ID, got, total)
				}
			}
		}
		for _, m := range s.Members() {
			if p := relay(m, time.Minute, "SET", "k", string(make([]byte, 40<<20))); p.Outcome != command.Refused {
				t.Errorf("%s took an entry that is too large: %v, %v", m.ID, p.Outcome, p.Err)
			}
		}
	})
}

// TestRelayRefusesTheUnknown: what the leader's build cannot execute does not come into the log.
func TestRelayRefusesTheUnknown(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		lead := s.WaitLeader()
		for _, m := range s.Members() {
			if m == lead {
				continue
			}
			if p := relay(m, time.Minute, "NOSUCH", "k"); p.Outcome != command.Refused || p.Err == nil {
				t.Errorf("%v, %v", p.Outcome, p.Err)
			}
		}
		s.MustWrite("SET", "k", "v")
	})
}

// TestRelayWaitsForALeader: without one a proposal is refused in the end, and applied where one is elected meanwhile.
func TestRelayWaitsForALeader(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		lead := s.WaitLeader()
		var others []*simtest.Member
		for _, m := range s.Members() {
			if m != lead {
				others = append(others, m)
			}
		}
		lead.Crash()
		if p := relay(others[0], time.Minute, "INCR", "n"); p.Outcome != command.Applied {
			t.Errorf("while another is elected: %v, %v", p.Outcome, p.Err)
		}
		s.WaitLeader()
		for _, m := range others[1:] {
			m.Crash()
		}
		s.WaitFor("the last node to see that it is alone", 10*time.Second, func() bool { return !others[0].Node().Leading() })
		if p := relay(others[0], 3*time.Second, "INCR", "n"); p.Outcome != command.Refused || !errors.Is(p.Err, cluster.ErrLeaderUnknown) {
			t.Errorf("without a majority: %v, %v", p.Outcome, p.Err)
		}
		lead.Start()
		others[1].Start()
		if got := number(t, s.WaitLeader(), simtest.Strong, "n"); got != 1 {
			t.Errorf("%d are applied", got)
		}
	})
}

// TestRelayKeepsOutcomesApart: whatever happens to leaders, what was refused is not applied and what was applied is not lost.
func TestRelayKeepsOutcomesApart(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		count := map[command.Outcome]int{}
		for range 6 {
			lead := s.WaitLeader()
			done := make(chan struct{})
			go func() {
				defer close(done)
				time.Sleep(s.Between(0, 50*time.Millisecond))
				lead.Crash()
			}()
			for range 20 {
				for _, m := range s.Members() {
					if m != lead {
						count[relay(m, 5*time.Second, "INCR", "n").Outcome]++
					}
				}
			}
			<-done
			lead.Start()
		}
		got := number(t, s.WaitLeader(), simtest.Strong, "n")
		if got < count[command.Applied] || got > count[command.Applied]+count[command.Unknown] {
			t.Errorf("%d are there, of %v", got, count)
		}
		t.Logf("%d are there, of %v", got, count)
	})
}
