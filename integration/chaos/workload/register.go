package workload

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/integration/chaos/workload/check"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	registerSlots = 5
	// registerShare is how many operations begin on one key. A CAS makes two of them, so a history stays under 1,000.
	registerShare = 450
	registerLimit = 20 * time.Second // for judging one key
)

// register has clients GET, SET and compare-and-set registers, whose histories must be linearizable.
type register struct {
	*run
	keys  *rota[check.RegisterOp]
	value atomic.Int64 // the last one written: no two are alike

	mu   sync.Mutex
	left map[int]*registerLeft
}

// registerLeft is what is kept of a register that nobody works on any more: while its end is not known, its history,
// else the values that it may have in the end.
type registerLeft struct {
	ops  []check.RegisterOp
	last []int64
}

func newRegister(r *run) Workload {
	keys := newRota[check.RegisterOp](registerSlots, registerShare)
	return &register{run: r, keys: keys, left: make(map[int]*registerLeft)}
}

func (w *register) key(number int) string { return w.prefix + strconv.Itoa(number) }

// Run implements Workload.
func (w *register) Run(ctx context.Context) {
	w.drive(ctx, func(c *client) {
		for c.begin() {
			s, full := w.keys.begin(c.rng.IntN(registerSlots))
			w.complete(c, full)
			if w.keys.end(s, w.operate(c, w.key(s.number))...) {
				w.complete(c, s)
			}
		}
	})
	for _, s := range w.keys.unfinished() {
		w.left[s.number] = &registerLeft{ops: s.ops}
	}
}

// operate does one thing with a key.
func (w *register) operate(c *client, key string) []check.RegisterOp {
	op := check.RegisterOp{Client: c.id}
	switch n := c.rng.IntN(10); {
	case n < 4:
		return w.get(c, key)
	case n < 7:
		op.Kind, op.Value = check.Set, w.value.Add(1)
		_, op.Outcome, op.Span = c.write("SET", key, strconv.FormatInt(op.Value, 10))
		return []check.RegisterOp{op}
	}
	return w.cas(c, key)
}

func (w *register) get(c *client, key string) []check.RegisterOp {
	v, span, ok := c.query("GET", key)
	if !ok {
		return nil
	}
	return []check.RegisterOp{{Client: c.id, Value: w.number(key, v), Span: span}}
}

// cas reads a watched key and sets it in a transaction: two operations, for the read stands by itself.
func (w *register) cas(c *client, key string) []check.RegisterOp {
	v, span, ok := c.watch(key)
	if !ok {
		return nil
	}
	get := check.RegisterOp{Client: c.id, Value: w.number(key, v), Span: span}
	set := check.RegisterOp{Client: c.id, Kind: check.CAS, Old: get.Value, Value: w.value.Add(1)}
	_, _, set.Outcome, set.Span = c.txn([]string{"SET", key, strconv.FormatInt(set.Value, 10)})
	return []check.RegisterOp{get, set}
}

// number reads a register's value; absent is 0.
func (w *register) number(key string, v respclient.Value) int64 {
	if v.IsNull() {
		return 0
	}
	n, err := strconv.ParseInt(v.Str, 10, 64)
	if err != nil {
		w.violated("register " + key + " holds " + strconv.Quote(v.Str) + ", which nobody wrote")
	}
	return n
}

// complete ends a history with a read, if there is a leader to read from, and has it judged.
func (w *register) complete(c *client, s *share[check.RegisterOp]) {
	if s == nil {
		return
	}
	left := &registerLeft{ops: s.ops}
	w.mu.Lock()
	w.left[s.number] = left
	w.mu.Unlock()
	if c.conn == nil && !c.connect(c.ctx, c.leads) {
		return
	}
	end := w.get(c, w.key(s.number))
	if len(end) == 0 {
		return // Final reads it
	}
	w.judging <- func() {
		w.judge(s.number, append(s.ops, end...))
		w.mu.Lock()
		defer w.mu.Unlock()
		left.ops, left.last = nil, lastValues(s.ops, end[0].Value)
	}
}

// lastValues are what a register may hold after its last read: that, or something of unknown outcome that came late.
func lastValues(ops []check.RegisterOp, read int64) []int64 {
	values := []int64{read}
	for i := range ops {
		if ops[i].Outcome == check.Unknown {
			values = append(values, ops[i].Value)
		}
	}
	return values
}

func (w *register) judge(number int, ops []check.RegisterOp) {
	v := check.Register(w.key(number), ops, registerLimit)
	w.violated(v.Violations...)
	if v.Undecided {
		w.undecided()
	}
}

// Final implements Workload. Its reads belong to the histories that have not ended with a read.
func (w *register) Final(ctx context.Context) error {
	numbers := make([]int, 0, len(w.left))
	for n := range w.left {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	keys := make([]string, len(numbers))
	for i, n := range numbers {
		keys[i] = w.key(n)
	}
	call := w.now()
	return w.atEach(ctx, keys, func(node string, from int, values []respclient.Value) {
		for i, v := range values {
			n, key := w.number(keys[from+i], v), keys[from+i]
			left := w.left[numbers[from+i]]
			switch {
			case left.last == nil:
				span := check.Span{Call: call, Return: w.now()}
				left.ops = append(left.ops, check.RegisterOp{Client: w.o.Clients, Value: n, Span: span})
			case !slices.Contains(left.last, n):
				w.violated("register " + key + ": LOST: " + node + " holds " + v.Text() + " in the end, after " +
					strconv.FormatInt(left.last[0], 10) + " was read last")
			}
		}
	})
}

// Check implements Workload.
func (w *register) Check() Report {
	for n, left := range w.left {
		if left.last == nil {
			w.judge(n, left.ops)
			left.last = lastValues(nil, 0)
		}
	}
	return w.result()
}
