package lua

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTableAgainstModel holds random operations to a map and to the list of the keys in the order in which they came.
func TestTableAgainstModel(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		tab, model := &Table{}, map[Value]Value{}
		for range 400 {
			k := Int(rng.IntN(24) - 2)
			switch rng.IntN(4) {
			case 0:
				k = String(string(rune('a' + rng.IntN(26))))
			case 1:
				k = Bool(rng.IntN(2) == 0)
			}
			v := Int(rng.IntN(1000))
			if rng.IntN(3) == 0 {
				v = Nil
			}
			tab.Set(k, v)
			if model[k] = v; v.IsNil() {
				delete(model, k)
			}
			checkTable(t, tab, model)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

func checkTable(t *testing.T, tab *Table, model map[Value]Value) {
	for k, v := range model {
		if got := tab.Get(k); got != v {
			t.Errorf("%v is %v, want %v", k, got, v)
		}
	}
	seen := 0
	for k, v, _, ok := tab.Next(Nil); !k.IsNil(); k, v, _, ok = tab.Next(k) {
		if !ok || model[k] != v {
			t.Errorf("next gives %v = %v, %t", k, v, ok)
		}
		seen++
	}
	if seen != len(model) {
		t.Errorf("next gives %d keys of %d", seen, len(model))
	}
	if n := tab.Len(); n > 0 && model[Int(n)].IsNil() || !model[Int(n+1)].IsNil() {
		t.Errorf("%d is no border", n)
	}
}

// TestTableCanBeClearedInATraversal: fields may be set to nil while next goes through them.
func TestTableCanBeClearedInATraversal(t *testing.T) {
	tab := &Table{}
	for i := 1; i <= 50; i++ {
		tab.Set(Int(i), Int(i))
		tab.SetStr(FormatNumber(float64(i))+"k", Int(i))
	}
	n := 0
	for k, _, _, _ := tab.Next(Nil); !k.IsNil(); k, _, _, _ = tab.Next(k) {
		tab.Set(k, Nil)
		n++
	}
	if k, _, _, _ := tab.Next(Nil); n != 100 || !k.IsNil() {
		t.Errorf("%d keys were cleared, %v is left", n, k)
	}
}

func TestTableKeepsItsOrder(t *testing.T) {
	tab := &Table{}
	var want []string
	for i := range 100 {
		s := FormatNumber(float64((i * 37) % 100))
		tab.SetStr(s, Int(i))
		want = append(want, s)
	}
	var got []string
	for k, _, _, _ := tab.Next(Nil); !k.IsNil(); k, _, _, _ = tab.Next(k) {
		s, _ := k.Str()
		got = append(got, s)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestTableReusesRemovedPlaces: a table that keys come to and go from stays small.
func TestTableReusesRemovedPlaces(t *testing.T) {
	tab := &Table{}
	for i := range 100_000 {
		tab.SetStr(FormatNumber(float64(i)), Int(i))
		tab.SetStr(FormatNumber(float64(i)), Nil)
	}
	if n := tab.Size(); n > 100 {
		t.Errorf("%d places for no key", n)
	}
}
