package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

// clientOptions are how the tools (and a joining node) connect to a node's RESP port.
type clientOptions struct {
	user, password            string
	tls                       bool
	certFile, keyFile, caFile string
}

const dialTimeout = 5 * time.Second

func dialRESP(ctx context.Context, addr string, o clientOptions) (*respclient.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if o.tls {
		conf, err := o.tlsConfig(addr)
		if err != nil {
			return nil, errors.Join(err, nc.Close())
		}
		tc := tls.Client(nc, conf)
		if err := tc.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, nc.Close())
		}
		nc = tc
	}
	c := respclient.NewConn(nc)
	if o.password == "" {
		return c, nil
	}
	args := []string{"AUTH", o.password}
	if o.user != "" {
		args = []string{"AUTH", o.user, o.password}
	}
	reply, err := c.Do(args...)
	if err == nil {
		err = authError(replyError(reply))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("authenticate at %s: %w", addr, err), c.Close())
	}
	return c, nil
}

// replyError turns an error reply into an error.
func replyError(v respclient.Value) error {
	if v.IsError() {
		return errors.New(v.Text())
	}
	return nil
}

// authError lets a password pass that the other side does not ask for: a script may give one to every node.
func authError(err error) error {
	if err != nil && strings.Contains(err.Error(), "without any password configured") {
		return nil
	}
	return err
}

func (o clientOptions) tlsConfig(addr string) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if o.caFile != "" {
		pem, err := os.ReadFile(o.caFile)
		if err != nil {
			return nil, err
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", o.caFile)
		}
	}
	if o.certFile != "" {
		pair, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
		if err != nil {
			return nil, err
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}
