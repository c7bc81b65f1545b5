package resp

import (
	"errors"
	"io"
	"math"
)

// Limits bound what one client may make a Reader hold. A field that is zero or negative means its default. Limits are
// shared between connections: do not change them once a Reader has them, give a new one to SetLimits.
type Limits struct {
	// InlineBytesMax is the longest inline command and the longest length line, in bytes without the line end.
	InlineBytesMax int
	// BulkBytesMax is the longest argument in bytes (proto-max-bulk-len).
	BulkBytesMax int64
	// QueryBufferMax is the most bytes that one command may take on the wire, together with what SetQueued states
	// (client-query-buffer-limit).
	QueryBufferMax int64
	// MultibulkMax is the most arguments of one command. Redis 7.0 allows 2147483647 and so has no real bound here.
	MultibulkMax int
	// The rest takes the place of its namesake until SetAuthenticated(true), where it is the lower one.
	UnauthBulkBytesMax int64
	UnauthMultibulkMax int
	UnauthBufferMax    int64
}

var defaultLimits = Limits{
	InlineBytesMax:     64 << 10,
	BulkBytesMax:       512 << 20,
	QueryBufferMax:     1 << 30,
	MultibulkMax:       1 << 20,
	UnauthBulkBytesMax: 16 << 10,
	UnauthMultibulkMax: 10,
	UnauthBufferMax:    1 << 20,
}

// DefaultLimits returns Redis's limits, and 1,048,576 arguments a command.
func DefaultLimits() Limits { return defaultLimits }

// lineBytesMin leaves room for any length that is a number: InlineBytesMax is at least this.
const lineBytesMin = 32

// filled returns l itself, or a copy with defaults where fields are unset.
func (l *Limits) filled() *Limits {
	if l == nil {
		return &defaultLimits
	}
	f := Limits{
		InlineBytesMax:     max(orDefault(l.InlineBytesMax, defaultLimits.InlineBytesMax), lineBytesMin),
		BulkBytesMax:       orDefault(l.BulkBytesMax, defaultLimits.BulkBytesMax),
		QueryBufferMax:     min(orDefault(l.QueryBufferMax, defaultLimits.QueryBufferMax), math.MaxInt/4),
		MultibulkMax:       orDefault(l.MultibulkMax, defaultLimits.MultibulkMax),
		UnauthBulkBytesMax: orDefault(l.UnauthBulkBytesMax, defaultLimits.UnauthBulkBytesMax),
		UnauthMultibulkMax: orDefault(l.UnauthMultibulkMax, defaultLimits.UnauthMultibulkMax),
		UnauthBufferMax:    orDefault(l.UnauthBufferMax, defaultLimits.UnauthBufferMax),
	}
	if f == *l {
		return l
	}
	return &f
}

