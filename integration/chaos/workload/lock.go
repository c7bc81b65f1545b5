package workload

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/integration/chaos/workload/check"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	locks     = 3
	leaseMin  = 200 * time.Millisecond
	leaseMax  = time.Second
	holdShort = 20 * time.Millisecond // for how long a lock is held, mostly
	holdWhole = 8                     // one lease in so many is held until it is over
)

// lock has clients take leases of locks, with SET NX PX and a fencing token, and give them back if they still have
// them.
type lock struct {
	*run

	mu    sync.Mutex
	holds [locks][]check.Hold
}

func newLock(r *run) Workload { return &lock{run: r} }

func (w *lock) key(i int) string { return w.prefix + strconv.Itoa(i) }

// fence is the key of a lock's fencing tokens.
func (w *lock) fence(i int) string { return w.key(i) + ":fence" }

// Run implements Workload.
func (w *lock) Run(ctx context.Context) {
	w.drive(ctx, func(c *client) {
		for n := 0; c.begin(); n++ {
			w.operate(c, c.rng.IntN(locks), fmt.Sprintf("%d.%d", c.id, n))
		}
	})
}

// operate tries to take a lock, and gives it back. name is the holder's.
func (w *lock) operate(c *client, i int, name string) {
	lease := leaseMin + time.Duration(c.rng.Int64N(int64(leaseMax-leaseMin)))
	replies, held, _, span := c.txn(
		[]string{"SET", w.key(i), name, "NX", "PX", strconv.FormatInt(lease.Milliseconds(), 10)},
		[]string{"INCR", w.fence(i)})
	if !held || replies[0].IsNull() {
		return // somebody else has it, or nobody knows who
	}
	h := check.Hold{Client: c.id, Token: replies[1].Int, Asked: span.Call, From: span.Return}
	h.Until = span.Call + lease.Milliseconds()*int64(time.Millisecond)
	time.Sleep(w.holdFor(c, lease)) // short: not cut off when the run ends
	if back := w.release(c, i, name, h.Until); back > 0 {
		h.Until = min(h.Until, back)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holds[i] = append(w.holds[i], h)
}

func (w *lock) holdFor(c *client, lease time.Duration) time.Duration {
	if c.rng.IntN(holdWhole) == 0 {
		return lease
	}
	return time.Duration(c.rng.Int64N(int64(holdShort)))
}

// release gives a lock back if the holder still has it, and returns when it began to (0: it did not).
func (w *lock) release(c *client, i int, name string, until int64) int64 {
	if c.conn == nil && !c.connect(c.ctx, c.leads) {
		return 0
	}
	v, span, ok := c.watch(w.key(i))
	if !ok {
		return 0
	}
	if v.Str != name {
		if !w.o.ClockJumps && span.Return < until-check.LockSlack {
			w.violated(fmt.Sprintf("lock %s: client %d holds it as %s, but %q stands there %s before the lease ends",
				w.key(i), c.id, name, v.Str, time.Duration(until-span.Return)))
		}
		c.unwatch()
		return 0
	}
	begin := w.now()
	c.txn([]string{"DEL", w.key(i)})
	return begin
}

// Final implements Workload.
func (w *lock) Final(ctx context.Context) error {
	keys := make([]string, locks)
	for i := range keys {
		keys[i] = w.fence(i)
	}
	return w.atEach(ctx, keys, func(node string, _ int, values []respclient.Value) {
		for i, v := range values {
			highest, _ := strconv.ParseInt(v.Str, 10, 64) // absent: 0
			for _, h := range w.holds[i] {
				if h.Token > highest {
					w.violated(fmt.Sprintf("lock %s: LOST: %s has given out %d fencing tokens in the end, and %s",
						w.key(i), node, highest, h))
					break
				}
			}
		}
	})
}

// Check implements Workload.
func (w *lock) Check() Report {
	out := w.result()
	for i := range w.holds {
		out.Violations = append(out.Violations, check.Lock(w.key(i), w.holds[i], w.o.ClockJumps)...)
	}
	return out
}
