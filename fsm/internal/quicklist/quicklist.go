// Package quicklist is the sequence of strings that lists are made of.
//
// A List is a row of chunks, each one piece of memory into which its elements are packed: a short element takes two bytes
// beside its own, and a list of a million elements is some thousand pieces to the collector. Pushing and popping at both
// ends costs the same whatever the length; what has to do with the middle costs the number of chunks and the length of one.
// Which chunks there are follows from the history of a list and says nothing: lists of equal elements are equal.
//
// A List is for one goroutine, or several that only read. Copy is cheap (copy on write): what was copied may be read by
// others while the copy is changed, and the first change to a chunk copies that chunk alone.
package quicklist

import (
	"iter"
	"slices"
)

// End is one of the two ends of a list.
type End int

// The ends.
const (
	Front End = iota
	Back
)

// List is the sequence. The zero List is empty. It must not be copied but by Copy. Elements that its methods return are
// views of its memory, valid until it is changed.
type List struct {
	chunks deque[chunk] // none of them is empty
	n      int          // elements
	// owner is what the chunks that this list may write into carry. Only changes and Copy look at it.
	owner *owner
}

// owner is the identity of a list between two calls of Copy.
type owner struct{ _ byte }

// Len counts the elements.
func (l *List) Len() int { return l.n }

// Copy returns a list of the same elements. Both may be changed from then on, by one goroutine; others that read the first may
// go on as long as only the second is.
func (l *List) Copy() List {
	l.owner = new(owner)
	c := List{chunks: l.chunks, n: l.n, owner: new(owner)}
	c.chunks.remake(0, 0)
	return c
}

// end is the chunk at an end, nil in an empty list.
func (l *List) end(e End) *chunk {
	chunks := l.chunks.live()
	switch {
	case len(chunks) == 0:
		return nil
	case e == Front:
		return &chunks[0]
	}
	return &chunks[len(chunks)-1]
}

// Push puts an element at an end. It is copied.
func (l *List) Push(e End, s []byte) {
	c := l.end(e)
	if c == nil || !c.fits(1, packedBytes(s)) {
		if c != nil && c.owner == l.owner {
			c.packed.compact()
		}
		c = &l.chunks.grow(e, 1)[0]
		*c = chunk{owner: l.owner}
	}
	c.own(l.owner)
	c.push(e, s)
	l.n++
}

// Pop takes the element at an end of a list that is not empty.
func (l *List) Pop(e End) []byte {
	c := l.end(e)
	s, size := at(c.packed.live(), e)
	if c.n == 1 {
		l.dropChunk(e)
	} else {
		c.packed.drop(e, size)
		c.n--
	}
	l.n--
	return s
}

// Drop takes n elements away from an end, n <= Len.
func (l *List) Drop(e End, n int) {
	l.n -= n
	for n > 0 {
		c := l.end(e)
		if c.n > n {
			c.drop(e, n)
			return
		}
		n -= c.n
		l.dropChunk(e)
	}
}

func (l *List) dropChunk(e End) {
	*l.end(e) = chunk{}
	l.chunks.drop(e, 1)
}

// find returns the chunk in which element i is, 0 <= i < Len, and which of the chunk's it is.
func (l *List) find(i int) (k, j int) {
	chunks := l.chunks.live()
	if i < l.n/2 {
		for i >= chunks[k].n {
			i -= chunks[k].n
			k++
		}
		return k, i
	}
	i -= l.n // counted from the end, below 0
	for k = len(chunks) - 1; i < -chunks[k].n; k-- {
		i += chunks[k].n
	}
	return k, i + chunks[k].n
}

// At returns element i, 0 <= i < Len.
func (l *List) At(i int) []byte {
	k, j := l.find(i)
	c := &l.chunks.live()[k]
	s, _ := first(c.packed.live()[c.offset(j):])
	return s
}

// From walks through the elements from the i-th on, 0 <= i <= Len, with their indexes. The list must not change meanwhile.
func (l *List) From(i int) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		if i == l.n {
			return
		}
		at := i
		k, j := l.find(i)
		chunks := l.chunks.live()
		for ; k < len(chunks); k, j = k+1, 0 {
			for rest := chunks[k].packed.live()[chunks[k].offset(j):]; len(rest) > 0; at++ {
				s, size := first(rest)
				if !yield(at, s) {
					return
				}
				rest = rest[size:]
			}
		}
	}
}

// Backward walks through the elements from the last to the first.
func (l *List) Backward() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		at := l.n - 1
		for k := range slices.Backward(l.chunks.live()) {
			for rest := l.chunks.live()[k].packed.live(); len(rest) > 0; at-- {
				s, size := last(rest)
				if !yield(at, s) {
					return
				}
				rest = rest[:len(rest)-size]
			}
		}
	}
}
