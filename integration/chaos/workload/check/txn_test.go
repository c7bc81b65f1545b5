package check

import (
	"math/rand/v2"
	"testing"
)

// r and a are steps of hand-made transactions.
func r(key int, list ...int) TxnOp { return TxnOp{Key: key, Read: list} }

func a(key, value int) TxnOp { return TxnOp{Key: key, Append: true, Value: value} }

// al is an append that was answered with the list's length.
func al(key, value, length int) TxnOp {
	return TxnOp{Key: key, Append: true, Value: value, Length: length}
}

func txn(from, to int64, ops ...TxnOp) Txn { return Txn{Span: span(from, to), Ops: ops} }

func (t Txn) as(o Outcome) Txn {
	t.Outcome = o
	return t
}

func TestAppend(t *testing.T) {
	for _, tc := range []struct {
		name string
		want string
		txns []Txn
	}{
		{"serial", "", []Txn{
			txn(1, 2, a(1, 1), r(1, 1)), txn(3, 4, r(1, 1), a(1, 2), a(2, 3)), txn(5, 6, r(2, 3), r(1, 1, 2)),
		}},
		{"own effects", "internal", []Txn{txn(1, 2, a(1, 1), r(1))}},
		{"own effects in the middle", "internal", []Txn{txn(1, 2, r(1), a(1, 1), r(1, 2, 1)), txn(1, 2, a(1, 2))}},
		{"two reads that differ", "internal", []Txn{txn(1, 4, r(1), r(1, 1)), txn(2, 3, a(1, 1))}},
		{"others' effects before its own", "", []Txn{txn(1, 4, a(1, 1), r(1, 2, 1)), txn(2, 3, a(1, 2))}},
		{"duplicate", "duplicate", []Txn{txn(1, 2, a(1, 1)), txn(3, 4, r(1, 1, 1))}},
		{"out of nowhere", "nobody appended", []Txn{txn(1, 2, a(1, 1)), txn(3, 4, r(1, 1, 7))}},
		{"of another key", "nobody appended", []Txn{txn(1, 2, a(1, 1), a(2, 2)), txn(3, 4, r(1, 1, 2))}},
		{"aborted read", "G1a", []Txn{txn(1, 2, a(1, 1)).as(Refused), txn(3, 4, r(1, 1))}},
		{"aborted", "", []Txn{txn(1, 2, a(1, 1)).as(Refused), txn(3, 4, r(1))}},
		{"intermediate read", "G1b", []Txn{txn(1, 4, a(1, 1), a(1, 2)), txn(2, 3, r(1, 1)), txn(5, 6, r(1, 1, 2))}},
		{"both or none", "", []Txn{txn(1, 4, a(1, 1), a(1, 2)), txn(2, 3, r(1)), txn(2, 3, r(1, 1, 2))}},
		{"incompatible orders", "incompatible orders", []Txn{
			txn(1, 9, a(1, 1)), txn(1, 9, a(1, 2)), txn(2, 3, r(1, 1, 2)), txn(2, 3, r(1, 2, 1)),
		}},
		{"one read longer than the other", "", []Txn{
			txn(1, 9, a(1, 1)), txn(1, 9, a(1, 2)), txn(2, 3, r(1, 1, 2)), txn(2, 3, r(1, 1)),
		}},
		{"lost append", "LOST append", []Txn{txn(1, 2, a(1, 1)), txn(3, 4, r(1))}},
		{"append under way", "", []Txn{txn(1, 4, a(1, 1)), txn(3, 5, r(1))}},
		{"lost append told by its length", "LOST append or wrong reply", []Txn{
			txn(1, 9, al(1, 1, 1)), txn(1, 9, al(1, 2, 2)), txn(1, 9, r(1, 2)),
		}},
		{"two at one place", "lost update", []Txn{txn(1, 9, al(1, 1, 1)), txn(1, 9, al(1, 2, 1))}},
		{"unread, told by their lengths", "", []Txn{txn(1, 9, al(1, 1, 3)), txn(1, 9, al(1, 2, 1)), txn(1, 9, r(1, 2))}},
		{"lost update", "lost update of k1", []Txn{
			txn(1, 9, r(1), a(1, 1)), txn(1, 9, r(1), a(1, 2)), txn(10, 11, r(1, 1, 2)),
		}},
		{"update after update", "", []Txn{txn(1, 9, r(1), a(1, 1)), txn(1, 9, r(1, 1), a(1, 2)), txn(10, 11, r(1, 1, 2))}},
		{"G0", "G0, write cycle", []Txn{
			txn(1, 9, a(1, 1), a(2, 2)), txn(1, 9, a(1, 3), a(2, 4)), txn(1, 9, r(1, 1, 3)), txn(1, 9, r(2, 4, 2)),
		}},
		{"no G0", "", []Txn{
			txn(1, 9, a(1, 1), a(2, 2)), txn(1, 9, a(1, 3), a(2, 4)), txn(1, 9, r(1, 1, 3)), txn(1, 9, r(2, 2, 4)),
		}},
		{"G1c", "G1c, circular", []Txn{txn(1, 9, a(1, 1), r(2, 2)), txn(1, 9, a(2, 2), r(1, 1))}},
		{"no G1c", "", []Txn{txn(1, 9, a(1, 1), r(2)), txn(1, 9, a(2, 2), r(1, 1))}},
		{"G-single", "G-single, read skew", []Txn{
			txn(1, 9, a(1, 1), a(2, 2)), txn(1, 9, r(1, 1), r(2)), txn(10, 11, r(2, 2)),
		}},
		{"no G-single", "", []Txn{txn(1, 9, a(1, 1), a(2, 2)), txn(1, 9, r(1), r(2)), txn(10, 11, r(2, 2))}},
		{"G2, write skew", "G2, anti-dependency", []Txn{
			txn(1, 9, r(1), a(2, 2)), txn(1, 9, r(2), a(1, 1)), txn(10, 11, r(1, 1), r(2, 2)),
		}},
		{"no G2", "", []Txn{txn(1, 9, r(1), a(2, 2)), txn(1, 9, r(2, 2), a(1, 1)), txn(10, 11, r(1, 1), r(2, 2))}},
		{"stale read", "G-single-realtime", []Txn{
			txn(1, 2, a(1, 1)), txn(3, 4, a(1, 2)), txn(5, 6, r(1, 1)), txn(7, 8, r(1, 1, 2)),
		}},
		{"old read at the same time", "", []Txn{
			txn(1, 2, a(1, 1)), txn(3, 6, a(1, 2)), txn(5, 6, r(1, 1)), txn(7, 8, r(1, 1, 2)),
		}},
		{"old read that began at that very moment", "", []Txn{txn(1, 2, a(1, 1)), txn(2, 3, r(1)), txn(4, 5, r(1, 1))}},
		{"appends against time", "G0-realtime", []Txn{txn(1, 2, a(1, 1)), txn(3, 4, a(1, 2)), txn(5, 6, r(1, 2, 1))}},
		{"future read", "G1c-realtime", []Txn{txn(1, 2, r(1, 1)), txn(3, 4, a(1, 1))}},
		{"skewed reads against time", "G2-realtime", []Txn{
			txn(1, 2, a(1, 1)), txn(3, 9, r(2)), txn(1, 9, a(2, 2)), txn(1, 9, r(2, 2), r(1)), txn(10, 11, r(1, 1)),
		}},
		{"skewed reads in time", "", []Txn{
			txn(1, 4, a(1, 1)), txn(3, 9, r(2)), txn(1, 9, a(2, 2)), txn(1, 9, r(2, 2), r(1)), txn(10, 11, r(1, 1)),
		}},
		{"unknown, took effect late", "", []Txn{txn(1, 2, a(1, 1)).as(Unknown), txn(3, 4, r(1)), txn(5, 6, r(1, 1))}},
		{"unknown, never took effect", "", []Txn{txn(1, 2, a(1, 1)).as(Unknown), txn(3, 4, r(1))}},
		{"unknown, torn", "G-single", []Txn{
			txn(1, 2, a(1, 1), a(2, 2)).as(Unknown), txn(3, 4, r(1, 1), r(2)), txn(5, 6, r(2, 2)),
		}},
		{"unknown, half lost", "LOST append", []Txn{
			txn(1, 2, a(1, 1), a(2, 2)).as(Unknown), txn(3, 4, r(1, 1)), txn(5, 6, r(2)),
		}},
		{"unknown, undone", "G-single-realtime", []Txn{
			txn(1, 2, a(1, 1)).as(Unknown), txn(3, 4, r(1, 1)), txn(5, 6, r(1)),
		}},
		{"unknown, seen before it was sent", "G1c-realtime", []Txn{txn(1, 2, r(1, 1)), txn(3, 4, a(1, 1)).as(Unknown)}},
		{"unknown, what it read does not count", "", []Txn{
			txn(1, 2, a(1, 1)), txn(3, 4, r(1), a(2, 2)).as(Unknown), txn(5, 6, r(2, 2)),
		}},
	} {
		t.Run(tc.name, func(t *testing.T) { judge(t, Append("g", tc.txns), tc.want) })
	}
}

