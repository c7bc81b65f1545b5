package fsm

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// setModel is a set as a map, and whether it must be hashed.
type setModel struct {
	members map[string]bool
	hashed  bool
}

func (m *setModel) add(member string) bool {
	was := m.members[member]
	m.members[member] = true
	if _, isInt := parseInt(member); !isInt || len(m.members) > setIntsMax {
		m.hashed = true
	}
	return !was
}

func (m *setModel) remove(member string) bool {
	was := m.members[member]
	delete(m.members, member)
	return was
}

// check compares everything that a set tells.
func (m *setModel) check(t *testing.T, s *memberSet) {
	t.Helper()
	got := slices.Collect(s.elements())
	if s.size() != len(got) || s.hashed != m.hashed || s.encoding() == "intset" == m.hashed {
		t.Fatalf("size %d of %d members, %s, want hashed: %t", s.size(), len(got), s.encoding(), m.hashed)
	}
	for rank, member := range got {
		if s.at(rank) != member {
			t.Fatalf("rank %d is %q, want %q", rank, s.at(rank), member)
		}
	}
	if !m.hashed && !slices.IsSorted(s.ints) {
		t.Fatalf("%v", s.ints)
	}
	slices.Sort(got)
	if want := slices.Sorted(maps.Keys(m.members)); !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
}

// TestSetAgainstMap does random things to sets and to maps. Copies stay what they were, and what was encoded comes back.
func TestSetAgainstMap(t *testing.T) {
	for _, texts := range []int{0, 1, 50} { // in a thousand of the members
		t.Run(fmt.Sprint(texts), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, uint64(texts)))
			s, want := newSet(1), setModel{members: map[string]bool{}}
			held, picture := s, want
			for step := range 6000 {
				member := strconv.Itoa(rng.IntN(1200) - 600)
				if rng.IntN(1000) < texts {
					member = strings.Repeat("x", rng.IntN(80))
				}
				if got, was := s.has(member), want.members[member]; got != was {
					t.Fatalf("has(%q): %t", member, got)
				}
				if rng.IntN(5) < 3 {
					if got, new := s.add(member), want.add(member); got != new {
						t.Fatalf("add(%q): %t", member, got)
					}
				} else if got, was := s.remove(member), want.remove(member); got != was {
					t.Fatalf("remove(%q): %t", member, got)
				}
				if step%100 == 0 {
					want.check(t, s)
					picture.check(t, held)
					held, picture = s, setModel{maps.Clone(want.members), want.hashed}
					s = s.copied(uint32(step)).(*memberSet)
					want.check(t, decodedSet(t, s))
				}
			}
		})
	}
}

// decodedSet is a set that was encoded and decoded. It has the same order, too.
func decodedSet(t *testing.T, s *memberSet) *memberSet {
	t.Helper()
	if s.size() == 0 {
		return s
	}
	d := &decoder{rest: s.appendTo(nil)}
	back := decodeSet(d, s.form()).(*memberSet)
	if d.bad || len(d.rest) > 0 || back.form() != s.form() {
		t.Fatalf("form %d: bad: %t, %d bytes are left, form %d", s.form(), d.bad, len(d.rest), back.form())
	}
	if a, b := slices.Collect(s.elements()), slices.Collect(back.elements()); !slices.Equal(a, b) {
		t.Fatalf("%q came back as %q", a, b)
	}
	return back
}

func TestSetOfEdges(t *testing.T) {
	s := newSetOf(0, []string{"9223372036854775807", "-9223372036854775808", "0", "-1", "9223372036854775807"})
	want := []string{"-9223372036854775808", "-1", "0", "9223372036854775807"}
	if got := slices.Collect(decodedSet(t, s).elements()); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for first := range s.elements() { // a walk that is not finished
		if first != want[0] {
			t.Errorf("the first is %q", first)
		}
		break
	}
}

// TestMalformedSets: what no writer makes is refused, not guessed.
func TestMalformedSets(t *testing.T) {
	texts := func(members ...string) []byte {
		b := binary.AppendUvarint(nil, uint64(len(members)))
		for _, m := range members {
			b = appendString(b, m)
		}
		return b
	}
	gaps := func(gaps ...uint64) []byte {
		b := binary.AppendUvarint(nil, uint64(len(gaps)))
		for _, g := range gaps {
			b = binary.AppendUvarint(b, g)
		}
		return b
	}
	many := make([]string, setSmallMembersMax+1)
	for i := range many {
		many[i] = strconv.Itoa(i)
	}
	for _, c := range []struct {
		what string
		form byte
		data []byte
	}{
		{"no number", setInts, gaps()},
		{"a number twice", setInts, gaps(5, 0)},
		{"past the greatest integer", setInts, gaps(math.MaxUint64, 1)},
		{"past the greatest integer, by far", setInts, gaps(1<<63, math.MaxUint64)},
		{"too many numbers", setInts, gaps(slices.Repeat([]uint64{1}, setIntsMax+1)...)},
		{"fewer numbers than were said", setInts, gaps(1, 2, 3)[:3]},
		{"no member", setSmall, texts()},
		{"no member of many", setBig, texts()},
		{"a member twice", setSmall, texts("a", "b", "a")},
		{"a member of many twice", setBig, texts("a", "b", "a")},
		{"a long member", setSmall, texts(strings.Repeat("x", setSmallBytesMax+1))},
		{"many members", setSmall, texts(many...)},
		{"a member cut off", setBig, texts("abc")[:3]},
		{"more members than bytes", setSmall, []byte{200, 1, 1, 'a'}},
		{"another form", setBig + 1, texts("a")},
	} {
		d := &decoder{rest: c.data}
		if decodeSet(d, c.form); !d.bad {
			t.Errorf("%s: it is taken", c.what)
		}
	}
}
