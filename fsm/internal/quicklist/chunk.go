package quicklist

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// chunk is a run of elements, packed one behind the other into one piece of memory:
//
//	length uvarint  text  length uvarint, its bytes in reverse order
//
// so that it can be walked through in both directions.
type chunk struct {
	packed deque[byte]
	n      int // elements
	// owner is the list that may write into packed. To any other the bytes are shared: it can take elements away, which
	// writes none of them, but has to copy them before it puts one in.
	owner *owner
}

const (
	// chunkElementsMax bounds the way to an element of a chunk.
	chunkElementsMax = 256
	// chunkBytesMax bounds what a change copies after a snapshot. A longer element has a chunk of its own.
	chunkBytesMax = 8 << 10
)

// packedBytes is what an element takes in a chunk.
func packedBytes(s []byte) int {
	n := len(s) + 2
	for l := len(s); l >= 0x80; l >>= 7 {
		n += 2
	}
	return n
}

// pack writes an element to dst, which is as long as it needs.
func pack(dst, s []byte) {
	w := binary.PutUvarint(dst, uint64(len(s)))
	copy(dst[w:], s)
	for i := range w {
		dst[len(dst)-1-i] = dst[i]
	}
}

// first returns the first element of packed ones, and how many bytes they are that it takes.
func first(packed []byte) (s []byte, size int) {
	n, w := uint64(packed[0]), 1
	if n >= 0x80 {
		n, w = binary.Uvarint(packed)
	}
	return packed[w : w+int(n)], int(n) + 2*w
}

// last is first for the last one.
func last(packed []byte) (s []byte, size int) {
	n, w := 0, 0
	for shift := 0; ; shift += 7 {
		b := packed[len(packed)-1-w]
		n |= int(b&0x7f) << shift
		w++
		if b < 0x80 {
			break
		}
	}
	end := len(packed) - w
	return packed[end-n : end], n + 2*w
}

// at returns the first or the last element, by e.
func at(packed []byte, e End) (s []byte, size int) {
	if e == Front {
		return first(packed)
	}
	return last(packed)
}

// fits reports whether there is room for elements elements more, which take size bytes.
func (c *chunk) fits(elements, size int) bool {
	return c.n+elements <= chunkElementsMax && c.packed.len()+size <= chunkBytesMax
}

// own makes the chunk one that o's list may write into.
func (c *chunk) own(o *owner) {
	if c.owner != o {
		c.packed.remake(0, 0)
		c.owner = o
	}
}

// push puts an element at an end of a chunk that the list owns.
func (c *chunk) push(e End, s []byte) {
	pack(c.packed.grow(e, packedBytes(s)), s)
	c.n++
}

// drop takes n elements away from an end.
func (c *chunk) drop(e End, n int) {
	size := c.offset(n)
	if e == Back {
		size = c.packed.len() - c.offset(c.n-n)
	}
	c.packed.drop(e, size)
	c.n -= n
}

// offset is where element i begins; i is n: where the last one ends.
func (c *chunk) offset(i int) int {
	packed := c.packed.live()
	if i > c.n/2 {
		end := len(packed)
		for range c.n - i {
			_, size := last(packed[:end])
			end -= size
		}
		return end
	}
	begin := 0
	for range i {
		_, size := first(packed[begin:])
		begin += size
	}
	return begin
}

// splice puts elements, packed, in the place of old bytes from an offset on. The list owns the chunk.
func (c *chunk) splice(off, old int, packed []byte) {
	off += c.packed.from
	c.packed.all = slices.Replace(c.packed.all, off, off+old, packed...)
}

// split copies the elements before i and those from i on.
func (c *chunk) split(i int, o *owner) (left, right chunk) {
	left, right = *c, *c
	left.drop(Back, c.n-i)
	right.drop(Front, i)
	left.packed.remake(0, 0)
	right.packed.remake(0, 0)
	left.owner, right.owner = o, o
	return left, right
}

// remove removes the elements that are s, at most most of them, those nearest to an end first. It returns how many.
func (c *chunk) remove(e End, most int, s []byte, o *owner) int {
	found := 0
	for rest := c.packed.live(); len(rest) > 0; {
		elem, size := first(rest)
		if bytes.Equal(elem, s) {
			found++
		}
		rest = rest[size:]
	}
	if found == 0 {
		return 0
	}
	removed := min(found, most)
	spared := 0 // of those that were found, before the first to go
	if e == Back {
		spared = found - removed
	}
	kept := chunk{owner: o}
	seen := 0
	for rest := c.packed.live(); len(rest) > 0; {
		elem, size := first(rest)
		rest = rest[size:]
		if bytes.Equal(elem, s) {
			if seen++; seen > spared && seen <= spared+removed {
				continue
			}
		}
		kept.push(Back, elem)
	}
	*c = kept
	return removed
}
