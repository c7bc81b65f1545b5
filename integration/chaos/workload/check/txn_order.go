package check

import "slices"

// settleUnknown decides on transactions of unknown outcome: one of which something was seen has taken effect, before
// the first who saw it was told. Of the others nothing is known, and they say nothing.
func (c *appends) settleUnknown() {
	for _, v := range c.keys {
		for n := len(v.seenBy) - 2; n >= 0; n-- { // who was told of n+1 elements has seen the first n
			v.seenBy[n] = min(v.seenBy[n], v.seenBy[n+1])
		}
	}
	for _, v := range c.keys {
		for i, e := range v.order {
			if w, ok := c.writer[e]; ok && c.txns[w.txn].Outcome != Refused {
				c.tookEffect(w.txn, v.seenBy[i+1])
			}
		}
	}
	for i := range c.txns {
		if t := &c.txns[i]; c.settled[i] {
			t.Outcome, t.Return = Acked, max(t.Call, t.Return)
		}
	}
}

// tookEffect notes that a transaction of unknown outcome was seen by somebody who was told at a moment.
func (c *appends) tookEffect(txn int, end int64) {
	t := &c.txns[txn]
	if t.Outcome != Unknown {
		return
	}
	if !c.settled[txn] {
		c.settled[txn] = true
		t.Return = end
		t.Ops = slices.Clone(t.Ops)
		for i := range t.Ops { // what it read was not told
			t.Ops[i].Read, t.Ops[i].untold = nil, !t.Ops[i].Append
		}
	}
	t.Return = min(t.Return, end)
}

// placeUnread puts acknowledged appends into the order that no read has seen but whose replies tell where they are.
func (c *appends) placeUnread() {
	for i := range c.txns {
		t := &c.txns[i]
		if t.Outcome != Acked {
			continue
		}
		for _, op := range t.Ops {
			if op.Append && op.Length > 0 {
				c.place(t, op)
			}
		}
	}
	for _, v := range c.keys {
		v.position = make(map[int]int, len(v.order))
		for i, e := range v.order {
			if e != unknownElement {
				v.position[e] = i
			}
		}
	}
}

func (c *appends) place(t *Txn, op TxnOp) {
	v := c.key(op.Key)
	if v.longest != nil && v.known == 0 {
		v.known = len(v.order)
		v.order = slices.Clone(v.order)
	}
	for len(v.order) < op.Length {
		v.order = append(v.order, unknownElement)
	}
	switch there := v.order[op.Length-1]; {
	case there == op.Value:
	case there == unknownElement:
		v.order[op.Length-1] = op.Value
	case op.Length <= v.known:
		c.violation("LOST append or wrong reply: %s was answered that it made k%d %d long, but there stands %d, as %s saw it",
			t, op.Key, op.Length, there, v.longest)
	default:
		c.violation("lost update: %s was answered that it made k%d %d long, which the append of %d was answered too, %s",
			t, op.Key, op.Length, there, &c.txns[c.writer[there].txn])
	}
}

// judgeAppends looks for acknowledged appends that a read which began later did not see.
func (c *appends) judgeAppends() {
	for i := range c.txns {
		t := &c.txns[i]
		if t.Outcome != Acked {
			continue
		}
		for _, op := range t.Ops {
			if !op.Append {
				continue
			}
			v := c.key(op.Key)
			if v.last == nil || !t.before(v.last.Span) {
				continue
			}
			if p, ok := v.position[op.Value]; !ok || p >= len(v.lastRead) {
				c.violation("LOST append: the last read of k%d, %s, did not see %d of %s", op.Key, v.last, op.Value, t)
			}
		}
	}
}

// lostUpdates looks for transactions that both read one version of a key and then appended to it.
func (c *appends) lostUpdates() {
	type version struct{ key, length int }
	updated := make(map[version]*Txn)
	for i := range c.txns {
		t := &c.txns[i]
		if t.Outcome != Acked {
			continue
		}
		for _, r := range externalReads(t) {
			if !r.updates {
				continue
			}
			if other, twice := updated[version{r.key, r.length}]; twice {
				c.violation("lost update of k%d: %s and %s", r.key, other, t)
			}
			updated[version{r.key, r.length}] = t
		}
	}
}

// externalRead is what a transaction saw of a key as others had left it.
type externalRead struct {
	key, length int
	updates     bool // the transaction appended to the key after it had read it
}

func externalReads(t *Txn) []externalRead {
	var out []externalRead
	for i, op := range t.Ops {
		if op.Append || op.untold {
			continue
		}
		own, first := 0, true
		for _, o := range t.Ops[:i] {
			switch {
			case o.Key != op.Key:
			case o.Append:
				own++
			default:
				first = false
			}
		}
		if !first {
			continue
		}
		r := externalRead{key: op.Key, length: max(0, len(op.Read)-own)}
		if own == 0 {
			r.updates = slices.ContainsFunc(t.Ops[i:], func(o TxnOp) bool { return o.Append && o.Key == op.Key })
		}
		out = append(out, r)
	}
	return out
}
