// Package ranked is the set of members with scores that sorted sets are made of.
//
// A member's rank follows from its score and, among equal scores, from its bytes. Like a dict.Dict, a Set begins small (a
// sorted list, as Redis's listpacks are) and Grow makes it big, for good: a B-tree in the order of the ranks, and a table of
// the members' scores. Scores are never NaN, which has no place in an order: that is for the callers to see to.
//
// A Set is for one goroutine, or several that only read. Copy is cheap (copy on write): what was copied may be read by
// others while the copy is changed.
package ranked

import (
	"iter"
	"slices"
	"sort"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/internal/dict"
	"github.com/tidwall/btree"
)

// Entry is a member with its score.
type Entry struct {
	Member string
	Score  float64
}

// Compare tells the order of two entries. The zeros are equal whatever their signs.
func Compare(a, b Entry) int {
	switch {
	case a.Score < b.Score:
		return -1
	case a.Score > b.Score:
		return 1
	}
	return strings.Compare(a.Member, b.Member)
}

func less(a, b Entry) bool { return Compare(a, b) < 0 }

// Set is the sorted set. The zero Set is empty and small.
type Set struct {
	small  []Entry              // in order
	order  *btree.BTreeG[Entry] // nil while it is small
	scores dict.Dict[float64]   // of the members in order; big where the Set is
}

const treeDegree = 32 // as in a keyspace: 63 entries a node

// Len counts the members.
func (s *Set) Len() int {
	if s.order != nil {
		return s.order.Len()
	}
	return len(s.small)
}

// Big reports whether Grow was called.
func (s *Set) Big() bool { return s.order != nil }

// Grow makes the set big.
func (s *Set) Grow() {
	if s.order != nil {
		return
	}
	s.order = btree.NewBTreeGOptions(less, btree.Options{Degree: treeDegree, NoLocks: true})
	s.scores.Grow()
	for _, e := range s.small {
		s.order.Load(e)
		s.scores.Insert(e.Member, e.Score)
	}
	s.small = nil
}

// index is where a small set has a member; -1: it has not.
func (s *Set) index(member string) int {
	for i := range s.small {
		if s.small[i].Member == member {
			return i
		}
	}
	return -1
}

// Score returns a member's score. The member is not kept.
func (s *Set) Score(member string) (score float64, ok bool) {
	if s.order != nil {
		return s.scores.Get(member)
	}
	if i := s.index(member); i >= 0 {
		return s.small[i].Score, true
	}
	return 0, false
}

// Put gives a member a score. A member that is new is copied. A small set knows no negative zero: Redis's listpacks keep
// scores that are integers as such.
func (s *Set) Put(member string, score float64) {
	if s.order == nil {
		s.putSmall(member, score)
		return
	}
	old, there := s.scores.Get(member)
	if !there {
		member = strings.Clone(member)
		s.scores.Insert(member, score)
		s.order.Set(Entry{member, score})
		return
	}
	s.scores.Put(member, score)
	e, _ := s.order.Delete(Entry{member, old})
	s.order.Set(Entry{e.Member, score})
}

func (s *Set) putSmall(member string, score float64) {
	if i := s.index(member); i >= 0 {
		member = s.small[i].Member // no second copy
		s.small = slices.Delete(s.small, i, i+1)
	} else {
		member = strings.Clone(member)
	}
	e := Entry{member, unsigned(score)}
	i, _ := slices.BinarySearchFunc(s.small, e, Compare)
	s.small = slices.Insert(s.small, i, e)
}

// unsigned is a score without the sign of a zero.
func unsigned(score float64) float64 {
	if score == 0 {
		return 0
	}
	return score
}

// Append adds an entry behind all others, and keeps its member without a copy. It is false where the entry does not belong
// there, or the member has a score already.
func (s *Set) Append(e Entry) bool {
	if n := s.Len(); n > 0 && !less(s.At(n-1), e) {
		return false
	}
	if _, there := s.Score(e.Member); there {
		return false
	}
	if s.order == nil {
		e.Score = unsigned(e.Score)
		s.small = append(s.small, e)
		return true
	}
	s.order.Load(e)
	s.scores.Insert(e.Member, e.Score)
	return true
}

