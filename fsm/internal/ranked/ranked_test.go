package ranked

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is a set as a Go map, and its entries in order.
type model map[string]float64

func (m model) entries() []Entry {
	var out []Entry
	for member, score := range m {
		out = append(out, Entry{member, score})
	}
	slices.SortFunc(out, Compare)
	return out
}

// check compares all that a set says of itself with the model.
func check(t *testing.T, s *Set, m model) {
	t.Helper()
	want := m.entries()
	if got := slices.Collect(s.Ascend(0)); !slices.Equal(got, want) || s.Len() != len(want) {
		t.Fatalf("in order: %v, want %v", got, want)
	}
	back := slices.Collect(s.Descend(s.Len() - 1))
	if slices.Reverse(back); !slices.Equal(back, want) {
		t.Fatalf("backwards: %v, want %v", back, want)
	}
	for i, e := range want {
		rank, ok := s.Rank(e.Member)
		if score, there := s.Score(e.Member); !ok || !there || rank != i || score != e.Score || s.At(i) != e {
			t.Fatalf("%v has rank %d and score %g, want %d; at %d stands %v", e, rank, score, i, i, s.At(i))
		}
	}
	if len(want) > 0 && !slices.Equal(slices.Collect(s.Ascend(len(want)/2)), want[len(want)/2:]) {
		t.Fatal("from the middle on")
	}
	scanned := model{}
	s.Scan(0, math.MaxInt32, func(member string, score float64) { scanned[member] = score })
	if !maps.Equal(scanned, m) {
		t.Fatalf("scanned: %v", scanned)
	}
}

// TestAgainstModel does random things to sets and to maps. What was copied must stay what it was.
func TestAgainstModel(t *testing.T) {
	for _, grow := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(3, 4))
		var s Set
		if grow {
			s.Grow()
		}
		m := model{}
		for step := range 4000 {
			member, score := fmt.Sprint(rng.IntN(200)), float64(rng.IntN(10))
			switch rng.IntN(10) {
			case 0, 1, 2, 3:
				s.Put(member, score)
				m[member] = score
			case 4, 5:
				_, there := m[member]
				if s.Delete(member) != there {
					t.Fatalf("Delete(%s): want %v", member, there)
				}
				delete(m, member)
			case 6:
				from := rng.IntN(s.Len() + 1)
				to := from + rng.IntN(min(4, s.Len()-from+1))
				if rng.IntN(50) == 0 {
					from, to = s.Len()/8, s.Len()-2*(s.Len()/8)
				}
				for _, e := range m.entries()[from:to] {
					delete(m, e.Member)
				}
				s.Cut(from, to)
			case 7:
				least := func(e Entry) bool { return e.Score >= score }
				want := slices.IndexFunc(m.entries(), least)
				if want < 0 {
					want = s.Len()
				}
				if got := s.Until(0, least); got != want {
					t.Fatalf("Until %g: %d, want %d", score, got, want)
				}
				if got := s.Since(s.Len(), func(e Entry) bool { return e.Score < score }); got != want {
					t.Fatalf("Since %g: %d, want %d", score, got, want)
				}
			case 8:
				if _, there := m[member]; there {
					continue
				}
				last := Entry{member, 10 + float64(step)}
				if !s.Append(last) || s.Append(last) || s.Append(Entry{member, 1e9}) || s.Append(Entry{"new", -1}) {
					t.Fatal("Append takes what does not belong there, or does not take what does")
				}
				m[member] = last.Score
			}
			if step%100 == 0 {
				held, picture := s, maps.Clone(m)
				s = s.Copy()
				for range 20 {
					s.Put(fmt.Sprint(rng.IntN(200)), float64(step))
				}
				s.Cut(0, s.Len()/2)
				check(t, &held, picture)
				m = model{}
				for e := range s.Ascend(0) {
					m[e.Member] = e.Score
				}
			}
			if step%20 == 0 {
				check(t, &s, m)
			}
		}
	}
}

// TestGrow keeps what is there, and what was copied before stays small.
func TestGrow(t *testing.T) {
	var s Set
	m := model{}
	for i := range 1000 {
		s.Put(fmt.Sprint(i), float64(i%7))
		m[fmt.Sprint(i)] = float64(i % 7)
		if i == 100 {
			held := s
			s = s.Copy()
			s.Grow()
			s.Grow()
			if held.Big() || !s.Big() || held.Len() != 101 {
				t.Error("a copy grew with the other")
			}
		}
	}
	check(t, &s, m)
}

// TestZeros: a small set forgets the sign of a zero, as Redis's does; for a big one both stand at the same place.
func TestZeros(t *testing.T) {
	negative := math.Copysign(0, -1)
	var s Set
	s.Put("a", negative)
	s.Append(Entry{"b", negative})
	for _, member := range []string{"a", "b"} {
		if score, _ := s.Score(member); math.Signbit(score) {
			t.Errorf("%s has -0 in a small set", member)
		}
	}
	s.Grow()
	s.Put("c", 0)
	s.Put("bb", negative)
	if score, _ := s.Score("bb"); !math.Signbit(score) {
		t.Error("a big set has forgotten a sign")
	}
	check(t, &s, model{"a": 0, "b": 0, "bb": 0, "c": 0})
	s.Put("bb", 1)
	s.Delete("a")
	check(t, &s, model{"b": 0, "bb": 1, "c": 0})
}

// TestNamesInAnyOrder: a small set looks for the first or last entry from an end, also where names do not follow ranks.
func TestNamesInAnyOrder(t *testing.T) {
	var s Set
	for i, member := range []string{"d", "a", "c", "b"} {
		s.Put(member, float64(i))
	}
	if got := s.Until(1, func(e Entry) bool { return e.Member >= "b" }); got != 2 {
		t.Errorf("Until: %d", got)
	}
	if got := s.Since(3, func(e Entry) bool { return e.Member <= "b" }); got != 2 {
		t.Errorf("Since: %d", got)
	}
}
