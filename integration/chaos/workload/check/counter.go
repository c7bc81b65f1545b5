package check

import (
	"fmt"
	"slices"
)

// A counter's increments come in classes: one of class i raises it by CounterRadix to the power of i (class 0 is
// INCR). So a value tells how many increments of each class it holds, as the digits of a number, and one increment
// that was counted twice can't hide behind another one that was lost. Clients have classes of their own as far as
// those reach.
const (
	CounterClasses = 6
	CounterRadix   = 1 << 10
	// CounterOpsMax bounds the operations on one key, so that no digit overflows: the rest of the radix is room for
	// what was counted twice.
	CounterOpsMax = 800
)

// CounterDelta is what an increment of a class adds.
func CounterDelta(class int) int64 {
	d := int64(1)
	for range class {
		d *= CounterRadix
	}
	return d
}

// CounterOp is one operation on one counter, which is absent (0) at first.
type CounterOp struct {
	Client  int
	Read    bool // a GET, which was answered
	Class   int  // of an increment
	Outcome Outcome
	Value   int64 // the reply
	Span
}

func (o CounterOp) String() string {
	if o.Read {
		return fmt.Sprintf("client %d read %s %s", o.Client, digits(o.Value), o.Span)
	}
	return fmt.Sprintf("client %d INCRBY %d, %s, answered %s %s",
		o.Client, CounterDelta(o.Class), o.Outcome, digits(o.Value), o.Span)
}

// tally counts increments by class.
type tally [CounterClasses]int64

func (t tally) value() (v int64) {
	for i := range t {
		v += t[i] * CounterDelta(i)
	}
	return v
}

func tallyOf(v int64) (t tally) {
	for i := range t {
		t[i] = v % CounterRadix
		v /= CounterRadix
	}
	return t
}

func digits(v int64) string {
	if v < 0 {
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%d=%d", v, tallyOf(v))
}

// CounterTotals is what is left of a counter's history once it was checked: what its value may be from then on.
type CounterTotals struct {
	acked, unknown tally
	highest        int64 // that anybody was told
}

// Counter checks one counter's history: no two increments were answered alike, answers grow in real time, and every
// answer holds the increments acknowledged up to it once each, and those of unknown outcome once or not at all.
func Counter(key string, ops []CounterOp) ([]string, CounterTotals) {
	var f findings
	var totals CounterTotals
	answered := make([]*CounterOp, 0, len(ops))
	var open []*CounterOp
	for i := range ops {
		switch op := &ops[i]; op.Outcome {
		case Acked:
			answered = append(answered, op)
			totals.highest = max(totals.highest, op.Value)
			if !op.Read {
				totals.acked[op.Class]++
			}
		case Unknown:
			open = append(open, op)
			totals.unknown[op.Class]++
		}
	}
	counterOrder(&f, key, answered)
	counterDigits(&f, key, answered, open)
	return f.list, totals
}

// counterOrder holds the answers against real time: an operation that began after another one had ended was told
// more, or, if it only read, no less.
func counterOrder(f *findings, key string, answered []*CounterOp) {
	byEnd := slices.Clone(answered)
	slices.SortFunc(byEnd, func(a, b *CounterOp) int { return compare(a.Return, b.Return) })
	byCall := slices.Clone(answered)
	slices.SortFunc(byCall, func(a, b *CounterOp) int { return compare(a.Call, b.Call) })
	var last *CounterOp // that was told the most, of those that had ended
	ended := 0
	for _, op := range byCall {
		for ; byEnd[ended].Return < op.Call; ended++ {
			if last == nil || byEnd[ended].Value > last.Value {
				last = byEnd[ended]
			}
		}
		if last != nil && (op.Value < last.Value || op.Value == last.Value && !op.Read) {
			f.add("counter %s: went back: %s came after %s", key, op, last)
		}
	}
}

// counterDigits walks through the answers as they grow.
func counterDigits(f *findings, key string, answered, open []*CounterOp) {
	byValue := slices.Clone(answered)
	slices.SortStableFunc(byValue, func(a, b *CounterOp) int {
		if a.Value == b.Value && a.Read != b.Read { // a read of a value comes after the write that made it
			return boolInt(a.Read) - boolInt(b.Read)
		}
		return compare(a.Value, b.Value)
	})
	var acked tally
	var before *CounterOp
	for _, op := range byValue {
		if op.Value < 0 {
			f.add("counter %s: %s", key, op)
			continue
		}
		if !op.Read {
			if before != nil && before.Value == op.Value {
				f.add("counter %s: two increments were answered alike: %s and %s", key, before, op)
			}
			acked[op.Class]++
			before = op
		}
		var unknown tally
		for _, o := range open {
			if o.Call <= op.Return {
				unknown[o.Class]++
			}
		}
		if why := within(op.Value, acked, unknown); why != "" {
			f.add("counter %s: %s: %s", key, op, why)
		}
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// within says why a value can't hold the acknowledged increments and some of those of unknown outcome.
func within(v int64, acked, unknown tally) string {
	if v == acked.value() {
		return ""
	}
	for class, n := range tallyOf(v) {
		switch {
		case n < acked[class]:
			return fmt.Sprintf("LOST: it holds %d increments by %d, and %d were acknowledged",
				n, CounterDelta(class), acked[class])
		case n > acked[class]+unknown[class]:
			return fmt.Sprintf("COUNTED TWICE: it holds %d increments by %d; %d were acknowledged and %d are of unknown outcome",
				n, CounterDelta(class), acked[class], unknown[class])
		}
	}
	return ""
}

// Final checks a value that was read when all was over.
func (t CounterTotals) Final(key, node string, v int64) []string {
	var f findings
	if v < t.highest {
		f.add("counter %s: %s holds %s in the end; %s was answered before", key, node, digits(v), digits(t.highest))
	}
	if v < 0 {
		f.add("counter %s: %s holds %d in the end", key, node, v)
	} else if why := within(v, t.acked, t.unknown); why != "" {
		f.add("counter %s: %s holds %s in the end: %s", key, node, digits(v), why)
	}
	return f.list
}
