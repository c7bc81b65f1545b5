package fsm

import (
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// value is what a key holds, as executors hand it about: an integer (enc is encInt), an object, or else a string. It is
// no storage. Its string may be a view of a call's arguments or of an item, which newItem copies.
type value struct {
	str string
	num int64
	obj object // a string where it is a text or a blob
	// enc is what OBJECT ENCODING says of a string; it is part of the state, because it follows from how a value came
	// to be ("12" after SET is int, after APPEND raw).
	enc encoding
}

// object is what an item holds by a pointer: immutable (text, number), or a value that can change in place. The latter
// carry the generation that they were made in, as items do, and are copied (as little as can be) before a change that a
// snapshot could see.
type object interface {
	kind() kind
}

type kind uint8

// The kinds stand in snapshots: their numbers never change.
const (
	kindString kind = iota
	kindList
	kindSet
	kindZset
	kindHash
	kindStream
)

var kindNames = [...]string{"string", "list", "set", "zset", "hash", "stream"}

func (k kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

type encoding uint8

// The encodings stand in snapshots: their numbers never change.
const (
	encRaw encoding = iota
	encInt
	encEmbstr
)

func (e encoding) String() string {
	switch e {
	case encInt:
		return "int"
	case encEmbstr:
		return "embstr"
	}
	return "raw"
}

func (v value) kind() kind {
	if v.obj == nil {
		return kindString
	}
	return v.obj.kind()
}

const embstrBytesMax = 44 // Redis 7.0: OBJ_ENCODING_EMBSTR_SIZE_LIMIT

const integerBytesMax = 20 // the longest 64-bit integer, "-9223372036854775808"

// stringValue is a string as SET stores it: an integer, embedded or raw by Redis 7.0's rules. It is a view of s.
func stringValue(s []byte) value {
	if len(s) <= integerBytesMax {
		if n, ok := parseInt(s); ok {
			return intValue(n)
		}
	}
	return textValue(textOf(s))
}

// textValue is a string that is never taken for an integer: what INCRBYFLOAT stores.
func textValue(s string) value {
	if len(s) <= embstrBytesMax {
		return value{str: s, enc: encEmbstr}
	}
	return rawValue(s)
}

// rawValue is a string that was changed in place (APPEND, SETRANGE): raw whatever its length.
func rawValue(s string) value { return value{str: s, enc: encRaw} }

// intValue is a string that holds a counter. Only what formatInt makes of it is its text, so nothing else is kept.
func intValue(n int64) value { return value{num: n, enc: encInt} }

// inline reports whether the value can stand in an item itself, beside a key of so many bytes.
func (v value) inline(keyBytes int) bool {
	n, ok := v.inlineBytes()
	return ok && keyBytes+n <= inlineBytesMax
}

// inlineBytes is what the value takes in an item's text; false: it is an object.
func (v value) inlineBytes() (n int, ok bool) {
	if v.enc == encInt {
		return integerBytes, true
	}
	if t, ok := v.obj.(text); ok {
		return len(t), true
	}
	return len(v.str), v.obj == nil
}

// boxed is the value as an object to keep.
func (v value) boxed() object {
	switch {
	case v.enc == encInt:
		return number(v.num)
	case v.obj != nil:
		return v.obj
	}
	return text(strings.Clone(v.str))
}

// encodingName is what OBJECT ENCODING says.
func (v value) encodingName() string {
	if c, ok := v.obj.(collection); ok {
		return c.encoding()
	}
	return v.enc.String()
}

// The methods below are for values of kindString.

// flat returns a string that is kept in one piece; false: it is a blob.
func (v value) flat() (s string, ok bool) {
	if v.enc == encInt {
		return formatInt(v.num), true
	}
	if v.obj == nil {
		return v.str, true
	}
	t, ok := v.obj.(text)
	return string(t), ok
}

// Len is the length of a string in bytes.
func (v value) Len() int {
	if v.enc == encInt {
		var digits [integerBytesMax]byte
		return len(strconv.AppendInt(digits[:0], v.num, 10))
	}
	if b, ok := v.obj.(*blob); ok {
		return b.n
	}
	s, _ := v.flat()
	return len(s)
}

// Slice returns bytes [from, to) of a string, 0 <= from <= to <= Len.
func (v value) Slice(from, to int) string {
	if s, ok := v.flat(); ok {
		return s[from:to]
	}
	return v.obj.(*blob).slice(from, to)
}

// Text returns a whole string.
func (v value) Text() string { return v.Slice(0, v.Len()) }

// AppendTo appends a whole string to dst. It may run beside changes of the state where v was reached from a snapshot.
func (v value) AppendTo(dst []byte) []byte {
	if v.enc == encInt {
		return strconv.AppendInt(dst, v.num, 10)
	}
	return v.appendRange(dst, 0, v.Len())
}

// appendRange appends bytes [from, to) of a string to dst.
func (v value) appendRange(dst []byte, from, to int) []byte {
	if s, ok := v.flat(); ok {
		return append(dst, s[from:to]...)
	}
	v.obj.(*blob).each(from, to, func(p []byte) { dst = append(dst, p...) })
	return dst
}

// replyValue writes a string.
func (tx *Tx) replyValue(v value, r command.Reply) {
	if v.enc == encInt {
		r.Bulk(strconv.AppendInt(tx.digits[:0], v.num, 10))
		return
	}
	s, ok := v.flat()
	if !ok {
		s = v.Text()
	}
	r.BulkString(s)
}

// integer reads a string as a counter.
func (v value) integer() (int64, bool) {
	if v.enc == encInt {
		return v.num, true
	}
	s, ok := v.flat() // a blob is far longer than any integer
	if !ok {
		return 0, false
	}
	return parseInt(s)
}

// overwrite returns the value with s at an offset of a string, and zeros up to there where it is shorter. s is not kept. A
// blob is changed in place if it may be: the value belongs to an item of generation gen. It costs what s costs, not what
// the value does.
func (v value) overwrite(off int, s []byte, gen uint32) value {
	n := max(v.Len(), off+len(s))
	b, ok := v.obj.(*blob)
	switch {
	case ok:
		b = b.writable(gen)
	case n <= blobBytesMin:
		return v.spliced(off, s, n)
	default:
		b = newBlob(v.Text(), gen)
	}
	b.grow(n)
	b.writeAt(off, textOf(s), gen)
	return value{obj: b, enc: encRaw}
}

// spliced is overwrite of a short string: a new one of n bytes.
func (v value) spliced(off int, s []byte, n int) value {
	p := make([]byte, n)
	v.AppendTo(p[:0])
	copy(p[off:], s)
	if n <= inlineBytesMax {
		return rawValue(textOf(p))
	}
	return value{obj: text(textOf(p)), enc: encRaw}
}

// share returns the value for a second key: changes of the one never show in the other.
func (v value) share(gen uint32) value {
	switch o := v.obj.(type) {
	case *blob:
		v.obj = o.share(gen)
	case collection:
		v.obj = o.copied(gen)
	}
	return v
}
