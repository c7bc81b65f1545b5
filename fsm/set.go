package fsm

import (
	"encoding/binary"
	"iter"
	"math"
	"slices"

	"github.com/redoubtdb/redoubt/fsm/internal/dict"
)

// memberSet is a set: a collection of different members. While they are few, and integers all of them, it keeps them as numbers in
// ascending order, as Redis's intsets are; with the first member that does not fit it is hashed, for good. A hashed set keeps
// its members in the order in which they came until they are many or long.
type memberSet struct {
	owned
	ints    []int64 // of a set that is not hashed
	hashed  bool
	members dict.Dict[struct{}] // of one that is
}

const (
	setIntsMax         = 512 // Redis 7.0's set-max-intset-entries
	setSmallMembersMax = 128
	setSmallBytesMax   = 64 // of a member
)

// Forms of a set.
const (
	setInts byte = iota
	setSmall
	setBig
)

func newSet(gen uint32) *memberSet { return &memberSet{owned: owned{gen}} }

// newSetOf returns a set of members, which may be there more than once.
func newSetOf(gen uint32, members []string) *memberSet {
	s := newSet(gen)
	for _, m := range members {
		s.add(m)
	}
	return s
}

func (s *memberSet) kind() kind { return kindSet }

func (s *memberSet) size() int {
	if s.hashed {
		return s.members.Len()
	}
	return len(s.ints)
}

func (s *memberSet) encoding() string {
	if s.hashed {
		return "hashtable"
	}
	return "intset"
}

func (s *memberSet) copied(gen uint32) collection {
	return &memberSet{owned{gen}, slices.Clone(s.ints), s.hashed, s.members.Copy()}
}

// has reports whether member is in the set; there may be no set.
func (s *memberSet) has(member string) bool {
	if s == nil {
		return false
	}
	if s.hashed {
		_, there := s.members.Get(member)
		return there
	}
	n, isInt := parseInt(member)
	if !isInt {
		return false
	}
	_, there := slices.BinarySearch(s.ints, n)
	return there
}

// add adds a member, of which it keeps a copy, and reports whether it is new.
func (s *memberSet) add(member string) bool {
	if s.hashed {
		return s.addHashed(member)
	}
	n, isInt := parseInt(member)
	if !isInt {
		s.hash()
		return s.addHashed(member)
	}
	at, there := slices.BinarySearch(s.ints, n)
	if there {
		return false
	}
	s.ints = slices.Insert(s.ints, at, n)
	if len(s.ints) > setIntsMax {
		s.hash()
	}
	return true
}

func (s *memberSet) addHashed(member string) bool {
	_, there := s.members.Put(member, struct{}{})
	if len(member) > setSmallBytesMax || s.members.Len() > setSmallMembersMax {
		s.members.Grow()
	}
	return !there
}

// hash makes numbers texts.
func (s *memberSet) hash() {
	if len(s.ints) > setSmallMembersMax {
		s.members.Grow()
	}
	for _, n := range s.ints {
		s.members.Put(formatInt(n), struct{}{})
	}
	s.ints, s.hashed = nil, true
}

// remove removes a member and reports whether it was there.
func (s *memberSet) remove(member string) bool {
	if s.hashed {
		_, there := s.members.Delete(member)
		return there
	}
	n, isInt := parseInt(member)
	if !isInt {
		return false
	}
	at, there := slices.BinarySearch(s.ints, n)
	if there {
		s.ints = slices.Delete(s.ints, at, at+1)
	}
	return there
}

// at returns the member of a rank, 0 <= rank < size, in the order of elements.
func (s *memberSet) at(rank int) string {
	if s.hashed {
		member, _ := s.members.At(rank)
		return member
	}
	return formatInt(s.ints[rank])
}

// elements walks through the members: numbers ascend, a hashed set has the order of its table. The set must not change
// meanwhile.
func (s *memberSet) elements() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, n := range s.ints {
			if !yield(formatInt(n)) {
				return
			}
		}
		for member := range s.members.All() {
			if !yield(member) {
				return
			}
		}
	}
}

const (
	setBytes       = 112 // of an empty set
	setMemberBytes = 56  // of a member, beside its text
)

func (s *memberSet) memory(samples int) int {
	bytes, measured := 0, 0
	for member := range s.members.All() {
		bytes += setMemberBytes + len(member)
		if measured++; measured == samples {
			break
		}
	}
	return setBytes + integerBytes*len(s.ints) + sampled(bytes, measured, s.members.Len())
}

func (s *memberSet) form() byte {
	switch {
	case !s.hashed:
		return setInts
	case s.members.Big():
		return setBig
	}
	return setSmall
}

// appendTo writes members uvarint, and behind it { member }* in the order of the table or, of a set of numbers, { gap uvarint }*:
// what each is above the one before it, and the first above the least integer there is.
func (s *memberSet) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(s.size()))
	last := int64(math.MinInt64)
	for _, n := range s.ints {
		dst = binary.AppendUvarint(dst, uint64(n)-uint64(last))
		last = n
	}
	for member := range s.members.All() {
		dst = appendString(dst, member)
	}
	return dst
}

func decodeSet(d *decoder, form byte) collection {
	s := newSet(0)
	switch form {
	case setInts:
		s.decodeInts(d)
		return s
	case setSmall:
	case setBig:
		s.members.Grow()
	default:
		d.bad = true
	}
	s.hashed = true
	for range d.count() {
		member := d.bytes()
		if d.bad {
			break
		}
		_, twice := s.members.Put(textOf(member), struct{}{})
		d.bad = twice || form == setSmall && (len(member) > setSmallBytesMax || s.size() > setSmallMembersMax)
	}
	d.bad = d.bad || s.size() == 0
	return s
}

func (s *memberSet) decodeInts(d *decoder) {
	n := d.count()
	if d.bad = d.bad || n == 0 || n > setIntsMax; d.bad {
		return
	}
	last := int64(math.MinInt64)
	for i := range n {
		gap := d.uvarint()
		above := uint64(math.MaxInt64) - uint64(last) // how much room there is
		if d.bad = d.bad || gap > above || gap == 0 && i > 0; d.bad {
			return
		}
		last = int64(uint64(last) + gap)
		s.ints = append(s.ints, last)
	}
}
