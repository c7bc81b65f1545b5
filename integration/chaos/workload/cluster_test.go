package workload_test

import (
	"context"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/chaos/workload"
	"github.com/redoubtdb/redoubt/integration/testcluster"
)

const (
	runFor     = 5 * time.Second
	finalLimit = 30 * time.Second
)

// TestWithoutFaults runs all workloads together on a real cluster that nothing is done to: all goes well, and a good
// deal of it.
func TestWithoutFaults(t *testing.T) {
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
	t.Run("all", func(t *testing.T) {
		for _, name := range workload.Names() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := drive(t, workload.Options{Nodes: c.Addrs, Clients: 4, Seed: 1, Started: time.Now()}, name, runFor)
				for _, v := range r.Violations {
					t.Error(v)
				}
				if r.Acked < 20 || r.Reads < 20 || r.Undecided > 0 {
					t.Errorf("%+v", r)
				}
			})
		}
	})
}

func drive(t *testing.T, o workload.Options, name string, runFor time.Duration) workload.Report {
	t.Helper()
	w, err := workload.New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), runFor)
	defer cancel()
	w.Run(ctx)
	ctx, cancel = context.WithTimeout(t.Context(), finalLimit)
	defer cancel()
	if err := w.Final(ctx); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r := w.Check()
	t.Logf("%d operations: %d acked, %d refused, %d unknown, %d reads; %d acks kept; judged the rest in %s",
		r.Operations, r.Acked, r.Refused, r.Unknown, r.Reads, len(r.Acks), time.Since(start))
	return r
}

// TestStaleReadsAreFound is a negative control: clients that take what any node says for the truth.
func TestStaleReadsAreFound(t *testing.T) {
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
	for _, name := range []string{"register", "counter"} {
		t.Run(name, func(t *testing.T) {
			r := drive(t, workload.Options{Nodes: c.Addrs, Clients: 8, Seed: 1, StaleReads: true}, name, runFor)
			if len(r.Violations) == 0 {
				t.Error("stale reads went unnoticed")
			} else {
				t.Log(r.Violations[0])
			}
		})
	}
}
