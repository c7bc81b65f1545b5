package fsm

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/internal/script"
)

// algebra computes an operation on the members of sets one by one.
func algebra(sets []*memberSet, keep func(in []bool) bool) []string {
	all := map[string]bool{}
	for _, s := range sets {
		if s != nil {
			for m := range s.elements() {
				all[m] = true
			}
		}
	}
	var out []string
	for m := range all {
		in := make([]bool, len(sets))
		for i, s := range sets {
			in[i] = s.has(m)
		}
		if keep(in) {
			out = append(out, m)
		}
	}
	slices.Sort(out)
	return out
}

func TestSetAlgebra(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for range 500 {
		known := []*memberSet{nil}
		for range 4 {
			s := newSet(0)
			for range 1 + rng.IntN(1<<rng.IntN(10)) {
				s.add([]string{"", "x"}[rng.IntN(2)] + strconv.Itoa(rng.IntN(300)))
			}
			known = append(known, s)
		}
		var sets []*memberSet
		for range 1 + rng.IntN(5) {
			sets = append(sets, known[rng.IntN(len(known))])
		}
		inAll := func(in []bool) bool { return !slices.Contains(in, false) }
		inAny := func(in []bool) bool { return slices.Contains(in, true) }
		inFirst := func(in []bool) bool { return in[0] && !slices.Contains(in[1:], true) }
		for what, pair := range map[string][2][]string{
			"intersection": {slices.Collect(intersectSets(sets)), algebra(sets, inAll)},
			"union":        {uniteSets(sets), algebra(sets, inAny)},
			"difference":   {subtractSets(sets), algebra(sets, inFirst)},
		} {
			if slices.Sort(pair[0]); !slices.Equal(pair[0], pair[1]) {
				t.Fatalf("%s of %d sets: %q, want %q", what, len(sets), pair[0], pair[1])
			}
		}
	}
}

// TestSetAlgebraOfOneKeyOften: an operand that is named again and again costs a look, not a walk.
func TestSetAlgebraOfOneKeyOften(t *testing.T) {
	var members []string
	for i := range 20_000 {
		members = append(members, "m"+strconv.Itoa(i))
	}
	big, one := newSetOf(0, members), newSetOf(0, members[:1])
	sets := slices.Repeat([]*memberSet{big, nil}, 50_000)
	if n := len(uniteSets(sets)); n != len(members) {
		t.Errorf("union: %d", n)
	}
	if n := len(subtractSets(append([]*memberSet{big}, slices.Repeat([]*memberSet{one}, 50_000)...))); n != len(members)-1 {
		t.Errorf("difference: %d", n)
	}
	if n := len(slices.Collect(intersectSets(slices.Repeat([]*memberSet{big}, 50_000)))); n != len(members) {
		t.Errorf("intersection: %d", n)
	}
}

// setReply runs a command through the log, each with a seed of its own.
func setReply(t *testing.T, m *Machine, args ...string) respclient.Value {
	t.Helper()
	p := command.NewProposal(nil)
	p.AddCall(0, bytesOf(args))
	head := AppendEntryHeader(nil, EntryHeader{Kind: EntryCalls, Time: testTime, Seed: m.Index() * 7919})
	rec := &script.Recorder{}
	if err := m.Apply(m.Index()+1, append(head, p.Body...), []Target{{Units: 1, Reply: rec}}); err != nil {
		t.Fatal(err)
	}
	got, ok := rec.Take()
	if !ok || len(got) != 1 {
		t.Fatalf("%q: %d replies", args, len(got))
	}
	return got[0]
}

// saddMany adds 1000 members to the key s.
func saddMany(t *testing.T, m *Machine) (members []string) {
	call := []string{"SADD", "s"}
	for i := range 1000 {
		members = append(members, "m"+strconv.Itoa(i))
	}
	mustApply(t, m, m.Index()+1, entryOf(testTime, 0, append(call, members...)))
	return members
}