// Delete removes a member and reports whether it was there.
func (s *Set) Delete(member string) bool {
	if s.order == nil {
		i := s.index(member)
		if i >= 0 {
			s.small = slices.Delete(s.small, i, i+1)
		}
		return i >= 0
	}
	score, ok := s.scores.Delete(member)
	if ok {
		s.order.Delete(Entry{member, score})
	}
	return ok
}

// Cut removes the entries of ranks [from, to), 0 <= from <= to <= Len.
func (s *Set) Cut(from, to int) {
	if s.order == nil {
		s.small = slices.Delete(s.small, from, to)
		return
	}
	if to-from > s.Len()/2 {
		s.without(from, to)
		return
	}
	for range to - from {
		e, _ := s.order.DeleteAt(from)
		s.scores.Delete(e.Member)
	}
}

// without is Cut of a big set that makes a new one of what is left.
func (s *Set) without(from, to int) {
	var left Set
	left.Grow()
	rank := 0
	s.order.Scan(func(e Entry) bool {
		if rank < from || rank >= to {
			left.order.Load(e)
			left.scores.Insert(e.Member, e.Score)
		}
		rank++
		return true
	})
	*s = left
}

// At returns the entry of a rank, 0 <= rank < Len.
func (s *Set) At(rank int) Entry {
	if s.order != nil {
		e, _ := s.order.GetAt(rank)
		return e
	}
	return s.small[rank]
}

// Rank returns a member's rank.
func (s *Set) Rank(member string) (rank int, ok bool) {
	if s.order == nil {
		rank = s.index(member)
		return rank, rank >= 0
	}
	score, ok := s.scores.Get(member)
	if !ok {
		return 0, false
	}
	e := Entry{member, score}
	return s.Until(0, func(o Entry) bool { return !less(o, e) }), true
}

// Until returns the first rank, not before from, whose entry satisfies is; Len: there is none. In order of rank, is must be
// false up to some entry and true from there on. In a small set it may be anything.
func (s *Set) Until(from int, is func(Entry) bool) int {
	if s.order != nil {
		return from + sort.Search(s.Len()-from, func(i int) bool { return is(s.At(from + i)) })
	}
	for from < len(s.small) && !is(s.small[from]) {
		from++
	}
	return from
}

// Since is Until from the other end: the rank behind the last entry before before that satisfies is; 0: there is none. In
// order of rank, is must be true up to some entry and false from there on. In a small set it may be anything.
func (s *Set) Since(before int, is func(Entry) bool) int {
	if s.order != nil {
		return sort.Search(before, func(i int) bool { return !is(s.At(i)) })
	}
	for before > 0 && !is(s.small[before-1]) {
		before--
	}
	return before
}

// Ascend walks through the entries from a rank on. The set must not change meanwhile.
func (s *Set) Ascend(rank int) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		if s.order != nil {
			if e, ok := s.order.GetAt(rank); ok {
				s.order.Ascend(e, yield)
			}
			return
		}
		for ; rank < len(s.small); rank++ {
			if !yield(s.small[rank]) {
				return
			}
		}
	}
}

// Descend walks through the entries from a rank down. The set must not change meanwhile.
func (s *Set) Descend(rank int) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		if s.order != nil {
			if e, ok := s.order.GetAt(rank); ok {
				s.order.Descend(e, yield)
			}
			return
		}
		for ; rank >= 0; rank-- {
			if !yield(s.small[rank]) {
				return
			}
		}
	}
}

// Scan is Dict.Scan of the members and their scores: pages in an order in which nothing is missed. A small set comes as a
// whole.
func (s *Set) Scan(cursor uint64, count int, f func(member string, score float64)) (next uint64) {
	if s.order != nil {
		return s.scores.Scan(cursor, count, f)
	}
	for _, e := range s.small {
		f(e.Member, e.Score)
	}
	return 0
}

// Copy returns a set of the same content. Both may be changed from then on, by one goroutine; others that read the first may
// go on as long as only the second is.
func (s *Set) Copy() Set {
	if s.order != nil {
		return Set{order: s.order.Copy(), scores: s.scores.Copy()}
	}
	return Set{small: slices.Clone(s.small)}
}
