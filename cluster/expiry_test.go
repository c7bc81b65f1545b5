package cluster_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/cluster/simtest"
)

func absent(s *simtest.Sim, key string) {
	s.T.Helper()
	for _, m := range s.Up() {
		if got, err := m.Read(simtest.Stale, "EXISTS", key); err != nil || got[0] != ":0" {
			s.T.Errorf("%s: EXISTS %s is %v, %v", m.ID, key, got, err)
		}
	}
}

// TestExpiryByLogTime: the log removes what is due within a keeper's period, on all nodes alike.
func TestExpiryByLogTime(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		for i := range 50 {
			s.MustWrite("SET", fmt.Sprint("k", i), "v", "PX", "500")
		}
		s.MustWrite("SET", "stays", "v")
		for _, m := range s.Members() {
			if got, _ := m.Read(simtest.Follower, "EXISTS", "k49", "stays"); got[0] != ":2" {
				t.Errorf("%s: %v", m.ID, got)
			}
		}
		time.Sleep(time.Second)
		s.WaitConverged()
		for _, m := range s.Members() {
			if n := m.Node().Machine().Snapshot().Keys(); n != 1 {
				t.Errorf("%s holds %d keys", m.ID, n)
			}
		}
		absent(s, "k49")
	})
}

// TestStrictReadMovesTheLog: a key whose deadline the leader's clock has passed is absent at once, even where nothing
// removes it, and no failover to a slower clock brings it back.
func TestExpiryNeverTurnsBack(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, -400 * time.Millisecond, time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
				t := s.T
				s.Start(3)
				l := s.WaitLeader()
				for _, m := range s.Members() {
					m.Node().SetActiveExpire(false)
					if m != l {
						m.Clock.Set(skew)
					}
				}
				s.MustWrite("SET", "k", "v", "PX", "1000")
				s.MustWrite("SET", "later", "v", "PX", "3000")
				time.Sleep(990 * time.Millisecond)
				if got, err := l.Read(simtest.Strong, "GET", "k"); err != nil || got[0] != "$v" {
					t.Fatalf("before its deadline: %v, %v", got, err)
				}
				time.Sleep(15 * time.Millisecond)
				if got, err := l.Read(simtest.Strong, "GET", "k"); err != nil || got[0] != "_" {
					t.Fatalf("after its deadline: %v, %v", got, err)
				}
				was := l.Node().Machine().Now()
				l.Crash()
				next := s.WaitOtherLeader(l)
				if now := next.Node().LogTime(); now < was {
					t.Errorf("log time went back by %d ms", was-now)
				}
				if got, err := next.Read(simtest.Strong, "GET", "k"); err != nil || got[0] != "_" {
					t.Log(next.Node().Status(), s.Leader() == next)
					t.Fatalf("the next leader brought the key back: %v, %v", got, err)
				}
				s.WaitConverged()
				absent(s, "k")
				before := next.Node().LogTime()
				time.Sleep(2500 * time.Millisecond)
				if passed := next.Node().LogTime() - before; passed < 2499 || passed > 2501 {
					t.Errorf("the leader's stamps moved by %d ms in 2500", passed)
				}
				if got, err := next.Read(simtest.Strong, "GET", "later"); err != nil || got[0] != "_" {
					t.Errorf("time stands still: %v, %v", got, err)
				}
				for _, m := range s.Up() {
					if got, _ := m.Read(simtest.Follower, "EXISTS", "k", "later"); got[0] != ":0" {
						t.Errorf("%s: %v", m.ID, got)
					}
				}
			})
		})
	}
}

// TestAdvanceTime: many callers at once, a follower, and a leader whose clock jumps.
func TestAdvanceTime(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		l, f := s.WaitLeader(), follower(s)
		if err := f.Node().AdvanceTime(); !errors.Is(err, cluster.ErrNotLeader) {
			t.Errorf("on a follower: %v", err)
		}
		if year := time.UnixMilli(f.Node().LogTime()).Year(); year != time.Now().Year() {
			t.Errorf("a follower stamps the year %d", year)
		}
		l.Clock.Jump(-time.Hour)
		for range 10 {
			want := l.Node().LogTime()
			errs := make(chan error, 20)
			for range cap(errs) {
				go func() { errs <- l.Node().AdvanceTime() }()
			}
			for range cap(errs) {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			if got := l.Node().Machine().Now(); got < want {
				t.Errorf("log time %d after an advance at %d", got, want)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if behind := time.Now().UnixMilli() - l.Node().Machine().Now(); behind > 100 {
			t.Errorf("a clock that jumped back stopped log time: %d ms behind", behind)
		}
	})
}
