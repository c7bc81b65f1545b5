package workload

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/redoubtdb/redoubt/integration/chaos/workload/check"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	appendSlots = 2
	appendKeys  = 8   // of a group: transactions stay within one
	appendShare = 500 // transactions of a group: 100 elements or so a key
	appendSteps = 4   // of a transaction, at most
)

// appending has clients read and append to lists in transactions over several keys, whose history must be strictly
// serializable.
type appending struct {
	*run
	kind   listKind
	groups *rota[check.Txn]
	value  atomic.Int64

	mu   sync.Mutex
	left map[int]*appendLeft
}

// appendLeft is what is kept of a group that nobody works on any more: while its end is not known, its history, else
// what its keys hold.
type appendLeft struct {
	txns []check.Txn
	last []fingerprint
	open bool // a transaction of unknown outcome may have come late
}

// fingerprint stands for a list's text.
type fingerprint struct {
	bytes int
	sum   uint64
}

func fingerprintOf(text string) fingerprint {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return fingerprint{len(text), h.Sum64()}
}

func newAppend(r *run) Workload {
	groups := newRota[check.Txn](appendSlots, appendShare)
	return &appending{run: r, kind: stringList{}, groups: groups, left: make(map[int]*appendLeft)}
}

func (w *appending) group(number int) string { return w.prefix + strconv.Itoa(number) }

func (w *appending) key(group, key int) string { return w.group(group) + ":" + strconv.Itoa(key) }

// Run implements Workload.
func (w *appending) Run(ctx context.Context) {
	w.drive(ctx, func(c *client) {
		for c.begin() {
			s, full := w.groups.begin(c.rng.IntN(appendSlots))
			w.complete(c, full)
			if w.groups.end(s, w.operate(c, s.number)...) {
				w.complete(c, s)
			}
		}
	})
	for _, s := range w.groups.unfinished() {
		w.left[s.number] = &appendLeft{txns: s.ops}
	}
}

// operate makes one transaction: blind, or one whose appends depend on a watched read.
func (w *appending) operate(c *client, group int) []check.Txn {
	t := check.Txn{Client: c.id}
	var watched []check.TxnOp
	if c.rng.IntN(4) == 0 {
		read := check.TxnOp{Key: c.rng.IntN(appendKeys)}
		v, span, ok := c.watch(w.key(group, read.Key))
		if !ok {
			return nil
		}
		read.Read = w.elements(w.key(group, read.Key), v)
		alone := check.Txn{Client: c.id, Span: span, Ops: []check.TxnOp{read}}
		watched = []check.TxnOp{read}
		t.Ops = w.steps(c)
		t.Ops[0] = check.TxnOp{Key: read.Key, Append: true, Value: int(w.value.Add(1))}
		w.execute(c, group, &t)
		if t.Outcome != check.Acked {
			return []check.Txn{alone, t}
		}
		t.Ops = append(watched, t.Ops...) // EXEC was executed: what was read was still so
		return []check.Txn{alone, t}
	}
	t.Ops = w.steps(c)
	w.execute(c, group, &t)
	return []check.Txn{t}
}

func (w *appending) steps(c *client) []check.TxnOp {
	steps := make([]check.TxnOp, 1+c.rng.IntN(appendSteps))
	for i := range steps {
		steps[i].Key = c.rng.IntN(appendKeys)
		if c.rng.IntN(2) == 0 {
			steps[i].Append, steps[i].Value = true, int(w.value.Add(1))
		}
	}
	return steps
}

// execute sends a transaction and fills in what it was told.
func (w *appending) execute(c *client, group int, t *check.Txn) {
	cmds := make([][]string, len(t.Ops))
	for i, op := range t.Ops {
		if key := w.key(group, op.Key); op.Append {
			cmds[i] = w.kind.append(key, op.Value)
		} else {
			cmds[i] = w.kind.read(key)
		}
	}
	replies, _, outcome, span := c.txn(cmds...)
	t.Outcome, t.Span = outcome, span
	for i, v := range replies {
		if op := &t.Ops[i]; op.Append {
			op.Length = w.kind.length(v)
		} else {
			op.Read = w.elements(w.key(group, op.Key), v)
		}
	}
}

func (w *appending) elements(key string, v respclient.Value) []int {
	list, err := w.kind.elements(v)
	if err != nil {
		w.violated(fmt.Sprintf("append: %s holds what nobody wrote: %v", key, err))
	}
	return list
}

// complete reads a group at the end of its history, if there is a leader to read from, and has it judged.
func (w *appending) complete(c *client, s *share[check.Txn]) {
	if s == nil {
		return
	}
	left := &appendLeft{txns: s.ops}
	w.mu.Lock()
	w.left[s.number] = left
	w.mu.Unlock()
	if c.conn == nil && !c.connect(c.ctx, c.leads) {
		return
	}
	t := check.Txn{Client: c.id, Ops: make([]check.TxnOp, appendKeys)}
	for k := range t.Ops {
		t.Ops[k].Key = k
	}
	w.execute(c, s.number, &t)
	if t.Outcome != check.Acked {
		return // Final reads it
	}
	w.judging <- func() {
		w.violated(check.Append(w.group(s.number), append(s.ops, t))...)
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, txn := range left.txns {
			left.open = left.open || txn.Outcome == check.Unknown
		}
		for _, op := range t.Ops {
			left.last = append(left.last, fingerprintOf(w.kind.text(op.Read)))
		}
		left.txns = nil
	}
}

// Final implements Workload.
func (w *appending) Final(ctx context.Context) error {
	var keys []string
	for n := range len(w.left) { // all numbers up to the last one are there
		for k := range appendKeys {
			keys = append(keys, w.key(n, k))
		}
	}
	call := w.now()
	return w.atEach(ctx, keys, func(node string, from int, values []respclient.Value) {
		for i, v := range values {
			w.final(node, (from+i)/appendKeys, (from+i)%appendKeys, v.Str, check.Span{Call: call, Return: w.now()})
		}
	})
}

func (w *appending) final(node string, group, key int, text string, span check.Span) {
	left := w.left[group]
	if left.last == nil {
		op := check.TxnOp{Key: key, Read: w.elements(w.key(group, key), respclient.Value{Kind: respclient.Bulk, Str: text})}
		left.txns = append(left.txns, check.Txn{Client: w.o.Clients, Span: span, Ops: []check.TxnOp{op}})
		return
	}
	last := left.last[key]
	late := left.open && len(text) > last.bytes
	if late {
		text = text[:last.bytes]
	}
	if fingerprintOf(text) != last {
		w.violated(fmt.Sprintf("append: %s holds %d bytes at %s in the end, which are not the %d that were read last",
			w.key(group, key), len(text), node, last.bytes))
	}
}

// Check implements Workload.
func (w *appending) Check() Report {
	for n, left := range w.left {
		if left.txns != nil {
			w.violated(check.Append(w.group(n), left.txns)...)
			left.txns = nil
		}
	}
	return w.result()
}
