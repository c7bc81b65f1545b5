package fsm

import (
	"encoding/binary"
	"math"

	"github.com/redoubtdb/redoubt/fsm/internal/streams"
)

// A stream of a snapshot is
//
//	last ID  max deleted ID  added uvarint
//	nodes uvarint   { base ID  last ID  count uvarint  used uvarint  bytes uvarint  names  packed }*
//	groups uvarint  { name  last ID  read uvarint  consumers  pending }*
//	consumers uvarint { name  seen uvarint }*
//	pending uvarint   { ID  consumer uvarint  delivered uvarint  deliveries uvarint }*
//
// An ID is two uvarints; names, packed and a name are a length and bytes; a consumer of a pending entry is its place among
// the consumers; read is one more than the count, 0 where it is unknown. How Redis would have divided the entries into
// nodes is part of it, because it decides what an approximate trim removes. docs/FORMATS.md repeats this.

func (s *stream) form() byte { return 0 }

func appendID(dst []byte, id streams.ID) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, id.Ms), id.Seq)
}

func (s *stream) appendTo(dst []byte) []byte {
	dst = appendID(appendID(dst, s.last), s.maxDeleted)
	dst = binary.AppendUvarint(dst, uint64(s.added))
	dst = binary.AppendUvarint(dst, uint64(s.log.NodeCount()))
	for n := range s.log.Nodes() {
		dst = appendID(appendID(dst, n.Base), n.Last)
		dst = binary.AppendUvarint(dst, uint64(n.Count))
		dst = binary.AppendUvarint(dst, uint64(n.Used))
		dst = binary.AppendUvarint(dst, uint64(n.Bytes))
		dst = appendString(appendString(dst, textOf(n.Names)), textOf(n.Packed))
	}
	dst = binary.AppendUvarint(dst, uint64(s.groups.Len()))
	s.groups.Scan(func(g *group) bool {
		dst = g.appendTo(dst)
		return true
	})
	return dst
}

func (g *group) appendTo(dst []byte) []byte {
	dst = appendID(appendString(dst, g.name), g.last)
	dst = binary.AppendUvarint(dst, uint64(g.read+1))
	dst = binary.AppendUvarint(dst, uint64(g.ConsumerCount()))
	places := make(map[string]uint64, g.ConsumerCount())
	for c := range g.Consumers() {
		places[c.Name] = uint64(len(places))
		dst = binary.AppendUvarint(appendString(dst, c.Name), uint64(c.Seen))
	}
	dst = binary.AppendUvarint(dst, uint64(g.Len()))
	for p := range g.Pending(streams.ID{}) {
		dst = binary.AppendUvarint(appendID(dst, p.ID), places[p.Consumer])
		dst = binary.AppendUvarint(dst, uint64(p.Delivered))
		dst = binary.AppendUvarint(dst, uint64(p.Deliveries))
	}
	return dst
}

func (d *decoder) id() streams.ID { return streams.ID{Ms: d.uvarint(), Seq: d.uvarint()} }

// small reads a number that an int holds everywhere.
func (d *decoder) small() int {
	n := d.uvarint()
	d.bad = d.bad || n > math.MaxInt32
	return int(n & math.MaxInt32)
}

func decodeStream(d *decoder, form byte) collection {
	s := newStream(0)
	d.bad = d.bad || form != 0
	s.last, s.maxDeleted, s.added = d.id(), d.id(), int64(d.uvarint())
	for range d.count() {
		n := streams.Node{Base: d.id(), Last: d.id(), Count: d.small(), Used: d.small(), Bytes: d.small()}
		n.Names, n.Packed = d.ownBytes(), d.ownBytes()
		if d.bad || n.Last.Compare(s.last) > 0 || !s.log.Load(n) {
			d.bad = true
			return s
		}
	}
	for range d.count() {
		g := d.group()
		if _, twice := s.groups.Set(g); twice || d.bad {
			d.bad = true
			return s
		}
	}
	return s
}

// ownBytes are bytes that outlive the record.
func (d *decoder) ownBytes() []byte { return append([]byte(nil), d.bytes()...) }

func (d *decoder) group() *group {
	g := &group{name: string(d.bytes()), last: d.id(), read: int64(d.uvarint()) - 1, Group: streams.NewGroup()}
	var names []string
	for range d.count() {
		name := d.bytes()
		if created := g.See(name, int64(d.uvarint())); !created || d.bad {
			d.bad = true
			return g
		}
		names = append(names, string(name))
	}
	for range d.count() {
		p := streams.Pending{ID: d.id()}
		place := d.uvarint()
		p.Delivered, p.Deliveries = int64(d.uvarint()), int64(d.uvarint())
		if _, twice := g.Get(p.ID); twice || d.bad || place >= uint64(len(names)) {
			d.bad = true
			return g
		}
		p.Consumer = names[place]
		g.Put(p)
	}
	return g
}
