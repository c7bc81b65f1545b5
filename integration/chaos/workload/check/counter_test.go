package check

import "testing"

func incr(class int, value, from, to int64, o Outcome) CounterOp {
	return CounterOp{Class: class, Value: value, Outcome: o, Span: span(from, to)}
}

func read(value, from, to int64) CounterOp {
	return CounterOp{Read: true, Value: value, Span: span(from, to)}
}

func TestCounter(t *testing.T) {
	const b = CounterRadix // what class 1 adds
	for _, tc := range []struct {
		name string
		want string
		ops  []CounterOp
	}{
		{"plain", "", []CounterOp{
			incr(0, 1, 1, 2, Acked), incr(1, 1+b, 3, 4, Acked), read(1+b, 5, 6), incr(0, 2+b, 7, 8, Acked),
		}},
		{"answered alike", "answered alike", []CounterOp{incr(0, 1, 1, 4, Acked), incr(0, 1, 2, 3, Acked)}},
		{"lost", "LOST", []CounterOp{incr(1, b, 1, 4, Acked), incr(0, 1+b, 2, 3, Acked), incr(0, 2, 2, 5, Acked)}},
		{"went back", "went back", []CounterOp{incr(0, 2, 1, 2, Acked), incr(0, 1, 3, 4, Acked)}},
		{"beside each other", "", []CounterOp{incr(0, 2, 1, 4, Acked), incr(0, 1, 2, 3, Acked)}},
		{"stale read", "went back", []CounterOp{incr(0, 1, 1, 2, Acked), read(0, 3, 4)}},
		{"answered what was read before", "went back", []CounterOp{
			incr(0, 0, 1, 2, Unknown), read(1, 3, 4), incr(0, 1, 5, 6, Acked),
		}},
		{"read beside the write", "", []CounterOp{incr(0, 1, 1, 4, Acked), read(0, 2, 3)}},
		{"counted twice by the answer", "COUNTED TWICE", []CounterOp{incr(0, 2, 1, 2, Acked)}},
		{"unknown, counted once", "", []CounterOp{incr(0, 0, 1, 2, Unknown), incr(0, 2, 3, 4, Acked)}},
		{"unknown, not counted", "", []CounterOp{incr(0, 0, 1, 2, Unknown), incr(0, 1, 3, 4, Acked)}},
		{"unknown, counted late", "", []CounterOp{incr(0, 0, 1, 2, Unknown), read(0, 3, 4), read(1, 5, 6)}},
		{"unknown, counted twice", "COUNTED TWICE", []CounterOp{incr(0, 0, 1, 2, Unknown), incr(0, 3, 3, 4, Acked)}},
		{"one counted twice, another lost", "COUNTED TWICE", []CounterOp{
			incr(1, 0, 1, 2, Unknown), incr(2, 0, 1, 2, Unknown), incr(0, 1+2*b, 3, 4, Acked),
		}},
		{"counted before it was sent", "COUNTED TWICE", []CounterOp{incr(0, 2, 1, 2, Acked), incr(0, 0, 3, 4, Unknown)}},
		{"refused and counted", "COUNTED TWICE", []CounterOp{incr(0, 0, 1, 2, Refused), incr(0, 2, 3, 4, Acked)}},
		{"refused", "", []CounterOp{incr(0, 0, 1, 2, Refused), incr(0, 1, 3, 4, Acked)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _ := Counter("k", tc.ops)
			judge(t, got, tc.want)
		})
	}
}

func TestCounterFinal(t *testing.T) {
	ops := []CounterOp{
		incr(0, 1, 1, 2, Acked), incr(1, 0, 3, 4, Unknown), incr(0, 0, 3, 4, Refused), incr(2, 0, 3, 4, Unknown),
	}
	violations, totals := Counter("k", ops)
	judge(t, violations, "")
	for value, want := range map[int64]string{
		1: "", 1 + CounterRadix: "", 1 + CounterRadix + CounterDelta(2): "",
		0:                   "LOST",
		CounterRadix:        "LOST",
		2:                   "COUNTED TWICE",
		1 + 2*CounterRadix:  "COUNTED TWICE",
		-1:                  "holds -1",
		1 + CounterDelta(3): "COUNTED TWICE",
	} {
		judge(t, totals.Final("k", "n1", value), want)
	}
	violations, totals = Counter("k", append(ops, read(1+CounterRadix, 5, 6)))
	judge(t, violations, "")
	judge(t, totals.Final("k", "n1", 1), "was answered before") // seen, so it can't be undone
}
