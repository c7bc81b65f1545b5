package fsm

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
)

// sequence is a collection that SORT takes: one whose elements have an order, which the state decides.
type sequence interface {
	collection
	elements() iter.Seq[string]
}

// sortOptions are what SORT is asked for.
type sortOptions struct {
	by            *sortPattern // of what is compared; nil: the elements are
	asTheyCome    bool         // nothing is compared: the order is the collection's
	alpha, desc   bool
	offset, count int64 // of the elements that are wanted; a count below 0: all
	gets          []sortPattern
	stores        bool // the result becomes a list at the key store, and is not replied
	store         []byte
}

// sortPattern names something for each element: the element itself (#), or the value of a key, or of a field of a hash, whose
// name has the element in the place of *.
type sortPattern struct {
	element       bool
	named         bool // there is a *. Nothing has a name without.
	before, after string
	field         string // "": the key holds a string
	bytes         int
}

func parseSortPattern(arg []byte) sortPattern {
	p := sortPattern{element: string(arg) == "#", bytes: len(arg)}
	p.before, p.after, p.named = strings.Cut(string(arg), "*")
	// An arrow with nothing behind it belongs to the key's name.
	if key, field, arrow := strings.Cut(p.after, "->"); arrow && field != "" {
		p.after, p.field = key, field
	}
	return p
}

// sorter is one SORT at work.
type sorter struct {
	tx *Tx
	*sortOptions
	work int // what it may still look at, in bytes
}

const (
	// sortWorkMax bounds what a SORT looks up for its patterns, in bytes: without a bound a short call could keep all nodes
	// busy for hours.
	sortWorkMax = 1 << 32
	// sortLookupBytes is what a lookup counts beside the texts that it touches.
	sortLookupBytes = 64
)

const (
	errSortWork   = "ERR SORT would look up too much: fewer elements or patterns are needed, or shorter values"
	errSortWeight = "ERR One or more scores can't be converted into double"
)

// sortText is what a pattern names for one element.
type sortText struct {
	text  string
	there bool
}

// spend notes work; it is false once there was too much.
func (s *sorter) spend(bytes int) bool {
	s.work -= bytes
	return s.work >= 0
}

// get finds what a pattern names for an element. ok is false where that is too much work.
func (s *sorter) get(p *sortPattern, elem string) (f sortText, ok bool) {
	if !s.spend(sortLookupBytes + p.bytes + len(elem)) {
		return f, false
	}
	if p.element {
		return sortText{elem, true}, true
	}
	if !p.named {
		return f, true
	}
	it := s.tx.lookup([]byte(p.before + elem + p.after))
	if it == nil {
		return f, true
	}
	v := it.value()
	if h, isHash := v.obj.(*hash); isHash && p.field != "" {
		f.text, f.there = h.get(s.tx, dataOf(p.field))
		return f, s.spend(len(f.text))
	}
	if v.kind() != kindString || p.field != "" {
		return f, true
	}
	if !s.spend(v.Len()) {
		return f, false
	}
	return sortText{v.Text(), true}, true
}

// sortable is an element with what it is compared by.
type sortable struct {
	elem   string
	by     sortText
	weight float64
}

// elements are those of q that are wanted, in order. An error may be found instead.
func (s *sorter) elements(q sequence) (elems []string, errText string) {
	from, to := s.window(q.size())
	if s.asTheyCome {
		backwards := s.desc && q.kind() != kindSet // which has no order in Redis
		return elementsBetween(q, from, to, backwards), ""
	}
	all := make([]sortable, 0, q.size())
	for elem := range q.elements() {
		e := sortable{elem: elem}
		if errText := s.weigh(&e); errText != "" {
			return nil, errText
		}
		all = append(all, e)
	}
	slices.SortStableFunc(all, s.compare)
	for _, e := range all[from:to] {
		elems = append(elems, e.elem)
	}
	return elems, ""
}

// window is the range of n elements that is wanted.
func (s *sorter) window(n int) (from, to int) {
	from = int(min(max(s.offset, 0), int64(n)))
	if s.count < 0 || s.count > int64(n-from) {
		return from, n
	}
	return from, from + int(s.count)
}

// elementsBetween are those from rank from on and before rank to, which count from the end if it goes backwards.
func elementsBetween(q sequence, from, to int, backwards bool) (elems []string) {
	if backwards {
		n := q.size()
		from, to = n-to, n-from
	}
	rank := 0
	for elem := range q.elements() {
		if rank >= to {
			break
		}
		if rank >= from {
			elems = append(elems, elem)
		}
		rank++
	}
	if backwards {
		slices.Reverse(elems)
	}
	return elems
}

// weigh finds what an element is compared by.
func (s *sorter) weigh(e *sortable) (errText string) {
	e.by = sortText{e.elem, true}
	if s.by != nil {
		var ok bool
		if e.by, ok = s.get(s.by, e.elem); !ok {
			return errSortWork
		}
	}
	if s.alpha || !e.by.there {
		return ""
	}
	var ok bool
	if e.weight, ok = sortWeight(e.by.text); !ok {
		return errSortWeight
	}
	return ""
}

// compare compares texts as the C locale does, byte by byte. What is equal in it keeps the order of the collection.
func (s *sorter) compare(a, b sortable) (c int) {
	switch {
	case !s.alpha:
		c = cmp.Or(cmp.Compare(a.weight, b.weight), strings.Compare(a.elem, b.elem))
	case a.by.there == b.by.there:
		c = strings.Compare(a.by.text, b.by.text)
	case b.by.there:
		c = -1
	default:
		c = 1
	}
	if s.desc {
		return -c
	}
	return c
}

// rows are what is replied or stored for the elements: themselves, or what the patterns of GET name for each.
func (s *sorter) rows(elems []string) (rows []sortText, errText string) {
	for _, elem := range elems {
		if len(s.gets) == 0 {
			rows = append(rows, sortText{elem, true})
		}
		for i := range s.gets {
			f, ok := s.get(&s.gets[i], elem)
			if !ok {
				return nil, errSortWork
			}
			rows = append(rows, f)
		}
	}
	return rows, ""
}

// sortWeight reads a number as C's strtod does: it may be hexadecimal, spaces may stand before it, nothing at all is 0, and a
// NUL ends it. It is false for NaN and for what is too great, or too small to be kept with all digits.
func sortWeight(s string) (float64, bool) {
	if n, ok := parseInt(s); ok {
		return float64(n), true
	}
	s, _, _ = strings.Cut(s, "\x00")
	if s == "" {
		return 0, true
	}
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	digits := s
	if s != "" && (s[0] == '-' || s[0] == '+') {
		digits = s[1:]
	}
	if strings.EqualFold(digits, "inf") || strings.EqualFold(digits, "infinity") {
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil
	}
	t := floatText{base: 10}
	if !t.scan(digits) {
		return 0, false
	}
	if t.base == 16 && !strings.ContainsAny(s, "pP") {
		s += "p0"
	}
	f, err := strconv.ParseFloat(s, 64)
	const least = 0x1p-1022 // the least number of full precision
	return f, err == nil && (math.Abs(f) >= least || strings.Trim(t.digits, "0") == "")
}
