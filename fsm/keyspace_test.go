package fsm

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

// TestChains compares keyspaces whose names share a few hashes with a plain map, while snapshots are held.
func TestChains(t *testing.T) {
	for seed := range int64(50) {
		c := &chains{ks: newKeyspace(), rng: rand.New(rand.NewSource(seed)), model: map[string]string{}, deadlines: map[deadline]bool{}}
		for step := range 200 {
			c.step(fmt.Sprint(step))
			if problem := c.check(); problem != "" {
				t.Fatalf("seed %d, step %d: %s", seed, step, problem)
			}
		}
	}
}

type chains struct {
	ks        *keyspace
	gen       uint32
	rng       *rand.Rand
	model     map[string]string // value by name
	deadlines map[deadline]bool
	held      *keyspace // a snapshot, and
	picture   map[string]string
}

func (c *chains) step(val string) {
	name := string(rune('a' + c.rng.Intn(8)))
	hash := uint64(name[0]) % 3
	at := int64(c.rng.Intn(4))
	v := stringValue([]byte(val)) // an integer
	if c.rng.Intn(2) == 0 {
		val += strings.Repeat("x", c.rng.Intn(2)*inlineBytesMax)
		v = rawValue(val)
	}
	it := c.ks.get(hash, []byte(name))
	forget := func() {
		if it != nil {
			delete(c.deadlines, deadline{it.expireAt(), hash, name})
		}
	}
	note := func() {
		if c.model[name] = val; at != 0 {
			c.deadlines[deadline{at, hash, name}] = true
		}
	}
	switch op := c.rng.Intn(8); {
	case op == 0:
		c.gen++
		c.held = c.ks.snapshot()
		c.picture = contents(c.held)
	case op <= 2:
		forget()
		delete(c.model, name)
		c.ks.remove(hash, name, c.gen)
	case op <= 4 && it != nil:
		forget()
		val = c.model[name]
		c.ks.setDeadline(hash, it, at, c.gen)
		note()
	case op <= 6 && it != nil && it.gen == c.gen && it.setValue(v):
		c.model[name] = val
	default:
		forget()
		c.ks.put(hash, newItem(name, v, at, c.gen))
		note()
	}
}

func (c *chains) check() string {
	indexed := map[deadline]bool{}
	c.ks.deadlines.Scan(func(d deadline) bool { indexed[d] = true; return true })
	switch {
	case !maps.Equal(contents(c.ks), c.model) || c.ks.keys != len(c.model):
		return fmt.Sprintf("%d keys %v, want %v", c.ks.keys, contents(c.ks), c.model)
	case !maps.Equal(indexed, c.deadlines):
		return fmt.Sprintf("deadlines %v, want %v", indexed, c.deadlines)
	case c.held != nil && !maps.Equal(contents(c.held), c.picture):
		return "a snapshot changed"
	}
	return ""
}

func contents(ks *keyspace) map[string]string {
	out := map[string]string{}
	ks.items.Scan(func(_ uint64, first *item) bool {
		for it := range slices.Values(sortedChain(first)) {
			out[it.key()] = it.value().Text()
		}
		return true
	})
	return out
}
