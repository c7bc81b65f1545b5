package transport

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// A frame of calls, little endian:
//
//	 0             4         5           6              14
//	+-------------+---------+-----------+--------------+-----------------+
//	| length u32  | kind u8 | method u8 | call id u64  | payload         |
//	+-------------+---------+-----------+--------------+-----------------+
//
// length counts what follows it: 10 bytes and the payload. The dialer of a connection sends requests only, the
// acceptor everything else; an answer repeats its request's method and call id. Answers come in any order. A frame
// that breaks these rules, or is longer than allowed, closes the connection.
const (
	frameRequest = 1
	frameAnswer  = 2
	frameError   = 3 // payload: the handler's error text
	frameBusy    = 4 // not executed, no payload

	frameHeaderBytes = 14
	frameLengthBytes = 4

	readBufferBytes   = 64 << 10
	errorTextBytesMax = 4 << 10
	// largeStepBytes is the first step in which the memory of a large payload is claimed: it grows as bytes arrive,
	// not by what a length promises.
	largeStepBytes = 256 << 10
)

type frame struct {
	kind, method byte
	id           uint64
	payload      []byte // valid until the next frame is read
}

type frameHeader struct {
	kind, method byte
	id           uint64
	payloadBytes int
}

// parseFrameHeader takes exactly frameHeaderBytes.
func parseFrameHeader(b []byte, payloadBytesMax int) (frameHeader, error) {
	n := int64(binary.LittleEndian.Uint32(b))
	h := frameHeader{kind: b[4], method: b[5], id: binary.LittleEndian.Uint64(b[6:])}
	payload := n - (frameHeaderBytes - frameLengthBytes)
	switch {
	case payload < 0:
		return h, fmt.Errorf("%w: a frame of length %d", ErrProtocol, n)
	case payload > int64(payloadBytesMax):
		return h, fmt.Errorf("%w: a frame of %d payload bytes, at most %d are allowed", ErrProtocol, payload, payloadBytesMax)
	case h.kind < frameRequest || h.kind > frameBusy:
		return h, fmt.Errorf("%w: a frame of unknown kind %d", ErrProtocol, h.kind)
	case h.kind == frameBusy && payload != 0:
		return h, fmt.Errorf("%w: a busy frame with a payload", ErrProtocol)
	}
	h.payloadBytes = int(payload)
	return h, nil
}

// appendFrame appends a whole frame to b. payload may lie right behind b in the same array.
func appendFrame(b []byte, kind, method byte, id uint64, payload []byte) []byte {
	b = appendFrameHeader(b, kind, method, id, len(payload))
	return append(b, payload...)
}

func appendFrameHeader(b []byte, kind, method byte, id uint64, payloadBytes int) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(frameHeaderBytes-frameLengthBytes+payloadBytes))
	b = append(b, kind, method)
	return binary.LittleEndian.AppendUint64(b, id)
}

// frameReader reads frames from one connection, for one goroutine.
type frameReader struct {
	br              *bufio.Reader
	payloadBytesMax int
	skip            int // bytes of the last frame's payload still in br
}

func newFrameReader(r io.Reader, payloadBytesMax int) *frameReader {
	return &frameReader{br: bufio.NewReaderSize(r, readBufferBytes), payloadBytesMax: payloadBytesMax}
}

// ready reports whether next will return without waiting for the network.
func (r *frameReader) ready() bool {
	have := r.br.Buffered() - r.skip
	if have < frameHeaderBytes {
		return false
	}
	b, _ := r.br.Peek(r.skip + frameLengthBytes)
	return have >= frameLengthBytes+int(binary.LittleEndian.Uint32(b[r.skip:]))
}

// next returns the next frame, io.EOF at the end between two frames, or what is wrong.
func (r *frameReader) next() (frame, error) {
	if _, err := r.br.Discard(r.skip); err != nil {
		return frame{}, err
	}
	r.skip = 0
	b, err := r.br.Peek(frameHeaderBytes)
	if err != nil {
		if err == io.EOF && len(b) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return frame{}, err
	}
	h, err := parseFrameHeader(b, r.payloadBytesMax)
	if err != nil {
		return frame{}, err
	}
	if _, err := r.br.Discard(frameHeaderBytes); err != nil {
		return frame{}, err
	}
	f := frame{kind: h.kind, method: h.method, id: h.id}
	f.payload, err = r.payload(h.payloadBytes)
	return f, err
}

func (r *frameReader) payload(n int) ([]byte, error) {
	if n > readBufferBytes {
		return r.large(n)
	}
	b, err := r.br.Peek(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		r.skip = n
	}
	return b, err
}

func (r *frameReader) large(n int) ([]byte, error) {
	b, err := readGrowing(r.br, n, largeStepBytes)
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return b, nil
}

// readGrowing reads n bytes into memory of their own, which is claimed in steps.
func readGrowing(r io.Reader, n, firstStep int) ([]byte, error) {
	b := make([]byte, min(n, firstStep))
	for done := 0; ; {
		m, err := io.ReadFull(r, b[done:])
		if done += m; err != nil {
			return nil, err
		}
		if done == n {
			return b, nil
		}
		grown := make([]byte, min(n, 2*len(b)))
		copy(grown, b)
		b = grown
	}
}
