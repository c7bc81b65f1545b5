package check

import "fmt"

// Bank judges accounts whose total never changes. Its methods take what happened in any order, but Transfer comes
// before Final. The zero value is of no use: Accounts and Initial must be set.
type Bank struct {
	Accounts int
	Initial  int64 // of each account

	acked, lowest, highest []int64 // by account: the net of acknowledged transfers, and what unknown ones may add to it
	findings
}

// BankRead is what one command, or one transaction, saw of all accounts.
type BankRead struct {
	Client int
	Node   string
	// Leading: a read that must be linearizable, after the accounts were opened.
	Leading bool
	// Balances are those of all accounts; Absent where there was none.
	Balances []int64
	Span
}

// Absent is the balance of an account that is not there.
const Absent = int64(-1) << 63

// BankTransfer moves an amount, which the first account was seen to have.
type BankTransfer struct {
	From, To int
	Amount   int64
	Outcome  Outcome
}

// Violations are those found so far.
func (b *Bank) Violations() []string { return b.list }

// Read judges one read. All accounts are opened by one command, so a follower has all of them or, as long as it lags
// behind that, none.
func (b *Bank) Read(r BankRead) {
	total, absent, negative := int64(0), 0, false
	for _, n := range r.Balances {
		if n == Absent {
			absent++
			continue
		}
		total += n
		negative = negative || n < 0
	}
	switch {
	case len(r.Balances) != b.Accounts, absent > 0 && absent < b.Accounts:
		b.add("bank: some accounts are not there: %s", r)
	case absent > 0 && r.Leading:
		b.add("bank: LOST: no account is there any more: %s", r)
	case absent > 0:
	case total != int64(b.Accounts)*b.Initial:
		b.add("bank: the total is %d, not %d: %s", total, int64(b.Accounts)*b.Initial, r)
	case negative:
		b.add("bank: an account was overdrawn, though transfers watch it: %s", r)
	}
}

func (r BankRead) String() string {
	balances := make([]string, len(r.Balances))
	for i, n := range r.Balances {
		balances[i] = fmt.Sprint(n)
		if n == Absent {
			balances[i] = "none"
		}
	}
	return fmt.Sprintf("client %d at %s (leading: %t) read %v %s", r.Client, r.Node, r.Leading, balances, r.Span)
}

// Transfer notes a transfer for Final.
func (b *Bank) Transfer(t BankTransfer) {
	if b.acked == nil {
		b.acked, b.lowest, b.highest = make([]int64, b.Accounts), make([]int64, b.Accounts), make([]int64, b.Accounts)
	}
	switch t.Outcome {
	case Acked:
		b.acked[t.From] -= t.Amount
		b.acked[t.To] += t.Amount
	case Unknown:
		b.lowest[t.From] -= t.Amount
		b.highest[t.To] += t.Amount
	}
}

// Final judges what a node holds in the end: every account is as the acknowledged transfers have left it, and those of
// unknown outcome may have.
func (b *Bank) Final(r BankRead) {
	b.Read(r)
	if b.acked == nil || len(r.Balances) != b.Accounts {
		return
	}
	for i, n := range r.Balances {
		least, most := b.Initial+b.acked[i]+b.lowest[i], b.Initial+b.acked[i]+b.highest[i]
		if n != Absent && (n < least || n > most) {
			b.add("bank: account %d holds %d at %s in the end; the acknowledged transfers left from %d to %d there",
				i, n, r.Node, least, most)
		}
	}
}
