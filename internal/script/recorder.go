package script

import (
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

// Recorder is a command.Reply that keeps what is written as Values, in the form in which a client of a protocol would
// see them. It belongs to one goroutine.
type Recorder struct {
	// Proto is 2 or 3; 0 counts as 2.
	Proto  int
	values []respclient.Value
	open   []frame
	// beganValues and beganOpen are what those two were at the last BeginCall.
	beganValues []respclient.Value
	beganOpen   []frame
}

// frame is an aggregate whose elements are still to come.
type frame struct {
	v    respclient.Value
	left int
}

var _ command.Reply = (*Recorder)(nil)

// Take returns the complete replies so far and forgets them. ok is false where an aggregate lacks elements.
func (r *Recorder) Take() (values []respclient.Value, ok bool) {
	values, ok = r.values, len(r.open) == 0
	r.values, r.open = nil, nil
	return values, ok
}

// put adds a value and closes the aggregates that it completes.
func (r *Recorder) put(v respclient.Value) {
	for len(r.open) > 0 {
		f := &r.open[len(r.open)-1]
		f.v.Elems = append(f.v.Elems, v)
		if f.left--; f.left > 0 {
			return
		}
		v = f.v
		r.open = r.open[:len(r.open)-1]
	}
	r.values = append(r.values, v)
}

func (r *Recorder) header(k respclient.Kind, n int) {
	v := respclient.Value{Kind: respclient.Array, Elems: []respclient.Value{}}
	if r.Proto == 3 {
		v.Kind = k
	}
	if n == 0 {
		r.put(v)
		return
	}
	r.open = append(r.open, frame{v, n})
}

// orBulk is a value of RESP3 that is a string in RESP2.
func (r *Recorder) orBulk(v respclient.Value) {
	if r.Proto != 3 {
		v = respclient.Value{Kind: respclient.Bulk, Str: v.Str}
	}
	r.put(v)
}

// Simple implements command.Reply, as do all methods below.
func (r *Recorder) Simple(s string) { r.put(respclient.Value{Kind: respclient.Simple, Str: s}) }

func (r *Recorder) Error(text string) {
	text = strings.NewReplacer("\r", " ", "\n", " ").Replace(text)
	r.put(respclient.Value{Kind: respclient.Error, Str: text})
}

func (r *Recorder) Int(n int64)         { r.put(respclient.Value{Kind: respclient.Int, Int: n}) }
func (r *Recorder) Bulk(b []byte)       { r.BulkString(string(b)) }
func (r *Recorder) BulkString(s string) { r.put(respclient.Value{Kind: respclient.Bulk, Str: s}) }
func (r *Recorder) Null()               { r.put(respclient.Value{Kind: respclient.Null}) }

func (r *Recorder) NullArray() {
	if r.Proto == 3 {
		r.Null()
		return
	}
	r.put(respclient.Value{Kind: respclient.NullArray})
}

func (r *Recorder) Array(n int) { r.header(respclient.Array, n) }
func (r *Recorder) Map(n int)   { r.header(respclient.Map, 2*n) }
func (r *Recorder) Set(n int)   { r.header(respclient.Set, n) }
func (r *Recorder) Push(n int)  { r.header(respclient.Push, n) }

// Pairs and Pair are arrays of two in RESP3 and elements of one array in RESP2.
func (r *Recorder) Pairs(n int) {
	if r.Proto != 3 {
		n *= 2
	}
	r.Array(n)
}

func (r *Recorder) Pair() {
	if r.Proto == 3 {
		r.Array(2)
	}
}

// Entries and Entry are a map in RESP3 and arrays of two in RESP2.
func (r *Recorder) Entries(n int) {
	if r.Proto == 3 {
		r.Map(n)
		return
	}
	r.Array(n)
}

func (r *Recorder) Entry() {
	if r.Proto != 3 {
		r.Array(2)
	}
}

func (r *Recorder) Double(f float64) {
	text := strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'g', 17, 64), "+")) // C's inf is Go's +Inf
	r.orBulk(respclient.Value{Kind: respclient.Double, Str: text})
}

func (r *Recorder) Decimal(text string) {
	r.orBulk(respclient.Value{Kind: respclient.Double, Str: text})
}

func (r *Recorder) BigNumber(s string) {
	r.orBulk(respclient.Value{Kind: respclient.BigNumber, Str: s})
}

func (r *Recorder) Bool(b bool) {
	n := int64(0)
	if b {
		n = 1
	}
	if r.Proto != 3 {
		r.Int(n)
		return
	}
	r.put(respclient.Value{Kind: respclient.Bool, Int: n})
}

func (r *Recorder) Verbatim(format, s string) {
	r.orBulk(respclient.Value{Kind: respclient.Verbatim, Format: format, Str: s})
}

// Deferred shows as a status that no command replies.
func (r *Recorder) Deferred() { r.Simple("DEFERRED") }

// BeginCall keeps the aggregates under way as they are: a call's values may complete them.
func (r *Recorder) BeginCall() {
	r.beganValues, r.beganOpen = r.values, append(r.beganOpen[:0], r.open...)
}

// EndCall needs no note: each call writes one value.
func (r *Recorder) EndCall() {}

// Retract goes back to what BeginCall kept.
func (r *Recorder) Retract() {
	r.values, r.open = r.beganValues, append(r.open[:0], r.beganOpen...)
}
