package fsm

import (
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// collection is a value of many elements: a list, a hash, a set, a sorted set or a stream. An executor finds one with find,
// takes it with own before it changes anything, and enters it with keep when it has:
//
//	it, h, ok := find[*hash](tx, key, r)
//	if !ok {
//		return // WRONGTYPE was replied
//	}
//	h = own(tx, h, newHash)
//	... change h ...
//	tx.keep(key, it, h)
type collection interface {
	object
	// size is the number of elements.
	size() int
	// encoding is what OBJECT ENCODING says.
	encoding() string
	// generation is the one that the collection was made in: in another a snapshot may see it.
	generation() uint32
	// copied returns a second collection of the same elements, made in generation gen, that shares no element which
	// either of the two would change in place. It is cheap: copy on write.
	copied(gen uint32) collection
	// memory estimates the bytes that it takes, from what it says alone. It looks at samples elements at most; 0: all.
	memory(samples int) int
	// form tells a snapshot in which of its forms the collection is, and appendTo encodes the elements for it. What they
	// say is part of the state: equal on all nodes.
	form() byte
	appendTo(dst []byte) []byte
}

// lasting is a collection whose key stays when it has no elements.
type lasting interface {
	collection
	lasts()
}

// owned is what collections have in common.
type owned struct{ gen uint32 }

func (o owned) generation() uint32 { return o.gen }

// decoders read what appendTo wrote. d.bad says that it was malformed.
var decoders = map[kind]func(d *decoder, form byte) collection{
	kindHash:   decodeHash,
	kindList:   decodeList,
	kindSet:    decodeSet,
	kindZset:   decodeZset,
	kindStream: decodeStream,
}

// find looks up a key that is to hold a T. c is nil where there is no such key, and ok false where an error was replied.
func find[T collection](tx *Tx, key []byte, r command.Reply) (it *item, c T, ok bool) {
	it = tx.lookup(key)
	if it == nil {
		return nil, c, true
	}
	b := it.big()
	if b != nil {
		c, ok = b.obj.(T)
	}
	if !ok {
		r.Error(command.ErrWrongType)
	}
	return it, c, ok
}

// findOr is find for those who reply the same to a key that is absent, whatever else they were asked: ok is false where
// absent has replied, too.
func findOr[T collection](tx *Tx, key []byte, r command.Reply, absent func()) (c T, ok bool) {
	it, c, ok := find[T](tx, key, r)
	if ok && it == nil {
		absent()
		return c, false
	}
	return c, ok
}

// own returns a collection that may be changed: c itself, a copy where a snapshot may see it, or (c is nil) a new one.
func own[T interface {
	collection
	comparable
}](tx *Tx, c T, make func(gen uint32) T) T {
	var none T
	switch {
	case c == none:
		return make(tx.m.gen)
	case c.generation() != tx.m.gen:
		return c.copied(tx.m.gen).(T)
	}
	return c
}

// keep enters a collection that was changed; it is what find found. One without elements is removed, unless it is lasting.
// It reports whether the key is still there.
func (tx *Tx) keep(key []byte, it *item, c collection) bool {
	_, stays := c.(lasting)
	stays = stays || c.size() > 0
	switch {
	case stays && it == nil:
		tx.set(key, value{obj: c}, 0)
	case stays:
		tx.put(it, value{obj: c})
	case it != nil:
		tx.delete(it)
	}
	return stays
}

// keepLess is keep for a command that took elements away and tells so: the key may be gone with the last of them.
func (tx *Tx) keepLess(key []byte, it *item, c collection, class command.EventClass, event string) {
	there := tx.keep(key, it, c)
	tx.event(class, event, key)
	if !there {
		tx.event(command.EventGeneric, "del", key)
	}
}

// sampled is memory for collections that measure elements one by one: n are there, measured of them took bytes.
func sampled(bytes, measured, n int) int {
	if measured == 0 {
		return 0
	}
	return int(float64(bytes) * float64(n) / float64(measured))
}

// below returns a number below n (which is over 0) from the entry's source.
func (tx *Tx) below(n int) int { return int(tx.Rand() % uint64(n)) }

// pickFew chooses count different ranks of n, count <= n, and calls f with each, in a random order. It costs what count
// costs, not what n does.
func (tx *Tx) pickFew(count, n int, f func(rank int)) {
	moved := make(map[int]int, count) // Fisher and Yates, of a list that is not there
	for i := range count {
		j := i + tx.below(n-i)
		at := func(k int) int {
			if m, ok := moved[k]; ok {
				return m
			}
			return k
		}
		picked := at(j)
		moved[j] = at(i)
		f(picked)
	}
}

const (
	// randomCountMax is Redis's bound of a count.
	randomCountMax = math.MaxInt64
	// randomRepeatsMax bounds how many elements may be asked for with repetitions. Redis 7.0 has no bound, and runs out of
	// memory.
	randomRepeatsMax = 1 << 24
)
