package resp

import (
	"bytes"
	"slices"

	"github.com/redoubtdb/redoubt/internal/splitargs"
)

// step is how far a part of the parser came.
type step int

const (
	stepMore  step = iota // more bytes are needed
	stepAgain             // this part is done, the command is not (or it was empty)
	stepDone              // a command is complete
)

// parse goes on with the bytes that are here. done: args[base:] is a command. It leaves the state before the offending
// line where it fails, so that it may be called again.
func (r *Reader) parse() (done bool, err error) {
	for {
		s := stepMore
		switch {
		case r.remaining > 0:
			s, err = r.parseBulks()
		case r.pos == len(r.buf):
			r.start = r.pos
		case r.buf[r.pos] == '*':
			r.start = r.pos
			s, err = r.parseMultibulk()
		default:
			r.start = r.pos
			s, err = r.parseInline()
		}
		if err != nil {
			return false, err
		}
		if s != stepAgain {
			return s == stepDone, nil
		}
	}
}

// parseMultibulk reads the line "*N" at pos.
func (r *Reader) parseMultibulk() (step, error) {
	n, end, err := r.length(errMultibulkTooBig, errMultibulkLength)
	if err != nil || end < 0 {
		return stepMore, err
	}
	if n > int64(r.limits.MultibulkMax) {
		return stepMore, errMultibulkLength
	}
	if !r.authed && n > int64(r.limits.UnauthMultibulkMax) {
		return stepMore, errUnauthMultibulkLength
	}
	r.advance(end)
	if n > 0 {
		r.remaining = int(n)
		r.bulk = bulkUnknown
		r.spans = r.spans[:0]
	}
	return stepAgain, nil
}

// parseBulks reads "$len" lines and the arguments behind them, as far as they are here.
func (r *Reader) parseBulks() (step, error) {
	for r.remaining > 0 {
		if r.bulk == bulkUnknown {
			if ok, err := r.parseBulkLength(); err != nil || !ok {
				return stepMore, err
			}
		}
		if int64(len(r.buf)-r.pos)-lineEndBytes < r.bulk {
			return stepMore, nil
		}
		end := r.pos + int(r.bulk)
		r.spans = append(r.spans, span{r.pos - r.start, end - r.start})
		// Redis does not look at the two bytes behind an argument either.
		r.advance(end + lineEndBytes)
		r.bulk = bulkUnknown
		r.remaining--
	}
	r.args = slices.Grow(r.args, len(r.spans))
	for _, s := range r.spans {
		from, to := r.start+s.from, r.start+s.to
		r.args = append(r.args, r.buf[from:to:to])
	}
	r.start = r.pos
	return stepDone, nil
}

const lineEndBytes = 2

// parseBulkLength reads the line "$len" at pos. ok: it is complete and r.bulk is set.
func (r *Reader) parseBulkLength() (ok bool, err error) {
	n, end, err := r.length(errBulkTooBig, errBulkLength)
	if err != nil || end < 0 {
		return false, err
	}
	if n < 0 || n > r.limits.BulkBytesMax {
		return false, errBulkLength
	}
	if !r.authed && n > r.limits.UnauthBulkBytesMax {
		return false, errUnauthBulkLength
	}
	// Refused now and not after the bytes have come: what cannot be returned need not be stored.
	if n > r.commandBytesMax()-int64(end-r.start)-lineEndBytes {
		return false, ErrQueryBufferLimit
	}
	r.advance(end)
	r.bulk = n
	return true, nil
}

// commandBytesMax is the most bytes that the command under way may take on the wire.
func (r *Reader) commandBytesMax() int64 {
	m := r.limits.QueryBufferMax
	if !r.authed {
		m = min(m, r.limits.UnauthBufferMax)
	}
	return m - r.queued
}

// advance consumes up to pos and forgets how far the line was searched.
func (r *Reader) advance(pos int) {
	r.pos = pos
	r.scan = 0
	r.nul = false
}

