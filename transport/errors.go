package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// The errors of this package, matched with errors.Is. MaybeSent tells which leave the outcome of a call open.
var (
	// ErrClosed: the transport, or the raft layer, is closed. It is a net.ErrClosed too.
	ErrClosed = fmt.Errorf("transport: closed: %w", net.ErrClosed)
	// ErrConfig: Listen was given a configuration that makes no sense.
	ErrConfig = errors.New("transport: bad configuration")
	// ErrInsecure: Listen was asked to serve an address that others can reach, with neither a secret nor TLS.
	ErrInsecure = errors.New("transport: refusing to listen unprotected")
	// ErrDial: no connection could be made, for reasons of the network: nothing listens, or the peer went away in
	// the handshake. Nothing was sent.
	ErrDial = errors.New("transport: cannot connect")
	// ErrAuth: one side could not authenticate the other: secrets differ, only one side has one, or TLS said no.
	ErrAuth = errors.New("transport: authentication failed")
	// ErrRefused: authenticated, but refused: a Verify function said no (its text is in the error), or the peer has
	// too many connections.
	ErrRefused = errors.New("transport: refused")
	// ErrProtocol: the other side does not speak this protocol. Of a call: found in the handshake, nothing was sent.
	ErrProtocol = errors.New("transport: protocol error")
	// ErrTimeout: the deadline has passed. The request may or may not have been executed.
	ErrTimeout = errors.New("transport: timed out")
	// ErrLost: the connection died with the call outstanding. The request may or may not have been executed.
	ErrLost = errors.New("transport: connection lost")
	// ErrBusy: too many calls are in flight here or at the peer, or too many bytes wait to be sent. Not executed.
	ErrBusy = errors.New("transport: too many calls in flight")
	// ErrTooLarge: the request is longer than Config.FrameBytesMax. Not sent.
	ErrTooLarge = errors.New("transport: request too large")
	// ErrBackoff: the last connection failed a moment ago; the error wraps why. Not sent.
	ErrBackoff = errors.New("transport: not dialing again yet")
)

// RemoteError is what a peer's handler answered instead of a result.
type RemoteError struct {
	Text string
}

// Error returns the handler's text.
func (e *RemoteError) Error() string { return "remote: " + e.Text }

// NeverSent reports whether a call that ended with err surely was not executed by the peer. Of an error that is not of this
// package it is false.
func NeverSent(err error) bool {
	for _, never := range []error{ErrDial, ErrAuth, ErrRefused, ErrProtocol, ErrBackoff, ErrBusy, ErrTooLarge} {
		if errors.Is(err, never) {
			return true
		}
	}
	return false
}

// MaybeSent reports whether a call that ended with err may have been executed by the peer. False means that it surely
// was not, so that it is safe to send it again.
func MaybeSent(err error) bool {
	if NeverSent(err) {
		return false
	}
	if err == nil || errors.Is(err, ErrLost) || errors.Is(err, ErrTimeout) || errors.Is(err, context.Canceled) {
		return true
	}
	var remote *RemoteError
	return errors.As(err, &remote)
}
