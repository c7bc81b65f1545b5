package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/cluster/simtest"
)

// TestChaosLinearizable runs concurrent clients while everything breaks, and checks what they saw.
func TestChaosLinearizable(t *testing.T) {
	for i, seed := range chaosSeeds(t) {
		nodes := 3 + 2*(i%2)
		t.Run(fmt.Sprintf("%d nodes/seed %d", nodes, seed), func(t *testing.T) {
			t.Parallel()
			var w *workload
			faults := map[string]int{}
			opts := simtest.Options{Tune: smallLogs, OnFault: func(name string) { faults[name]++ }}
			simtest.RunSeed(t, seed, opts, func(s *simtest.Sim) {
				s.Start(nodes)
				w = startWorkload(s, 5, simtest.Strong, simtest.Strong, simtest.Lease, simtest.Follower)
				s.Trouble(chaosTime, simtest.Faults)
				s.WaitLeader()
				time.Sleep(2 * time.Second) // some work on a sound cluster
				w.end()
				w.checkCounter()
				s.WaitConverged()
			})
			w.history.Check(t)
			t.Log(w, faults)
		})
	}
}

// TestMembershipChaos grows, shrinks and breaks the cluster under load.
func TestMembershipChaos(t *testing.T) {
	seeds := chaosSeeds(t)
	for _, seed := range seeds[:(len(seeds)+3)/4] {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			var w *workload
			simtest.RunSeed(t, seed, simtest.Options{Tune: smallLogs}, func(s *simtest.Sim) {
				s.Start(3)
				w = startWorkload(s, 4, simtest.Strong, simtest.Follower)
				for i := range 8 {
					churn(s, fmt.Sprint("m", i))
					s.Trouble(4*time.Second, simtest.Faults)
				}
				s.WaitLeader()
				w.end()
				w.checkCounter()
				s.WaitConverged()
			})
			w.history.Check(t)
			t.Log(w)
		})
	}
}

// churn makes one change of the membership at random, as operators do: it tries for a while and then lets be.
func churn(s *simtest.Sim, id string) {
	const patience = 5 * time.Second
	all := s.Members()
	m := all[s.Rand(len(all))]
	switch s.Rand(4) {
	case 0:
		if len(all) < 6 {
			n := s.NewMember(id)
			n.Start()
			_ = s.TryAdmin(cluster.AdminRequest{Op: cluster.OpJoin, Member: n.Self()}, patience)
		}
	case 1:
		if s.TryAdmin(op(cluster.OpRemove, m.ID), patience) == nil {
			m.Crash()
			m.Wipe()
			m.Start()
			_ = s.TryAdmin(cluster.AdminRequest{Op: cluster.OpJoin, Member: m.Self()}, patience)
		}
	case 2:
		if s.TryAdmin(op(cluster.OpDemote, m.ID), patience) == nil {
			_ = s.TryAdmin(op(cluster.OpPromote, m.ID), patience)
		}
	case 3:
		m.Crash()
		m.Move(id)
		m.Start()
	}
}
