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
		n = 2 // the detector makes them six times as slow
	}
	if testing.Short() {
		n = 4
	}
	if v, err := strconv.Atoi(os.Getenv("REDOUBT_SIM_RUNS")); err == nil {
		n = v
	}
	return simtest.Seeds(n)
}

// chaosTime is how much virtual time one history takes: a minute, half of one under the race detector, or
// REDOUBT_SIM_MINUTES.
func chaosTime() time.Duration {
	if v, err := strconv.ParseFloat(os.Getenv("REDOUBT_SIM_MINUTES"), 64); err == nil {
		return time.Duration(v * float64(time.Minute))
	}
	if raceEnabled {
		return time.Minute / 2
	}
	return time.Minute
}

// smallLogs makes snapshots, truncation and InstallSnapshot happen within a short run.
func smallLogs(_ string, c *cluster.Config) {
	c.SnapshotThreshold, c.TrailingLogs, c.SnapshotInterval = 300, 100, 2*time.Second
	c.WriteTimeout, c.StallLimit = 4*time.Second, 4*time.Second
	c.Profile = cluster.ProfileLAN
	c.Profile.Commit = 40 * time.Millisecond // fewer idle messages: more histories in the same time
}

// workload is a number of clients, each with one operation at a time, or a pipeline of some:
//   - registers, whose history is checked for linearizability;
//   - a counter, which each INCR may raise once, and one that is raised by WATCH, GET and MULTI/SET;
//   - accounts whose sum no transaction changes;
//   - a journal a client (journal_test.go): what was acknowledged stands there exactly once, what was refused does not.
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
	swaps, swapsUnknown     int
	served                  [4]int
	journaled, verified     int
}

const (
	// registerKeys bounds the history of one key, which the checker's time depends on; keys change every epoch.
	registerKeys = 5
	epochTime    = 5 * time.Second
	// forgetAfter is how many epochs later the keys of one are deleted: no client can be reading them any more.
	forgetAfter = 4
)

func newWorkload(s *simtest.Sim, reads ...simtest.Consistency) *workload {
	w := &workload{s: s, history: s.NewHistory(), reads: reads, counted: map[string]string{}}
	s.OnClose(w.end)
	return w
}

func startWorkload(s *simtest.Sim, clients int, reads ...simtest.Consistency) *workload {
	w := newWorkload(s, reads...)
	w.openAccounts()
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
	epoch := 0
	j := newJournal(w, id)
	for i := 0; !w.stop.Load(); i++ {
		if now := int(time.Since(began) / epochTime); now != epoch {
			epoch = now
			j.turn(epoch)
			if id == 0 {
				w.forget(epoch - forgetAfter)
			}
		}
		key := fmt.Sprintf("r%d-%d", epoch, w.s.Rand(registerKeys))
		switch w.s.Rand(20) {
		case 0, 1, 2, 3, 4:
			w.set(id, key, fmt.Sprintf("%d.%d", id, i))
		case 5, 6:
			w.incr(fmt.Sprint(id, ".", i))
		case 7, 8:
			j.append(1)
		case 9:
			j.append(5)
		case 10:
			w.swap()
		case 11:
			w.transfer()
		case 12:
			w.audit()
		default:
			w.get(id, key)
		}
		time.Sleep(w.s.Between(0, 100*time.Millisecond))
	}
	j.turn(epoch + 1)
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
		w.tell(got)
		if got.Outcome != command.Refused {
			return got, true
		}
		time.Sleep(w.s.Between(0, 50*time.Millisecond))
	}
	return simtest.Write{}, false
}

func (w *workload) tell(got simtest.Write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch got.Outcome {
	case command.Applied:
		w.applied++
	case command.Refused:
		w.refused++
	default:
		w.unkno++
	}
}

func (w *workload) set(id int, key, value string) {
	call := w.history.Begin()
	if got, sent := w.write("SET", key, value); sent {
		if got.Outcome == command.Applied && got.Replies[0] != "+OK" {
			w.s.Violation("SET replied %v", got.Replies)
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
		w.s.Violation("INCR replied %s twice: to %s and %s", got.Replies[0], other, who)
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

// forget deletes the registers of an epoch, so that states stay small.
func (w *workload) forget(epoch int) {
	if epoch < 0 {
		return
	}
	words := []string{"DEL"}
	for i := range registerKeys {
		words = append(words, fmt.Sprintf("r%d-%d", epoch, i))
	}
	_, _ = w.write(words...)
}

// check compares the counters and accounts with what clients were told.
func (w *workload) check() {
	w.s.T.Helper()
	w.checkCounter()
	if n := w.number("swapped"); n < w.swaps || n > w.swaps+w.swapsUnknown {
		w.s.Violation("%d swaps were acknowledged, %d are unknown, and %d took place", w.swaps, w.swapsUnknown, n)
	}
	w.audit()
}

// checkCounter compares the counter with what clients were told.
func (w *workload) checkCounter() {
	w.s.T.Helper()
	if n := w.number("counter"); n < w.incrs || n > w.incrs+w.incrsUnknown {
		w.s.Violation("counter is %d after %d acknowledged and %d unknown INCRs", n, w.incrs, w.incrsUnknown)
	}
}

func (w *workload) number(key string) int {
	w.s.T.Helper()
	got := w.s.MustWrite("INCRBY", key, "0").Replies[0]
	n, err := strconv.Atoi(got[1:])
	if err != nil {
		w.s.T.Fatalf("%s is %s", key, got)
	}
	return n
}

func (w *workload) String() string {
	return fmt.Sprintf("%d operations, writes: %d applied, %d refused, %d unknown; "+
		"reads: %d strong, %d lease, %d follower; %d journal lines, %d journals verified, %d swaps", w.history.Len(), w.applied, w.refused, w.unkno,
		w.served[simtest.Strong], w.served[simtest.Lease], w.served[simtest.Follower], w.journaled, w.verified, w.swaps)
}
