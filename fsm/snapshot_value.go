package fsm

import (
	"encoding/binary"
	"strings"
)

// A string of a snapshot is its length and bytes. One that is longer than blobBytesMin and has holes (whole chunks of
// zeros, from its beginning on) has encHoles set in its encoding, and is its length and, for each run of chunks up to its
// end, the bytes of the holes before the run and the run:
//
//	length uvarint  { hole uvarint  run uvarint  bytes }*
//
// So a far SETRANGE costs a snapshot what it costs memory, and a restore as well. Which form it is depends on the bytes
// alone, not on how a node holds them.
const encHoles = 0x80

var zeroText = strings.Repeat("\x00", chunkBytes)

// appendValue encodes what a key holds, by its kind; enc is what savedEncoding says of it.
func appendValue(dst []byte, v value, enc byte) []byte {
	if c, ok := v.obj.(collection); ok {
		return c.appendTo(dst)
	}
	dst = binary.AppendUvarint(dst, uint64(v.Len()))
	if enc&encHoles == 0 {
		return v.AppendTo(dst)
	}
	return appendHoled(dst, v)
}

// savedEncoding is a value's encoding as a snapshot has it.
func (v value) savedEncoding() byte {
	if c, ok := v.obj.(collection); ok {
		return c.form()
	}
	if v.hasHole() {
		return byte(v.enc) | encHoles
	}
	return byte(v.enc)
}

// appendHoled writes the runs and holes of a string.
func appendHoled(dst []byte, v value) []byte {
	hole, at := 0, 0
	for at < v.Len() {
		end := v.chunkEnd(at)
		if v.zeroChunk(at) {
			hole += end - at
			at = end
			continue
		}
		for end < v.Len() && !v.zeroChunk(end) {
			end = v.chunkEnd(end)
		}
		dst = binary.AppendUvarint(dst, uint64(hole))
		dst = binary.AppendUvarint(dst, uint64(end-at))
		dst = v.appendRange(dst, at, end)
		hole, at = 0, end
	}
	if hole > 0 {
		dst = append(binary.AppendUvarint(dst, uint64(hole)), 0)
	}
	return dst
}

// hasHole reports whether a string is written with holes.
func (v value) hasHole() bool {
	if v.kind() != kindString || v.Len() <= blobBytesMin {
		return false
	}
	for at := 0; at < v.Len(); at = v.chunkEnd(at) {
		if v.zeroChunk(at) {
			return true
		}
	}
	return false
}

// chunkEnd is the end of the chunk that begins at at.
func (v value) chunkEnd(at int) int { return min(at+chunkBytes, v.Len()) }

// zeroChunk reports whether the chunk that begins at at is all zeros.
func (v value) zeroChunk(at int) bool {
	if s, ok := v.flat(); ok {
		end := v.chunkEnd(at)
		return s[at:end] == zeroText[:end-at]
	}
	data := v.obj.(*blob).chunks[at/chunkBytes].data
	return data == nil || *data == zeros // behind the end there are zeros
}

// value decodes what appendValue wrote.
func (d *decoder) value(k kind, enc encoding) value {
	if decode := decoders[k]; decode != nil {
		return value{obj: decode(d, byte(enc))}
	}
	holes := enc&encHoles != 0
	enc &^= encHoles
	switch {
	case k != kindString, enc > encEmbstr, holes && enc != encRaw:
		d.bad = true
		return value{}
	case holes:
		return value{obj: d.holed(), enc: enc}
	}
	s := d.bytes() // newItem copies them
	if enc == encInt {
		n, ok := parseInt(s)
		d.bad = d.bad || !ok
		return intValue(n)
	}
	return value{str: textOf(s), enc: enc}
}

// holed decodes a string with holes. Memory grows with its runs and, far less, with its length, as it does in a machine
// that holds it.
func (d *decoder) holed() *blob {
	b := &blob{}
	n := d.uvarint()
	if n <= blobBytesMin || n > StringBytesMax {
		d.bad = true
		return b
	}
	b.grow(int(n))
	for at := uint64(0); at < n && !d.bad; { // ends: a run takes bytes of the record, also one of length 0
		hole := d.uvarint()
		run := d.bytes()
		if hole > n-at || uint64(len(run)) > n-at-hole {
			d.bad = true
			break
		}
		b.writeAt(int(at+hole), string(run), 0)
		at += hole + uint64(len(run))
	}
	return b
}
