package cluster_test

import (
	"fmt"
	"testing"
	"time"

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
