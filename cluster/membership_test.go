package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/transport"
)

func op(op, node string) cluster.AdminRequest { return cluster.AdminRequest{Op: op, Node: node} }

// once carries out an operation without trying again.
func once(s *simtest.Sim, req cluster.AdminRequest) error {
	ctx, cancel := ctxFor(10 * time.Second)
	defer cancel()
	return s.WaitLeader().Node().Admin(ctx, req)
}

// TestGrowAndLoseTwo: three nodes become five, and five go on without any two.
func TestGrowAndLoseTwo(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		s.Join("n4")
		s.Join("n5")
		s.WaitVoters(5)
		s.MustWrite("SET", "k", "5")
		s.WaitLeader().Crash()
		follower(s).Crash()
		s.MustWrite("SET", "k", "3")
		for _, m := range s.Members() {
			if m.Node() == nil {
				m.Start()
			}
		}
		s.WaitConverged()
		st := s.WaitLeader().Node().ClusterStatus(context.Background())
		if len(st.Members) != 5 || st.Quorum != 3 || st.ClusterID == "" {
			t.Errorf("status %+v", st)
		}
		for _, m := range st.Members {
			if !m.Voter || m.State == "unreachable" || m.RespAddr != m.ID+":resp" || m.Lag != 0 {
				t.Errorf("status %+v", m)
			}
		}
	})
}

// TestRemoveFollower: a removed node learns it, whether it is reached at once or comes back later, and disturbs nobody.
func TestRemoveFollower(t *testing.T) {
	for _, state := range []string{"up", "down", "cut off"} {
		t.Run(state, func(t *testing.T) {
			simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
				s.Start(3)
				gone := follower(s)
				switch state {
				case "down":
					gone.Crash()
				case "cut off":
					for _, m := range s.Members() {
						if m != gone {
							s.Net.Cut(m.ID, gone.ID)
						}
					}
				}
				s.Admin(op(cluster.OpRemove, gone.ID))
				term := s.WaitLeader().Node().Status().Term
				time.Sleep(5 * time.Second)
				if state == "down" {
					gone.Start()
				}
				s.Net.Heal()
				s.WaitFor("the removed node to know it", 20*time.Second, gone.Node().Removed)
				time.Sleep(5 * time.Second)
				s.MustWrite("SET", "k", "v")
				if now := s.WaitLeader().Node().Status(); now.Term != term {
					s.T.Errorf("the removed node disturbed: term %d became %d", term, now.Term)
				}
				if st := gone.Node().Status().State; st != "removed" {
					s.T.Errorf("its state is %s", st)
				}
				// With empty data it may join again.
				gone.Crash()
				gone.Wipe()
				gone.Start()
				s.Admit(gone)
				s.WaitVoters(3)
				s.WaitConverged()
			})
		})
	}
}

// TestRemoveLeader: it hands over and is removed by its successor.
func TestRemoveLeader(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		s.Start(3)
		old := s.WaitLeader()
		if err := once(s, op(cluster.OpRemove, old.ID)); err != nil {
			s.T.Errorf("remove the leader: %v", err)
		}
		s.WaitFor("the old leader to know it", 10*time.Second, old.Node().Removed)
		s.MustWrite("SET", "k", "v")
		if v := s.WaitLeader().Node().Voters(); len(v) != 2 {
			s.T.Errorf("voters %v", v)
		}
	})
}

// TestHalfRemoved: a leader that is lost between the two entries of a removal leaves nothing that keeps the node out.
func TestHalfRemoved(t *testing.T) {
	for i := range 10 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
				s.Start(4)
				l, gone := s.WaitLeader(), follower(s)
				s.Net.SetDelay(5*time.Millisecond, 5*time.Millisecond)
				go func() { _ = once(s, op(cluster.OpRemove, gone.ID)) }()
				s.WaitFor("the removal to begin", time.Second, func() bool { return len(l.Node().Voters()) == 3 })
				time.Sleep(time.Duration(i) * 3 * time.Millisecond)
				l.Crash()
				time.Sleep(time.Second)
				l.Start()
				for err := errors.New("none"); err != nil && !errors.Is(err, cluster.ErrNoSuchNode); {
					err = s.TryAdmin(op(cluster.OpRemove, gone.ID), 200*time.Millisecond)
				}
				gone.Crash()
				gone.Wipe()
				gone.Start()
				s.Admit(gone)
				s.WaitVoters(4)
				s.WaitConverged()
			})
		})
	}
}

