package resp

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/config"
)

// refuseSomewhere refuses on a port that was free a moment ago, or on another where somebody took it meanwhile.
func refuseSomewhere(t *testing.T) *Refusing {
	t.Helper()
	for range 5 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		cfg, lines := config.New(), fmt.Sprintf("bind 127.0.0.1\nport %d\n", port)
		if _, err := cfg.ParseReader("test", strings.NewReader(lines)); err != nil {
			t.Fatal(err)
		}
		if r, err := Refuse(cfg, nil, slog.New(slog.DiscardHandler), "MISCONF no room"); err == nil {
			return r
		}
	}
	t.Fatal("no port was free")
	return nil
}

func TestRefuse(t *testing.T) {
	r := refuseSomewhere(t)
	silent, err := net.Dial("tcp", r.srv.Addrs()[0].String()) // must hold up neither the others nor Close
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for range 2 * refusingConnsMax {
		nc, err := net.Dial("tcp", silent.RemoteAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(nc, "*1\r\n$4\r\nPING\r\n"); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(nc)
		if line, err := in.ReadString('\n'); err != nil || line != "-MISCONF no room\r\n" {
			t.Fatalf("%q, %v", line, err)
		}
		if _, err := in.ReadByte(); err != io.EOF {
			t.Fatalf("the connection stays: %v", err)
		}
		nc.Close()
	}
	r.Close()
	if nc, err := net.Dial("tcp", silent.RemoteAddr().String()); err == nil {
		nc.Close()
		t.Error("it listens after Close")
	}
}
