package streams

import (
	"cmp"
	"iter"

	"github.com/tidwall/btree"
)

// Group is what a group of consumers has in common: who they are, and which entries have been delivered to whom and not yet
// acknowledged. NewGroup makes one.
type Group struct {
	pending   *btree.BTreeG[Pending] // by ID
	owned     *btree.BTreeG[owned]   // the same by consumer and ID
	consumers *btree.BTreeG[Consumer]
}

// Pending is an entry that was delivered and not acknowledged. It may have been deleted.
type Pending struct {
	ID         ID
	Consumer   string
	Delivered  int64 // when it was delivered last, in milliseconds
	Deliveries int64
}

// Consumer is one of a group.
type Consumer struct {
	Name    string
	Seen    int64 // when it was active last, in milliseconds
	Pending int   // entries
}

type owned struct {
	consumer string
	id       ID
}

// NewGroup returns a group without consumers.
func NewGroup() Group {
	o := btree.Options{Degree: treeDegree, NoLocks: true}
	return Group{
		pending: btree.NewBTreeGOptions(func(a, b Pending) bool { return a.ID.Compare(b.ID) < 0 }, o),
		owned: btree.NewBTreeGOptions(func(a, b owned) bool {
			if c := cmp.Compare(a.consumer, b.consumer); c != 0 {
				return c < 0
			}
			return a.id.Compare(b.id) < 0
		}, o),
		consumers: btree.NewBTreeGOptions(func(a, b Consumer) bool { return a.Name < b.Name }, o),
	}
}

// Copy returns a group of the same content; see Log.Copy.
func (g *Group) Copy() Group {
	return Group{pending: g.pending.Copy(), owned: g.owned.Copy(), consumers: g.consumers.Copy()}
}

// Len counts the pending entries.
func (g *Group) Len() int { return g.pending.Len() }

// ConsumerCount counts the consumers.
func (g *Group) ConsumerCount() int { return g.consumers.Len() }

// Consumers walks through the consumers by name.
func (g *Group) Consumers() iter.Seq[Consumer] {
	return func(yield func(Consumer) bool) { g.consumers.Scan(yield) }
}

// Consumer returns the consumer of a name.
func (g *Group) Consumer(name string) (c Consumer, ok bool) {
	return g.consumers.Get(Consumer{Name: name})
}

// See notes that a consumer is active, and enters it where it is new. A new name is copied.
func (g *Group) See(name []byte, now int64) (created bool) {
	c, ok := g.consumers.Get(Consumer{Name: string(name)})
	if !ok {
		c.Name = string(name)
	}
	c.Seen = now
	g.consumers.Set(c)
	return !ok
}

// DeleteConsumer removes a consumer with all that it has pending, and returns how much that was.
func (g *Group) DeleteConsumer(name string) (pending int) {
	var ids []ID
	for p := range g.Owned(name, ID{}) {
		ids = append(ids, p.ID)
	}
	for _, id := range ids {
		g.Remove(id)
	}
	g.consumers.Delete(Consumer{Name: name})
	return len(ids)
}

// Get returns the pending entry of an ID.
func (g *Group) Get(id ID) (p Pending, ok bool) { return g.pending.Get(Pending{ID: id}) }

// Put makes an entry pending for its consumer, which must be there, in the place of what was pending under its ID. The name is
// not kept.
func (g *Group) Put(p Pending) {
	old, ok := g.pending.Get(Pending{ID: p.ID})
	if ok && old.Consumer == p.Consumer {
		p.Consumer = old.Consumer // no second copy
		g.pending.Set(p)
		return
	}
	if ok {
		g.disown(old)
	}
	c, _ := g.consumers.Get(Consumer{Name: p.Consumer})
	c.Pending++
	g.consumers.Set(c)
	p.Consumer = c.Name
	g.owned.Set(owned{c.Name, p.ID})
	g.pending.Set(p)
}

func (g *Group) disown(p Pending) {
	g.owned.Delete(owned{p.Consumer, p.ID})
	c, _ := g.consumers.Get(Consumer{Name: p.Consumer})
	c.Pending--
	g.consumers.Set(c)
}

// Remove takes an entry out of what is pending, and reports whether it was there.
func (g *Group) Remove(id ID) bool {
	p, ok := g.pending.Delete(Pending{ID: id})
	if ok {
		g.disown(p)
	}
	return ok
}

// Pending walks through what is pending, from an ID on. Nothing must change meanwhile.
func (g *Group) Pending(from ID) iter.Seq[Pending] {
	return func(yield func(Pending) bool) { g.pending.Ascend(Pending{ID: from}, yield) }
}

// Owned walks through what is pending for a consumer, from an ID on. Nothing must change meanwhile.
func (g *Group) Owned(consumer string, from ID) iter.Seq[Pending] {
	return func(yield func(Pending) bool) {
		g.owned.Ascend(owned{consumer, from}, func(o owned) bool {
			if o.consumer != consumer {
				return false
			}
			p, _ := g.pending.Get(Pending{ID: o.id})
			return yield(p)
		})
	}
}

// Last returns the pending entry of the highest ID.
func (g *Group) Last() (p Pending, ok bool) { return g.pending.Max() }
