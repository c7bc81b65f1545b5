package streams

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// model is a log as a plain list, with the node that each entry is in.
type model []modelEntry

type modelEntry struct {
	id   ID
	text string // the fields
}

func fieldsOf(words ...string) (out [][]byte) {
	for _, w := range words {
		out = append(out, []byte(w))
	}
	return out
}

func shown(e Entry) modelEntry {
	var words []string
	for name, val := range e.All() {
		words = append(words, name, val)
	}
	return modelEntry{e.ID, strings.Join(words, "|")}
}

func shownAll(l *Log) (out model) {
	for e := range l.Range(ID{}, Max) {
		out = append(out, shown(e))
	}
	return out
}

// randomFields are of few names, so that many entries share them.
func randomFields(rng *rand.Rand) [][]byte {
	val := strings.Repeat("v", rng.IntN(60))
	switch rng.IntN(5) {
	case 0:
		return fieldsOf("b", val)
	case 1:
		return fieldsOf("a", val, "b", "", "a", "x")
	case 2:
		return fieldsOf("a", val, "c", strings.Repeat("w", rng.IntN(3000)))
	}
	return fieldsOf("a", val)
}

// TestLogAgainstList does random things to logs and to lists, and to copies of both.
func TestLogAgainstList(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 1))
		l, want, last := NewLog(), model(nil), ID{}
		held, picture := l.Copy(), model(nil)
		for step := range 3000 {
			switch op := rng.IntN(20); {
			case op < 12:
				last = ID{last.Ms + uint64(rng.IntN(2)), last.Seq + 1 + uint64(rng.IntN(3))}
				fields := randomFields(rng)
				l.Append(last, fields)
				words := make([]string, len(fields))
				for i, f := range fields {
					words[i] = string(f)
					clear(f) // it was copied
				}
				want = append(want, modelEntry{last, strings.Join(words, "|")})
			case op < 16:
				want = deleteOne(t, rng, &l, want)
			case op < 17 && step%10 == 0:
				want = trimBoth(t, rng, &l, want)
			case op < 18:
				compareRanges(t, rng, &l, want)
			case op == 18:
				if got := shownAll(&held); !slices.Equal(got, picture) {
					t.Fatal("a log changed through its copy")
				}
				held, picture = l, slices.Clone(want)
				l = l.Copy()
			default: // the first goes on, the copy is held
				held, picture = l.Copy(), slices.Clone(want)
			}
			if l.Len() != len(want) {
				t.Fatalf("%d entries, want %d", l.Len(), len(want))
			}
		}
		if got := shownAll(&l); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d entries, want %d", seed, len(got), len(want))
		}
		reload(t, &l)
	}
}

func deleteOne(t *testing.T, rng *rand.Rand, l *Log, want model) model {
	t.Helper()
	if len(want) == 0 {
		return want
	}
	i := rng.IntN(len(want))
	id := want[i].id
	if e, ok := l.Get(id); !ok || shown(e) != want[i] {
		t.Fatalf("Get(%s): %v %t", id, shown(e), ok)
	}
	if !l.Delete(id) || l.Delete(id) {
		t.Fatalf("Delete(%s)", id)
	}
	if _, ok := l.Get(id); ok {
		t.Fatalf("Get(%s) finds it after Delete", id)
	}
	return slices.Delete(want, i, i+1)
}

func trimBoth(t *testing.T, rng *rand.Rand, l *Log, want model) model {
	t.Helper()
	trim := Trim{MaxLen: int64(rng.IntN(len(want) + 10)), ByID: rng.IntN(2) == 0, Approx: rng.IntN(2) == 0}
	if trim.Approx {
		trim.Limit = int64(rng.IntN(300))
	}
	most := max(0, len(want)-int(trim.MaxLen))
	if trim.ByID && len(want) > 0 {
		trim.MinID = want[rng.IntN(len(want))].id
		most = slices.IndexFunc(want, func(e modelEntry) bool { return e.id == trim.MinID })
	} else if trim.ByID {
		most = 0
	}
	removed := l.Trim(trim)
	if removed > most || !trim.Approx && removed != most || trim.Limit > 0 && removed > int(trim.Limit) {
		t.Fatalf("%+v removed %d, at most %d must go", trim, removed, most)
	}
	return want[removed:]
}