func TestAppendTakesTrueHistories(t *testing.T) {
	for seed := range uint64(20) {
		judge(t, Append("g", appendHistory(rand.New(rand.NewPCG(seed, 1)), 3000, 8)), "")
	}
}

// TestAppendFindsOneStaleRead: in a long history one answer is what was true a second before.
func TestAppendFindsOneStaleRead(t *testing.T) {
	for seed := range uint64(20) {
		txns := appendHistory(rand.New(rand.NewPCG(seed, 1)), 3000, 8)
		for i := 2000; ; i++ {
			op := &txns[i].Ops[0]
			if txns[i].Outcome == Acked && !op.Append && len(op.Read) > 50 && len(txns[i].Ops) == 1 {
				op.Read = op.Read[:len(op.Read)-20]
				break
			}
		}
		judge(t, Append("g", txns), "realtime")
	}
}

// BenchmarkAppend judges histories of 200,000 transactions as a whole.
func BenchmarkAppend(b *testing.B) {
	txns := appendHistory(rand.New(rand.NewPCG(1, 1)), 200_000, 8)
	for b.Loop() {
		if v := Append("g", txns); len(v) > 0 {
			b.Fatal(v[0])
		}
	}
}

// appendHistory makes a history that really is strictly serializable.
func appendHistory(rng *rand.Rand, n, keys int) []Txn {
	lists := make([][]int, keys) // by key; the last ones are in use
	txns := make([]Txn, n)
	value, now := 0, int64(0)
	for i := range txns {
		now += 10
		t := Txn{Client: i % 8, Span: Span{now - rng.Int64N(40), now + 1 + rng.Int64N(40)}}
		unseen := false
		switch rng.IntN(20) {
		case 0:
			t.Outcome = Unknown
			unseen = rng.IntN(2) == 0
		case 1:
			t.Outcome, unseen = Refused, true
		}
		for range 1 + rng.IntN(4) {
			if i%500 == 499 { // groups of keys take turns
				lists = append(lists, make([][]int, keys)...)
			}
			k := len(lists) - 1 - rng.IntN(keys)
			op := TxnOp{Key: k}
			if rng.IntN(2) == 0 {
				value++
				op.Append, op.Value = true, value
				if !unseen {
					lists[k] = append(lists[k], value)
				}
				if t.Outcome == Acked {
					op.Length = len(lists[k])
				}
			} else if t.Outcome == Acked {
				op.Read = lists[k]
			}
			t.Ops = append(t.Ops, op)
		}
		txns[i] = t
	}
	return txns
}
