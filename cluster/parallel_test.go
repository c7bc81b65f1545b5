package cluster_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// The tests of this file have a leader whose disk is behind its followers' (cluster/parallellog.go).

// flying begins a write at a leader whose disk hangs, and waits until followers have it in their logs.
func flying(s *simtest.Sim, l *simtest.Member, followers ...*simtest.Member) *simtest.Pending {
	s.T.Helper()
	end := lastIndex(s, l)
	l.Disk().Hang()
	w := l.Propose(simtest.Call("SET", "k", "v"))
	for _, f := range followers {
		s.WaitFor(f.ID+" to have the entry", time.Second, func() bool { return lastIndex(s, f) > end })
	}
	if lastIndex(s, l) != end {
		s.T.Fatal("the leader's disk does not hang")
	}
	return w
}

func lastIndex(s *simtest.Sim, m *simtest.Member) uint64 {
	s.T.Helper()
	last, err := m.Disk().Log().LastIndex()
	if err != nil {
		s.T.Fatal(err)
	}
	return last
}

// has reports whether a member has applied the write of flying.
func has(s *simtest.Sim, m *simtest.Member) bool {
	s.T.Helper()
	got, err := m.Read(simtest.Stale, "GET", "k")
	if err != nil {
		s.T.Fatal(err)
	}
	return got[0] == "$v"
}

func restOf(s *simtest.Sim, l *simtest.Member) []*simtest.Member {
	var out []*simtest.Member
	for _, m := range s.Members() {
		if m != l {
			out = append(out, m)
		}
	}
	return out
}

// longEnough is enough for messages and commits to get everywhere.
const longEnough = 300 * time.Millisecond

// TestSlowLeaderDisk: followers store an entry while the leader's disk still writes it; it is acknowledged, and applied
// anywhere, when that is done. Meanwhile the leader leads, and what it says of itself leaves the entry out.
func TestSlowLeaderDisk(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		s.Start(3)
		s.WaitConverged()
		l := s.WaitLeader()
		end := lastIndex(s, l)
		w := flying(s, l, restOf(s, l)...)
		time.Sleep(longEnough)
		for _, m := range s.Members() {
			if has(s, m) {
				s.T.Errorf("%s has applied what the leader is still writing", m.ID)
			}
			if c := m.Node().Status().CommitIndex; c > end {
				s.T.Errorf("%s says that %d is committed, and the leader has only %d", m.ID, c, end)
			}
		}
		l.Disk().Unhang()
		if got := w.Wait(); got.Outcome != command.Applied {
			s.T.Errorf("%+v", got)
		}
		if s.Leader() != l {
			s.T.Error("leadership has moved")
		}
		s.WaitConverged()
	})
}

// TestLeaderCrashBeforeItsSync: a leader that crashes with an entry that only its followers have has acknowledged nothing.
// The entry lives where they are a majority, and where they are none it is gone for good or committed later: never both.
func TestLeaderCrashBeforeItsSync(t *testing.T) {
	for _, reached := range []int{1, 2} {
		t.Run(fmt.Sprint("followers reached ", reached), func(t *testing.T) {
			simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
				s.Start(3)
				s.WaitConverged()
				l := s.WaitLeader()
				f := restOf(s, l)
				if reached == 1 {
					s.Net.Cut(l.ID, f[1].ID)
					s.Net.Cut(f[0].ID, f[1].ID)
				}
				w := flying(s, l, f[:reached]...)
				time.Sleep(longEnough / 3)
				l.Crash()
				if got := w.Wait(); got.Outcome != command.Unknown {
					s.T.Errorf("%+v", got)
				}
				for _, m := range f {
					if has(s, m) {
						s.T.Errorf("%s has applied it", m.ID)
					}
				}
				if reached == 1 { // its only holder stays away: the other two are a majority without it
					f[0].Crash()
					s.Net.Heal()
				}
				l.Start()
				s.MustWrite("SET", "other", "v")
				if got := has(s, s.WaitLeader()); reached == 2 && !got {
					s.T.Error("a majority had it, and it is lost")
				}
				if reached == 1 {
					f[0].Start()
				}
				s.WaitConverged()
			})
		})
	}
}

// TestPendingWriteFails: a write that fails after the followers have the entry ends the leader at once, its outcome is
// unknown, and the followers go on with it.
func TestPendingWriteFails(t *testing.T) {
	simtest.Run(t, simtest.Options{KeepFailed: true}, func(s *simtest.Sim) {
		s.Start(3)
		s.WaitConverged()
		l := s.WaitLeader()
		w := flying(s, l, restOf(s, l)...)
		l.Disk().FailNextWrite()
		l.Disk().Unhang()
		if got := w.Wait(); got.Outcome != command.Unknown {
			s.T.Errorf("%+v", got)
		}
		s.WaitFor("the leader to give up", time.Millisecond, func() bool { return l.Fatal() != nil })
		next := s.WaitOtherLeader(l)
		if !has(s, next) {
			s.T.Error("both followers had it, and it is lost")
		}
		if has(s, l) {
			s.T.Error("the failed node has applied it")
		}
		l.Crash()
		l.Start()
		s.WaitConverged()
	})
}

// TestDeposedLeaderStillWriting: a leader that is deposed while its disk writes does not answer its successor before that
// is done: it would say that it has what it may yet lose.
func TestDeposedLeaderStillWriting(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		s.Start(3)
		s.WaitConverged()
		l := s.WaitLeader()
		f := restOf(s, l)
		w := flying(s, l, f...)
		var entry raft.Log
		if err := f[0].Disk().Log().GetLog(lastIndex(s, f[0]), &entry); err != nil {
			s.T.Fatal(err)
		}
		for _, m := range f {
			s.Net.Cut(l.ID, m.ID)
		}
		next := s.WaitOtherLeader(l)
		answered := make(chan error, 1)
		go func() {
			accepted, err := next.SendCommit(l, entry.Index, entry.Term, 0)
			if !accepted {
				err = errors.Join(errors.New("refused"), err)
			}
			answered <- err
		}()
		time.Sleep(longEnough)
		if len(answered) > 0 {
			s.T.Errorf("it has answered: %v", <-answered)
			answered <- nil
		}
		l.Disk().Unhang()
		if err := <-answered; err != nil {
			s.T.Error(err)
		}
		s.Net.Heal()
		if got := w.Wait(); got.Outcome == command.Refused {
			s.T.Errorf("%+v", got)
		}
		s.WaitConverged()
		for _, m := range s.Members() {
			if !has(s, m) {
				s.T.Errorf("%s does not have what all had stored", m.ID)
			}
		}
	})
}
