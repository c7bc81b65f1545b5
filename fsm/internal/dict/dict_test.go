package dict

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAgainstMap does random things to tables and to maps, and to copies of both.
func TestAgainstMap(t *testing.T) {
	for _, grow := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(1, 2))
		var d Dict[int]
		if grow {
			d.Grow()
		}
		want := map[string]int{}
		for step := range 5000 {
			name := fmt.Sprint(rng.IntN(100))
			old, there := want[name]
			switch rng.IntN(3) {
			case 0:
				if got, ok := d.Delete(name); got != old || ok != there {
					t.Fatalf("Delete(%s): %d %v, want %d %v", name, got, ok, old, there)
				}
				delete(want, name)
			case 1:
				if got, ok := d.Put(name, step); got != old || ok != there {
					t.Fatalf("Put(%s): %d %v, want %d %v", name, got, ok, old, there)
				}
				want[name] = step
			default:
				if got, ok := d.Get(name); got != old || ok != there {
					t.Fatalf("Get(%s): %d %v, want %d %v", name, got, ok, old, there)
				}
			}
			if step%50 == 0 { // the first goes its way, the copy stays what it was
				held, picture := d, maps.Collect(d.All())
				d = d.Copy()
				d.Put("more", step)
				d.Delete(name)
				if !maps.Equal(maps.Collect(held.All()), picture) {
					t.Fatal("a table changed through its copy")
				}
				want["more"] = step
				delete(want, name)
			}
		}
		if got := maps.Collect(d.All()); !maps.Equal(got, want) || d.Len() != len(want) {
			t.Errorf("%d names, want %d", len(got), len(want))
		}
	}
}

// TestOrder: a small table keeps the order of arrival, a big one's order does not depend on it; At and All agree.
func TestOrder(t *testing.T) {
	var small, big, back Dict[int]
	big.Grow()
	var arrived []string
	for i := range 100 {
		arrived = append(arrived, fmt.Sprint(i))
	}
	for i, name := range arrived {
		small.Put(name, i)
		big.Put(name, i)
	}
	small.Put("3", 33) // stays where it is
	for i, name := range slices.Backward(arrived) {
		back.Put(name, i)
	}
	back.Grow()
	if got := names(&small); !slices.Equal(got, arrived) {
		t.Errorf("small: %v", got)
	}
	if a, b := names(&big), names(&back); !slices.Equal(a, b) {
		t.Errorf("big: %v and %v", a, b)
	}
	for _, d := range []*Dict[int]{&small, &big} {
		for i, name := range names(d) {
			v, _ := d.Get(name)
			if n, got := d.At(i); n != name || got != v {
				t.Errorf("At(%d): %s %d, want %s %d", i, n, got, name, v)
			}
		}
	}
}

func names(d *Dict[int]) (out []string) {
	for name := range d.All() {
		out = append(out, name)
	}
	return out
}

// TestScan: whatever comes and goes between two pages, a name that stays is seen.
func TestScan(t *testing.T) {
	var d Dict[int]
	for i := range 1000 {
		d.Put(fmt.Sprint(i), i)
		if i == 10 {
			d.Grow()
		}
	}
	seen, cursor, pages := map[string]bool{}, uint64(0), 0
	for {
		cursor = d.Scan(cursor, 10, func(name string, _ int) { seen[name] = true })
		pages++
		d.Delete(fmt.Sprint(500 + pages))
		d.Put(fmt.Sprint("new", pages), 0)
		if cursor == 0 {
			break
		}
	}
	for i := range 500 {
		if !seen[fmt.Sprint(i)] {
			t.Errorf("%d was not seen", i)
		}
	}
	if pages < 50 {
		t.Errorf("%d pages of 10 names", pages)
	}
}
