package cluster_test

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// chaosSeeds is how many histories the normal run makes; REDOUBT_SIM_RUNS asks for more.
func chaosSeeds(t *testing.T) []uint64 {
	n := 20
	if raceEnabled {
		n = 10 // the detector makes them six times as slow
	}
	if testing.Short() {
		n = 4
	}
	if v, err := strconv.Atoi(os.Getenv("REDOUBT_SIM_RUNS")); err == nil {
		n = v
	}
	return simtest.Seeds(n)
}

// chaosTime is how much virtual time one history takes.
const chaosTime = 60 * time.Second

// smallLogs makes snapshots, truncation and InstallSnapshot happen within a short run.
func smallLogs(_ string, c *cluster.Config) {
	c.SnapshotThreshold, c.TrailingLogs, c.SnapshotInterval = 300, 100, 2*time.Second
	c.WriteTimeout, c.StallLimit = 4*time.Second, 4*time.Second
	c.Profile = cluster.ProfileLAN
	c.Profile.Commit = 40 * time.Millisecond // fewer idle messages: more histories in the same time
}

// workload is a number of clients, each with one operation at a time: registers, whose history is checked for
// linearizability, and counters, which may be raised by each INCR once.
type workload struct {
	s       *simtest.Sim
	history *simtest.History
	reads   []simtest.Consistency
	stop    atomic.Bool
	wg      sync.WaitGroup

	mu                      sync.Mutex
	applied, refused, unkno int
	counted                 map[string]string // replies of INCR: no two may be the same
	incrs, incrsUnknown     int
	served                  [4]int
}

// registerKeys bounds the history of one key, which the checker's time depends on.
const registerKeys = 5

func startWorkload(s *simtest.Sim, clients int, reads ...simtest.Consistency) *workload {
	w := &workload{s: s, history: simtest.NewHistory(), reads: reads, counted: map[string]string{}}
	s.OnClose(w.end)
	for c := range clients {
		w.wg.Go(func() { w.client(c) })
	}
	return w
}

func (w *workload) end() {
	w.stop.Store(true)
	w.wg.Wait()
}

func (w *workload) client(id int) {
	began := time.Now()
	for i := 0; !w.stop.Load(); i++ {
		epoch := int(time.Since(began) / (5 * time.Second))
		key := fmt.Sprintf("r%d-%d", epoch, w.s.Rand(registerKeys))
		switch w.s.Rand(10) {
		case 0, 1, 2:
			w.set(id, key, fmt.Sprintf("%d.%d", id, i))
		case 3, 4:
			w.incr(fmt.Sprint(id, ".", i))
		default:
			w.get(id, key)
		}
		time.Sleep(w.s.Between(0, 100*time.Millisecond))
	}
}

// member is whom a client asks: mostly the leader, as it knows it.
func (w *workload) member() *simtest.Member {
	if l := w.s.Leader(); l != nil && w.s.Rand(10) > 0 {
		return l
	}
	all := w.s.Members()
	return all[w.s.Rand(len(all))]
}

// write tries until the write is not refused.
func (w *workload) write(words ...string) (simtest.Write, bool) {
	for !w.stop.Load() {
		got := w.member().Write(words...)
		w.mu.Lock()
		switch got.Outcome {
		case command.Applied:
			w.applied++
		case command.Refused:
			w.refused++
		default:
			w.unkno++
		}
		w.mu.Unlock()
		if got.Outcome != command.Refused {
			return got, true
		}
		time.Sleep(w.s.Between(0, 50*time.Millisecond))
	}
	return simtest.Write{}, false
}

func (w *workload) set(id int, key, value string) {
	call := w.history.Begin()
	if got, sent := w.write("SET", key, value); sent {
		if got.Outcome == command.Applied && got.Replies[0] != "+OK" {
			w.s.T.Errorf("SET replied %v", got.Replies)
		}
		w.history.Wrote(id, key, value, call, got.Outcome == command.Unknown)
	}
}

func (w *workload) incr(who string) {
	got, sent := w.write("INCR", "counter")
	if !sent {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if got.Outcome == command.Unknown {
		w.incrsUnknown++
		return
	}
	w.incrs++
	if other, twice := w.counted[got.Replies[0]]; twice {
		w.s.T.Errorf("INCR replied %s twice: to %s and %s", got.Replies[0], other, who)
	}
	w.counted[got.Replies[0]] = who
}

func (w *workload) get(id int, key string) {
	how := w.reads[w.s.Rand(len(w.reads))]
	call := w.history.Begin()
	got, err := w.member().Read(how, "GET", key)
	if err != nil {
		return
	}
	value := ""
	if got[0] != "_" {
		value = got[0][1:]
	}
	w.history.Read(id, key, value, call)
	w.mu.Lock()
	w.served[how]++
	w.mu.Unlock()
}

// checkCounter compares the counter with what clients were told.
func (w *workload) checkCounter() {
	w.s.T.Helper()
	got := w.s.MustWrite("INCRBY", "counter", "0").Replies[0]
	n, err := strconv.Atoi(got[1:])
	if err != nil {
		w.s.T.Fatalf("counter is %s", got)
	}
	if n < w.incrs || n > w.incrs+w.incrsUnknown {
		w.s.T.Errorf("counter is %d after %d acknowledged and %d unknown INCRs", n, w.incrs, w.incrsUnknown)
	}
}

func (w *workload) String() string {
	return fmt.Sprintf("%d operations, writes: %d applied, %d refused, %d unknown; reads: %d strong, %d lease, %d follower",
		w.history.Len(), w.applied, w.refused, w.unkno, w.served[simtest.Strong], w.served[simtest.Lease], w.served[simtest.Follower])
}
