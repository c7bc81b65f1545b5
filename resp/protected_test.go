package resp

import (
	"io"
	"net"
	"strings"
	"testing"
)

// strangeConn comes from another machine.
type strangeConn struct {
	net.Conn
	from net.IP
}

func (c strangeConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: c.from, Port: 4711} }

func TestProtectedMode(t *testing.T) {
	for _, tc := range []struct {
		name, from string
		settings   [][2]string
		denied     bool
	}{
		{"no password", "192.0.2.1", nil, true},
		{"no password, IPv6", "2001:db8::1", nil, true},
		{"this machine", "127.0.0.5", nil, false},
		{"this machine, IPv6", "::1", nil, false},
		{"a password", "192.0.2.1", [][2]string{{"requirepass", "x"}}, false},
		{"switched off", "192.0.2.1", [][2]string{{"protected-mode", "no"}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newRoleServer(t, fakeLeader(), tc.settings...)
			client, server := net.Pipe()
			defer client.Close()
			s.admit(strangeConn{server, net.ParseIP(tc.from)})
			if tc.denied {
				b, _ := io.ReadAll(client)
				if !strings.HasPrefix(string(b), "-DENIED Redoubt is running in protected mode") || !strings.HasSuffix(string(b), "\r\n") {
					t.Errorf("%q", b)
				}
				return
			}
			go func() { _, _ = io.WriteString(client, "QUIT\r\n") }()
			b, _ := io.ReadAll(client)
			if string(b) != "+OK\r\n" {
				t.Errorf("%q", b)
			}
		})
	}
}
