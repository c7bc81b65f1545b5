package resp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/resp"
	"github.com/redoubtdb/redoubt/resp/resptest"
)

// serverTLS is a setting with a certificate for this test alone.
func serverTLS(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// TestPushesOverTLS: a goroutine that is woken for pushes while it waits for input loses nothing of that, although its
// records come in pieces.
func TestPushesOverTLS(t *testing.T) {
	const rounds = 200
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	_ = l.Close()
	s := resptest.StartWith(t, func(o *resp.Options) { o.TLS = serverTLS(t) }, "tls-port "+port)
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := respclient.NewConn(tls.Client(pieces{raw}, &tls.Config{InsecureSkipVerify: true}))
	defer c.Close()
	text(t, c, "HELLO", "3")
	subscribe(t, c, "SUBSCRIBE", "ch")
	p := s.Dial(t)
	for n := range rounds {
		if err := c.Send("ECHO", strings.Repeat("e", 100)+fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
		expect(t, p, "1", "PUBLISH", "ch", fmt.Sprint(n))
		echoed, pushed := false, false
		for !echoed || !pushed {
			v, err := c.Receive()
			switch {
			case err != nil:
				t.Fatal(err)
			case v.Kind == respclient.Push:
				pushed = v.Strings()[2] == fmt.Sprint(n)
			default:
				echoed = strings.TrimLeft(v.Str, "e") == fmt.Sprint(n)
			}
		}
	}
}

// pieces is a connection that sends few bytes at a time.
type pieces struct{ net.Conn }

func (p pieces) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		k, err = p.Conn.Write(b[n:min(n+7, len(b))])
		n += k
	}
	return n, err
}
