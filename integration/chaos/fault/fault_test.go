package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// plain is a cluster of nodes that have no processes.
func plain(count int) *Cluster {
	c := &Cluster{o: Options{Log: func(string, ...any) {}}, net: &loopback{}}
	for i := range count {
		c.nodes = append(c.nodes, &Node{ID: fmt.Sprintf("n%d", i+1), c: c})
	}
	return c
}

// TestRing: each node must see a majority, itself included, and in clusters of four and more no two the same one.
func TestRing(t *testing.T) {
	for count := 3; count <= 7; count++ {
		c := plain(count)
		_, edges, err := ring(t.Context(), c, rand.New(rand.NewPCG(1, uint64(count))))
		if err != nil || len(edges) == 0 {
			t.Fatalf("%d nodes: %v, %v", count, edges, err)
		}
		seen := make(map[string]bool)
		for _, n := range c.nodes {
			sees := slices.Clone(c.nodes)
			for _, e := range edges {
				if e.at == n {
					sees = others(sees, e.from)
				}
			}
			if len(sees) < count/2+1 {
				t.Errorf("%d nodes: %s sees %s only", count, n.ID, ids(sees))
			}
			if seen[ids(sees)] {
				t.Errorf("%d nodes: two see %s", count, ids(sees))
			}
			seen[ids(sees)] = true
		}
		for _, e := range edges {
			if !slices.Contains(edges, edge{e.from, e.at, cut}) {
				t.Errorf("%d nodes: %s is cut from %s in one direction only", count, e.at.ID, e.from.ID)
			}
		}
	}
}

func TestHalvesAreAMajorityAndTheRest(t *testing.T) {
	c := plain(5)
	what, edges, err := halves(t.Context(), c, rand.New(rand.NewPCG(1, 1)))
	if err != nil || len(edges) != 3*2*2 {
		t.Errorf("%s: %d edges, %v", what, len(edges), err)
	}
}

func TestMajority(t *testing.T) {
	for count, want := range map[int]int{3: 2, 4: 3, 5: 3} {
		c := plain(count)
		got := c.majority(rand.New(rand.NewPCG(1, 1)))
		if slices.SortFunc(got, func(a, b *Node) int { return strings.Compare(a.ID, b.ID) }); len(slices.Compact(got)) != want {
			t.Errorf("of %d: %s", count, ids(got))
		}
	}
}

func TestChoose(t *testing.T) {
	named := func(kinds []*Kind) string {
		var out []string
		for _, k := range kinds {
			out = append(out, k.Name)
		}
		return strings.Join(out, ",")
	}
	for in, want := range map[string]string{
		"pause":                 "pause",
		"kill9-all,mixed,pause": "kill9-all,pause,mixed",
		"mixed":                 "mixed",
	} {
		got, _, err := Choose(strings.Split(in, ","))
		if err != nil || named(got) != want {
			t.Errorf("%s: %s, %v", in, named(got), err)
		}
	}
	if _, _, err := Choose([]string{"pause", "panic"}); err == nil || !strings.Contains(err.Error(), `"panic"`) {
		t.Errorf("an unknown kind: %v", err)
	}
	got, refused, err := Choose([]string{"all"})
	if err != nil || len(got)+len(refused) != len(Kinds()) {
		t.Errorf("all: %s and %q of %q, %v", named(got), refused, Kinds(), err)
	}
}

// TestMixed: what a mixture allows is what any of its parts allows, and its parts are begun and ended, each once, even if
// one fails.
func TestMixed(t *testing.T) {
	var log []string
	part := func(name string, err error) *Kind {
		return &Kind{Name: name, Stops: name == "b", make: func(*Cluster, *rand.Rand) *Fault {
			return &Fault{
				begin: func(context.Context) (string, error) { log = append(log, "begin "+name); return "", err },
				end:   func(context.Context) error { log = append(log, "end "+name); return nil },
			}
		}}
	}
	m := mixed([]*Kind{part("a", errors.New("nobody")), part("b", nil)})
	if !m.Stops || m.Jumps {
		t.Errorf("%+v", m)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		log = nil
		f := m.New(plain(3), r)
		if _, err := f.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		begun := slices.Clone(log)
		if err := f.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(begun)
		ended := log[len(begun):]
		if len(begun) < mixedMin || len(begun) > mixedMax || len(ended) != len(begun) {
			t.Fatalf("%q", log)
		}
		for i := range begun {
			if begun[i][len("begin "):] != ended[i][len("end "):] {
				t.Errorf("not ended in reverse order: %q", log)
			}
		}
	}
}

// TestSeedRepeatsChoices: the same source of chance chooses the same victims.
func TestSeedRepeatsChoices(t *testing.T) {
	choose := func(seed uint64) string {
		r := rand.New(rand.NewPCG(seed, seed))
		var out []string
		for range 10 {
			out = append(out, ids(plain(5).majority(r)), syncError(r), syncDelay(r), jump(r).String())
		}
		return strings.Join(out, " ")
	}
	first := choose(3)
	if again := choose(3); again != first {
		t.Errorf("one seed, two sequences: %s and %s", first, again)
	}
	if choose(4) == first {
		t.Error("two seeds, one sequence")
	}
}

func TestStatusComplete(t *testing.T) {
	nodes := plain(2).nodes
	well := func() *status {
		return &status{LeaderID: "n1", Members: []member{{ID: "n1", Voter: true, State: "leader"}, {ID: "n2", Voter: true, State: "follower"}}}
	}
	if err := well().complete(nodes); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*status){
		"a member missing": func(st *status) { st.Members = st.Members[:1] },
		"no vote":          func(st *status) { st.Members[1].Voter = false },
		"unreachable":      func(st *status) { st.Members[1].State = "unreachable" },
		"two leaders":      func(st *status) { st.Members[1].State = "leader" },
	} {
		st := well()
		spoil(st)
		if st.complete(nodes) == nil {
			t.Errorf("%s: well", name)
		}
	}
}

func TestLoopbackCutsNothing(t *testing.T) {
	l := &loopback{}
	if err := l.drop(nil, nil, cut); err == nil {
		t.Error("no error")
	}
	a, b := "", ""
	var err error
	if _, a, b, err = l.add("n1", 1); err != nil || a == b {
		t.Errorf("%q, %q, %v", a, b, err)
	}
}
