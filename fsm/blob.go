package fsm

import (
	"slices"
	"strings"
)

const (
	// chunkBytes is what one change in place copies at most, after a snapshot.
	chunkBytes = 16 << 10
	// blobBytesMin is the length above which a string that is changed in place becomes a blob. Below it a change
	// copies the string.
	blobBytesMin = 32 << 10
	// genFrozen is the generation of a chunk that two values share: it is nobody's to change.
	genFrozen = ^uint32(0)
)

// blob is a long string that APPEND, SETRANGE and their like change in place: chunks that are copied, before a change,
// only where a snapshot or another value may see them. A blob is longer than blobBytesMin and never gets shorter. What
// it holds is the same as the string of its bytes: nothing that is replicated or replied tells the two apart.
type blob struct {
	// gen is the generation of chunks (the slice): in another one it is copied before a change.
	gen    uint32
	n      int // bytes
	chunks []chunk
}

// chunk is chunkBytes of a blob; nil data stands for zeros, so that a far SETRANGE costs nothing. Bytes after the
// blob's end are zero.
type chunk struct {
	data *[chunkBytes]byte
	gen  uint32
}

var zeros [chunkBytes]byte

func (b *blob) kind() kind { return kindString }

func newBlob(s string, gen uint32) *blob {
	b := &blob{gen: gen}
	b.grow(len(s))
	b.writeAt(0, s, gen)
	return b
}

// writable returns b in a form that may be changed in generation gen.
func (b *blob) writable(gen uint32) *blob {
	if b.gen == gen {
		return b
	}
	return &blob{gen: gen, n: b.n, chunks: slices.Clone(b.chunks)}
}

// share returns a second blob of the same bytes, whose chunks neither of the two changes in place from now on.
func (b *blob) share(gen uint32) *blob {
	if b.gen == gen { // else a snapshot may be reading the slice, and no chunk of it is of this generation
		for i := range b.chunks {
			b.chunks[i].gen = genFrozen
		}
	}
	return &blob{gen: gen, n: b.n, chunks: slices.Clone(b.chunks)}
}

// grow makes b at least n bytes long, with zeros.
func (b *blob) grow(n int) {
	if n <= b.n {
		return
	}
	b.n = n
	if want := (n + chunkBytes - 1) / chunkBytes; want > len(b.chunks) {
		b.chunks = append(b.chunks, make([]chunk, want-len(b.chunks))...)
	}
}

// writeAt puts s at an offset; b is writable and long enough.
func (b *blob) writeAt(off int, s string, gen uint32) {
	for len(s) > 0 {
		c := &b.chunks[off/chunkBytes]
		c.own(gen)
		n := copy(c.data[off%chunkBytes:], s)
		s, off = s[n:], off+n
	}
}

// own makes the chunk one that may be changed.
func (c *chunk) own(gen uint32) {
	switch {
	case c.data == nil:
		c.data = new([chunkBytes]byte)
	case c.gen != gen:
		d := *c.data
		c.data = &d
	}
	c.gen = gen
}

// each calls f with the pieces of [from, to) in order. They must not be changed or kept.
func (b *blob) each(from, to int, f func(piece []byte)) {
	for from < to {
		data := b.chunks[from/chunkBytes].data
		if data == nil {
			data = &zeros
		}
		at := from % chunkBytes
		n := min(chunkBytes-at, to-from)
		f(data[at : at+n])
		from += n
	}
}

func (b *blob) slice(from, to int) string {
	var s strings.Builder
	s.Grow(to - from)
	b.each(from, to, func(p []byte) { s.Write(p) })
	return s.String()
}