// length reads a line of one type byte and a length at pos. end is the position behind the line, -1 while it is not
// complete.
func (r *Reader) length(tooBig, invalid error) (n int64, end int, err error) {
	if n, used := shortLength(r.buf[r.pos:], r.kind()); used > 0 {
		return n, r.pos + used, nil
	}
	cr, err := r.lineEnd('\r', tooBig)
	if err != nil || cr < 0 || cr+1 == len(r.buf) {
		return 0, -1, err
	}
	if r.buf[r.pos] != r.kind() {
		return 0, 0, expectedDollar(r.buf[r.pos])
	}
	n, ok := ParseInt64(r.buf[r.pos+1 : cr])
	if !ok {
		return 0, 0, invalid
	}
	// Redis takes any byte for the line feed.
	return n, cr + lineEndBytes, nil
}

// kind is the type byte of the length line at pos.
func (r *Reader) kind() byte {
	if r.remaining > 0 {
		return '$'
	}
	return '*'
}

// expectedDollar names the byte found, with line ends as spaces as in every error reply.
func expectedDollar(got byte) error {
	if got == '\r' || got == '\n' {
		got = ' '
	}
	return protocolError("expected '$', got '" + string([]byte{got}) + "'")
}

// shortDigitsMax keeps shortLength's sum far from an overflow.
const shortDigitsMax = 9

// shortLength is the quick way for lines as clients really send them: kind, one to nine digits, CR LF. used is 0 where
// the line is anything else or not complete.
func shortLength(b []byte, kind byte) (n int64, used int) {
	if len(b) < 4 || b[0] != kind {
		return 0, 0
	}
	for i := 1; i < len(b)-1 && i <= shortDigitsMax+1; i++ {
		c := b[i] - '0'
		if c > 9 {
			if b[i] != '\r' || i == 1 || (b[1] == '0' && i > 2) {
				return 0, 0
			}
			return n, i + lineEndBytes
		}
		n = n*10 + int64(c)
	}
	return 0, 0
}

// lineEnd finds the first delim at or behind pos, -1 while it has not come, tooBig where it does not come within
// InlineBytesMax bytes. Redis searches with strchr: a NUL byte hides all that follows it, so that such a line ends by
// getting too long.
func (r *Reader) lineEnd(delim byte, tooBig error) (int, error) {
	// The delimiter may stand behind InlineBytesMax bytes.
	stop := len(r.buf)
	over := stop-r.pos > r.limits.InlineBytesMax
	if over {
		stop = r.pos + r.limits.InlineBytesMax + 1
	}
	from := max(r.scan, r.pos)
	if !r.nul && from < stop {
		fresh := r.buf[from:stop]
		i := bytes.IndexByte(fresh, delim)
		if i >= 0 {
			fresh = fresh[:i]
		}
		r.nul = bytes.IndexByte(fresh, 0) >= 0
		if i >= 0 && !r.nul {
			return from + i, nil // scan stays: a second call finds it again
		}
	}
	r.scan = stop
	if over {
		return -1, tooBig
	}
	return -1, nil
}

// parseInline reads a line of words at pos.
func (r *Reader) parseInline() (step, error) {
	lf, err := r.lineEnd('\n', errInlineTooBig)
	if err != nil || lf < 0 {
		return stepMore, err
	}
	end := lf
	if end > r.pos && r.buf[end-1] == '\r' {
		end--
	}
	// Checked first, as unquoting changes the line. It has no NUL, see lineEnd.
	line := r.buf[r.pos:end]
	if !splitargs.Balanced(line) {
		return stepMore, errUnbalancedQuotes
	}
	before := len(r.args)
	r.args = splitargs.AppendInPlace(r.args, line)
	r.advance(lf + 1)
	r.start = r.pos
	if len(r.args) == before {
		return stepAgain, nil
	}
	return stepDone, nil
}