// TestMoved: nodes come back under other addresses: a single one, one of three, and all but one.
func TestMoved(t *testing.T) {
	notUnderRace(t)
	for _, c := range []struct{ nodes, moved int }{{1, 1}, {3, 1}, {3, 2}, {5, 4}} {
		t.Run(fmt.Sprintf("%d of %d", c.moved, c.nodes), func(t *testing.T) {
			simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
				s.Start(c.nodes)
				s.MustWrite("SET", "k", "v")
				s.WaitConverged()
				for _, m := range s.Members()[:c.moved] {
					m.Crash()
					m.Move("new")
				}
				for _, m := range s.Members()[:c.moved] {
					m.Start()
				}
				s.WaitFor("a write", 20*time.Second, func() bool { // leaders may come and go until all addresses are known
					l := s.Leader()
					return l != nil && l.Write("SET", "k", "w").Outcome == command.Applied
				})
				s.WaitConverged()
				s.WaitFor("the log to know the addresses", 20*time.Second, func() bool {
					for _, m := range s.Members() {
						for _, o := range s.Members() {
							if got, ok := o.Node().Machine().Member(m.ID); !ok || got != m.Self() {
								return false
							}
						}
					}
					return true
				})
				// They are found again after a second start, by what the log says.
				for _, m := range s.Members() {
					m.Crash()
				}
				for _, m := range s.Members() {
					m.Start()
				}
				s.MustWrite("SET", "k", "x")
				s.WaitConverged()
			})
		})
	}
}

// TestDemoteAndPromote: a demoted node stays a non-voter until it is promoted, the leader too.
func TestDemoteAndPromote(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(4)
		for _, m := range []*simtest.Member{follower(s), s.WaitLeader()} {
			if err := once(s, op(cluster.OpDemote, m.ID)); err != nil {
				t.Fatalf("demote %s: %v", m.ID, err)
			}
			time.Sleep(5 * time.Second)
			if v := s.WaitLeader().Node().Voters(); v[m.ID] || len(v) != 4 {
				t.Errorf("voters %v after demoting %s", v, m.ID)
			}
			if s.Leader() == m {
				t.Errorf("%s leads and has no vote", m.ID)
			}
			s.Admin(op(cluster.OpPromote, m.ID))
			s.WaitVoters(4)
		}
		s.WaitConverged()
	})
}

// TestUnsafeOperations: what would leave no majority, or makes no sense, is refused.
func TestUnsafeOperations(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		l := s.WaitLeader()
		var followers []*simtest.Member
		for _, m := range s.Members() {
			if m != l {
				followers = append(followers, m)
			}
		}
		refused := func(req cluster.AdminRequest, want error) {
			t.Helper()
			if err := once(s, req); !errors.Is(err, want) {
				t.Errorf("%s of %q: %v, want %v", req.Op, req.Node, err, want)
			}
		}
		followers[0].Crash()
		time.Sleep(3 * time.Second) // until it counts as unreachable
		refused(op(cluster.OpRemove, followers[1].ID), cluster.ErrRefusedOp)
		refused(op(cluster.OpDemote, followers[1].ID), cluster.ErrRefusedOp)
		refused(op(cluster.OpRemove, l.ID), cluster.ErrRefusedOp)
		refused(op(cluster.OpRemove, "nobody"), cluster.ErrNoSuchNode)
		refused(op(cluster.OpPromote, "nobody"), cluster.ErrNoSuchNode)
		refused(op("dance", ""), cluster.ErrRefusedOp)
		taken := followers[1].Self()
		taken.ID = "other"
		refused(cluster.AdminRequest{Op: cluster.OpJoin, Member: taken}, cluster.ErrRefusedOp)
		// The dead one may go.
		if err := once(s, op(cluster.OpRemove, followers[0].ID)); err != nil {
			t.Errorf("remove a dead node: %v", err)
		}
		if err := once(s, op(cluster.OpRemove, followers[1].ID)); err != nil {
			t.Errorf("remove the second to last: %v", err)
		}
		refused(op(cluster.OpRemove, l.ID), cluster.ErrRefusedOp)
		s.MustWrite("SET", "k", "v")
	})
}

