package transport

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"
)

// appendReader reads messages, for one goroutine.
type appendReader struct {
	br   *bufio.Reader
	left int       // bytes of a request that were not read yet
	seen [3][]byte // the last message's names: they hardly ever change, and nobody writes to them
}

func newAppendReader(r io.Reader) *appendReader {
	return &appendReader{br: bufio.NewReaderSize(r, readBufferBytes)}
}

// parseMessageHeader takes appendHeaderBytes and returns how many bytes stand behind them.
func parseMessageHeader(b []byte, least, most int) (int, error) {
	n := int64(binary.LittleEndian.Uint32(b)) - 1
	switch {
	case n < 0:
		return 0, fmt.Errorf("%w: an append message of length 0", ErrProtocol)
	case b[4] != appendVersion:
		return 0, fmt.Errorf("%w: an append message of version %d, this node speaks version %d", ErrProtocol, b[4], appendVersion)
	case n < int64(least):
		return 0, fmt.Errorf("%w: an append message of %d bytes is cut short", ErrProtocol, n)
	case n > int64(most-appendHeaderBytes):
		return 0, fmt.Errorf("%w: an append message of %d bytes, at most %d are allowed", ErrProtocol, n, most-appendHeaderBytes)
	}
	return int(n), nil
}

// request returns the next request, io.EOF at the end between two, or what is wrong. Its entries have memory of their
// own, its header and Leader must not be written to.
func (r *appendReader) request() (*raft.AppendEntriesRequest, error) {
	b, err := r.br.Peek(appendHeaderBytes)
	if err != nil {
		if err == io.EOF && len(b) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if r.left, err = parseMessageHeader(b, appendRequestBytes+3*2, AppendBytesMax); err != nil {
		return nil, err
	}
	_, _ = r.br.Discard(appendHeaderBytes) // was peeked
	if b, err = r.take(appendRequestBytes, "a request"); err != nil {
		return nil, err
	}
	a := &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersion(b[0])}, Term: binary.LittleEndian.Uint64(b[1:]),
		PrevLogEntry: binary.LittleEndian.Uint64(b[9:]), PrevLogTerm: binary.LittleEndian.Uint64(b[17:]),
		LeaderCommitIndex: binary.LittleEndian.Uint64(b[25:]),
	}
	count := int64(binary.LittleEndian.Uint32(b[33:]))
	for i, name := range []*[]byte{&a.ID, &a.Addr, leaderOf(a)} {
		if *name, err = r.name(i); err != nil {
			return nil, err
		}
	}
	if count*appendEntryBytes > int64(r.left) {
		return nil, fmt.Errorf("%w: %d entries in %d bytes", ErrProtocol, count, r.left)
	}
	a.Entries = make([]*raft.Log, 0, min(count, 32))
	for range count {
		l, err := r.entry()
		if err != nil {
			return nil, err
		}
		a.Entries = append(a.Entries, l)
	}
	if r.left != 0 {
		return nil, fmt.Errorf("%w: %d bytes behind the last of %d entries", ErrProtocol, r.left, count)
	}
	return a, nil
}

// take returns the next n bytes of a request, valid until the next read. n fits the buffer.
func (r *appendReader) take(n int, what string) ([]byte, error) {
	if n > r.left {
		return nil, fmt.Errorf("%w: %s is cut short: %d bytes, %d are left of the message", ErrProtocol, what, n, r.left)
	}
	b, err := r.br.Peek(n)
	if err != nil {
		return nil, torn(err)
	}
	_, _ = r.br.Discard(n) // was peeked
	r.left -= n
	return b, nil
}

func (r *appendReader) name(i int) ([]byte, error) {
	b, err := r.take(2, "a name")
	if err != nil {
		return nil, err
	}
	n := int(binary.LittleEndian.Uint16(b))
	if n > appendNameBytesMax {
		return nil, fmt.Errorf("%w: a name of %d bytes, at most %d are allowed", ErrProtocol, n, appendNameBytesMax)
	}
	if b, err = r.take(n, "a name"); err != nil || n == 0 {
		return nil, err
	}
	return r.known(i, b), nil
}

// known returns b's bytes in memory that lasts.
func (r *appendReader) known(i int, b []byte) []byte {
	if !bytes.Equal(r.seen[i], b) {
		r.seen[i] = bytes.Clone(b)
	}
	return r.seen[i]
}

