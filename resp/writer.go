package resp

import (
	"strconv"
	"strings"

	"github.com/tidwall/redcon"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// The protocol versions that HELLO knows.
const (
	RESP2 = 2
	RESP3 = 3
)

// errorCodeBytesMax is how far Redis looks for the end of an error's code, in bytes of the text.
const errorCodeBytesMax = 31

// Writer encodes replies into memory, as Redis 7.0 does. It is a command.Reply, owned by one goroutine at a time: the
// connection's, or the one that applies the log while the connection waits. It has no bound of its own: whoever hands
// it out compares Len with client-output-buffer-limit.
type Writer struct {
	buf   []byte
	proto int
	marks []int    // positions of Deferred, ascending
	after []int    // protocols by number of marks, while SwitchAtMarks holds
	errs  []string // codes of the errors written since TakeCalls
	ends  []int    // len(errs) at each EndCall since TakeCalls
	began callMark
	spare []byte // what FillDeferred works in
	// published is asked for the reply to a message; nil: 0.
	published func() int
	unused    decay
}

// callMark is what a Writer held at the last BeginCall: bytes, places of Deferred and codes of errors.
type callMark struct{ bytes, marks, errs int }

var _ command.Publisher = (*Writer)(nil)

// NewWriter returns an empty Writer for RESP2.
func NewWriter() *Writer { return &Writer{proto: RESP2} }

// SetProtocol sets the version, RESP2 or RESP3, of the replies written from now on. Any other number is taken as RESP2.
func (w *Writer) SetProtocol(version int) {
	if version != RESP3 {
		version = RESP2
	}
	w.proto = version
}

// Protocol returns RESP2 or RESP3.
func (w *Writer) Protocol() int { return w.proto }

// Bytes returns what was written. It is valid until the next call of any other method that writes, fills or resets.
func (w *Writer) Bytes() []byte { return w.buf }

// Len is the number of bytes written.
func (w *Writer) Len() int { return len(w.buf) }

// Cap is the number of bytes of memory held for replies.
func (w *Writer) Cap() int { return cap(w.buf) + cap(w.spare) }

// Truncate drops what was written from position n on, and the marks there: a reply half built gives way to an error.
// The errors noted for TakeCalls stay noted.
func (w *Writer) Truncate(n int) {
	w.buf = w.buf[:n]
	i := len(w.marks)
	for i > 0 && w.marks[i-1] >= n {
		i--
	}
	w.marks = w.marks[:i]
	w.followSwitches()
}

// Reset empties the Writer once its bytes are sent. Oversized buffers are given back: one above 64 KiB at once, one
// above 1 KiB after a number of small replies. The protocol stays.
func (w *Writer) Reset() {
	shrink := w.Cap() > idleBufferBytes && w.unused.due(len(w.buf))
	if shrink || cap(w.buf) > retainBufferBytes {
		w.buf = nil
	}
	if shrink || cap(w.spare) > retainBufferBytes {
		w.spare = nil
	}
	if shrink || cap(w.marks) > retainArgsMax {
		w.marks = nil
	}
	if shrink || cap(w.errs) > retainArgsMax {
		w.errs = nil
	}
	w.buf, w.marks, w.errs, w.ends = w.buf[:0], w.marks[:0], w.errs[:0], w.ends[:0]
}

// BeginCall implements command.Reply.
func (w *Writer) BeginCall() {
	w.began = callMark{len(w.buf), len(w.marks), len(w.errs)}
}

// EndCall implements command.Reply.
func (w *Writer) EndCall() { w.ends = append(w.ends, len(w.errs)) }

// Retract implements command.Reply. Unlike Truncate it keeps a mark that stands right before the call, and drops the
// codes of the errors that it takes back: one call has one outcome.
func (w *Writer) Retract() {
	w.buf, w.marks, w.errs = w.buf[:w.began.bytes], w.marks[:w.began.marks], w.errs[:w.began.errs]
	w.followSwitches()
}

// TakeCalls returns, for each call that ended since the last TakeCalls, the code ("ERR", "WRONGTYPE") of its first error,
// "" if it had none. The slice is appended to dst.
func (w *Writer) TakeCalls(dst []string) []string {
	from := 0
	for _, to := range w.ends {
		code := ""
		if to > from {
			code = w.errs[from]
		}
		dst = append(dst, code)
		from = max(from, to)
	}
	w.ends, w.errs = w.ends[:0], w.errs[:0]
	return dst
}

func (w *Writer) noteError(text string) { w.errs = append(w.errs, ErrorCode(text)) }

// ErrorCode is the code under which errorstats counts an error's text: its first word, or "ERR" where there is none or
// it is too long to be a code.
func ErrorCode(text string) string {
	head := text[:min(len(text), errorCodeBytesMax)]
	if i := strings.IndexByte(head, ' '); i > 0 {
		return head[:i]
	}
	return "ERR"
}

// line writes a type byte, text without line ends and CR LF.
func (w *Writer) line(kind byte, text string) {
	w.buf = append(w.buf, kind)
	from := len(w.buf)
	w.buf = append(w.buf, text...)
	if strings.IndexByte(text, '\r') >= 0 || strings.IndexByte(text, '\n') >= 0 {
		for i, c := range w.buf[from:] {
			if c == '\r' || c == '\n' {
				w.buf[from+i] = ' '
			}
		}
	}
	w.buf = append(w.buf, '\r', '\n')
}

// header writes a type byte, a length and CR LF.
func (w *Writer) header(kind byte, n int) {
	w.buf = append(w.buf, kind)
	w.buf = strconv.AppendInt(w.buf, int64(n), 10)
	w.buf = append(w.buf, '\r', '\n')
}

// Simple writes a status. CR and LF are replaced by spaces.
func (w *Writer) Simple(s string) { w.line('+', s) }

// Error writes an error of a code and a text, "ERR syntax error". CR and LF are replaced by spaces.
func (w *Writer) Error(text string) {
	w.noteError(text)
	w.line('-', text)
}

// Int writes an integer.
func (w *Writer) Int(n int64) { w.buf = redcon.AppendInt(w.buf, n) }

// Bulk writes a string; nil is the empty one.
func (w *Writer) Bulk(b []byte) { w.buf = redcon.AppendBulk(w.buf, b) }

// BulkString writes a string.
func (w *Writer) BulkString(s string) { w.buf = redcon.AppendBulkString(w.buf, s) }

// Null writes the null, in RESP2 the null bulk.
func (w *Writer) Null() {
	if w.proto == RESP3 {
		w.buf = append(w.buf, "_\r\n"...)
		return
	}
	w.buf = redcon.AppendNull(w.buf)
}

// NullArray writes the null, in RESP2 the null array.
func (w *Writer) NullArray() {
	if w.proto == RESP3 {
		w.buf = append(w.buf, "_\r\n"...)
		return
	}
	w.buf = append(w.buf, "*-1\r\n"...)
}

// Array announces n elements.
func (w *Writer) Array(n int) { w.buf = redcon.AppendArray(w.buf, n) }

// Map announces n pairs, in RESP2 an array of 2n elements.
func (w *Writer) Map(n int) {
	if w.proto == RESP3 {
		w.header('%', n)
		return
	}
	w.Array(2 * n)
}

// Pairs announces n arrays of two, each of which begins with Pair, in RESP2 their elements in one array.
func (w *Writer) Pairs(n int) {
	if w.proto != RESP3 {
		n *= 2
	}
	w.Array(n)
}

// Pair begins one of Pairs.
func (w *Writer) Pair() {
	if w.proto == RESP3 {
		w.Array(2)
	}
}

// Entries announces a map of n entries, each of which begins with Entry, in RESP2 an array of arrays of two.
func (w *Writer) Entries(n int) { w.aggregate('%', n) }

// Entry begins one of Entries.
func (w *Writer) Entry() {
	if w.proto != RESP3 {
		w.Array(2)
	}
}

// Set announces n members, in RESP2 an array.
func (w *Writer) Set(n int) { w.aggregate('~', n) }

// Push announces an out of band message of n elements, in RESP2 an array.
func (w *Writer) Push(n int) { w.aggregate('>', n) }

func (w *Writer) aggregate(kind byte, n int) {
	if w.proto == RESP3 {
		w.header(kind, n)
		return
	}
	w.Array(n)
}

// Attribute announces n pairs of annotations in front of a reply and reports true. RESP2 has none: nothing is written,
// and the caller writes no pairs, where it reports false.
func (w *Writer) Attribute(n int) bool {
	if w.proto != RESP3 {
		return false
	}
	w.header('|', n)
	return true
}

// Double writes f with 17 significant digits, in RESP2 as a string.
func (w *Writer) Double(f float64) {
	var scratch [32]byte // the longest is -2.2250738585072014e-308
	text := AppendDouble17g(scratch[:0], f)
	if w.proto != RESP3 {
		w.Bulk(text)
		return
	}
	w.buf = append(w.buf, ',')
	w.buf = append(w.buf, text...)
	w.buf = append(w.buf, '\r', '\n')
}

// Decimal writes a double as text prints it, in RESP2 as a string.
func (w *Writer) Decimal(text string) {
	if w.proto != RESP3 {
		w.BulkString(text)
		return
	}
	w.line(',', text)
}

// BigNumber writes an integer of any size, in RESP2 as a string.
func (w *Writer) BigNumber(s string) {
	if w.proto != RESP3 {
		w.BulkString(s)
		return
	}
	w.line('(', s)
}

// Bool writes a truth value, in RESP2 1 or 0.
func (w *Writer) Bool(b bool) {
	switch {
	case w.proto == RESP3 && b:
		w.buf = append(w.buf, "#t\r\n"...)
	case w.proto == RESP3:
		w.buf = append(w.buf, "#f\r\n"...)
	case b:
		w.Int(1)
	default:
		w.Int(0)
	}
}

// Verbatim writes a text and its format, in RESP2 a string. The format is cut or padded with spaces to three letters.
func (w *Writer) Verbatim(format, s string) {
	if w.proto != RESP3 {
		w.BulkString(s)
		return
	}
	w.header('=', verbatimPrefixBytes+len(s))
	for i := range verbatimPrefixBytes - 1 {
		c := byte(' ')
		if i < len(format) {
			c = format[i]
		}
		w.buf = append(w.buf, c)
	}
	w.buf = append(w.buf, ':')
	w.buf = append(w.buf, s...)
	w.buf = append(w.buf, '\r', '\n')
}

const verbatimPrefixBytes = len("txt:")

// Published implements command.Publisher.
func (w *Writer) Published() {
	n := 0
	if w.published != nil {
		n = w.published()
	}
	w.Int(int64(n))
}

// Raw appends replies already encoded for this Writer's protocol.
func (w *Writer) Raw(b []byte) { w.buf = append(w.buf, b...) }

// Deferred leaves a mark for a reply that FillDeferred puts in later.
func (w *Writer) Deferred() {
	w.marks = append(w.marks, len(w.buf))
	w.followSwitches()
}

// SwitchAtMarks says which protocol the replies behind each mark to come are for: the reply that is left out there will
// be that of a HELLO, and those behind it are written before it is. to has an element for each mark, 0 where nothing
// changes. nil ends it and returns to the protocol of the beginning, for FillDeferred. There are no marks
// when it begins.
func (w *Writer) SwitchAtMarks(to []int) {
	if to == nil {
		if w.after != nil {
			w.proto, w.after = w.after[0], nil
		}
		return
	}
	w.after = append(make([]int, 0, 1+len(to)), w.proto)
	for i, p := range to {
		if p == 0 {
			p = w.after[i]
		}
		w.after = append(w.after, p)
	}
}

// followSwitches is called when the number of marks has changed.
func (w *Writer) followSwitches() {
	if w.after != nil {
		w.proto = w.after[min(len(w.marks), len(w.after)-1)]
	}
}

// Marks returns the positions of the replies left out, in order. It is valid until the next call that writes one, or
// fills, truncates or resets.
func (w *Writer) Marks() []int { return w.marks }

// ClearMarks gives the replies left out up.
func (w *Writer) ClearMarks() { w.marks = w.marks[:0] }

// FillDeferred calls fill once for each mark, in order, with its number from 0 on; what fill writes to w (exactly one
// reply, not deferred again) stands where the mark was. The marks are gone afterwards. The time is linear in the bytes,
// however many marks there are. fill must not call Truncate, Reset or FillDeferred.
func (w *Writer) FillDeferred(fill func(i int)) {
	if len(w.marks) == 0 {
		return
	}
	first := w.marks[0]
	tail := append(w.spare[:0], w.buf[first:]...)
	w.buf = w.buf[:first]
	done := first
	for i, mark := range w.marks {
		w.buf = append(w.buf, tail[done-first:mark-first]...)
		done = mark
		fill(i)
	}
	w.buf = append(w.buf, tail[done-first:]...)
	w.spare = tail
	w.marks = w.marks[:0]
}