func compareRanges(t *testing.T, rng *rand.Rand, l *Log, want model) {
	t.Helper()
	edge := func() ID {
		if len(want) == 0 || rng.IntN(5) == 0 {
			return ID{uint64(rng.IntN(3000)), uint64(rng.IntN(6000))}
		}
		return want[rng.IntN(len(want))].id
	}
	from, to := edge(), edge()
	var in, back model
	for _, e := range want {
		if e.id.Compare(from) >= 0 && e.id.Compare(to) <= 0 {
			in = append(in, e)
		}
	}
	n := 0
	for e := range l.Range(from, to) {
		if n >= len(in) || shown(e) != in[n] {
			t.Fatalf("Range(%s, %s): entry %d is %v", from, to, n, shown(e))
		}
		n++
	}
	for e := range l.Backward(from, to) {
		back = append(back, shown(e))
	}
	slices.Reverse(back)
	most := rng.IntN(200)
	if n != len(in) || !slices.Equal(back, in) || l.Count(from, to, math.MaxInt) != n || l.Count(from, to, most) != min(n, most) {
		t.Fatalf("from %s to %s: %d entries, %d back, Count %d, want %d", from, to, n, len(back), l.Count(from, to, math.MaxInt), len(in))
	}
	first, ok := l.First()
	if ok != (len(want) > 0) || ok && shown(first) != want[0] {
		t.Fatalf("First: %v %t", shown(first), ok)
	}
	last, ok := l.Last()
	if ok != (len(want) > 0) || ok && shown(last) != want[len(want)-1] {
		t.Fatalf("Last: %v %t", shown(last), ok)
	}
}

// reload: a log that is loaded node by node is the same, and every damage to a node is noticed or harmless.
func reload(t *testing.T, l *Log) {
	t.Helper()
	back := NewLog()
	for n := range l.Nodes() {
		if !back.Load(*n) {
			t.Fatalf("the node at %s is refused", n.Base)
		}
		if back.Load(*n) {
			t.Fatal("a node is loaded twice")
		}
	}
	if !slices.Equal(shownAll(&back), shownAll(l)) || back.Len() != l.Len() {
		t.Fatal("it came back as something else")
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range l.Nodes() {
		for range 50 {
			bad := *n
			bad.Packed, bad.Names = slices.Clone(n.Packed), slices.Clone(n.Names)
			bad.Packed[rng.IntN(len(bad.Packed))] = byte(rng.IntN(256))
			bad.Names[rng.IntN(len(bad.Names))] = byte(rng.IntN(256))
			bad.Count += rng.IntN(2)
			one := NewLog()
			if one.Load(bad) {
				_ = shownAll(&one) // it must not panic
			}
		}
	}
}

// TestNodesEndAsInRedis: a node has a hundred entries, those included that were deleted, or as many as its bytes allow.
func TestNodesEndAsInRedis(t *testing.T) {
	for _, c := range []struct{ bytes, nodes int }{{1, 3}, {30, 3}, {40, 4}, {500, 43}, {4095, 300}, {5000, 300}} {
		l := NewLog()
		for i := range 300 {
			l.Append(ID{1, uint64(i)}, fieldsOf("a", strings.Repeat("x", c.bytes)))
			if i%3 == 0 && c.bytes < 40 {
				l.Delete(ID{1, uint64(i)})
			}
		}
		if l.NodeCount() != c.nodes {
			t.Errorf("300 entries of %d bytes: %d nodes, want %d", c.bytes, l.NodeCount(), c.nodes)
		}
	}
}

// TestListpackBytes holds the sizes to the description of the format.
func TestListpackBytes(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"0", 2}, {"127", 2}, {"128", 3}, {"-1", 3}, {"-4096", 3}, {"4095", 3}, {"4096", 4}, {"-4097", 4}, {"32767", 4},
		{"32768", 5}, {"8388607", 5}, {"8388608", 6}, {"2147483647", 6}, {"2147483648", 10}, {"-9223372036854775808", 10},
		{"9223372036854775808", 21}, {"", 2}, {"007", 5}, {strings.Repeat("x", 63), 65}, {strings.Repeat("x", 64), 67},
		{strings.Repeat("x", 126), 130}, {strings.Repeat("x", 4096), 4103}, {strings.Repeat("x", 20000), 20008},
		{strings.Repeat("x", 3_000_000), 3_000_009},
	} {
		if got := listpackText([]byte(c.text)); got != c.want {
			t.Errorf("%.30q of %d bytes takes %d, want %d", c.text, len(c.text), got, c.want)
		}
	}
}

func TestIDNeighbours(t *testing.T) {
	for _, c := range []struct {
		a, b ID
	}{
		{ID{}, ID{0, 1}}, {ID{5, 7}, ID{5, 8}}, {ID{5, math.MaxUint64}, ID{6, 0}}, {ID{math.MaxUint64, math.MaxUint64 - 1}, Max},
	} {
		next, ok := c.a.Next()
		prev, back := c.b.Prev()
		if next != c.b || !ok || prev != c.a || !back || c.a.Compare(c.b) >= 0 || c.b.Compare(c.a) <= 0 {
			t.Errorf("%s and %s: %s %t, %s %t", c.a, c.b, next, ok, prev, back)
		}
	}
	if _, ok := Max.Next(); ok {
		t.Error("there is an ID behind the last")
	}
	if _, ok := (ID{}).Prev(); ok {
		t.Error("there is an ID ahead of the first")
	}
	if got := fmt.Sprint(Max); got != "18446744073709551615-18446744073709551615" {
		t.Error(got)
	}
}
