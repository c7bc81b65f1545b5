package transport

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// The messages of the handshake. Each side sends the prefix once, then messages:
//
//	 0          1               3
//	+----------+---------------+--------------------+
//	| type u8  | length u16 LE | body               |
//	+----------+---------------+--------------------+
//
//	hello    flags u8 (bit 0: has a secret) | purpose u8 | nonce 32 bytes |
//	         cluster id, node id, instance: each length u8, bytes
//	proof    32 bytes: HMAC-SHA256 keyed by the secret over the role's label, the dialer's hello, the acceptor's hello
//	         and the TLS channel binding, each preceded by its length as u32 LE
//	accept   empty
//	refuse   code u8 | text
const (
	protocolVersion = 1
	prefixBytes     = 5

	msgHello  = 1
	msgProof  = 2
	msgAccept = 3
	msgRefuse = 4

	messageHeaderBytes  = 3
	nonceBytes          = 32
	proofBytes          = sha256.Size
	helloBytesMin       = 2 + nonceBytes + 3
	helloBytesMax       = helloBytesMin + 3*identityFieldBytesMax
	refusalTextBytesMax = 512

	flagSecret = 1 << 0

	// The role labels keep one side's proof from being any use as the other's.
	labelDialer   = "redoubt transport 1 dialer"
	labelAcceptor = "redoubt transport 1 acceptor"
)

// Purposes of a connection.
const (
	purposeRaft   = 1
	purposeCalls  = 2
	purposeAppend = 3
)

// Refusal codes, and the sentinels that they stand for.
const (
	refuseAuth     = 1
	refuseIdentity = 2
	refuseProtocol = 3
)

var magic = [4]byte{0xF5, 'R', 'D', 'T'} // no letter of HTTP or RESP, and no TLS record type, begins like this

type hello struct {
	hasSecret bool
	purpose   byte
	nonce     [nonceBytes]byte
	id        Identity
}

// encode returns the body. The identity has passed its check.
func (h *hello) encode() []byte {
	b := make([]byte, 0, helloBytesMax)
	var flags byte
	if h.hasSecret {
		flags |= flagSecret
	}
	b = append(b, flags, h.purpose)
	b = append(b, h.nonce[:]...)
	for _, f := range []string{h.id.ClusterID, h.id.NodeID, h.id.Instance} {
		b = append(b, byte(len(f)))
		b = append(b, f...)
	}
	return b
}

