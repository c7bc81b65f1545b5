package fsm

import "github.com/redoubtdb/redoubt/fsm/command"

// value is what a key holds: a string, which is immutable and so shared freely with snapshots and replies, or an
// object. Strings stand in the item itself because most keys of most users are short strings.
type value struct {
	str string
	obj object // nil: str is the value
	// enc is what OBJECT ENCODING says of a string; it is part of the state, because it follows from how a value came
	// to be ("12" after SET is int, after APPEND raw).
	enc encoding
}

// object is a value that can change in place. Objects carry the generation that they were made in, as items do, and
// are copied (as little as can be) before a change that a snapshot could see.
type object interface {
	kind() kind
}

type kind uint8

// The kinds stand in snapshots: their numbers never change.
const (
	kindString kind = 0
)

func (k kind) String() string {
	switch k {
	case kindString:
		return "string"
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

func (v *value) kind() kind {
	if v.obj == nil {
		return kindString
	}
	return v.obj.kind()
}

const embstrBytesMax = 44 // Redis 7.0: OBJ_ENCODING_EMBSTR_SIZE_LIMIT

const integerBytesMax = 20 // the longest 64-bit integer, "-9223372036854775808"

// stringValue is a string as SET stores it: an integer, embedded or raw by Redis 7.0's rules.
func stringValue(s string) value {
	if len(s) <= integerBytesMax && isInteger(s) {
		return value{str: s, enc: encInt}
	}
	return textValue(s)
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

// intValue is a string that holds a counter.
func intValue(n int64) value { return value{str: formatInt(n), enc: encInt} }

// The methods below are for values of kindString.

// Len is the length of a string in bytes.
func (v *value) Len() int {
	if b, ok := v.obj.(*blob); ok {
		return b.n
	}
	return len(v.str)
}

// Slice returns bytes [from, to) of a string, 0 <= from <= to <= Len.
func (v *value) Slice(from, to int) string {
	if b, ok := v.obj.(*blob); ok {
		return b.slice(from, to)
	}
	return v.str[from:to]
}

// Text returns a whole string.
func (v *value) Text() string { return v.Slice(0, v.Len()) }

// AppendTo appends a whole string to dst. It may run beside changes of the state where v was reached from a snapshot.
func (v *value) AppendTo(dst []byte) []byte { return v.appendRange(dst, 0, v.Len()) }

// appendRange appends bytes [from, to) of a string to dst.
func (v *value) appendRange(dst []byte, from, to int) []byte {
	b, ok := v.obj.(*blob)
	if !ok {
		return append(dst, v.str[from:to]...)
	}
	b.each(from, to, func(p []byte) { dst = append(dst, p...) })
	return dst
}

// reply writes a string.
func (v *value) reply(r command.Reply) { r.BulkString(v.Text()) }

// integer reads a string as a counter.
func (v *value) integer() (int64, bool) {
	if v.obj != nil { // a blob is far longer than any integer
		return 0, false
	}
	return parseInt(v.str)
}

// overwrite puts s at an offset of a string, with zeros up to there where it is shorter. The value belongs to an item
// that may be changed; s is not kept. It costs what s costs, not what the value does.
func (v *value) overwrite(off int, s []byte, gen uint32) {
	n := max(v.Len(), off+len(s))
	if v.obj == nil && n <= blobBytesMin {
		b := make([]byte, n)
		copy(b, v.str)
		copy(b[off:], s)
		*v = rawValue(string(b))
		return
	}
	b, ok := v.obj.(*blob)
	if ok {
		b = b.writable(gen)
	} else {
		b = newBlob(v.str, gen)
	}
	b.grow(n)
	b.writeAt(off, string(s), gen)
	*v = value{obj: b, enc: encRaw}
}

// share returns the value for a second key: changes of the one never show in the other.
func (v *value) share(gen uint32) value {
	c := *v
	if b, ok := v.obj.(*blob); ok {
		c.obj = b.share(gen)
	}
	return c
}
