package transport

import (
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
)

// session is one handshake, over an established (TCP or TLS) connection whose deadline is set. It reads not one byte
// more than the handshake has, so that the connection can be handed on as it is.
type session struct {
	rw      io.ReadWriter
	secret  []byte
	binding []byte // TLS channel binding, empty on plain TCP
	self    Identity
	// admit is called on the accepting side once the dialer has proved itself, before Verify: it makes the connection
	// count as an authenticated one.
	admit func(peer Identity, purpose byte) error
	// verify is Config.Verify plus what TLS has to say.
	verify func(peer Identity) error
}

// dial runs the dialing side and returns who answered.
func (s *session) dial(purpose byte) (Identity, error) {
	own, err := s.hello(purpose)
	if err != nil {
		return Identity{}, err
	}
	ownRaw := own.encode()
	if err := s.write(appendMessage(appendPrefix(nil), msgHello, ownRaw)); err != nil {
		return Identity{}, err
	}
	if err := readPrefix(s.rw); err != nil {
		if errors.Is(err, ErrDial) && !errors.Is(err, ErrTimeout) { // how TLS answers what is not TLS
			err = fmt.Errorf("%w; is TLS set on both nodes, or on neither?", err)
		}
		return Identity{}, err
	}
	peer, peerRaw, err := s.readHello()
	if err != nil {
		return Identity{}, err
	}
	if peer.purpose != purpose || peer.nonce == own.nonce {
		return Identity{}, fmt.Errorf("%w: the answer is not to this hello", ErrProtocol)
	}
	if err := s.sameSecrecy(peer.hasSecret); err != nil {
		return Identity{}, err
	}
	if err := s.write(appendMessage(nil, msgProof, prove(s.secret, labelDialer, ownRaw, peerRaw, s.binding))); err != nil {
		return Identity{}, err
	}
	if err := s.checkProof(labelAcceptor, ownRaw, peerRaw); err != nil {
		return Identity{}, s.refuse(err)
	}
	if _, err := readMessage(s.rw, msgAccept); err != nil {
		return Identity{}, err
	}
	if err := s.judge(peer.id); err != nil {
		return Identity{}, s.refuse(err)
	}
	return peer.id, s.write(appendMessage(nil, msgAccept, nil))
}

// accept runs the accepting side. Who dialed, and what for, has been told to admit.
func (s *session) accept() error {
	if err := readPrefix(s.rw); err != nil {
		if errors.Is(err, errVersion) {
			_ = s.write(appendPrefix(nil))
			return s.refuse(err)
		}
		return err // a foreigner learns nothing
	}
	peer, peerRaw, err := s.readHello()
	if err != nil {
		return err
	}
	own, err := s.hello(peer.purpose)
	if err != nil {
		return err
	}
	ownRaw := own.encode()
	if err := s.write(appendMessage(appendPrefix(nil), msgHello, ownRaw)); err != nil {
		return err
	}
	if err := s.sameSecrecy(peer.hasSecret); err != nil {
		return err
	}
	if err := s.checkProof(labelDialer, peerRaw, ownRaw); err != nil {
		return s.refuse(err)
	}
	if err := s.welcome(peer, prove(s.secret, labelAcceptor, peerRaw, ownRaw, s.binding)); err != nil {
		return err
	}
	_, err = readMessage(s.rw, msgAccept)
	return err
}

// welcome answers a dialer that has proved itself: with the own proof, and yes or no.
func (s *session) welcome(peer hello, ownProof []byte) error {
	msg := appendMessage(nil, msgProof, ownProof)
	verdict := s.admit(peer.id, peer.purpose)
	if verdict == nil {
		verdict = s.judge(peer.id)
	}
	if verdict != nil {
		_ = s.write(append(msg, refusalOf(verdict)...)) // the verdict matters, not whether the peer still hears it
		return verdict
	}
	return s.write(appendMessage(msg, msgAccept, nil))
}

func (s *session) hello(purpose byte) (hello, error) {
	h := hello{hasSecret: len(s.secret) > 0, purpose: purpose, id: s.self}
	if err := h.id.check(); err != nil {
		return h, fmt.Errorf("%w: this node's own identity: %w", ErrConfig, err)
	}
	_, err := rand.Read(h.nonce[:])
	return h, err
}

func (s *session) readHello() (hello, []byte, error) {
	raw, err := readMessage(s.rw, msgHello)
	if err != nil {
		return hello{}, nil, err
	}
	h, err := parseHello(raw)
	return h, raw, err
}

// sameSecrecy holds the hellos' flags together. Each side sees a difference by itself, so neither tells the other.
func (s *session) sameSecrecy(peerHas bool) error {
	switch has := len(s.secret) > 0; {
	case has && !peerHas:
		return fmt.Errorf("%w: this node has a secret (masterauth), the peer has none", ErrAuth)
	case !has && peerHas:
		return fmt.Errorf("%w: the peer has a secret (masterauth), this node has none", ErrAuth)
	}
	return nil
}

// checkProof reads the peer's proof and compares it in constant time.
func (s *session) checkProof(label string, dialer, acceptor []byte) error {
	got, err := readMessage(s.rw, msgProof)
	if err != nil {
		return err
	}
	if !hmac.Equal(got, prove(s.secret, label, dialer, acceptor, s.binding)) {
		return fmt.Errorf("%w: the nodes' secrets (masterauth) differ", ErrAuth)
	}
	return nil
}

func (s *session) judge(peer Identity) error {
	if err := s.verify(peer); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

// refuse tells the peer why, unless it was the peer who said so, and returns err.
func (s *session) refuse(err error) error {
	var told *peerRefusal
	if !errors.As(err, &told) && !errors.Is(err, ErrDial) {
		_ = s.write(refusalOf(err)) // the connection closes anyway; err is what counts
	}
	return err
}

func (s *session) write(b []byte) error {
	if _, err := s.rw.Write(b); err != nil {
		return readError(err)
	}
	return nil
}
