package transport

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"strings"

	"github.com/hashicorp/raft"
)

// The messages of an append stream, little endian. The dialer sends requests, the acceptor answers each in turn.
//
//	 0             4            5
//	+-------------+------------+-----------------+
//	| length u32  | version u8 | request, answer |      length counts what follows it
//	+-------------+------------+-----------------+
//
//	request  protocol u8 | term u64 | previous index u64 | its term u64 | commit index u64 | entries u32 |
//	         id | address | leader: each length u16, bytes | the entries
//	entry    index u64 | term u64 | type u8 | appended at: seconds i64 since 1970, nanoseconds u32 |
//	         length of data u32 | length of extensions u32 | data | extensions
//	answer   protocol u8 | flags u8 (1 success, 2 no back-off) | term u64 | last index u64 |
//	         id | address | error: each length u16, bytes
//
// Every message has one encoding. A message that breaks these rules, or is longer than allowed, closes the stream.
const (
	appendVersion = 1

	// AppendBytesMax bounds a request: the 32 entries of 32 MiB that a leader may send to a node that lags, and what
	// stands around them (package cluster has a test). Memory is claimed as bytes arrive.
	AppendBytesMax = 1<<30 + 1<<20

	appendHeaderBytes   = 5
	appendRequestBytes  = 1 + 4*8 + 4
	appendEntryBytes    = 8 + 8 + 1 + 8 + 4 + 4 + 4
	appendAnswerBytes   = 1 + 1 + 2*8
	appendNameBytesMax  = 1 << 10 // of an id, an address
	appendErrorBytesMax = errorTextBytesMax
	appendAnswerMax     = appendHeaderBytes + appendAnswerBytes + 3*2 + 2*appendNameBytesMax + appendErrorBytesMax

	flagSuccess   = 1 << 0
	flagNoBackoff = 1 << 1

	// appendDirectBytes is the size from which an entry's data is written from where it lies and not copied first.
	appendDirectBytes = 16 << 10
	// appendStepBytes is the first step in which the memory of an entry is claimed: more than entries commonly have.
	appendStepBytes = 1 << 20
	// appendKeptBytes bounds the buffer that is kept from one message to the next.
	appendKeptBytes = 256 << 10
)

// appendWriter encodes and writes messages, for one goroutine.
type appendWriter struct {
	buf  []byte
	cuts []appendCut
}

// appendCut is data that belongs between buf[:at] and buf[at:].
type appendCut struct {
	at   int
	data []byte
}

// request encodes a request, in place of what was encoded before.
func (w *appendWriter) request(a *raft.AppendEntriesRequest) error {
	size, err := requestSize(a)
	if err != nil {
		return err
	}
	w.reset()
	b := appendMessageHeader(w.buf, size)
	b = append(b, byte(a.ProtocolVersion))
	for _, n := range []uint64{a.Term, a.PrevLogEntry, a.PrevLogTerm, a.LeaderCommitIndex} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(a.Entries)))
	for _, name := range [][]byte{a.ID, a.Addr, *leaderOf(a)} {
		b = appendName(b, name)
	}
	for _, l := range a.Entries {
		b = appendEntryHeader(b, l)
		if len(l.Data) >= appendDirectBytes {
			w.cuts = append(w.cuts, appendCut{len(b), l.Data})
		} else {
			b = append(b, l.Data...)
		}
		b = append(b, l.Extensions...)
	}
	w.buf = b
	return nil
}

