package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/cluster/storage"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// twoLeaders tries to bring about a moment in which a leader has been replaced and does not know it yet: the other
// voters' answers take so long to reach it that its lease ends later than their patience. Nodes without a vote stay on
// its side. During the moment it calls f. It returns how many there were: none or one.
func twoLeaders(s *simtest.Sim, f func(old, next *simtest.Member)) (moments int) {
	s.T.Helper()
	old := s.WaitLeader()
	var rest, mute []*simtest.Member
	for _, m := range s.Members() {
		switch {
		case m == old:
		case old.Node().Voters()[m.ID]:
			rest = append(rest, m)
			s.Net.SetLinkDelay(m.ID, old.ID, 180*time.Millisecond)
		default:
			mute = append(mute, m)
		}
	}
	time.Sleep(time.Second)
	for _, m := range rest {
		s.Net.CutOneWay(old.ID, m.ID)
		for _, o := range mute {
			s.Net.Cut(m.ID, o.ID)
		}
	}
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		next := elected(rest)
		if old.Node().Raft().State() != raft.Leader {
			break
		}
		if next != nil {
			moments++
			f(old, next)
			break
		}
	}
	s.Net.Heal()
	s.MustWrite("SET", "k", "between")
	s.WaitConverged()
	return moments
}

func elected(all []*simtest.Member) *simtest.Member {
	for _, m := range all {
		if m.Node().Raft().State() == raft.Leader {
			return m
		}
	}
	return nil
}

// TestCure695: where heartbeats change the term on a goroutine of the network, a deposed leader writes a client's entry
// under its successor's term.
func TestCure695(t *testing.T) {
	run := func(t *testing.T, fast bool) []string {
		var found []string
		simtest.Run(t, simtest.Options{FastHeartbeats: fast, Expected: true, KeepFailed: true}, func(s *simtest.Sim) {
			s.Start(3)
			s.WaitConverged()
			moments := 0
			for range 20 {
				moments += twoLeaders(s, func(old, next *simtest.Member) {
					s.Net.Heal() // the new leader's messages get through
					for range 300 {
						old.Node().Raft().Apply(tick(), 0)
						time.Sleep(200 * time.Microsecond)
					}
				})
				if found = s.Violations(); len(found) > 0 {
					break
				}
			}
			s.T.Logf("%d moments with two leaders", moments)
			if moments == 0 {
				s.T.Error("there was no moment with two leaders")
			}
		})
		return found
	}
	both(t, func(t *testing.T) {
		if found := run(t, true); len(found) == 0 {
			t.Error("no harm is seen")
		} else {
			t.Log(found[0])
		}
	}, func(t *testing.T) {
		if found := run(t, false); len(found) > 0 {
			t.Error(found)
		}
	})
}

// TestCureVerifyLeader: the library's VerifyLeader confirms a leader that has been replaced, because it counts nodes
// without a vote. Our reads do not.
func TestCureVerifyLeader(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(5)
		s.WaitConverged()
		for _, id := range []string{"n4", "n5"} {
			s.Admin(op("demote", id))
		}
		moments, confirmed, refused := 0, 0, 0
		moment := func(old, next *simtest.Member) {
			value := fmt.Sprint(time.Now().UnixNano())
			w := next.Write("SET", "k", value)
			for end := time.Now().Add(150 * time.Millisecond); w.Outcome == command.Refused && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
				w = next.Write("SET", "k", value)
			}
			if w.Outcome != command.Applied || old.Node().Raft().State() != raft.Leader {
				return
			}
			read := make(chan error, 1)
			go func() {
				got, err := old.Read(simtest.Strong, "GET", "k")
				if err == nil && got[0] != "$"+value {
					t.Errorf("the deposed leader served %v after %s was acknowledged", got, value)
				}
				read <- err
			}()
			if old.Node().Raft().VerifyLeader().Error() == nil {
				confirmed++
			}
			if <-read != nil {
				refused++
			}
		}
		for try := 0; try < 60 && (confirmed < 3 || refused < 3); try++ {
			moments += twoLeaders(s, moment)
		}
		t.Logf("%d moments with two leaders; VerifyLeader confirmed the deposed one %d times, our round refused it %d times",
			moments, confirmed, refused)
		if confirmed == 0 {
			t.Error("VerifyLeader never confirmed a deposed leader: no harm is seen")
		}
	})
}

// dying is a stable store whose process dies, once it is armed, between the two writes of a vote.
type dying struct {
	raft.StableStore
	armed, dead bool
}

func (d *dying) SetUint64(key []byte, v uint64) error {
	if d.dead {
		return nil
	}
	err := d.StableStore.SetUint64(key, v)
	d.dead = d.dead || d.armed && string(key) == "LastVoteTerm"
	return err
}

func (d *dying) Set(key, v []byte) error {
	if d.dead {
		return nil
	}
	return d.StableStore.Set(key, v)
}

// TestCure661: a node that dies between the two writes of a vote remembers its new term with the candidate of the one
// before, and then votes for that one whatever its log lacks.
func TestCure661(t *testing.T) {
	patient := func(c *raft.Config) { c.HeartbeatTimeout, c.ElectionTimeout = time.Hour, time.Hour }
	// granted is whether the outdated candidate gets the vote; open makes the store anew, as a restart does.
	granted := func(t *testing.T, open func(t testing.TB) raft.StableStore, end func()) (vote bool) {
		simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
			t := s.T
			store := &dying{StableStore: open(t)}
			b := s.StartBare(simtest.BareConfig{Tune: patient, Stable: store, Still: true}, 3, 0)[0]
			if !s.AskVote(b, "b2", 2, 1, 1) {
				t.Fatal("no vote for the first candidate")
			}
			store.armed = true
			s.AskVote(b, "b3", 3, 1, 1)
			b.Crash()
			b.SetStable(open(t))
			b.Start()
			vote = s.AskVote(b, "b2", 3, 0, 0) // an empty log
			b.Crash()
			end()
		})
		return vote
	}
	both(t, func(t *testing.T) {
		plain := raft.NewInmemStore() // as raft-boltdb: a write is a transaction
		if !granted(t, func(testing.TB) raft.StableStore { return plain }, func() {}) {
			t.Error("no vote for a candidate without a log: no harm is seen")
		}
	}, func(t *testing.T) {
		path := t.TempDir()
		var dir *storage.Dir
		closeDir := func() {
			if dir != nil {
				if err := dir.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		vote := granted(t, func(tb testing.TB) raft.StableStore {
			closeDir()
			var err error
			if dir, err = storage.Open(storage.Options{Path: path, NodeID: "b1"}); err != nil {
				tb.Fatal(err)
			}
			return dir.Stable()
		}, closeDir)
		if vote {
			t.Error("a candidate without a log got the vote")
		}
	})
}
