package lua

import "math"

// Table is a Lua table: an array for the keys from 1 on, and an ordered hash for all others. The hash keeps the order in
// which keys were added, so that next gives the same on every node.
type Table struct {
	arr      []Value
	ents     []entry
	index    map[Value]int32 // nil while ents is short enough to be looked through
	dead     int             // entries whose value is nil: a removed key stays until the next growth, for next
	meta     *Table
	readonly bool
	id       uint64
}

type entry struct{ key, val Value }

const (
	// scanMax is how many entries are looked through without an index.
	scanMax = 8

	valueBytes = 24
	tableBytes = 96
	// entryBytes is an entry with its share of growth and of the index.
	entryBytes = 120
)

// SetReadonly makes every later change by a program an error.
func (t *Table) SetReadonly() { t.readonly = true }

// SetMeta gives the table a metatable.
func (t *Table) SetMeta(m *Table) { t.meta = m }

// Get returns the value of a key, without metamethods.
func (t *Table) Get(k Value) Value {
	if k.IsNumber() {
		if i := int(k.n); i > 0 && i <= len(t.arr) && float64(i) == k.n {
			return t.arr[i-1]
		}
	}
	if i := t.find(k); i >= 0 {
		return t.ents[i].val
	}
	return Nil
}

// GetInt is Get for an integer.
func (t *Table) GetInt(i int) Value {
	if i > 0 && i <= len(t.arr) {
		return t.arr[i-1]
	}
	return t.Get(Int(i))
}

// GetStr is Get for a string.
func (t *Table) GetStr(s string) Value {
	if t.index == nil {
		for i := range t.ents {
			if k, ok := t.ents[i].key.o.(string); ok && k == s {
				return t.ents[i].val
			}
		}
		return Nil
	}
	return t.Get(String(s))
}

// find returns the place of a key in ents, -1 if it has none.
func (t *Table) find(k Value) int {
	if t.index != nil {
		if i, ok := t.index[k]; ok {
			return int(i)
		}
		return -1
	}
	for i := range t.ents {
		if t.ents[i].key == k {
			return i
		}
	}
	return -1
}

// Set gives a key a value, without metamethods, and returns the bytes that the table has grown by. The key is neither nil
// nor NaN.
func (t *Table) Set(k, v Value) (grown int) {
	if k.IsNumber() {
		i := int(k.n)
		if float64(i) == k.n {
			switch {
			case i > 0 && i <= len(t.arr):
				t.arr[i-1] = v
				return 0
			case i == len(t.arr)+1 && !v.IsNil():
				return t.push(v)
			}
			k.n = float64(i) // -0 is 0
		}
	}
	if i := t.find(k); i >= 0 {
		t.replace(i, v)
		return 0
	}
	if v.IsNil() {
		return 0
	}
	return t.add(k, v)
}

// SetStr is Set for a string.
func (t *Table) SetStr(s string, v Value) int { return t.Set(String(s), v) }

// Append sets the element after the last of the array.
func (t *Table) Append(v Value) int { return t.Set(Int(t.Len()+1), v) }

// push adds an element to the array, and those behind it that were in the hash.
func (t *Table) push(v Value) (grown int) {
	grown = t.extend(v)
	for len(t.ents) > t.dead {
		i := t.find(Int(len(t.arr) + 1))
		if i < 0 || t.ents[i].val.IsNil() {
			break
		}
		grown += t.extend(t.ents[i].val)
		t.replace(i, Nil)
	}
	return grown
}

func (t *Table) extend(v Value) (grown int) {
	before := cap(t.arr)
	t.arr = append(t.arr, v)
	return (cap(t.arr) - before) * valueBytes
}

func (t *Table) replace(i int, v Value) {
	e := &t.ents[i]
	switch {
	case e.val.IsNil() && !v.IsNil():
		t.dead--
	case !e.val.IsNil() && v.IsNil():
		t.dead++
	}
	e.val = v
}

// add enters a new key. Where removed ones are in the way they are swept out first.
func (t *Table) add(k, v Value) (grown int) {
	if len(t.ents) == cap(t.ents) && t.dead > len(t.ents)/2 {
		t.sweep()
	}
	t.ents = append(t.ents, entry{k, v})
	n := len(t.ents)
	switch {
	case t.index != nil:
		t.index[k] = int32(n - 1)
	case n > scanMax:
		t.reindex()
	}
	return entryBytes
}

func (t *Table) sweep() {
	live := t.ents[:0]
	for _, e := range t.ents {
		if !e.val.IsNil() {
			live = append(live, e)
		}
	}
	clear(t.ents[len(live):])
	t.ents, t.dead = live, 0
	if t.index = nil; len(live) > scanMax {
		t.reindex()
	}
}

func (t *Table) reindex() {
	t.index = make(map[Value]int32, 2*len(t.ents))
	for i := range t.ents {
		t.index[t.ents[i].key] = int32(i)
	}
}

// Len is a border as the # operator gives it: n such that t[n] is there and t[n+1] is not.
func (t *Table) Len() int {
	n := len(t.arr)
	if n > 0 && t.arr[n-1].IsNil() {
		lo, hi := 0, n // arr[lo-1] is there (or lo is 0), arr[hi-1] is not
		for hi-lo > 1 {
			if mid := (lo + hi) / 2; t.arr[mid-1].IsNil() {
				hi = mid
			} else {
				lo = mid
			}
		}
		return lo
	}
	return n // what follows the array is never in the hash: push takes it over
}

// Next returns the key after k, nil at the end, its value and how many empty places were passed. k nil: the first. ok is
// false where k is no key of the table.
func (t *Table) Next(k Value) (key, val Value, passed int, ok bool) {
	i := 0 // in arr, and then in ents
	switch at, inArray := t.place(k); {
	case k.IsNil():
	case inArray:
		i = at
	case at < 0:
		return Nil, Nil, 0, false
	default:
		return t.nextEntry(at+1, 0)
	}
	for ; i < len(t.arr); i++ {
		if !t.arr[i].IsNil() {
			return Int(i + 1), t.arr[i], passed, true
		}
		passed++
	}
	return t.nextEntry(0, passed)
}

func (t *Table) nextEntry(i, passed int) (key, val Value, skipped int, ok bool) {
	for ; i < len(t.ents); i++ {
		if e := &t.ents[i]; !e.val.IsNil() {
			return e.key, e.val, passed, true
		}
		passed++
	}
	return Nil, Nil, passed, true
}

// place finds a key: its index in the array, or in ents, or -1.
func (t *Table) place(k Value) (at int, inArray bool) {
	if k.IsNumber() {
		if i := int(k.n); i > 0 && i <= len(t.arr) && float64(i) == k.n {
			return i, true
		}
	}
	return t.find(k), false
}

// Size counts the places of a table: a bound for a walk through it.
func (t *Table) Size() int { return len(t.arr) + len(t.ents) }

func isNaN(v Value) bool { return v.IsNumber() && math.IsNaN(v.n) }