// TestSScanPages: every member comes, in pages of about the size that was asked for.
func TestSScanPages(t *testing.T) {
	m := New()
	members := saddMany(t, m)
	seen, pages, cursor := map[string]bool{}, 0, "0"
	for pages == 0 || cursor != "0" {
		page := setReply(t, m, "SSCAN", "s", cursor, "COUNT", "20")
		cursor = page.Elems[0].Str
		for _, e := range page.Elems[1].Elems {
			seen[e.Str] = true
		}
		pages++
	}
	if len(seen) != len(members) || pages != 50 {
		t.Errorf("%d members in %d pages", len(seen), pages)
	}
}

// TestRandomMembers: every member is chosen about as often as the others; a count chooses different ones.
func TestRandomMembers(t *testing.T) {
	m := New()
	mustApply(t, m, 1, entryOf(testTime, 0, []string{"SADD", "s", "a", "b", "c", "d", "1", "2", "3", "4"}))
	chosen := map[string]int{}
	for range 500 {
		few := setReply(t, m, "SRANDMEMBER", "s", "3").Strings()
		if slices.Sort(few); len(slices.Compact(few)) != 3 {
			t.Fatalf("%q", few)
		}
		for _, member := range append(few, setReply(t, m, "SRANDMEMBER", "s").Str) {
			chosen[member]++
		}
	}
	for _, member := range setReply(t, m, "SRANDMEMBER", "s", "-2000").Strings() {
		chosen[member]++
	}
	if len(chosen) != 8 {
		t.Errorf("%v", chosen)
	}
	for member, n := range chosen { // 500 each, give or take 21
		if n < 400 || n > 600 {
			t.Errorf("%s was chosen %d times of 4000", member, n)
		}
	}
	for count, want := range map[string]string{"-16777217": "-" + errValueRange, "-9223372036854775807": "-" + errValueRange} {
		if got := setReply(t, m, "SRANDMEMBER", "s", count); "-"+got.Str != want {
			t.Errorf("SRANDMEMBER s %s: %+v", count, got)
		}
	}
}

// TestPopTakesEachOnce pops a set in pieces; what is popped is what is gone.
func TestPopTakesEachOnce(t *testing.T) {
	m := New()
	members := saddMany(t, m)
	var popped []string
	for _, count := range []string{"1", "700", "0", "250", "40", "100"} {
		popped = append(popped, setReply(t, m, "SPOP", "s", count).Strings()...)
		if left := setReply(t, m, "SCARD", "s").Int; int(left) != len(members)-len(popped) {
			t.Fatalf("%d are left after %d", left, len(popped))
		}
	}
	if slices.IsSorted(popped) {
		t.Error("they came in order")
	}
	slices.Sort(popped)
	slices.Sort(members)
	if !slices.Equal(popped, members) {
		t.Errorf("%d were popped", len(popped))
	}
}

func TestSetEvents(t *testing.T) {
	testEvents(t, command.EventSet|command.EventGeneric|command.EventList, []toldBy{
		{"SADD a 1 2 3", "sadd a"},
		{"SADD a 1", ""},
		{"SREM a 9", ""},
		{"SREM a 1", "srem a"},
		{"SREM a 2 3", "srem a, del a"},
		{"SADD a 1 2 3", "sadd a"},
		{"SADD b 2", "sadd b"},
		{"SMOVE a b 1", "srem a, sadd b"},
		{"SMOVE a b 2", "srem a"},
		{"SMOVE a b 3", "srem a, del a, sadd b"},
		{"SMOVE b b 3", ""},
		{"SUNIONSTORE c b", "sunionstore c"},
		{"SINTERSTORE c b", "sinterstore c"},
		{"SDIFFSTORE c b a", "sdiffstore c"},
		{"SDIFFSTORE c b b", "del c"},
		{"SINTERSTORE c nokey", ""},
		{"SPOP b 0", ""},
		{"SPOP b", "spop b"},
		{"SPOP b 1", "spop b"},
		{"SPOP b", "spop b, del b"},
		{"SADD b 1 2", "sadd b"},
		{"SPOP b 5", "spop b, del b"},
		{"SPOP b 5", ""},
	})
}