// TestAdminOnFollower: any member takes an operation.
func TestAdminOnFollower(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		s.Start(3)
		ctx, cancel := ctxFor(5 * time.Second)
		defer cancel()
		f := follower(s)
		if err := f.Node().Admin(ctx, op(cluster.OpTransfer, f.ID)); err != nil {
			s.T.Error(err)
		}
		s.WaitFor("leadership to move", 5*time.Second, func() bool { return s.Leader() == f })
	})
}

// TestForeignCluster: nodes of two clusters don't talk to each other.
func TestForeignCluster(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		s.Start(1)
		other := s.NewMember("x1")
		other.Bootstrap = true
		other.Start()
		s.WaitFor("the other cluster", 10*time.Second, func() bool { return other.Node().Leading() && other.Disk().ClusterID() != "" })
		err := s.Member("n1").Node().VerifyPeer(transport.Identity{NodeID: other.ID, ClusterID: other.Disk().ClusterID(), Instance: other.Disk().Instance()})
		if err == nil || !strings.Contains(err.Error(), "belongs to cluster") {
			s.T.Errorf("a foreign node: %v", err)
		}
	})
}

// TestJoinLostWithItsLeader: a leader dies before a join is committed. The joining node must not take itself for removed:
// the join is asked for again.
func TestJoinLostWithItsLeader(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		s.Start(3)
		l := s.WaitLeader()
		newcomer := s.NewMember("n4")
		newcomer.Start()
		time.Sleep(time.Second) // until the configuration is at rest
		s.Net.SetDelay(20*time.Millisecond, 20*time.Millisecond)
		go func() { _ = once(s, cluster.AdminRequest{Op: cluster.OpJoin, Member: newcomer.Self()}) }()
		s.WaitFor("the leader to begin", 5*time.Second, func() bool { return len(l.Node().Voters()) == 4 })
		for _, m := range s.Members() {
			if m != l && m != newcomer {
				s.Net.Cut(m.ID, l.ID)
			}
		}
		s.WaitFor("the newcomer to hear of it", 5*time.Second, func() bool { return len(newcomer.Node().Voters()) > 0 })
		l.Crash()
		s.Net.Heal()
		s.WaitOtherLeader(l)
		time.Sleep(10 * time.Second)
		if newcomer.Node().Removed() {
			s.T.Error("a node that was never a member says that it was removed")
		}
		s.Admit(newcomer)
		l.Start()
		s.WaitVoters(4)
		s.WaitConverged()
	})
}

// TestLonelyNode: what a node that is no member of anything answers.
func TestLonelyNode(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		m := s.NewMember("n1")
		m.Start()
		time.Sleep(5 * time.Second)
		if w := m.Write("SET", "k", "v"); w.Outcome != command.Refused || !errors.Is(w.Err, cluster.ErrNotLeader) {
			t.Errorf("write: %+v", w)
		}
		if _, err := m.Read(simtest.Strong, "GET", "k"); !errors.Is(err, cluster.ErrNotLeader) {
			t.Errorf("read: %v", err)
		}
		if _, err := m.Read(simtest.Follower, "GET", "k"); !errors.Is(err, cluster.ErrLeaderUnknown) {
			t.Errorf("follower read: %v", err)
		}
		ctx, cancel := ctxFor(time.Second)
		defer cancel()
		if err := m.Node().Takeover(ctx); !errors.Is(err, cluster.ErrLeaderUnknown) {
			t.Errorf("takeover: %v", err)
		}
		if st := m.Node().Status().State; st != "joining" {
			t.Errorf("state %s", st)
		}
	})
}
