package respclient

import "strconv"

// Kind says what a Value is. Both protocols' types are told apart by the first byte on the wire; the two nulls of RESP2
// have kinds of their own.
type Kind byte

// The kinds.
const (
	Simple    Kind = '+'
	Error     Kind = '-'
	Int       Kind = ':'
	Bulk      Kind = '$'
	Null      Kind = '_' // also the null bulk of RESP2
	NullArray Kind = 'N' // the null array of RESP2
	Array     Kind = '*'
	Map       Kind = '%'
	Set       Kind = '~'
	Push      Kind = '>'
	Double    Kind = ','
	BigNumber Kind = '('
	Bool      Kind = '#'
	Verbatim  Kind = '='
)

// Value is one reply.
type Value struct {
	Kind Kind
	// Str is the text of Simple, Error (with its code, without the minus), Bulk, Double, BigNumber (as printed on the
	// wire) and Verbatim (without its format).
	Str string
	// Int is the number of Int, and 1 or 0 of Bool.
	Int int64
	// Format is the three letters of a Verbatim.
	Format string
	// Elems are the elements of Array, Set and Push, and keys and values in turn of Map.
	Elems []Value
}

// IsError reports whether the reply is an error.
func (v Value) IsError() bool { return v.Kind == Error }

// IsNull reports whether the reply is a null of any kind.
func (v Value) IsNull() bool { return v.Kind == Null || v.Kind == NullArray }

// Text is the reply as text, where it is one value: the string, or the number in decimal. "" for nulls and aggregates.
func (v Value) Text() string {
	if v.Kind == Int || v.Kind == Bool {
		return strconv.FormatInt(v.Int, 10)
	}
	return v.Str
}

// Strings are the texts of an aggregate's elements.
func (v Value) Strings() []string {
	out := make([]string, len(v.Elems))
	for i, e := range v.Elems {
		out[i] = e.Text()
	}
	return out
}
