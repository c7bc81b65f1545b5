package cluster_test

import (
	"fmt"
	"strconv"

	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// accounts are the keys that transactions move money between.
const (
	accounts = 4
	opening  = 100
)

func account(i int) string { return fmt.Sprint("account", i) }

func (w *workload) openAccounts() {
	words := []string{"MSET"}
	for i := range accounts {
		words = append(words, account(i), strconv.Itoa(opening))
	}
	w.s.MustWrite(words...)
}

// transfer moves money in one transaction.
func (w *workload) transfer() {
	amount := strconv.Itoa(1 + w.s.Rand(50))
	w.tell(w.member().ProposeTxn(nil,
		simtest.Call("DECRBY", account(w.s.Rand(accounts)), amount),
		simtest.Call("INCRBY", account(w.s.Rand(accounts)), amount),
	).Wait())
}

// audit reads all accounts anywhere, even a state that is old: the sum never changes.
func (w *workload) audit() {
	words := []string{"MGET"}
	for i := range accounts {
		words = append(words, account(i))
	}
	how := w.reads[w.s.Rand(len(w.reads))]
	got, err := w.member().Read(how, words...)
	if err != nil {
		return
	}
	sum := 0
	for _, v := range got[1:] {
		n, err := strconv.Atoi(v[1:])
		if err != nil {
			w.s.Violation("accounts hold %v", got)
			return
		}
		sum += n
	}
	if sum != accounts*opening {
		w.s.Violation("accounts hold %v, which is not %d", got, accounts*opening)
	}
}

// swap raises a number by WATCH, GET, MULTI, SET and EXEC: a lost update, or an EXEC that goes on over somebody else's
// change, leaves it too low.
func (w *workload) swap() {
	m := w.member()
	n := m.Node()
	if n == nil {
		return
	}
	ws := n.Machine().Watch(0, [][]byte{[]byte("swapped")})
	got, err := m.Read(simtest.Strong, "GET", "swapped")
	if err != nil {
		return
	}
	value := 0
	if got[0] != "_" {
		value, _ = strconv.Atoi(got[0][1:])
	}
	end := m.ProposeTxn(ws, simtest.Call("SET", "swapped", strconv.Itoa(value+1))).Wait()
	w.tell(end)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case end.Outcome == command.Unknown:
		w.swapsUnknown++
	case end.Outcome == command.Applied && end.Replies[0] == "*1":
		w.swaps++
	}
}