func (r *appendReader) entry() (*raft.Log, error) {
	b, err := r.take(appendEntryBytes, "an entry")
	if err != nil {
		return nil, err
	}
	sec, ns := int64(binary.LittleEndian.Uint64(b[17:])), binary.LittleEndian.Uint32(b[25:])
	if ns >= uint32(time.Second) {
		return nil, fmt.Errorf("%w: an entry with %d nanoseconds", ErrProtocol, ns)
	}
	l := &raft.Log{
		Index: binary.LittleEndian.Uint64(b), Term: binary.LittleEndian.Uint64(b[8:]), Type: raft.LogType(b[16]),
		AppendedAt: time.Unix(sec, int64(ns)).UTC(),
	}
	data, ext := int64(binary.LittleEndian.Uint32(b[29:])), int64(binary.LittleEndian.Uint32(b[33:]))
	if data+ext > int64(r.left) {
		return nil, fmt.Errorf("%w: entry %d has %d bytes of data and %d of extensions where %d are left of the message",
			ErrProtocol, l.Index, data, ext, r.left)
	}
	both, err := readGrowing(r.br, int(data+ext), appendStepBytes)
	if err != nil {
		return nil, torn(err)
	}
	r.left -= len(both)
	if data > 0 {
		l.Data = both[:data:data]
	}
	if ext > 0 {
		l.Extensions = both[data:]
	}
	return l, nil
}

func torn(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// appendAnswer is a request's answer as it was read.
type appendAnswer struct {
	resp raft.AppendEntriesResponse
	text string // of the error, "" for none
}

func (a appendAnswer) err() error {
	if a.text == "" {
		return nil
	}
	return &RemoteError{Text: a.text}
}

// answer returns the next answer, io.EOF at the end between two, or what is wrong. wait is asked whenever the read
// deadline has passed; if it returns nil, reading goes on where it was.
func (r *appendReader) answer(wait func() error) (appendAnswer, error) {
	b, err := r.peek(appendHeaderBytes, wait)
	if err != nil {
		if err == io.EOF && len(b) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return appendAnswer{}, err
	}
	n, err := parseMessageHeader(b, appendAnswerBytes+3*2, appendAnswerMax)
	if err != nil {
		return appendAnswer{}, err
	}
	if b, err = r.peek(appendHeaderBytes+n, wait); err != nil {
		return appendAnswer{}, torn(err)
	}
	a, err := r.parseAnswer(b[appendHeaderBytes:])
	_, _ = r.br.Discard(len(b)) // was peeked
	return a, err
}

func (r *appendReader) peek(n int, wait func() error) ([]byte, error) {
	for {
		b, err := r.br.Peek(n)
		if err == nil || !isTimeout(err) {
			return b, err
		}
		if err := wait(); err != nil {
			return nil, err
		}
	}
}

// parseAnswer takes all that stands behind an answer's header; that is enough bytes for its lengths.
func (r *appendReader) parseAnswer(b []byte) (appendAnswer, error) {
	var a appendAnswer
	flags := b[1]
	a.resp.ProtocolVersion = raft.ProtocolVersion(b[0])
	a.resp.Success, a.resp.NoRetryBackoff = flags&flagSuccess != 0, flags&flagNoBackoff != 0
	a.resp.Term, a.resp.LastLog = binary.LittleEndian.Uint64(b[2:]), binary.LittleEndian.Uint64(b[10:])
	b = b[appendAnswerBytes:]
	var parts [3][]byte
	for i, most := range []int{appendNameBytesMax, appendNameBytesMax, appendErrorBytesMax} {
		if len(b) < 2 || len(b)-2 < int(binary.LittleEndian.Uint16(b)) {
			return a, fmt.Errorf("%w: an answer is cut short", ErrProtocol)
		}
		n := int(binary.LittleEndian.Uint16(b))
		if n > most {
			return a, fmt.Errorf("%w: %d bytes in an answer where at most %d are allowed", ErrProtocol, n, most)
		}
		parts[i], b = b[2:2+n], b[2+n:]
	}
	a.resp.ID, a.resp.Addr, a.text = r.known(0, parts[0]), r.known(1, parts[1]), string(parts[2])
	switch {
	case len(b) != 0:
		return a, fmt.Errorf("%w: %d bytes behind an answer", ErrProtocol, len(b))
	case flags&^(flagSuccess|flagNoBackoff) != 0:
		return a, fmt.Errorf("%w: unknown flags %#x of an answer", ErrProtocol, flags)
	case a.text != "" && a.resp.Success:
		return a, fmt.Errorf("%w: an answer is success and error at once", ErrProtocol)
	}
	return a, nil
}