func orDefault[T int | int64](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// ErrProtocol is what every *ProtocolError wraps.
var ErrProtocol = errors.New("resp: protocol error")

// ErrQueryBufferLimit says that a command is larger than the limits allow. Redis closes such a client without a reply.
var ErrQueryBufferLimit = errors.New("resp: query buffer limit reached")

// ProtocolError is input that is no RESP request. The client is sent Reply and the connection is closed, for what
// follows in the stream cannot be told apart any more.
type ProtocolError struct{ text string }

// Error is Redis's text without a code: "Protocol error: invalid bulk length".
func (e *ProtocolError) Error() string { return e.text }

// Reply is the text as Writer.Error takes it: "ERR Protocol error: invalid bulk length".
func (e *ProtocolError) Reply() string { return "ERR " + e.text }

// Unwrap returns ErrProtocol.
func (e *ProtocolError) Unwrap() error { return ErrProtocol }

func protocolError(text string) error { return &ProtocolError{"Protocol error: " + text} }

var (
	errMultibulkLength       = protocolError("invalid multibulk length")
	errBulkLength            = protocolError("invalid bulk length")
	errMultibulkTooBig       = protocolError("too big mbulk count string")
	errBulkTooBig            = protocolError("too big bulk count string")
	errInlineTooBig          = protocolError("too big inline request")
	errUnbalancedQuotes      = protocolError("unbalanced quotes in request")
	errUnauthMultibulkLength = protocolError("unauthenticated multibulk length")
	errUnauthBulkLength      = protocolError("unauthenticated bulk length")
)

// Reader cuts a client's byte stream into commands exactly as Redis 7.0 does, quirks included, and independently of
// how the stream was cut into packets. It keeps its place between reads, so that a stream costs time linear in its
// bytes even when they come one by one, and never allocates by a length that the client only announced: memory is
// within a constant factor of the bytes received of one command, and of one read.
//
// One goroutine at a time uses a Reader; it starts none and closes nothing.
//
// What Next returned, arguments and slice alike, stays valid and unchanged until the next call of Next for which
// Buffered would have been false (that call reads from the source and reuses the buffer), or of Shrink. So a whole
// pipeline can be gathered without a copy:
//
//	args, err := r.Next()
//	for err == nil {
//		gather(args)
//		if !r.Buffered() {
//			break // all that was gathered is still valid here
//		}
//		args, err = r.Next()
//	}
//
// The arguments may be written to, but not beyond their length. A client is unauthenticated at first; as the limits
// depend on it, run a command that may authenticate before asking for the next one.
type Reader struct {
	src    io.Reader
	srcErr error // came along with bytes: due at the next read
	limits *Limits
	authed bool
	queued int64
	err    error // sticky: the stream cannot be read on

	buf   []byte // buf[start:] is the command under way and what follows it
	start int    // first byte of the command under way
	pos   int    // next byte to parse
	scan  int    // no end of line in buf[pos:scan]; 0 or up to pos: not searched yet
	nul   bool   // a NUL in buf[pos:scan] hides the end of this line, see lineEnd

	remaining int    // arguments still to come of a multibulk; 0: between commands
	bulk      int64  // length of the argument under way, bulkUnknown before its length line
	spans     []span // arguments of the command under way, relative to start

	args  [][]byte // arguments of all commands since the last read; a command is a subslice
	base  int      // first of args not handed out yet
	ready bool     // args[base:] is a complete command

	small decay
	full  bool // the last read filled the buffer: worth a larger one
}

const bulkUnknown = -1

type span struct{ from, to int }

// NewReader returns a Reader of src for a client that is not authenticated. limits may be nil: the defaults. Nothing
// is allocated for the stream before the first Next.
func NewReader(src io.Reader, limits *Limits) *Reader {
	return &Reader{src: src, limits: limits.filled(), bulk: bulkUnknown}
}

// SetAuthenticated lifts (true) or sets (false) the limits for clients that have yet to authenticate. Where the server
// asks for no password every client is authenticated.
func (r *Reader) SetAuthenticated(ok bool) { r.authed = ok }

// SetLimits replaces the limits from the next length on; nil: the defaults.
func (r *Reader) SetLimits(limits *Limits) { r.limits = limits.filled() }

// SetQueued states how many bytes the connection holds for commands queued by MULTI. They count towards
// QueryBufferMax, as in Redis 7.0.
func (r *Reader) SetQueued(bytes int64) { r.queued = max(bytes, 0) }

// Pending is the number of bytes received that belong to no complete command, or to none looked at yet.
func (r *Reader) Pending() int { return len(r.buf) - r.start }

// BufferBytes is the size of the read buffer.
func (r *Reader) BufferBytes() int { return cap(r.buf) }

// Next returns the next command: at least one argument, its name first. It skips empty commands and blocks until a
// command is complete. A *ProtocolError and ErrQueryBufferLimit are final: every later call returns them too. Any
// other error is the source's, io.EOF between commands, io.ErrUnexpectedEOF within one; after a time out Next may be
// called again and goes on where it was.
func (r *Reader) Next() (args [][]byte, err error) {
	for {
		if r.err != nil {
			return nil, r.err
		}
		if !r.ready {
			if r.ready, r.err = r.parse(); r.err != nil {
				continue
			}
		}
		if r.ready {
			return r.take(), nil
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

func (r *Reader) take() [][]byte {
	args := r.args[r.base:len(r.args):len(r.args)]
	r.base = len(r.args)
	r.ready = false
	return args
}

// Buffered reports whether Next would return at once, with a command or with an error in the bytes already here,
// without reading from the source.
func (r *Reader) Buffered() bool {
	if r.ready || r.err != nil {
		return true
	}
	done, err := r.parse()
	// An error is not kept: a limit may be lifted before Next finds it again.
	r.ready = done
	return done || err != nil
}

// Shrink gives back the memory of a connection known to be idle, for instance after a time out of the source. It ends
// the validity of all arguments returned. Bytes received of an unfinished command are kept.
func (r *Reader) Shrink() {
	if r.ready || r.start < len(r.buf) || r.remaining > 0 {
		return
	}
	r.buf, r.args, r.spans = nil, nil, nil
	r.start, r.pos, r.scan, r.base = 0, 0, 0, 0
	r.small, r.full = decay{}, false
}
