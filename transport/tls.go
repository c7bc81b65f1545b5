package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
)

// bindingLabel names the keying material that ties a proof to its TLS session (RFC 5705, RFC 9266 in spirit).
const (
	bindingLabel = "EXPORTER-redoubt-transport"
	bindingBytes = 32
)

// TLSConfig makes every connection mutual TLS 1.3. The files are PEM and read once, by Listen. A node dials and
// accepts with the same certificate, so it needs both key usages, server and client authentication.
type TLSConfig struct {
	CertFile, KeyFile string
	// CAFile holds the authorities that peers' certificates must come from; the system's are not asked.
	CAFile string
	// ServerName is what the certificate of a dialed node must be valid for. Empty: the host that was dialed.
	ServerName string
	// AllowNames, when not empty, is the list of names (DNS names, IP addresses or the common name of a certificate)
	// of which a dialing peer must have one. Empty: every certificate of the CA will do.
	AllowNames []string
	// RequireNodeName demands that a peer's certificate, in both directions, carries the node id that the peer claims
	// as one of its names.
	RequireNodeName bool
}

// tlsSetup is a TLSConfig after its files were read.
type tlsSetup struct {
	server, client *tls.Config
	nodeName       bool
}

func (c *TLSConfig) load() (*tlsSetup, error) {
	if c == nil {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("%w: TLS certificate: %w", ErrConfig, err)
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("%w: TLS CA: %w", ErrConfig, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: TLS CA: no certificate in %s", ErrConfig, c.CAFile)
	}
	s := &tlsSetup{nodeName: c.RequireNodeName}
	s.client = &tls.Config{
		MinVersion: tls.VersionTLS13,
		RootCAs:    pool,
		ServerName: c.ServerName,
		// Given as Certificates, one of another CA would be held back, and the acceptor could only say that it got none.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil },
	}
	s.server = &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		// Without tickets every connection verifies the certificate afresh, and no session outlives a restart.
		SessionTicketsDisabled: true,
	}
	if allow := slices.Clone(c.AllowNames); len(allow) > 0 {
		s.server.VerifyConnection = func(cs tls.ConnectionState) error { return checkAllowed(cs, allow) }
	}
	return s, nil
}

func checkAllowed(cs tls.ConnectionState, allow []string) error {
	leaf := cs.PeerCertificates[0]
	names := append([]string{leaf.Subject.CommonName}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	for _, n := range names {
		if n != "" && slices.Contains(allow, n) {
			return nil
		}
	}
	return fmt.Errorf("the peer's certificate has none of the allowed names (it has %q)", names)
}

// accept and dial run the TLS handshake over raw under ctx and raw's own deadline. They return the secured connection
// and what proofs are bound to; a nil setup passes raw through.
func (s *tlsSetup) accept(ctx context.Context, raw net.Conn) (net.Conn, []byte, error) {
	if s == nil {
		return raw, nil, nil
	}
	return secure(ctx, tls.Server(raw, s.server))
}

func (s *tlsSetup) dial(ctx context.Context, raw net.Conn, addr string) (net.Conn, []byte, error) {
	if s == nil {
		return raw, nil, nil
	}
	cfg := s.client
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrDial, err)
		}
		cfg = cfg.Clone()
		cfg.ServerName = host
	}
	return secure(ctx, tls.Client(raw, cfg))
}

func secure(ctx context.Context, conn *tls.Conn) (net.Conn, []byte, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, nil, tlsError(err)
	}
	cs := conn.ConnectionState()
	binding, err := cs.ExportKeyingMaterial(bindingLabel, nil, bindingBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: TLS channel binding: %w", ErrAuth, err)
	}
	return conn, binding, nil
}

// checkNodeName holds a claimed node id against the peer's certificate, where that is configured.
func (s *tlsSetup) checkNodeName(conn net.Conn, id Identity) error {
	tc, ok := conn.(*tls.Conn)
	if s == nil || !s.nodeName || !ok {
		return nil
	}
	leaf := tc.ConnectionState().PeerCertificates[0]
	if id.NodeID == "" {
		return errors.New("the peer names no node id, but its certificate must carry it")
	}
	if leaf.Subject.CommonName == id.NodeID || leaf.VerifyHostname(id.NodeID) == nil {
		return nil
	}
	return fmt.Errorf("the peer calls itself %q, but its certificate does not carry that name", id.NodeID)
}

// tlsError sorts a failed TLS handshake: a network that failed, a peer that speaks no TLS, or a real refusal.
func tlsError(err error) error {
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &header):
		return fmt.Errorf("%w: the peer does not speak TLS: %w", ErrProtocol, err)
	case isNetworkError(err):
		return fmt.Errorf("%w (in the TLS handshake; does the peer speak TLS?)", networkError(err))
	}
	return fmt.Errorf("%w: TLS: %w", ErrAuth, err)
}
