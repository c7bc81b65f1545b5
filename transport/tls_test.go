package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority is a CA that lives for one test.
type authority struct {
	t    *testing.T
	dir  string
	made int
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	var der []byte
	der, a.key = a.sign(tmpl, nil)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.cert = cert
	a.file = a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) sign(tmpl, parent *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	signer := a.key
	if parent == nil {
		parent, signer = tmpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	return der, key
}

func (a *authority) write(name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// node issues a certificate for the DNS name, valid for 127.0.0.1 too unless noIP.
func (a *authority) node(name string, noIP bool) *TLSConfig {
	a.t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if !noIP {
		tmpl.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, key := a.sign(tmpl, a.cert)
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.made++
	return &TLSConfig{
		CertFile: a.write(fmt.Sprintf("%d.pem", a.made), "CERTIFICATE", der),
		KeyFile:  a.write(fmt.Sprintf("%d.key", a.made), "EC PRIVATE KEY", keyDER),
		CAFile:   a.file,
	}
}

func TestTLSMutual(t *testing.T) {
	ca := newAuthority(t, "ca")
	for name, sec := range map[string]func(*Config){"with secret": secret("s"), "without": noSecret} {
		t.Run(name, func(t *testing.T) {
			a := startNode(t, "a", withTLS(ca.node("a", false)), sec)
			b := startNode(t, "b", withTLS(ca.node("b", false)), sec)
			for _, size := range []int{2, 1 << 20} {
				if _, err := a.echo(b.Addr(), strings.Repeat("x", size)); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestTLSRefusals(t *testing.T) {
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	good := func() *TLSConfig { return ca.node("b", false) }
	with := func(c *TLSConfig, f func(*TLSConfig)) *TLSConfig { f(c); return c }
	foreign := with(other.node("a", false), func(c *TLSConfig) { c.CAFile = ca.file })
	for _, tc := range []struct {
		name             string
		dialer, acceptor *TLSConfig
		want             error
		text, logged     string
	}{
		{"dialer's CA is unknown to the acceptor", foreign, good(), ErrAuth, "the peer says", "unknown authority"},
		{"acceptor's CA is unknown to the dialer", other.node("a", false), good(), ErrAuth, "unknown authority", "bad certificate"},
		{"certificate for another name", ca.node("a", false), ca.node("b", true), ErrAuth, "127.0.0.1", "bad certificate"},
		{"configured name differs", with(ca.node("a", false), func(c *TLSConfig) { c.ServerName = "z" }), good(), ErrAuth, "not z", "bad certificate"},
		{"dialer not on the allow list", ca.node("a", false), with(good(), func(c *TLSConfig) { c.AllowNames = []string{"c"} }), ErrAuth, "the peer says", "allowed names"},
		{"plain to TLS", nil, good(), ErrDial, "is TLS set on both", "does not speak TLS"},
		{"TLS to plain", good(), nil, ErrDial, "TLS", "it speaks TLS"},
		{"node id not in the certificate", ca.node("evil", false), with(good(), func(c *TLSConfig) { c.RequireNodeName = true }), ErrRefused, "does not carry that name", "calls itself"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := startNode(t, "a", withTLS(tc.dialer)), startNode(t, "b", withTLS(tc.acceptor))
			_, err := a.echo(b.Addr(), "hi")
			wantErr(t, err, tc.want, tc.text)
			if MaybeSent(err) {
				t.Error("nothing was sent")
			}
			eventually(t, "b logs "+tc.logged, func() bool { return b.log.has(tc.logged) })
		})
	}
}

func TestTLSNames(t *testing.T) {
	ca := newAuthority(t, "ca")
	a := ca.node("a", true)
	a.ServerName, a.RequireNodeName = "b", true
	b := ca.node("b", true)
	b.AllowNames, b.RequireNodeName = []string{"x", "a"}, true
	x, y := startNode(t, "a", withTLS(a)), startNode(t, "b", withTLS(b))
	if _, err := x.echo(y.Addr(), "hi"); err != nil {
		t.Fatal(err)
	}
}

func TestTLSFilesMissing(t *testing.T) {
	ca := newAuthority(t, "ca")
	ok := ca.node("a", false)
	for _, c := range []TLSConfig{
		{}, {CertFile: ok.CertFile, KeyFile: ok.KeyFile}, {CertFile: ok.CertFile, KeyFile: ok.KeyFile, CAFile: ok.KeyFile},
	} {
		_, err := Listen(Config{Listen: "127.0.0.1:0", TLS: &c, Self: func() Identity { return Identity{} }})
		wantErr(t, err, ErrConfig, "TLS")
	}
}

// The same secret, but the proofs pass through somebody who ends TLS on both sides: the sessions differ.
func TestProofsAreBoundToTheTLSSession(t *testing.T) {
	here, there := net.Pipe()
	_ = here.SetDeadline(time.Now().Add(patience))
	_ = there.SetDeadline(time.Now().Add(patience))
	yes := func(Identity) error { return nil }
	accepted := make(chan error, 1)
	go func() {
		s := session{rw: there, secret: []byte("s"), binding: []byte("session 2"), verify: yes,
			admit: func(Identity, byte) error { return nil }}
		accepted <- s.accept()
		_ = there.Close()
	}()
	s := session{rw: here, secret: []byte("s"), binding: []byte("session 1"), verify: yes}
	_, err := s.dial(purposeRaft)
	wantErr(t, err, ErrAuth, "differ")
	if err := <-accepted; !errors.Is(err, ErrAuth) {
		t.Error(err)
	}
	_ = here.Close()
}
