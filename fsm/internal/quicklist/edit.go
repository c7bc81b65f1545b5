package quicklist

import "slices"

// Set puts s in the place of element i, 0 <= i < Len. It is copied.
func (l *List) Set(i int, s []byte) {
	k, j := l.find(i)
	c := &l.chunks.live()[k]
	if c.n == 1 {
		*c = l.chunkOf(s)
		return
	}
	off := c.offset(j)
	_, old := first(c.packed.live()[off:])
	c.own(l.owner)
	if c.packed.len()-old+packedBytes(s) <= chunkBytesMax {
		c.splice(off, old, packed(s))
		return
	}
	c.splice(off, old, nil)
	c.n--
	l.n--
	l.Insert(i, s)
}

// Insert puts s before element i, 0 <= i <= Len; Len: behind the last. It is copied.
func (l *List) Insert(i int, s []byte) {
	if i == 0 {
		l.Push(Front, s)
		return
	}
	if i == l.n {
		l.Push(Back, s)
		return
	}
	k, j := l.find(i)
	l.n++
	chunks := l.chunks.live()
	c, size := &chunks[k], packedBytes(s)
	switch {
	case c.fits(1, size):
		c.own(l.owner)
		c.splice(c.offset(j), 0, packed(s))
		c.n++
	case j > 0:
		l.insertSplit(k, j, s)
	case chunks[k-1].fits(1, size):
		chunks[k-1].own(l.owner)
		chunks[k-1].push(Back, s)
	default:
		l.replace(k, k, l.chunkOf(s))
	}
}

// insertSplit puts s before element j of chunk k, which is not its first, and has no room for it.
func (l *List) insertSplit(k, j int, s []byte) {
	left, right := l.chunks.live()[k].split(j, l.owner)
	switch size := packedBytes(s); {
	case left.fits(1, size):
		left.push(Back, s)
	case right.fits(1, size):
		right.push(Front, s)
	default:
		l.replace(k, k+1, left, l.chunkOf(s), right)
		return
	}
	l.replace(k, k+1, left, right)
}

// replace puts chunks in the place of those from one to another.
func (l *List) replace(from, to int, chunks ...chunk) {
	skip := l.chunks.from
	l.chunks.all = slices.Replace(l.chunks.all, skip+from, skip+to, chunks...)
}

func (l *List) chunkOf(s []byte) chunk {
	c := chunk{owner: l.owner}
	c.push(Back, s)
	return c
}

func packed(s []byte) []byte {
	p := make([]byte, packedBytes(s))
	pack(p, s)
	return p
}

// Remove removes the elements that are s, at most most of them, those nearest to an end first. It returns how many.
func (l *List) Remove(e End, most int, s []byte) int {
	removed := 0
	chunks := l.chunks.live()
	for i := 0; i < len(chunks) && removed < most; i++ {
		c := &chunks[i]
		if e == Back {
			c = &chunks[len(chunks)-1-i]
		}
		removed += c.remove(e, most-removed, s, l.owner)
	}
	if removed > 0 {
		l.n -= removed
		l.join()
	}
	return removed
}

// join takes out the chunks that have become empty, and makes one of neighbours that are small together.
func (l *List) join() {
	chunks := l.chunks.live()
	kept := chunks[:0]
	for _, c := range chunks {
		var before *chunk
		if len(kept) > 0 {
			before = &kept[len(kept)-1]
		}
		switch {
		case c.n == 0:
		case before != nil && before.n+c.n <= chunkElementsMax/2 && before.packed.len()+c.packed.len() <= chunkBytesMax/2:
			before.own(l.owner)
			copy(before.packed.grow(Back, c.packed.len()), c.packed.live())
			before.n += c.n
		default:
			kept = append(kept, c)
		}
	}
	gone := len(chunks) - len(kept)
	clear(chunks[len(kept):])
	l.chunks.drop(Back, gone)
}
