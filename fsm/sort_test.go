package fsm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
)

func TestSortWeight(t *testing.T) {
	for text, want := range map[string]float64{
		"": 0, "0": 0, "-0": 0, "7": 7, "+7": 7, "007": 7, " \t\n\v\f\r7": 7, "1.5": 1.5, ".5": .5, "5.": 5, "1e3": 1000, "1E+3": 1000,
		"-2.5e-1": -.25, "0x10": 16, "0X.8": .5, "0x1p3": 8, "-0x1P-1": -.5, "inf": math.Inf(1), "-INF": math.Inf(-1),
		"+Infinity": math.Inf(1), "1\x00x": 1, "\x00": 0, "0e-9999": 0, "9223372036854775807": 1 << 63, "9223372036854775808": 1 << 63,
		"2.2250738585072014e-308": 0x1p-1022, "1.7976931348623157e308": math.MaxFloat64,
		strings.Repeat("0", 10_000) + "1": 1, "0." + strings.Repeat("3", 10_000): 1.0 / 3,
	} {
		if got, ok := sortWeight(text); !ok || got != want {
			t.Errorf("%.30q: %v %t, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		" ", "x", "1 ", "1x", "1e", "1e+", ".", "-", "+", "--1", "+-1", "- 1", "0x", "0xg", "0x.", "0x1p", "1_000", "0x_1p0", "0b1", "1p3",
		"nan", "-nan", "nan(1)", "infin", "inf ", " \x001", "1e309", "-1e309", "1e-400", "5e-324", "2.2250738585072011e-308", "1d",
	} {
		if got, ok := sortWeight(text); ok {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

// sortedSet is what a SORT of a set gives, with a bound on its work.
func sortedSet(s *memberSet, work int, o sortOptions) (elems []string, errText string) {
	m := New()
	tx := m.writeTx
	tx.begin(m, 1)
	tx.selectDB(0)
	for i := range 5 {
		tx.set([]byte("w_m"+strconv.Itoa(i)), value{str: strconv.Itoa(9 - i), enc: encRaw}, 0)
	}
	so := sorter{tx: &tx, sortOptions: &o, work: work}
	if elems, errText = so.elements(s); errText != "" {
		return nil, errText
	}
	rows, errText := so.rows(elems)
	elems = nil
	for _, row := range rows {
		elems = append(elems, row.text)
	}
	return elems, errText
}

// TestSortsWindowsOfRandomSets holds SORT with every kind of LIMIT to a sort of the whole.
func TestSortsWindowsOfRandomSets(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	for range 300 {
		s := newSet(0)
		for range rng.IntN(20) {
			s.add(strconv.Itoa(rng.IntN(100) - 50))
		}
		o := sortOptions{offset: rng.Int64N(24) - 2, count: rng.Int64N(24) - 2, desc: rng.IntN(2) == 0, asTheyCome: rng.IntN(3) == 0}
		want := slices.Collect(s.elements()) // integers ascend
		if o.desc && !o.asTheyCome {
			slices.Reverse(want)
		}
		want = want[min(max(int(o.offset), 0), len(want)):]
		if o.count >= 0 {
			want = want[:min(int(o.count), len(want))]
		}
		if got, errText := sortedSet(s, sortWorkMax, o); errText != "" || !slices.Equal(got, want) {
			t.Fatalf("%+v: %q %s, want %q", o, got, errText, want)
		}
	}
}

// TestSortOfHashedSetsIsStable: what has the same weight keeps the order of the set, whichever way the sort goes.
func TestSortOfHashedSetsIsStable(t *testing.T) {
	s := newSetOf(0, []string{"c", "a", "b", "e", "d"})
	p := parseSortPattern([]byte("none_*"))
	for _, o := range []sortOptions{
		{by: &p, alpha: true, count: -1}, {by: &p, alpha: true, desc: true, count: -1}, {asTheyCome: true, count: -1, desc: true},
	} {
		if got, errText := sortedSet(s, sortWorkMax, o); fmt.Sprint(got) != "[c a b e d]" || errText != "" {
			t.Errorf("%+v: %q %s", o, got, errText)
		}
	}
}

// TestSortWorkIsBounded: patterns are looked up until there was too much, of names, of values or of elements.
func TestSortWorkIsBounded(t *testing.T) {
	s := newSetOf(0, []string{"m0", "m1", "m2", "m3", "m4"})
	by, long := parseSortPattern([]byte("w_*")), parseSortPattern([]byte(strings.Repeat("x", 1000)+"*"))
	one := sortLookupBytes + by.bytes + len("m0") + len("9")
	for _, c := range []struct {
		what string
		work int
		o    sortOptions
		want string
	}{
		{"no pattern", 0, sortOptions{alpha: true, count: -1}, "[m0 m1 m2 m3 m4]"},
		{"BY", 5 * one, sortOptions{by: &by, count: -1}, "[m4 m3 m2 m1 m0]"},
		{"BY, too much", 5*one - 1, sortOptions{by: &by, count: -1}, "[]" + errSortWork},
		{"GET", 5 * one, sortOptions{asTheyCome: true, count: -1, gets: []sortPattern{by}}, "[9 8 7 6 5]"},
		{"GET, too much", 5*one - 1, sortOptions{asTheyCome: true, count: -1, gets: []sortPattern{by}}, "[]" + errSortWork},
		{"GET of few", 2 * one, sortOptions{asTheyCome: true, count: 2, gets: []sortPattern{by}}, "[9 8]"},
		{"long names", 1000, sortOptions{asTheyCome: true, count: 1, gets: []sortPattern{long}}, "[]" + errSortWork},
		{"many elements", 200, sortOptions{asTheyCome: true, count: -1, gets: []sortPattern{{element: true, bytes: 1}}}, "[]" + errSortWork},
	} {
		if got, errText := sortedSet(s, c.work, c.o); fmt.Sprint(got)+errText != c.want {
			t.Errorf("%s: %q %s, want %s", c.what, got, errText, c.want)
		}
	}
}

func TestSortEvents(t *testing.T) {
	testEvents(t, command.EventSet|command.EventGeneric|command.EventList, []toldBy{
		{"SADD s 2 1", "sadd s"},
		{"SORT s", ""},
		{"SORT s STORE d", "sortstore d"},
		{"SORT s LIMIT 5 1 STORE d", "del d"},
		{"SORT s LIMIT 5 1 STORE d", ""},
		{"SORT nokey STORE s", "del s"},
	})
}
