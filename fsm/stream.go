package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/internal/streams"
	"github.com/tidwall/btree"
)

// stream is a log of entries that groups of consumers read. It stays when it has no entries.
type stream struct {
	owned
	log streams.Log
	// last is the highest ID that there has been, whether or not its entry is still there. maxDeleted is the highest that
	// was deleted (not trimmed), 0-0 where none was.
	last, maxDeleted streams.ID
	added            int64 // entries that there have been
	groups           *btree.BTreeG[*group]
}

// group is a group of consumers. One of an older generation than its stream's may be seen by a snapshot or by another
// stream: see ownGroup.
type group struct {
	gen  uint32
	name string
	last streams.ID // delivered
	// read is how many entries the group has read, those included that were deleted before it could; readUnknown where
	// that can't be told.
	read int64
	streams.Group
}

const readUnknown = -1

func groupLess(a, b *group) bool { return a.name < b.name }

const streamTreeDegree = 16

func newStream(gen uint32) *stream {
	return &stream{
		owned:  owned{gen},
		log:    streams.NewLog(),
		groups: btree.NewBTreeGOptions(groupLess, btree.Options{Degree: streamTreeDegree, NoLocks: true}),
	}
}

func (s *stream) kind() kind       { return kindStream }
func (s *stream) size() int        { return s.log.Len() }
func (s *stream) encoding() string { return "stream" }
func (s *stream) lasts()           {}

// copied shares the groups with the copy until one of the two changes them, but for those that the first could change in
// place.
func (s *stream) copied(gen uint32) collection {
	c := *s
	c.owned = owned{gen}
	c.log = s.log.Copy()
	c.groups = s.groups.Copy()
	s.groups.Scan(func(g *group) bool {
		if g.gen == gen {
			c.groups.Set(g.copied(gen))
		}
		return true
	})
	return &c
}

func (g *group) copied(gen uint32) *group {
	c := *g
	c.gen, c.Group = gen, g.Group.Copy()
	return &c
}

// group returns the group of a name, nil where there is none; there may be no stream.
func (s *stream) group(name []byte) *group {
	if s == nil {
		return nil
	}
	g, _ := s.groups.Get(&group{name: textOf(name)})
	return g
}

// ownGroup returns a group that may be changed, as own does for the stream, which must have been taken before.
func (s *stream) ownGroup(g *group) *group {
	if g.gen != s.gen {
		g = g.copied(s.gen)
		s.groups.Set(g)
	}
	return g
}

// addGroup enters a group, unless there is one of its name.
func (s *stream) addGroup(name []byte, last streams.ID, read int64) {
	s.groups.Set(&group{gen: s.gen, name: string(name), last: last, read: read, Group: streams.NewGroup()})
}

// first is the lowest ID, 0-0 where there are no entries.
func (s *stream) first() streams.ID {
	e, _ := s.log.First()
	return e.ID
}

// add appends an entry.
func (s *stream) add(id streams.ID, fields [][]byte) {
	s.log.Append(id, fields)
	s.last = id
	s.added++
}

// delete removes an entry.
func (s *stream) delete(id streams.ID) bool {
	if !s.log.Delete(id) {
		return false
	}
	if id.Compare(s.maxDeleted) > 0 {
		s.maxDeleted = id
	}
	return true
}

// holed reports whether an entry may have been deleted behind the first one that is there.
func (s *stream) holed() bool { return s.log.Len() > 0 && s.maxDeleted.Compare(s.first()) >= 0 }

// holedFrom reports whether it may have been at or behind an ID.
func (s *stream) holedFrom(id streams.ID) bool { return id.Compare(s.maxDeleted) <= 0 && s.holed() }

// readUpTo is how many entries there have been up to an ID; readUnknown where that can't be told without having counted
// them.
func (s *stream) readUpTo(id streams.ID) int64 {
	n, first := int64(s.log.Len()), s.first()
	c := id.Compare(s.last)
	switch {
	case s.added == 0:
		return 0
	case n == 0 && c < 0, c == 0:
		return s.added
	case c > 0:
		return readUnknown
	case s.holed():
		return readUnknown
	case id.Compare(first) < 0:
		return s.added - n
	case id == first:
		return s.added - n + 1
	}
	return readUnknown
}

// lag is how many entries a group has not read yet; ok is false where that can't be told.
func (s *stream) lag(g *group) (n int64, ok bool) {
	switch {
	case s.added == 0:
		return 0, true
	case g.read != readUnknown && !s.holedFrom(g.last):
		return s.added - g.read, true
	}
	if read := s.readUpTo(g.last); read != readUnknown {
		return s.added - read, true
	}
	return 0, false
}

// deliver notes that a group was given the entry of an ID, behind all those that it was given before.
func (s *stream) deliver(g *group, id streams.ID) {
	switch {
	case id.Compare(g.last) <= 0:
		return
	case g.read != readUnknown && !s.holedFrom(id):
		g.read++
	case s.added != 0:
		g.read = s.readUpTo(id)
	}
	g.last = id
}

const (
	streamBytes     = 160 // of an empty stream
	streamNodeBytes = 120 // of a node, beside what is in it
	groupBytes      = 400
	consumerBytes   = 48 // beside its name
	pendingBytes    = 96 // of a pending entry
)

func (s *stream) memory(samples int) int {
	bytes, measured := 0, 0
	for n := range s.log.Nodes() {
		bytes += streamNodeBytes + len(n.Names) + len(n.Packed)
		if measured++; measured == samples {
			break
		}
	}
	total := streamBytes + sampled(bytes, measured, s.log.NodeCount())
	return total + s.groupMemory(samples)
}

func (s *stream) groupMemory(samples int) int {
	bytes, measured := 0, 0
	s.groups.Scan(func(g *group) bool {
		bytes += groupBytes + len(g.name) + g.Len()*pendingBytes + g.ConsumerCount()*consumerBytes
		measured++
		return measured != samples
	})
	return sampled(bytes, measured, s.groups.Len())
}

// keepUnwatched enters a stream whose entries are as they were, for keep. To a WATCH the key has not changed, as in Redis.
func (tx *Tx) keepUnwatched(it *item, s *stream) {
	if it.gen != tx.m.gen {
		it, _ = tx.ks.put(tx.hashOf(dataOf(it.key())), it.clone(tx.m.gen))
	}
	it.setValue(value{obj: s})
	tx.dirty++
}
