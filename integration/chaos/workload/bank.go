package workload

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/redoubtdb/redoubt/integration/chaos/workload/check"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	bankAccounts = 10
	bankInitial  = 100
	bankAmount   = 20 // of a transfer, at most
)

// bank has clients move money between accounts and read all of them at once, at the leader and at any node.
type bank struct {
	*run
	accounts []string

	mu     sync.Mutex
	judged check.Bank
	opened bool
}

func newBank(r *run) Workload {
	w := &bank{run: r, judged: check.Bank{Accounts: bankAccounts, Initial: bankInitial}}
	for i := range bankAccounts {
		w.accounts = append(w.accounts, r.prefix+strconv.Itoa(i))
	}
	return w
}

// Run implements Workload.
func (w *bank) Run(ctx context.Context) {
	open := []string{"MSETNX"} // may be sent again: only the first one does anything
	for _, key := range w.accounts {
		open = append(open, key, strconv.Itoa(bankInitial))
	}
	if w.insist(ctx, open...) != nil {
		return // the run was over before the cluster took a write
	}
	w.opened = true
	w.drive(ctx, func(c *client) {
		for c.begin() {
			switch n := c.rng.IntN(10); {
			case n < 5:
				w.transfer(c)
			case n < 8:
				w.readLeader(c)
			default:
				if v, span, node, ok := c.queryAnywhere(append([]string{"MGET"}, w.accounts...)...); ok {
					w.judge(check.BankRead{Client: c.id, Node: node, Balances: w.balances(v.Elems), Span: span})
				}
			}
		}
	})
}

// transfer moves money from an account that has enough, which the transaction depends on.
func (w *bank) transfer(c *client) {
	from := c.rng.IntN(bankAccounts)
	to := (from + 1 + c.rng.IntN(bankAccounts-1)) % bankAccounts
	v, _, ok := c.watch(w.accounts[from])
	if !ok {
		return
	}
	t := check.BankTransfer{From: from, To: to, Amount: 1 + c.rng.Int64N(bankAmount)}
	if has := w.balances([]respclient.Value{v})[0]; has < t.Amount {
		c.unwatch()
		return
	}
	amount := strconv.FormatInt(t.Amount, 10)
	_, _, t.Outcome, _ = c.txn([]string{"DECRBY", w.accounts[from], amount}, []string{"INCRBY", w.accounts[to], amount})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.judged.Transfer(t)
}

// readLeader reads all accounts by one command or by a transaction of many.
func (w *bank) readLeader(c *client) {
	r := check.BankRead{Client: c.id, Node: c.addr, Leading: !c.o.StaleReads}
	if c.rng.IntN(2) == 0 {
		v, span, ok := c.query(append([]string{"MGET"}, w.accounts...)...)
		if !ok {
			return
		}
		r.Balances, r.Span = w.balances(v.Elems), span
		w.judge(r)
		return
	}
	var gets [][]string
	for _, key := range w.accounts {
		gets = append(gets, []string{"GET", key})
	}
	replies, held, _, span := c.txn(gets...)
	if held {
		r.Leading, r.Balances, r.Span = true, w.balances(replies), span
		w.judge(r)
	}
}

func (w *bank) balances(values []respclient.Value) []int64 {
	out := make([]int64, len(values))
	for i, v := range values {
		n, err := strconv.ParseInt(v.Str, 10, 64)
		switch {
		case v.IsNull():
			n = check.Absent
		case err != nil:
			w.violated(fmt.Sprintf("bank: an account holds %q", v.Str))
		}
		out[i] = n
	}
	return out
}

func (w *bank) judge(r check.BankRead) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.judged.Read(r)
}

// Final implements Workload.
func (w *bank) Final(ctx context.Context) error {
	if !w.opened {
		return nil
	}
	call := w.now()
	return w.atEach(ctx, w.accounts, func(node string, _ int, values []respclient.Value) {
		w.judged.Final(check.BankRead{
			Client: w.o.Clients, Node: node, Leading: true,
			Balances: w.balances(values), Span: check.Span{Call: call, Return: w.now()},
		})
	})
}

// Check implements Workload.
func (w *bank) Check() Report {
	out := w.result()
	out.Violations = append(out.Violations, w.judged.Violations()...)
	return out
}
