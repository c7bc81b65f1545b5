package cluster_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster/simtest"
)

// TestChaos runs concurrent clients on three or five nodes while everything breaks, in up to three ways at a time, and
// checks what they saw and what the nodes did. `make sim` runs it for longer.
func TestChaos(t *testing.T) {
	for _, seed := range chaosSeeds(t) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			var w *workload
			var counts simtest.Counts
			var faults faultCount
			opts := simtest.Options{Tune: smallLogs, Supervised: true, KeepBooks: true, OnFault: faults.add}
			if seed/4%2 == 0 { // else a disk takes no time but where a fault says so
				opts.DiskDelay = chaosDiskDelay
			}
			nodes, lists := 3+2*int(seed%2), [][]simtest.Fault{simtest.LinkFaults, simtest.NodeFaults}
			if seed/2%2 == 0 {
				lists = append(lists, memberFaults())
			}
			simtest.RunSeed(t, seed, opts, func(s *simtest.Sim) {
				s.Start(nodes)
				w = startWorkload(s, 5, simtest.Strong, simtest.Strong, simtest.Lease, simtest.Follower)
				s.Trouble(chaosTime(), lists...)
				s.AdmitAll()
				time.Sleep(2 * time.Second) // some work on a sound cluster
				w.end()
				w.check()
				s.WaitConverged()
				counts = s.Counts()
			})
			w.history.Check(t)
			t.Logf("%d nodes: %s\n%s\n%s", nodes, w, counts, &faults)
		})
	}
}

// chaosDiskDelay is as long as a message to another node and its answer may take: of a leader's disk and its followers'
// either may be the first.
const chaosDiskDelay = 4 * time.Millisecond

// memberFaults are simtest's, but for those that the race detector would find raft's own race in.
func memberFaults() []simtest.Fault {
	if !raceEnabled {
		return simtest.MemberFaults
	}
	return slices.DeleteFunc(slices.Clone(simtest.MemberFaults), func(f simtest.Fault) bool { return f.Name == "move" })
}

// faultCount counts faults by name.
type faultCount struct {
	mu    sync.Mutex
	names []string
}

func (f *faultCount) add(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names = append(f.names, name)
}

func (f *faultCount) String() string {
	counts := map[string]int{}
	for _, n := range f.names {
		counts[n]++
	}
	var out []string
	for _, n := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s %d", n, counts[n]))
	}
	return strings.Join(out, ", ")
}