// parseHello reads a body strictly: every hello has one encoding, and the proofs are over that.
func parseHello(b []byte) (hello, error) {
	var h hello
	if len(b) < helloBytesMin || len(b) > helloBytesMax {
		return h, fmt.Errorf("%w: a hello of %d bytes", ErrProtocol, len(b))
	}
	if b[0]&^flagSecret != 0 {
		return h, fmt.Errorf("%w: unknown hello flags %#x", ErrProtocol, b[0])
	}
	h.hasSecret = b[0]&flagSecret != 0
	h.purpose = b[1]
	if h.purpose < purposeRaft || h.purpose > purposeAppend {
		return h, fmt.Errorf("%w: unknown purpose %d", ErrProtocol, h.purpose)
	}
	copy(h.nonce[:], b[2:])
	b = b[2+nonceBytes:]
	for _, f := range []*string{&h.id.ClusterID, &h.id.NodeID, &h.id.Instance} {
		if len(b) == 0 || len(b)-1 < int(b[0]) {
			return h, fmt.Errorf("%w: a hello cut short", ErrProtocol)
		}
		*f, b = string(b[1:1+int(b[0])]), b[1+int(b[0]):]
	}
	if len(b) != 0 {
		return h, fmt.Errorf("%w: bytes after the hello", ErrProtocol)
	}
	if err := h.id.check(); err != nil {
		return h, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return h, nil
}

// prove computes the proof of the role that label names.
func prove(secret []byte, label string, dialer, acceptor, binding []byte) []byte {
	m := hmac.New(sha256.New, secret)
	for _, part := range [][]byte{[]byte(label), dialer, acceptor, binding} {
		var n [4]byte
		binary.LittleEndian.PutUint32(n[:], uint32(len(part)))
		m.Write(n[:])
		m.Write(part)
	}
	return m.Sum(nil)
}

func appendPrefix(b []byte) []byte {
	return append(append(b, magic[:]...), protocolVersion)
}

func appendMessage(b []byte, typ byte, body []byte) []byte {
	b = append(b, typ)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}

func readPrefix(r io.Reader) error {
	var p [prefixBytes]byte
	if _, err := io.ReadFull(r, p[:]); err != nil {
		return readError(err)
	}
	if [4]byte(p[:4]) != magic {
		hint := ""
		if p[0] == 0x15 || p[0] == 0x16 { // a TLS alert or handshake record
			hint = " (it speaks TLS)"
		}
		return fmt.Errorf("%w: the other side speaks something else%s, its first bytes are %q", ErrProtocol, hint, p[:])
	}
	if p[4] != protocolVersion {
		return fmt.Errorf("%w: %w %d, this node speaks version %d", ErrProtocol, errVersion, p[4], protocolVersion)
	}
	return nil
}

// errVersion marks a peer of this project whose release is too far away: it is told so, where a foreigner is not.
var errVersion = errors.New("the peer speaks version")

// readMessage reads one message of type want. A refusal in its place becomes an error that carries the peer's text.
func readMessage(r io.Reader, want byte) ([]byte, error) {
	var head [messageHeaderBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, readError(err)
	}
	n := int(binary.LittleEndian.Uint16(head[1:]))
	switch {
	case head[0] != want && head[0] != msgRefuse:
		return nil, fmt.Errorf("%w: handshake message %d where %d was due", ErrProtocol, head[0], want)
	case n > messageBytesMax(head[0]):
		return nil, fmt.Errorf("%w: handshake message %d of %d bytes", ErrProtocol, head[0], n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, readError(err)
	}
	if head[0] == msgRefuse {
		return nil, parseRefusal(body)
	}
	return body, nil
}

func messageBytesMax(typ byte) int {
	switch typ {
	case msgHello:
		return helloBytesMax
	case msgProof:
		return proofBytes
	case msgRefuse:
		return 1 + refusalTextBytesMax
	}
	return 0
}

// refusalOf turns the reason why this side gives up into the message that says so.
func refusalOf(err error) []byte {
	code := byte(refuseProtocol)
	switch {
	case errors.Is(err, ErrAuth):
		code = refuseAuth
	case errors.Is(err, ErrRefused):
		code = refuseIdentity
	}
	text := strings.ToValidUTF8(reason(err), "?")
	if len(text) > refusalTextBytesMax {
		text = strings.ToValidUTF8(text[:refusalTextBytesMax], "")
	}
	return appendMessage(nil, msgRefuse, append([]byte{code}, text...))
}

// reason drops the sentinel's own words from the text, since the peer prefixes its own.
func reason(err error) string {
	text := err.Error()
	for _, s := range []error{ErrAuth, ErrRefused, ErrProtocol} {
		text = strings.TrimPrefix(text, s.Error()+": ")
	}
	return text
}

// peerRefusal marks an error that was told by the peer and need not be told back.
type peerRefusal struct {
	kind error
	text string
}

func (e *peerRefusal) Error() string { return fmt.Sprintf("%v: the peer says: %s", e.kind, e.text) }
func (e *peerRefusal) Unwrap() error { return e.kind }

func parseRefusal(body []byte) error {
	if len(body) == 0 {
		return fmt.Errorf("%w: an empty refusal", ErrProtocol)
	}
	e := &peerRefusal{kind: ErrProtocol, text: printable(body[1:])}
	switch body[0] {
	case refuseAuth:
		e.kind = ErrAuth
	case refuseIdentity:
		e.kind = ErrRefused
	}
	return e
}

// printable keeps a peer's text from playing tricks on terminals and logs.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b), "?"))
}

// readError sorts what a read or write in the handshake failed with.
func readError(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" { // how crypto/tls reports the peer's alert
		return fmt.Errorf("%w: TLS: the peer says: %w", ErrAuth, err)
	}
	return networkError(err)
}

func networkError(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return fmt.Errorf("%w: %w", ErrDial, ErrTimeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the peer closed the connection in the handshake", ErrDial)
	}
	return fmt.Errorf("%w: %w", ErrDial, err)
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

func isNetworkError(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return false
	}
	for _, target := range []error{
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, os.ErrDeadlineExceeded, context.DeadlineExceeded, context.Canceled,
		syscall.ECONNRESET, syscall.EPIPE,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return isTimeout(err)
}
