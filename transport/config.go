package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// Defaults of Config, and limits that have no setting.
const (
	connsMaxDefault         = 256
	pendingMaxDefault       = 64
	handshakeTimeoutDefault = 5 * time.Second
	frameBytesMaxDefault    = 4 << 20
	frameBytesMaxLimit      = 64 << 20
	callsMaxDefault         = 1024
	handlersMaxDefault      = 4096
	callTimeoutDefault      = 5 * time.Second

	// identityFieldBytesMax bounds each field of an Identity.
	identityFieldBytesMax = 128
)

// Identity is what a node says of itself in every handshake. It is as trustworthy as the authentication around it: a
// node that knows the secret (or holds a certificate) may claim any identity, unless TLSConfig.RequireNodeName ties the
// node id to the certificate. Each field is UTF-8 without control characters, 128 bytes at most.
//
// Verify is meant to compare it with what the cluster knows:
//   - ClusterID differs and neither is empty: a node of a foreign cluster; refuse, or two clusters would mix logs.
//   - ClusterID empty: a node in no cluster yet; it may ask to join, and nothing else.
//   - NodeID known but Instance differs from the recorded one: the data directory behind that id was lost or replaced.
//     It may have voted already in a term that it has forgotten; refuse it until it rejoins as a new node.
//   - NodeID and Instance are one's own: the node talks to itself, by a wrong address or through somebody's relay.
//
// An Identity is a snapshot taken in the handshake. When Self changes (a cluster id becomes known), or when Verify
// would decide otherwise now (a node was removed), call Drop to have the connections made anew.
type Identity struct {
	ClusterID string // empty on a node that is in no cluster yet
	NodeID    string
	Instance  string // random, drawn once for a data directory
}

func (id Identity) check() error {
	for _, f := range []string{id.ClusterID, id.NodeID, id.Instance} {
		if len(f) > identityFieldBytesMax {
			return fmt.Errorf("an identity field has %d bytes, at most %d are allowed", len(f), identityFieldBytesMax)
		}
		if !utf8.ValidString(f) {
			return errors.New("an identity field is not UTF-8")
		}
		for _, r := range f {
			if unicode.IsControl(r) {
				return errors.New("an identity field has control characters")
			}
		}
	}
	return nil
}

// Config is what Listen needs. Only Listen and Self must be set. Nodes must agree on Secret, on whether TLS is used and
// on FrameBytesMax; the rest is local.
type Config struct {
	// Listen is host:port; port 0 takes a free one.
	Listen string
	// Advertise is the host:port that peers dial. Empty: the listener's address, which then must not be a wildcard.
	// Port 0 stands for the listener's port.
	Advertise string
	// Secret is masterauth. Empty: no proof is asked for.
	Secret []byte
	// TLS is nil for plain TCP.
	TLS *TLSConfig
	// AllowInsecure permits a non-loopback Listen with neither Secret nor TLS.
	AllowInsecure bool

	// Self is asked at each handshake, from several goroutines at once, possibly before Listen returns.
	Self func() Identity
	// Verify judges an authenticated peer; nil accepts every one. Both sides call theirs. An error closes the
	// connection, and its text (512 bytes of it) is sent to the peer, which sees it within ErrRefused. It is called
	// from several goroutines at once and must not block.
	Verify func(peer Identity) error

	// ConnsMax bounds the authenticated inbound connections, and apart from these the peers called. Default 256.
	ConnsMax int
	// PendingMax bounds the inbound connections that are not authenticated yet. One more evicts the oldest, so that a
	// flood delays honest nodes only if it is faster than their handshake. Default 64.
	PendingMax int
	// HandshakeTimeout bounds connecting, TLS and handshake together. Default 5 s.
	HandshakeTimeout time.Duration
	// FrameBytesMax bounds one request and one answer, in bytes without the frame's header. Default 4 MiB, at least
	// 4 KiB, at most 64 MiB. About twice as much may wait to be sent on one connection.
	FrameBytesMax int
	// CallsMax bounds the calls in flight on one connection, on the calling and on the answering side. Default 1024.
	CallsMax int
	// HandlersMax bounds the handlers (Handle) that run at once for all peers together. Default 4096.
	HandlersMax int
	// CallTimeout is the deadline of calls that bring none. Default 5 s.
	CallTimeout time.Duration

	// Logger takes what no caller is told, inbound refusals above all. Nil: nothing is logged.
	Logger *slog.Logger
}

// withDefaults returns a copy with every zero filled in, or an ErrConfig.
func (c Config) withDefaults() (Config, error) {
	if c.Self == nil {
		return c, fmt.Errorf("%w: Self is missing", ErrConfig)
	}
	for _, n := range []struct {
		name  string
		value *int
		def   int
	}{
		{"ConnsMax", &c.ConnsMax, connsMaxDefault},
		{"PendingMax", &c.PendingMax, pendingMaxDefault},
		{"FrameBytesMax", &c.FrameBytesMax, frameBytesMaxDefault},
		{"CallsMax", &c.CallsMax, callsMaxDefault},
		{"HandlersMax", &c.HandlersMax, handlersMaxDefault},
	} {
		if *n.value < 0 {
			return c, fmt.Errorf("%w: %s is negative", ErrConfig, n.name)
		}
		if *n.value == 0 {
			*n.value = n.def
		}
	}
	if c.FrameBytesMax < errorTextBytesMax || c.FrameBytesMax > frameBytesMaxLimit {
		return c, fmt.Errorf("%w: FrameBytesMax is not within %d and %d", ErrConfig, errorTextBytesMax, frameBytesMaxLimit)
	}
	if c.HandshakeTimeout < 0 || c.CallTimeout < 0 {
		return c, fmt.Errorf("%w: a timeout is negative", ErrConfig)
	}
	if c.HandshakeTimeout == 0 {
		c.HandshakeTimeout = handshakeTimeoutDefault
	}
	if c.CallTimeout == 0 {
		c.CallTimeout = callTimeoutDefault
	}
	c.Secret = slices.Clone(c.Secret)
	if c.Verify == nil {
		c.Verify = func(Identity) error { return nil }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// listenAddr resolves Listen once, so that what is judged here is what is bound.
func (c Config) listenAddr() (*net.TCPAddr, error) {
	addr, err := net.ResolveTCPAddr("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("%w: listen address %q: %w", ErrConfig, c.Listen, err)
	}
	if len(c.Secret) == 0 && c.TLS == nil && !c.AllowInsecure && !addr.IP.IsLoopback() {
		return nil, fmt.Errorf("%w on %s: with no secret and no TLS, whoever reaches this port can rewrite all data; "+
			"set masterauth on every node, or TLS certificates, or listen on a loopback address", ErrInsecure, c.Listen)
	}
	return addr, nil
}

// advertised works out what peers dial.
func (c Config) advertised(bound *net.TCPAddr) (string, error) {
	if c.Advertise == "" {
		if bound.IP.IsUnspecified() {
			return "", fmt.Errorf("%w: listening on every address (%s): say which one peers shall dial (Advertise)",
				ErrConfig, c.Listen)
		}
		return bound.String(), nil
	}
	host, port, err := net.SplitHostPort(c.Advertise)
	if err != nil {
		return "", fmt.Errorf("%w: advertise address: %w", ErrConfig, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "", fmt.Errorf("%w: peers cannot dial the advertised address %q", ErrConfig, c.Advertise)
	}
	if port == "0" {
		port = fmt.Sprint(bound.Port)
	}
	return net.JoinHostPort(host, port), nil
}
