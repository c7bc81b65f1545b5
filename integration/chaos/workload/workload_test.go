package workload_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/chaos/workload"
)

// fakeFor is how long a workload runs on a fake server, at fakeRate operations a second.
const (
	fakeFor  = time.Second
	fakeRate = 3000
)

func onFake(t *testing.T, name string, f fault, o workload.Options) workload.Report {
	t.Helper()
	o.Nodes, o.Seed, o.Rate = startFake(t, f).nodes, 1, fakeRate
	return drive(t, o, name, fakeFor)
}

// TestFaultsAreFound runs workloads on a server that does one thing wrong: what each must notice, and in which words.
func TestFaultsAreFound(t *testing.T) {
	for _, tc := range []struct {
		name, workload, want string
		fault                fault
		options              workload.Options
	}{
		{"lost writes", "register", "not linearizable", fault{lose: 30}, workload.Options{}},
		{"stale reads", "register", "not linearizable", fault{stale: 30}, workload.Options{}},
		{"refused and applied", "register", "not linearizable", fault{dirty: 30}, workload.Options{}},
		{"EXEC without its WATCH", "register", "not linearizable", fault{unwatched: true}, workload.Options{}},
		{"lost increments", "counter", "LOST", fault{lose: 30}, workload.Options{}},
		{"increments done twice", "counter", "COUNTED TWICE", fault{twice: 30}, workload.Options{}},
		{"stale counter", "counter", "went back", fault{stale: 30}, workload.Options{}},
		{"clients that repeat", "counter", "COUNTED TWICE", fault{drop: 50}, workload.Options{RetryUnknown: true}},
		{"lost appends", "append", "append", fault{lose: 30}, workload.Options{}},
		{"appends done twice", "append", "duplicate", fault{twice: 30}, workload.Options{}},
		{"aborted reads", "append", "G1a", fault{dirty: 30}, workload.Options{}},
		{"stale appends", "append", "G-single", fault{stale: 15}, workload.Options{}},
		{"torn transactions", "append", "append", fault{torn: 30}, workload.Options{}},
		{"appends without their WATCH", "append", "lost update", fault{unwatched: true}, workload.Options{}},
		{"clients that repeat appends", "append", "duplicate", fault{drop: 50}, workload.Options{RetryUnknown: true}},
		{"torn transfers", "bank", "the total is", fault{torn: 30}, workload.Options{}},
		{"lost transfers", "bank", "in the end", fault{lose: 50}, workload.Options{}},
		{"keys that come back", "expiry", "has come back", fault{immortal: 50}, workload.Options{}},
		{"keys back though clocks jump", "expiry", "has come back", fault{immortal: 50}, workload.Options{ClockJumps: true}},
		{"keys that go early", "expiry", "before its deadline", fault{early: 50}, workload.Options{}},
		{"lost keys", "expiry", "LOST", fault{lose: 50}, workload.Options{ClockJumps: true}},
		{"reads that go back", "monotonic", "went back", fault{stale: 100}, workload.Options{}},
		{"half a transaction", "monotonic", "half a transaction", fault{torn: 200}, workload.Options{}},
		{"a lock without NX", "lock", "two holders", fault{nx: 200}, workload.Options{}},
		{"a lock that goes early", "lock", "two holders", fault{early: 200}, workload.Options{}},
		{"lost fencing tokens", "lock", "lock", fault{lose: 200}, workload.Options{ClockJumps: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := onFake(t, tc.workload, tc.fault, tc.options)
			if all := strings.Join(r.Violations, "\n"); !strings.Contains(all, tc.want) {
				t.Errorf("no %q in %d operations; what was found: %.2000s", tc.want, r.Operations, all)
			}
		})
	}
}

// TestFaultsThatAreNone: what a client can't know must not count as a violation.
func TestFaultsThatAreNone(t *testing.T) {
	for _, name := range workload.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := onFake(t, name, fault{drop: 20}, workload.Options{})
			for _, v := range r.Violations {
				t.Error(v)
			}
			if r.Unknown == 0 || r.Undecided > 0 || r.Workload != name {
				t.Errorf("%+v", r)
			}
			if !slices.IsSortedFunc(r.Acks, time.Time.Compare) || len(r.Acks) == 0 || len(r.Acks) > r.Acked {
				t.Errorf("%d acks kept of %d", len(r.Acks), r.Acked)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	nodes := func() []string { return nil }
	for name, o := range map[string]workload.Options{
		"nobody": {Nodes: nodes}, "bank": {}, "lock": {Nodes: nodes, Clients: -1}, "expiry": {Nodes: nodes, Rate: -1},
	} {
		if _, err := workload.New(name, o); err == nil {
			t.Errorf("%s %+v was taken", name, o)
		}
	}
}

// TestWithoutNodes: a run that never finds a leader ends in time, with nothing done.
func TestWithoutNodes(t *testing.T) {
	for _, name := range workload.Names() {
		w, err := workload.New(name, workload.Options{Nodes: func() []string { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w.Run(ctx)
		if r := w.Check(); r.Operations != 0 || len(r.Violations) != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
