package streams

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// groupModel is a group as plain maps.
type groupModel struct {
	pending map[ID]Pending
	seen    map[string]int64
}

func (m groupModel) clone() groupModel { return groupModel{maps.Clone(m.pending), maps.Clone(m.seen)} }

// check compares everything that a group tells with its model.
func (m groupModel) check(t *testing.T, g *Group) {
	t.Helper()
	owned := map[string][]Pending{}
	var all []Pending
	for _, p := range m.pending {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Pending) int { return a.ID.Compare(b.ID) })
	for _, p := range all {
		owned[p.Consumer] = append(owned[p.Consumer], p)
	}
	if got := slices.Collect(g.Pending(ID{})); !slices.Equal(got, all) || g.Len() != len(all) {
		t.Fatalf("pending %v, want %v", got, all)
	}
	if last, ok := g.Last(); ok != (len(all) > 0) || ok && last != all[len(all)-1] {
		t.Fatalf("Last: %v %t", last, ok)
	}
	names := slices.Sorted(maps.Keys(m.seen))
	if g.ConsumerCount() != len(names) {
		t.Fatalf("%d consumers, want %v", g.ConsumerCount(), names)
	}
	i := 0
	for c := range g.Consumers() {
		if c != (Consumer{names[i], m.seen[names[i]], len(owned[names[i]])}) {
			t.Fatalf("consumer %+v, want %s with %d", c, names[i], len(owned[names[i]]))
		}
		if got := slices.Collect(g.Owned(c.Name, ID{})); !slices.Equal(got, owned[c.Name]) {
			t.Fatalf("%s owns %v, want %v", c.Name, got, owned[c.Name])
		}
		i++
	}
}

// TestGroupAgainstMaps does random things to groups and to maps, and to copies of both.
func TestGroupAgainstMaps(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	g, m := NewGroup(), groupModel{map[ID]Pending{}, map[string]int64{}}
	held, picture := g.Copy(), m.clone()
	for step := range 4000 {
		name, id := fmt.Sprint(rng.IntN(6)), ID{uint64(rng.IntN(20)), uint64(rng.IntN(3))}
		_, there := m.seen[name]
		switch op := rng.IntN(40); {
		case op < 8:
			if g.See([]byte(name), int64(step)) == there {
				t.Fatal("See")
			}
			m.seen[name] = int64(step)
		case op < 25 && there:
			p := Pending{id, name, int64(step), int64(rng.IntN(5))}
			g.Put(p)
			m.pending[id] = p
		case op < 35:
			p, pending := g.Get(id)
			if want, ok := m.pending[id]; ok != pending || p != want || g.Remove(id) != ok {
				t.Fatalf("%s: %v, want %v", id, p, want)
			}
			delete(m.pending, id)
		case op == 35:
			before := len(m.pending)
			maps.DeleteFunc(m.pending, func(_ ID, p Pending) bool { return p.Consumer == name })
			delete(m.seen, name)
			if n := g.DeleteConsumer(name); n != before-len(m.pending) {
				t.Fatalf("DeleteConsumer: %d, want %d", n, before-len(m.pending))
			}
		case op == 36:
			picture.check(t, &held)
			held, picture = g, m.clone()
			g = g.Copy()
		case op == 37:
			held, picture = g.Copy(), m.clone()
		}
	}
	m.check(t, &g)
	picture.check(t, &held)
}
