package simtest

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

func testDisk(seed uint64) *Disk {
	return newDisk("n", "i", rand.New(rand.NewPCG(seed, 0)), newLedger(func(string, ...any) {}))
}

func run(from, to, term uint64) []*raft.Log {
	var out []*raft.Log
	for i := from; i <= to; i++ {
		out = append(out, &raft.Log{Index: i, Term: term})
	}
	return out
}

func lastOf(t *testing.T, d *Disk) uint64 {
	t.Helper()
	last, err := d.Log().LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// TestCrashKeepsWhatIsSynced: of the writes since the last sync a crash leaves any number, in order, the last one torn.
func TestCrashKeepsWhatIsSynced(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(300) {
		d := testDisk(seed)
		log := d.Log().(diskLog)
		err := errors.Join(log.StoreLogs(run(1, 3, 1)), log.StoreUnsynced(run(4, 5, 1)), log.StoreUnsynced(run(6, 8, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if last := lastOf(t, d); last != 8 {
			t.Fatalf("the process reads up to %d", last)
		}
		seen[lastOf(t, d.fork())] = true
	}
	for last := uint64(0); last <= 9; last++ {
		if want := last >= 3 && last <= 8; seen[last] != want {
			t.Errorf("a crash leaves the log up to %d: %v", last, seen[last])
		}
	}
}

// TestSyncKeepsWhatWasWrittenBefore: a sync covers what was written when it was called, truncations too.
func TestSyncKeepsWhatWasWrittenBefore(t *testing.T) {
	for seed := range uint64(100) {
		d := testDisk(seed)
		log := d.Log().(diskLog)
		err := errors.Join(log.StoreUnsynced(run(1, 6, 1)), log.DeleteRange(5, 6), log.StoreUnsynced(run(5, 5, 2)), log.Sync())
		if err != nil {
			t.Fatal(err)
		}
		f := d.fork()
		var l raft.Log
		if err := f.Log().GetLog(5, &l); err != nil || l.Term != 2 || lastOf(t, f) != 5 {
			t.Fatalf("seed %d: the log ends at %d, entry 5 is of term %d, %v", seed, lastOf(t, f), l.Term, err)
		}
	}
}

// TestLazyDisk: entries that StoreLogs did not sync may be lost.
func TestLazyDisk(t *testing.T) {
	lost := false
	for seed := range uint64(20) {
		d := testDisk(seed)
		d.Lazy()
		if err := d.Log().StoreLogs(run(1, 3, 1)); err != nil {
			t.Fatal(err)
		}
		lost = lost || lastOf(t, d.fork()) < 3
	}
	if !lost {
		t.Error("no crash lost anything")
	}
}

// TestCrashDuringWrite: a write that has not returned may be there afterwards, in part or not at all.
func TestCrashDuringWrite(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			d := testDisk(seed)
			if err := d.Log().StoreLogs(run(1, 1, 1)); err != nil {
				t.Fatal(err)
			}
			d.Hang()
			go func() { _ = d.Log().StoreLogs(run(2, 3, 1)) }()
			synctest.Wait()
			seen[lastOf(t, d.fork())] = true
			synctest.Wait()
		})
	}
	if !seen[1] || !seen[2] || !seen[3] || len(seen) != 3 {
		t.Errorf("the log ended at %v", seen)
	}
}

// TestFailedWrite: after a failure nothing is written any more, and a crash may leave what failed.
func TestFailedWrite(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(50) {
		d := testDisk(seed)
		told := 0
		d.onFailure = func(error) { told++ }
		d.FailNextWrite()
		for range 2 {
			if err := d.Log().StoreLogs(run(1, 1, 1)); !errors.Is(err, ErrDisk) {
				t.Fatal(err)
			}
		}
		if told != 1 || lastOf(t, d) != 0 {
			t.Fatalf("told %d times; the log ends at %d", told, lastOf(t, d))
		}
		seen[lastOf(t, d.fork())] = true
	}
	if !seen[0] || !seen[1] {
		t.Errorf("the log ended at %v", seen)
	}
}

// TestVoteIsWrittenAtOnce: no crash separates a vote's term from its candidate.
func TestVoteIsWrittenAtOnce(t *testing.T) {
	d := testDisk(1)
	st := d.Stable()
	term, candidate := []byte(voteTerm), []byte(voteCandidate)
	if err := errors.Join(st.SetUint64(term, 2), st.Set(candidate, []byte("a")), st.SetUint64(term, 3)); err != nil {
		t.Fatal(err)
	}
	if got, err := st.GetUint64(term); err != nil || got != 3 {
		t.Errorf("the process reads term %d, %v", got, err)
	}
	if got, err := d.fork().Stable().GetUint64(term); err != nil || got != 2 {
		t.Errorf("after a crash the vote is of term %d, %v", got, err)
	}
}

// TestLedger: each promise, kept and broken.
func TestLedger(t *testing.T) {
	entry := func(index, term uint64, data string) *raft.Log {
		return &raft.Log{Index: index, Term: term, Data: []byte(data)}
	}
	sent := func(term uint64, entries ...*raft.Log) *raft.AppendEntriesRequest {
		return &raft.AppendEntriesRequest{Term: term, Entries: entries}
	}
	tests := []struct {
		name   string
		broken bool
		do     func(l *ledger)
	}{
		{"a leader", false, func(l *ledger) { l.sends("a", sent(1)); l.sends("a", sent(1)); l.sends("b", sent(2)) }},
		{"two leaders", true, func(l *ledger) { l.sends("a", sent(1)); l.sends("b", sent(1)) }},
		{"sent before it is stored", false, func(l *ledger) {
			l.sends("a", sent(1, entry(1, 1, "x")))
			l.stored("b", extent{}, []*raft.Log{entry(1, 1, "x")})
			l.stored("a", extent{}, []*raft.Log{entry(1, 1, "x")})
		}},
		{"stored before it is sent", false, func(l *ledger) {
			l.stored("a", extent{}, []*raft.Log{entry(1, 1, "x")})
			l.sends("a", sent(1, entry(1, 1, "x")))
			l.stored("b", extent{}, []*raft.Log{entry(1, 1, "x")})
		}},
		{"a follower's own entry", true, func(l *ledger) {
			l.sends("a", sent(1, entry(1, 1, "x")))
			l.stored("b", extent{}, []*raft.Log{entry(1, 1, "x"), entry(2, 1, "y")})
		}},
		{"an entry of a term that another leads", true, func(l *ledger) {
			l.sends("a", sent(1))
			l.stored("b", extent{}, []*raft.Log{entry(1, 1, "x")})
		}},
		{"a leader of a term that another made entries of", true, func(l *ledger) {
			l.stored("b", extent{}, []*raft.Log{entry(1, 1, "x")})
			l.sends("a", sent(1))
		}},
		{"sent after another entry", true, func(l *ledger) {
			l.stored("a", extent{}, []*raft.Log{entry(1, 1, "x"), entry(2, 2, "y")})
			l.sends("a", &raft.AppendEntriesRequest{Term: 2, PrevLogEntry: 1, PrevLogTerm: 2, Entries: []*raft.Log{entry(2, 2, "y")}})
		}},
		{"equal logs", false, func(l *ledger) {
			l.stored("a", extent{}, []*raft.Log{entry(1, 1, "x"), entry(2, 1, "y")})
			l.stored("b", extent{}, []*raft.Log{entry(2, 1, "y")})
		}},
		{"two entries at one place", true, func(l *ledger) {
			l.stored("a", extent{}, []*raft.Log{entry(1, 1, "x")})
			l.stored("b", extent{}, []*raft.Log{entry(1, 1, "y")})
		}},
		{"another entry before", true, func(l *ledger) {
			l.stored("a", extent{}, []*raft.Log{entry(1, 1, "x"), entry(2, 2, "y")})
			l.stored("a", extent{first: 1, entries: run(1, 1, 2)}, []*raft.Log{entry(2, 2, "y")})
		}},
		{"two authors of a term", true, func(l *ledger) {
			l.stored("a", extent{}, []*raft.Log{entry(1, 1, "x")})
			l.stored("b", extent{}, []*raft.Log{entry(2, 1, "y")})
		}},
		{"applied alike", false, func(l *ledger) { l.appliedEntry("a", 1, 1); l.appliedEntry("b", 1, 1) }},
		{"applied apart", true, func(l *ledger) { l.appliedEntry("a", 1, 1); l.appliedEntry("b", 1, 2) }},
		{"equal digests", false, func(l *ledger) { l.digest("a", 1, "x"); l.digest("b", 1, "x"); l.digest("b", 2, "y") }},
		{"digests apart", true, func(l *ledger) { l.digest("a", 1, "x"); l.digest("b", 1, "y") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			broken := false
			tt.do(newLedger(func(string, ...any) { broken = true }))
			if broken != tt.broken {
				t.Errorf("a violation was noted: %v", broken)
			}
		})
	}
}

// TestAnswersForWhatIsSynced: who says that it has an entry has it on its disk, in the log or in a snapshot.
func TestAnswersForWhatIsSynced(t *testing.T) {
	for name, tt := range map[string]struct {
		store  func(d *Disk) error
		broken bool
	}{
		"synced":            {func(d *Disk) error { return d.Log().StoreLogs(run(1, 2, 1)) }, false},
		"synced, truncated": {func(d *Disk) error { return errors.Join(d.Log().StoreLogs(run(1, 2, 1)), d.Log().DeleteRange(2, 2)) }, false},
		"written":           {func(d *Disk) error { return diskLog{d}.StoreUnsynced(run(1, 2, 1)) }, true},
		"another term":      {func(d *Disk) error { return d.Log().StoreLogs(run(1, 2, 2)) }, true},
		"in a snapshot": {func(d *Disk) error {
			sink, _ := d.Snapshots().Create(1, 2, 1, raft.Configuration{}, 1, nil)
			return sink.Close()
		}, false},
		"behind a snapshot": {func(d *Disk) error {
			sink, _ := d.Snapshots().Create(1, 1, 1, raft.Configuration{}, 1, nil)
			return sink.Close()
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			d, broken := testDisk(1), false
			d.ledger.note = func(string, ...any) { broken = true }
			if err := tt.store(d); err != nil {
				t.Fatal(err)
			}
			e := &endpoint{disk: d, ledger: d.ledger}
			e.answered(&raft.AppendEntriesRequest{Entries: run(2, 2, 1)}, &raft.AppendEntriesResponse{})
			if broken {
				t.Error("a refusal is no answer for an entry")
			}
			e.answered(&raft.AppendEntriesRequest{PrevLogEntry: 2, PrevLogTerm: 1}, &raft.AppendEntriesResponse{Success: true})
			if broken != tt.broken {
				t.Errorf("a violation was noted: %v", broken)
			}
		})
	}
}

// TestTraceIsBounded: what a failure prints begins before the first violation and has an end.
func TestTraceIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr trace
		for i := range 3 * eventsMax {
			tr.add("event %d", i)
			time.Sleep(10 * time.Millisecond)
			if i == 2*eventsMax {
				tr.violation("first")
			}
		}
		why := tr.failure()
		if lines := strings.Count(why, "\n"); lines > linesMax+5 || len(tr.events) > eventsMax {
			t.Errorf("%d lines, %d events", lines, len(tr.events))
		}
		if tr.violations[0].text != "VIOLATION first" {
			t.Errorf("the first violation is %q", tr.violations[0].text)
		}
	})
}
