package workload

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/redoubtdb/redoubt/integration/chaos/workload/check"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

const counterSlots = 3

// counter has clients raise counters, each by a number that tells who did it; see check.Counter.
type counter struct {
	*run
	keys *rota[check.CounterOp]

	mu     sync.Mutex
	totals map[int]check.CounterTotals
}

func newCounter(r *run) Workload {
	keys := newRota[check.CounterOp](counterSlots, check.CounterOpsMax)
	return &counter{run: r, keys: keys, totals: make(map[int]check.CounterTotals)}
}

func (w *counter) key(number int) string { return w.prefix + strconv.Itoa(number) }

// Run implements Workload.
func (w *counter) Run(ctx context.Context) {
	w.drive(ctx, func(c *client) {
		for c.begin() {
			s, full := w.keys.begin(c.rng.IntN(counterSlots))
			w.complete(full)
			if w.keys.end(s, w.operate(c, w.key(s.number))...) {
				w.complete(s)
			}
		}
	})
	for _, s := range w.keys.unfinished() {
		w.judge(s)
	}
}

func (w *counter) operate(c *client, key string) []check.CounterOp {
	op := check.CounterOp{Client: c.id, Class: c.id % check.CounterClasses}
	var v respclient.Value
	switch op.Read = c.rng.IntN(4) == 0; {
	case op.Read:
		var ok bool
		if v, op.Span, ok = c.query("GET", key); !ok {
			return nil
		}
	case op.Class == 0:
		v, op.Outcome, op.Span = c.write("INCR", key)
	default:
		v, op.Outcome, op.Span = c.write("INCRBY", key, strconv.FormatInt(check.CounterDelta(op.Class), 10))
	}
	if op.Outcome == check.Acked {
		op.Value = w.value(key, v)
	}
	return []check.CounterOp{op}
}

// value reads a counter; absent is 0.
func (w *counter) value(key string, v respclient.Value) int64 {
	if v.IsNull() {
		return 0
	}
	n, err := strconv.ParseInt(v.Text(), 10, 64)
	if err != nil {
		w.violated(fmt.Sprintf("counter %s holds %q, which is no number", key, v.Text()))
	}
	return n
}

func (w *counter) complete(s *share[check.CounterOp]) {
	if s != nil {
		w.judging <- func() { w.judge(s) }
	}
}

func (w *counter) judge(s *share[check.CounterOp]) {
	violations, totals := check.Counter(w.key(s.number), s.ops)
	w.violated(violations...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.totals[s.number] = totals
}

// Final implements Workload.
func (w *counter) Final(ctx context.Context) error {
	keys := make([]string, len(w.totals)) // every number up to the last one has its totals
	for n := range keys {
		keys[n] = w.key(n)
	}
	return w.atEach(ctx, keys, func(node string, from int, values []respclient.Value) {
		for i, v := range values {
			key := keys[from+i]
			w.violated(w.totals[from+i].Final(key, node, w.value(key, v))...)
		}
	})
}

// Check implements Workload.
func (w *counter) Check() Report { return w.result() }
