package workload

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/redoubtdb/redoubt/integration/chaos/workload/check"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

// sessionReads is how many reads a reader makes on one connection, at most, before it turns to another node.
const sessionReads = 500

// monotonic has one client raise two counters together while the others read them, each on one connection to one node.
type monotonic struct {
	*run
	a, b        string
	sent, acked atomic.Int64

	mu     sync.Mutex
	judged check.Monotonic
}

func newMonotonic(r *run) Workload {
	if r.o.Clients == 1 {
		r.o.Clients = 2 // a writer and a reader
	}
	return &monotonic{run: r, a: r.prefix + "a", b: r.prefix + "b"}
}

// Run implements Workload.
func (w *monotonic) Run(ctx context.Context) {
	w.drive(ctx, func(c *client) {
		if c.id == 0 {
			w.write(c)
			return
		}
		for number := 0; c.connect(ctx, func(*respclient.Conn) bool { return true }); number++ {
			w.session(c, number)
			c.leave()
			c.turn += 1 + c.rng.IntN(2)
		}
	})
}

func (w *monotonic) write(c *client) {
	for c.begin() {
		w.sent.Add(1)
		if _, held, _, _ := c.txn([]string{"INCR", w.a}, []string{"INCR", w.b}); held {
			w.acked.Add(1)
		}
	}
}

// session reads on one connection. Where it led to the leader from the beginning the reads are linearizable too.
func (w *monotonic) session(c *client, number int) {
	s := &check.Session{Client: c.id, Number: number, Node: c.addr}
	role, _, err := c.ask([]string{"ROLE"}) // its late answer must not be taken for that of a read: ask leaves on an error
	if err != nil {
		return
	}
	leading := saysMaster(role[0])
	for i := 0; i < sessionReads && c.conn != nil && c.pace.wait(c.ctx); i++ {
		r := check.MonotonicRead{}
		if leading {
			r.Acked = w.acked.Load()
		}
		replies, span, err := c.ask([]string{"MGET", w.a, w.b})
		v, span, ok := c.answer(replies, span, err, []string{"MGET"}, c.leave)
		if !ok {
			return
		}
		r.Sent, r.Span = w.sent.Load(), span
		r.A, r.B = w.number(v.Elems[0]), w.number(v.Elems[1])
		w.mu.Lock()
		w.judged.Read(s, r)
		w.mu.Unlock()
	}
}

func (w *monotonic) number(v respclient.Value) int64 {
	if v.IsNull() {
		return 0
	}
	n, err := strconv.ParseInt(v.Str, 10, 64)
	if err != nil {
		w.violated(fmt.Sprintf("monotonic: a counter holds %q", v.Str))
	}
	return n
}

// Final implements Workload.
func (w *monotonic) Final(ctx context.Context) error {
	return w.atEach(ctx, []string{w.a, w.b}, func(node string, _ int, v []respclient.Value) {
		w.judged.Final(node, w.number(v[0]), w.number(v[1]), w.acked.Load(), w.sent.Load())
	})
}

// Check implements Workload.
func (w *monotonic) Check() Report {
	out := w.result()
	out.Violations = append(out.Violations, w.judged.Violations()...)
	return out
}