// requestSize is how many bytes stand behind the message's header, or why there can be no such message.
func requestSize(a *raft.AppendEntriesRequest) (int, error) {
	if err := checkHeader(a.RPCHeader); err != nil {
		return 0, err
	}
	leader := *leaderOf(a)
	if len(leader) > appendNameBytesMax {
		return 0, fmt.Errorf("%w: a leader's address of %d bytes", ErrTooLarge, len(leader))
	}
	size := int64(appendRequestBytes + 3*2 + len(a.ID) + len(a.Addr) + len(leader))
	for _, l := range a.Entries {
		size += int64(appendEntryBytes + len(l.Data) + len(l.Extensions))
	}
	if size > AppendBytesMax-appendHeaderBytes {
		return 0, fmt.Errorf("%w: %d entries make a message of %d bytes, at most %d are allowed", ErrTooLarge, len(a.Entries),
			size, AppendBytesMax-appendHeaderBytes)
	}
	return int(size), nil
}

func checkHeader(h raft.RPCHeader) error {
	if h.ProtocolVersion < 0 || h.ProtocolVersion > math.MaxUint8 {
		return fmt.Errorf("transport: raft's protocol version %d has no place in a message", h.ProtocolVersion)
	}
	if len(h.ID) > appendNameBytesMax || len(h.Addr) > appendNameBytesMax {
		return fmt.Errorf("%w: an id of %d bytes and an address of %d", ErrTooLarge, len(h.ID), len(h.Addr))
	}
	return nil
}

// leaderOf is a request's Leader, which raft calls deprecated and fills in all the same.
func leaderOf(a *raft.AppendEntriesRequest) *[]byte {
	//lint:ignore SA1019 as said
	return &a.Leader
}

func appendEntryHeader(b []byte, l *raft.Log) []byte {
	b = binary.LittleEndian.AppendUint64(b, l.Index)
	b = binary.LittleEndian.AppendUint64(b, l.Term)
	b = append(b, byte(l.Type))
	b = binary.LittleEndian.AppendUint64(b, uint64(l.AppendedAt.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(l.AppendedAt.Nanosecond()))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(l.Data)))
	return binary.LittleEndian.AppendUint32(b, uint32(len(l.Extensions)))
}

// answer encodes an answer, in place of what was encoded before. text is the error's, cut to what is allowed.
func (w *appendWriter) answer(a *raft.AppendEntriesResponse, text string) error {
	if err := checkHeader(a.RPCHeader); err != nil {
		return err
	}
	if len(text) > appendErrorBytesMax {
		text = strings.ToValidUTF8(text[:appendErrorBytesMax], "")
	}
	var flags byte
	if a.Success && text == "" {
		flags |= flagSuccess
	}
	if a.NoRetryBackoff {
		flags |= flagNoBackoff
	}
	w.reset()
	b := appendMessageHeader(w.buf, appendAnswerBytes+3*2+len(a.ID)+len(a.Addr)+len(text))
	b = append(b, byte(a.ProtocolVersion), flags)
	b = binary.LittleEndian.AppendUint64(b, a.Term)
	b = binary.LittleEndian.AppendUint64(b, a.LastLog)
	b = appendName(appendName(b, a.ID), a.Addr)
	w.buf = append(binary.LittleEndian.AppendUint16(b, uint16(len(text))), text...)
	return nil
}

func appendMessageHeader(b []byte, size int) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(1+size)), appendVersion)
}

func appendName(b, name []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(name))), name...)
}

func (w *appendWriter) reset() {
	clear(w.cuts) // the log's memory is not held
	w.buf, w.cuts = w.buf[:0], w.cuts[:0]
	if cap(w.buf) > appendKeptBytes {
		w.buf = nil
	}
}

// writeTo writes what was encoded: in one call, unless it is long and the connection can't gather.
func (w *appendWriter) writeTo(c net.Conn) error {
	if len(w.cuts) == 0 {
		_, err := c.Write(w.buf)
		return err
	}
	parts, from := make(net.Buffers, 0, 2*len(w.cuts)+1), 0
	for _, cut := range w.cuts {
		parts, from = append(parts, w.buf[from:cut.at], cut.data), cut.at
	}
	if from < len(w.buf) {
		parts = append(parts, w.buf[from:])
	}
	_, err := parts.WriteTo(c)
	return err
}
