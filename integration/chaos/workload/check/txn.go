package check

import (
	"fmt"
	"slices"
	"strings"
)

// Txn is one transaction of reads and appends on lists, which are absent at first. Refused ones took no effect (an
// EXEC that WATCH made fail among them). What one of unknown outcome has read is not known.
type Txn struct {
	Client  int
	Outcome Outcome
	Span
	Ops []TxnOp
}

// TxnOp is a step of a transaction.
type TxnOp struct {
	Key    int
	Append bool
	// Value is what was appended. No two appends of a history have the same one.
	Value int
	// Length is that of the list after the append, as the reply had it; 0: not known.
	Length int
	// Read is what the key was seen to hold.
	Read []int

	untold bool // a read of a transaction of unknown outcome
}

func (o TxnOp) String() string {
	switch {
	case !o.Append:
		return fmt.Sprintf("read k%d=%s", o.Key, elements(o.Read))
	case o.Length > 0:
		return fmt.Sprintf("append k%d %d (#%d)", o.Key, o.Value, o.Length)
	}
	return fmt.Sprintf("append k%d %d", o.Key, o.Value)
}

// elementsShow is how many of a list's last elements are told.
const elementsShow = 8

func elements(list []int) string {
	if len(list) <= elementsShow {
		return fmt.Sprint(list)
	}
	return fmt.Sprintf("(%d elements, the last %d)", len(list), list[len(list)-elementsShow:])
}

func (t *Txn) String() string {
	steps := make([]string, len(t.Ops))
	for i, o := range t.Ops {
		steps[i] = o.String()
	}
	return fmt.Sprintf("{client %d %s %s: %s}", t.Client, t.Outcome, t.Span, strings.Join(steps, ", "))
}

// appends checks a history of list appends in the manner of Elle (Kingsbury and Alvaro, VLDB 2020). As every element
// is unique and a list keeps the order of its appends, reads tell the order of the versions of each key; from that
// follow the dependencies between transactions, and a cycle among them is an anomaly.
type appends struct {
	findings
	name   string
	txns   []Txn
	writer map[int]place // by value
	keys   map[int]*versions
	// settled are the transactions of unknown outcome that have taken effect.
	settled []bool
}

// place is a step of a transaction.
type place struct{ txn, op int }

// versions is what is known of one key.
type versions struct {
	// order are the elements as they were appended, as far as reads and replies tell; longest is the read that knew most.
	order   []int
	longest *Txn
	// seenBy is when a list of so many elements was first told.
	seenBy []int64
	// known is how many elements of order were read, once replies have added others; position is where each one stands.
	known    int
	position map[int]int
	// last is the read that began last.
	last     *Txn
	lastRead []int
}

// unknownElement stands where a position of a list was taken by an append that nobody has seen.
const unknownElement = -1

// Append checks transactions for strict serializability. name is told in violations, together with the numbers of
// keys.
func Append(name string, txns []Txn) []string {
	c := &appends{
		name: name, txns: slices.Clone(txns), settled: make([]bool, len(txns)),
		writer: make(map[int]place), keys: make(map[int]*versions),
	}
	c.index()
	for i := range c.txns {
		c.internal(&c.txns[i])
	}
	for i := range c.txns {
		c.observe(&c.txns[i])
	}
	c.settleUnknown()
	c.placeUnread()
	c.judgeAppends()
	c.lostUpdates()
	c.cycles()
	return c.list
}

func (c *appends) violation(format string, a ...any) {
	c.add("append %s: "+format, append([]any{c.name}, a...)...)
}

func (c *appends) key(k int) *versions {
	v := c.keys[k]
	if v == nil {
		v = &versions{}
		c.keys[k] = v
	}
	return v
}

func (c *appends) index() {
	for i := range c.txns {
		for j, op := range c.txns[i].Ops {
			if op.Append {
				c.writer[op.Value] = place{i, j}
			}
		}
	}
}

// internal checks that a transaction sees its own appends, and nothing else changing meanwhile.
func (c *appends) internal(t *Txn) {
	if t.Outcome != Acked {
		return
	}
	known := make(map[int][]int)
	own := make(map[int][]int)
	for _, op := range t.Ops {
		list, read := known[op.Key]
		switch {
		case op.Append:
			own[op.Key] = append(own[op.Key], op.Value)
			if read {
				known[op.Key] = append(slices.Clip(list), op.Value)
			}
		case read && !slices.Equal(op.Read, list), !read && !endsWith(op.Read, own[op.Key]):
			c.violation("internal: a transaction does not see its own effects: %s", t)
			return
		default:
			known[op.Key] = op.Read
		}
	}
}

func endsWith(list, tail []int) bool {
	return len(list) >= len(tail) && slices.Equal(list[len(list)-len(tail):], tail)
}

// observe checks what a transaction read and learns the order of the elements from it.
func (c *appends) observe(t *Txn) {
	if t.Outcome != Acked {
		return
	}
	for i := range t.Ops {
		op := &t.Ops[i]
		if op.Append {
			continue
		}
		v := c.key(op.Key)
		if v.last == nil || t.Call > v.last.Call {
			v.last, v.lastRead = t, op.Read
		}
		short, long := op.Read, v.order
		if len(short) > len(long) {
			short, long = long, short
		}
		if !slices.Equal(short, long[:len(short)]) {
			c.violation("incompatible orders of k%d: %s and %s", op.Key, t, v.longest)
			continue
		}
		c.intermediate(t, op)
		v.sawUpTo(len(op.Read), t.Return)
		if len(op.Read) > len(v.order) || v.longest == nil {
			c.newElements(t, op, len(v.order))
			v.order, v.longest = op.Read, t
		}
	}
}

// sawUpTo notes when a list of n elements was told.
func (v *versions) sawUpTo(n int, end int64) {
	for len(v.seenBy) <= n {
		v.seenBy = append(v.seenBy, never)
	}
	v.seenBy[n] = min(v.seenBy[n], end)
}

// newElements checks elements that are seen for the first time.
func (c *appends) newElements(t *Txn, op *TxnOp, from int) {
	for i, e := range op.Read[from:] {
		w, ok := c.writer[e]
		switch {
		case !ok || c.txns[w.txn].Ops[w.op].Key != op.Key:
			c.violation("nobody appended %d to k%d: %s", e, op.Key, t)
		case c.txns[w.txn].Outcome == Refused:
			c.violation("G1a, aborted read: %s has seen %d of %s", t, e, &c.txns[w.txn])
		case slices.Contains(op.Read[:from+i], e):
			c.violation("duplicate: %d is twice in k%d, appended once by %s: %s", e, op.Key, &c.txns[w.txn], t)
		}
	}
}

// intermediate looks for reads between two appends of another transaction (G1b).
func (c *appends) intermediate(t *Txn, op *TxnOp) {
	if len(op.Read) == 0 {
		return
	}
	w, ok := c.writer[op.Read[len(op.Read)-1]]
	if !ok || &c.txns[w.txn] == t {
		return
	}
	for _, later := range c.txns[w.txn].Ops[w.op+1:] {
		if later.Append && later.Key == op.Key {
			c.violation("G1b, intermediate read: %s has seen k%d in the middle of %s", t, op.Key, &c.txns[w.txn])
			return
		}
	}
}
