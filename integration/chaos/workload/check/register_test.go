package check

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func get(value, from, to int64) RegisterOp { return RegisterOp{Value: value, Span: span(from, to)} }

func set(value, from, to int64, o Outcome) RegisterOp {
	return RegisterOp{Kind: Set, Value: value, Outcome: o, Span: span(from, to)}
}

func cas(old, value, from, to int64, o Outcome) RegisterOp {
	return RegisterOp{Kind: CAS, Old: old, Value: value, Outcome: o, Span: span(from, to)}
}

const notLinearizable = "not linearizable"

func TestRegister(t *testing.T) {
	for _, tc := range []struct {
		name string
		want string
		ops  []RegisterOp
	}{
		{"absent at first", "", []RegisterOp{get(0, 1, 2), set(1, 3, 4, Acked), get(1, 5, 6)}},
		{"stale read", notLinearizable, []RegisterOp{set(1, 1, 2, Acked), set(2, 3, 4, Acked), get(1, 5, 6)}},
		{"read beside the write", "", []RegisterOp{set(1, 1, 2, Acked), set(2, 3, 6, Acked), get(1, 4, 5)}},
		{"lost write", notLinearizable, []RegisterOp{set(1, 1, 2, Acked), get(0, 3, 4)}},
		{"two reads the wrong way round", notLinearizable, []RegisterOp{
			set(1, 1, 2, Acked), set(2, 3, 9, Acked), get(2, 4, 5), get(1, 6, 7),
		}},
		{"two reads at one time", "", []RegisterOp{set(1, 1, 2, Acked), set(2, 3, 9, Acked), get(2, 4, 7), get(1, 5, 6)}},
		{"refused write that is read", notLinearizable, []RegisterOp{set(1, 1, 2, Refused), get(1, 3, 4)}},
		{"refused write", "", []RegisterOp{set(1, 1, 2, Refused), get(0, 3, 4)}},
		{"unknown write that came late", "", []RegisterOp{
			set(1, 1, 2, Unknown), set(2, 3, 4, Acked), get(2, 5, 6), get(1, 7, 8),
		}},
		{"unknown write that never came", "", []RegisterOp{set(1, 1, 2, Unknown), set(2, 3, 4, Acked), get(2, 5, 6)}},
		{"unknown write that came twice", notLinearizable, []RegisterOp{
			set(1, 1, 2, Unknown), set(2, 3, 4, Acked), get(1, 5, 6), set(3, 7, 8, Acked), get(1, 9, 10),
		}},
		{"read from the future", notLinearizable, []RegisterOp{get(1, 1, 2), set(1, 3, 4, Unknown)}},
		{"two swaps of one value", notLinearizable, []RegisterOp{
			set(1, 1, 2, Acked), cas(1, 2, 3, 6, Acked), cas(1, 3, 4, 5, Acked),
		}},
		{"swap after swap", "", []RegisterOp{
			set(1, 1, 2, Acked), cas(1, 2, 3, 6, Acked), cas(2, 3, 4, 5, Acked), get(3, 7, 8),
		}},
		{"unknown swap that was seen", "", []RegisterOp{set(1, 1, 2, Acked), cas(1, 2, 3, 4, Unknown), get(2, 5, 6)}},
		{"unknown swap of what was gone", notLinearizable, []RegisterOp{
			set(1, 1, 2, Acked), set(2, 3, 4, Acked), cas(1, 3, 5, 6, Unknown), get(3, 7, 8),
		}},
		{"a chain of unknown swaps", "", []RegisterOp{
			set(1, 1, 2, Unknown), cas(1, 2, 3, 4, Unknown), cas(2, 3, 5, 6, Unknown), get(3, 7, 8),
		}},
		{"a chain of unknown swaps, then its middle", notLinearizable, []RegisterOp{
			set(1, 1, 2, Unknown), cas(1, 2, 3, 4, Unknown), cas(2, 3, 5, 6, Unknown), get(3, 7, 8), get(2, 9, 10),
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := Register("k", tc.ops, time.Minute)
			judge(t, v.Violations, tc.want)
			if v.Undecided {
				t.Error("undecided")
			}
		})
	}
}

// TestRegisterNamesTheMoment: what is told ends with the first answer that nothing explains.
func TestRegisterNamesTheMoment(t *testing.T) {
	ops := []RegisterOp{
		set(1, 1, 2, Acked), set(2, 3, 4, Acked), get(1, 5, 6), get(2, 7, 8), set(3, 9, 10, Acked), get(3, 11, 12),
	}
	judge(t, Register("k", ops, time.Minute).Violations, "from 6ms on (6 operations); the last of them:\n  "+
		"client 0 set 1, acked [1ms, 2ms]\n  client 0 set 2, acked [3ms, 4ms]\n  client 0 got 1 [5ms, 6ms]")
}

// registerHistory makes the history of clients on one register that really is linearizable: each operation takes
// effect at a moment within its span. Of the writes one in ten ends unknown, and half of these never take effect.
func registerHistory(rng *rand.Rand, n int) []RegisterOp {
	var ops []RegisterOp
	state, now := int64(0), int64(0)
	for i := range n {
		now += 10
		s := Span{now - rng.Int64N(60), now + 1 + rng.Int64N(60)}
		op := RegisterOp{Client: i % 8, Span: s}
		switch rng.IntN(3) {
		case 0:
			op.Value = state
		case 1:
			op.Kind, op.Value = Set, int64(i+1)
		default:
			op.Kind, op.Old, op.Value = CAS, state, int64(i+1)
		}
		if op.Kind != Get {
			applied := true
			if rng.IntN(10) == 0 {
				op.Outcome, applied = Unknown, rng.IntN(2) == 0
			}
			if applied {
				state = op.Value
			}
		}
		ops = append(ops, op)
	}
	return ops
}

func TestRegisterTakesTrueHistories(t *testing.T) {
	for seed := range uint64(15) {
		ops := registerHistory(rand.New(rand.NewPCG(seed, 1)), 900)
		v := Register("k", ops, time.Minute)
		judge(t, v.Violations, "")
		if v.Undecided {
			t.Errorf("seed %d: undecided", seed)
		}
		// The same history with one answer out of its time.
		last := slices.IndexFunc(ops[500:], func(o RegisterOp) bool { return o.Kind == Get })
		first := slices.IndexFunc(ops, func(o RegisterOp) bool { return o.Kind != Get && o.Outcome == Acked })
		ops[500+last].Value = ops[first].Value
		if v := Register("k", ops, time.Minute); len(v.Violations) == 0 {
			t.Errorf("seed %d: a stale read went unnoticed", seed)
		}
	}
}

// BenchmarkRegister judges 200,000 operations on 223 keys.
func BenchmarkRegister(b *testing.B) {
	var keys [][]RegisterOp
	for n := 0; n < 200_000; n += 900 {
		keys = append(keys, registerHistory(rand.New(rand.NewPCG(uint64(n), 1)), 900))
	}
	for b.Loop() {
		for _, ops := range keys {
			if v := Register("k", ops, time.Minute); v.Undecided || len(v.Violations) > 0 {
				b.Fatal(v)
			}
		}
	}
}
