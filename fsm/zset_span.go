package fsm

import (
	"bytes"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/ranked"
)

// span is the part of a sorted set that a range command asks for.
type span interface {
	// ranks returns the ranks [from, to) of the entries in it. Where back is true they are looked for from the end on.
	ranks(s *ranked.Set, back bool) (from, to int)
}

// spanKind is what a span is of.
type spanKind uint8

const (
	spanOfRanks spanKind = iota
	spanOfScores
	spanOfNames
)

// spanArg reads the two ends of a span. ok is false where an error was replied.
func spanArg(k spanKind, least, most []byte, r command.Reply) (span, bool) {
	switch k {
	case spanOfScores:
		return scoreSpanArg(least, most, r)
	case spanOfNames:
		return nameSpanArg(least, most, r)
	}
	first, ok := intArg(least, r)
	if !ok {
		return nil, false
	}
	last, ok := intArg(most, r)
	return rankSpan{first, last}, ok
}

// rankSpan is from first to last, both of them in it; negative: counted from the end.
type rankSpan struct{ first, last int64 }

func (sp rankSpan) ranks(s *ranked.Set, back bool) (from, to int) {
	n := int64(s.Len())
	first, last := sp.first, sp.last
	if first < 0 {
		first = max(first+n, 0)
	}
	if last < 0 {
		last += n
	}
	last = min(last, n-1)
	if first > last {
		return 0, 0
	}
	if back {
		first, last = n-1-last, n-1-first
	}
	return int(first), int(last) + 1
}

// scoreSpan is the scores from min to max; an end that is open is not in it.
type scoreSpan struct {
	min, max         float64
	minOpen, maxOpen bool
}

func scoreSpanArg(least, most []byte, r command.Reply) (sp scoreSpan, ok bool) {
	var okMax bool
	sp.min, sp.minOpen, ok = scoreEnd(least)
	sp.max, sp.maxOpen, okMax = scoreEnd(most)
	if !ok || !okMax {
		r.Error("ERR min or max is not a float")
		return sp, false
	}
	return sp, true
}

// scoreEnd reads an end of a span of scores. Redis gives it to strtod as it is: spaces in front and a NUL behind do not
// matter, nothing at all is 0, and what is out of range counts as the nearest that there is.
func scoreEnd(arg []byte) (score float64, open, ok bool) {
	if open = bytes.HasPrefix(arg, []byte("(")); open {
		arg = arg[1:]
	}
	arg, _, _ = bytes.Cut(arg, []byte{0})
	if len(arg) == 0 {
		return 0, open, true
	}
	score, _, ok = parseDouble(strings.TrimLeft(textOf(arg), " \t\n\v\f\r"))
	return score, open, ok
}

func (sp scoreSpan) above(e ranked.Entry) bool {
	return e.Score > sp.min || e.Score == sp.min && !sp.minOpen
}

func (sp scoreSpan) beyond(e ranked.Entry) bool {
	return e.Score > sp.max || e.Score == sp.max && sp.maxOpen
}

func (sp scoreSpan) ranks(s *ranked.Set, _ bool) (from, to int) {
	from = s.Until(0, sp.above)
	return from, s.Until(from, sp.beyond)
}

// nameSpan is the members from min to max.
type nameSpan struct{ min, max nameEnd }

// nameEnd is an end of a span of members.
type nameEnd struct {
	all  int // -1: before all members, 1: behind all
	name string
	open bool // it is not in the span
}

func nameSpanArg(least, most []byte, r command.Reply) (sp nameSpan, ok bool) {
	var okMax bool
	sp.min, ok = nameEndArg(least)
	sp.max, okMax = nameEndArg(most)
	if !ok || !okMax {
		r.Error("ERR min or max not valid string range item")
		return sp, false
	}
	return sp, true
}

func nameEndArg(arg []byte) (end nameEnd, ok bool) {
	if len(arg) == 0 {
		return end, false
	}
	switch c := arg[0]; {
	case c == '-' && len(arg) == 1:
		return nameEnd{all: -1}, true
	case c == '+' && len(arg) == 1:
		return nameEnd{all: 1}, true
	case c == '(' || c == '[':
		return nameEnd{name: textOf(arg[1:]), open: c == '('}, true
	}
	return end, false
}

// compare tells whether a member stands before (-1), at or behind an end.
func (end nameEnd) compare(e ranked.Entry) int {
	if end.all != 0 {
		return -end.all
	}
	return strings.Compare(e.Member, end.name)
}

func (sp nameSpan) above(e ranked.Entry) bool {
	c := sp.min.compare(e)
	return c > 0 || c == 0 && !sp.min.open
}

func (sp nameSpan) below(e ranked.Entry) bool {
	c := sp.max.compare(e)
	return c < 0 || c == 0 && !sp.max.open
}

// ranks has a sense only where all scores are equal. Where they are not, a small set gives what Redis gives: it looks at the
// first and the last entry, then for the nearer end, and takes what follows.
func (sp nameSpan) ranks(s *ranked.Set, back bool) (from, to int) {
	n := s.Len()
	if n == 0 || !sp.above(s.At(n-1)) || !sp.below(s.At(0)) {
		return 0, 0
	}
	if back {
		to = s.Since(n, sp.below)
		return s.Since(to, func(e ranked.Entry) bool { return !sp.above(e) }), to
	}
	from = s.Until(0, sp.above)
	return from, s.Until(from, func(e ranked.Entry) bool { return !sp.below(e) })
}

// window is LIMIT: entries that are left out, and how many are taken then. limit -1: all.
type window struct{ offset, limit int64 }

var wholeWindow = window{0, -1}

// of narrows ranks [from, to) to the window, which is counted from the end where back is true.
func (w window) of(from, to int, back bool) (int, int) {
	n := int64(to - from)
	if w.offset < 0 || w.offset >= n {
		return from, from
	}
	left := n - w.offset
	if w.limit >= 0 {
		left = min(left, w.limit)
	}
	if back {
		to -= int(w.offset)
		return to - int(left), to
	}
	from += int(w.offset)
	return from, from + int(left)
}
