package cluster_test

import (
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// The tests of this file break the promise on purpose: a harness that finds nothing in them would find nothing
// anywhere.

// TestHarnessFindsUnsyncedLogs: nodes that acknowledge what their disks have not synced lose it when all crash.
func TestHarnessFindsUnsyncedLogs(t *testing.T) {
	found := 0
	for range 5 {
		simtest.Run(t, simtest.Options{Tune: smallLogs, Supervised: true, Expected: true}, func(s *simtest.Sim) {
			s.Start(3)
			for _, m := range s.Members() {
				m.Disk().Lazy()
			}
			w := startWorkload(s, 5, simtest.Strong)
			for range 3 {
				time.Sleep(2 * time.Second)
				for _, m := range s.Members() {
					m.Crash()
				}
				for _, m := range s.Members() {
					m.Start()
				}
				s.WaitLeader()
			}
			time.Sleep(2 * epochTime) // the journals are verified
			w.end()
			w.check()
			found += len(s.Violations())
		})
		if found > 0 {
			return
		}
	}
	t.Error("no lost write was found")
}

// TestHarnessFindsStaleReads: reads that no round confirms are not linearizable.
func TestHarnessFindsStaleReads(t *testing.T) {
	for range 5 {
		var w *workload
		simtest.Run(t, simtest.Options{Tune: smallLogs, Supervised: true, Expected: true}, func(s *simtest.Sim) {
			s.Start(3)
			w = startWorkload(s, 5, simtest.Stale)
			s.Trouble(20*time.Second, simtest.LinkFaults)
			w.end()
		})
		if w.history.Verdict() != "" {
			return
		}
	}
	t.Error("no stale read was found")
}

// TestHarnessFindsRetries: a client that tries again after an unknown outcome writes twice.
func TestHarnessFindsRetries(t *testing.T) {
	for range 5 {
		twice := 0
		simtest.Run(t, simtest.Options{Tune: smallLogs, Supervised: true, Expected: true}, func(s *simtest.Sim) {
			s.Start(3)
			w := newWorkload(s, simtest.Strong)
			for c := range 5 {
				w.wg.Go(func() {
					for !w.stop.Load() {
						if got, sent := w.write("INCR", "counter"); sent && got.Outcome == command.Unknown {
							w.incr("again") // as if the first had not happened
						} else if sent {
							w.mu.Lock()
							w.incrs++
							w.mu.Unlock()
						}
						time.Sleep(s.Between(0, time.Duration(c+1)*10*time.Millisecond))
					}
				})
			}
			s.Trouble(20*time.Second, simtest.LinkFaults)
			s.WaitLeader()
			w.end()
			if n := w.number("counter"); n > w.incrs+w.incrsUnknown {
				twice = n - w.incrs - w.incrsUnknown
			}
		})
		if twice > 0 {
			return
		}
	}
	t.Error("no write was made twice")
}
