// Package respclient is a small client of RESP2 and RESP3, for the command line and for tests: it shows replies as they came,
// whatever type they have, and sends any bytes. It shares no code with the server, so that a mistake cannot hide on both
// sides.
//
// A Conn belongs to one goroutine at a time; Close may be called from any. No call waits longer than Timeout.
package respclient

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

const (
	// TimeoutDefault bounds each call.
	TimeoutDefault = 10 * time.Second
	// bulkBytesMax is the longest string that is read, pushesMax how many push messages wait to be taken, depthMax how
	// deep aggregates nest, lineBytesMax how long a line is.
	bulkBytesMax = 1 << 30
	pushesMax    = 1 << 16
	depthMax     = 32
	lineBytesMax = 64 << 10
	// elemsHint bounds what is set aside for an aggregate before its elements arrive.
	elemsHint = 1024
)

// ErrProtocol is returned for bytes that are no RESP. The connection is of no use after it.
var ErrProtocol = errors.New("respclient: malformed reply")

// Conn is a connection.
type Conn struct {
	// Timeout bounds each call; 0: TimeoutDefault.
	Timeout time.Duration

	nc     net.Conn
	rd     *bufio.Reader
	buf    []byte
	pushes []Value
}

// Dial connects to a server's RESP address.
func Dial(addr string) (*Conn, error) {
	nc, err := net.DialTimeout("tcp", addr, TimeoutDefault)
	if err != nil {
		return nil, fmt.Errorf("respclient: %w", err)
	}
	return NewConn(nc), nil
}

// NewConn speaks over a connection that is there already, which it then owns.
func NewConn(nc net.Conn) *Conn { return &Conn{nc: nc, rd: bufio.NewReaderSize(nc, lineBytesMax)} }

// Close closes the connection. It may be called twice.
func (c *Conn) Close() error {
	if err := c.nc.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("respclient: %w", err)
	}
	return nil
}

// Do sends a command and returns its reply. Push messages that come before it are kept for Pushes. An error reply is a
// Value, no error.
func (c *Conn) Do(args ...string) (Value, error) {
	if err := c.Send(args...); err != nil {
		return Value{}, err
	}
	for {
		v, err := c.Receive()
		if err != nil || v.Kind != Push {
			return v, err
		}
		if len(c.pushes) == pushesMax {
			return Value{}, fmt.Errorf("respclient: more than %d push messages", pushesMax)
		}
		c.pushes = append(c.pushes, v)
	}
}

// Pushes returns and forgets the push messages that Do met.
func (c *Conn) Pushes() []Value {
	p := c.pushes
	c.pushes = nil
	return p
}

// Send sends a command without waiting for a reply.
func (c *Conn) Send(args ...string) error {
	c.buf = AppendCommand(c.buf[:0], args...)
	return c.SendRaw(c.buf)
}

// SendRaw sends bytes as they are.
func (c *Conn) SendRaw(b []byte) error {
	if err := c.nc.SetWriteDeadline(c.deadline()); err != nil {
		return fmt.Errorf("respclient: %w", err)
	}
	if _, err := c.nc.Write(b); err != nil {
		return fmt.Errorf("respclient: %w", err)
	}
	return nil
}

// Receive returns the next reply or push message.
func (c *Conn) Receive() (Value, error) {
	if err := c.nc.SetReadDeadline(c.deadline()); err != nil {
		return Value{}, fmt.Errorf("respclient: %w", err)
	}
	return c.value(0)
}

func (c *Conn) deadline() time.Time {
	if c.Timeout > 0 {
		return time.Now().Add(c.Timeout)
	}
	return time.Now().Add(TimeoutDefault)
}

// AppendCommand encodes a command as clients send it.
func AppendCommand(dst []byte, args ...string) []byte {
	dst = append(dst, '*')
	dst = strconv.AppendInt(dst, int64(len(args)), 10)
	dst = append(dst, "\r\n"...)
	for _, a := range args {
		dst = append(dst, '$')
		dst = strconv.AppendInt(dst, int64(len(a)), 10)
		dst = append(dst, "\r\n"...)
		dst = append(dst, a...)
		dst = append(dst, "\r\n"...)
	}
	return dst
}

func malformed(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, a...))
}

func (c *Conn) line() (string, error) {
	b, err := c.rd.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", malformed("line of more than %d bytes", lineBytesMax)
	}
	if err != nil {
		return "", fmt.Errorf("respclient: %w", err)
	}
	if len(b) < 3 || b[len(b)-2] != '\r' {
		return "", malformed("line %q", b)
	}
	return string(b[:len(b)-2]), nil
}

func (c *Conn) value(depth int) (Value, error) {
	line, err := c.line()
	if err != nil {
		return Value{}, err
	}
	v := Value{Kind: Kind(line[0]), Str: line[1:]}
	switch v.Kind {
	case Simple, Error, Double, BigNumber:
		return v, nil
	case Null:
		return Value{Kind: Null}, nil
	case Bool:
		if v.Str != "t" && v.Str != "f" {
			return v, malformed("boolean %q", line)
		}
		if v.Str == "t" {
			v.Int = 1
		}
		v.Str = ""
		return v, nil
	}
	if v.Int, err = strconv.ParseInt(v.Str, 10, 64); err != nil {
		return v, malformed("line %q", line)
	}
	v.Str = ""
	switch v.Kind {
	case Int:
		return v, nil
	case Bulk, Verbatim:
		return c.bulk(v)
	case Array, Map, Set, Push, '|':
		return c.aggregate(v, depth)
	}
	return v, malformed("line %q", line)
}

func (c *Conn) bulk(v Value) (Value, error) {
	n := v.Int
	v.Int = 0
	if n == -1 && v.Kind == Bulk {
		return Value{Kind: Null}, nil
	}
	if n < 0 || n > bulkBytesMax {
		return v, malformed("length %d", n)
	}
	b, err := io.ReadAll(io.LimitReader(c.rd, n+2))
	if err == nil && int64(len(b)) < n+2 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return v, fmt.Errorf("respclient: %w", err)
	}
	if b[n] != '\r' || b[n+1] != '\n' {
		return v, malformed("bulk without its end")
	}
	v.Str = string(b[:n])
	if v.Kind == Verbatim {
		if n < 4 || v.Str[3] != ':' {
			return v, malformed("verbatim %q", v.Str)
		}
		v.Format, v.Str = v.Str[:3], v.Str[4:]
	}
	return v, nil
}

// aggregate reads elements. An attribute ('|') is dropped: the value that it describes follows.
func (c *Conn) aggregate(v Value, depth int) (Value, error) {
	n := v.Int
	v.Int = 0
	if n == -1 && v.Kind == Array {
		return Value{Kind: NullArray}, nil
	}
	if v.Kind == Map || v.Kind == '|' {
		n *= 2
	}
	if n < 0 || depth == depthMax {
		return v, malformed("aggregate of %d elements at depth %d", n, depth)
	}
	v.Elems = make([]Value, 0, min(n, elemsHint))
	for ; n > 0; n-- {
		e, err := c.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.Elems = append(v.Elems, e)
	}
	if v.Kind == '|' {
		return c.value(depth)
	}
	return v, nil
}
