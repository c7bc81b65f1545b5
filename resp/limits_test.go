package resp_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/resp/resptest"
)

func TestMaxClients(t *testing.T) {
	s := resptest.Start(t, "maxclients 2")
	a, b := s.Dial(t), s.Dial(t)
	text(t, a, "PING")
	text(t, b, "PING")
	turnedAway := func() {
		t.Helper()
		c := s.Dial(t)
		if v, err := c.Receive(); err != nil || v.Str != "ERR max number of clients reached" {
			t.Fatalf("%v %v", v, err)
		}
		closed(t, c)
	}
	turnedAway()
	expect(t, a, "OK", "CONFIG", "SET", "maxclients", "3")
	c := s.Dial(t)
	expect(t, c, "PONG", "PING")
	turnedAway()
	_ = c.Close()
	eventually(t, "room for another", func() bool {
		v, err := s.Dial(t).Do("PING")
		return err == nil && v.Str == "PONG"
	})
	if info := text(t, a, "INFO", "stats"); !strings.Contains(info, "rejected_connections:") || strings.Contains(info, "rejected_connections:0") {
		t.Errorf("%q", info)
	}
}

func TestIdleTimeout(t *testing.T) {
	s := resptest.Start(t, "timeout 1")
	start := time.Now()
	idle, half := s.Dial(t), s.DialRaw(t)
	text(t, idle, "PING")
	if _, err := half.Write([]byte("*2\r\n$3\r\nGET\r\n$5\r\nab")); err != nil { // half a command is idle too
		t.Fatal(err)
	}
	closed(t, idle)
	if took := time.Since(start); took < 500*time.Millisecond {
		t.Errorf("closed after %s", took)
	}
	endOf(t, half)
}

// endOf reads to the end of a connection and returns what came.
func endOf(t *testing.T, nc net.Conn) string {
	t.Helper()
	_ = nc.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(nc)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("the connection is open after %q", b)
	}
	return string(b)
}

func TestOutputBufferLimit(t *testing.T) {
	s := resptest.Start(t, "client-output-buffer-limit normal 1mb 0 0")
	c := s.Dial(t)
	text(t, c, "SET", "fits", strings.Repeat("v", 1<<20-64))
	text(t, c, "SET", "big", strings.Repeat("v", 1<<20))
	if got := text(t, c, "GET", "fits"); len(got) != 1<<20-64 {
		t.Errorf("%d bytes", len(got))
	}
	if err := c.Send("GET", "big"); err != nil {
		t.Fatal(err)
	}
	closed(t, c)
	if info := text(t, s.Dial(t), "INFO", "stats"); !strings.Contains(info, "client_output_buffer_limit_disconnections:1\r\n") {
		t.Errorf("%q", info)
	}
}

// A client that sends without end and never reads takes a bounded piece of memory: the socket paces it.
func TestClientThatNeverReads(t *testing.T) {
	s := resptest.Start(t)
	admin, stuck := s.Dial(t), s.DialRaw(t)
	text(t, admin, "SET", "k", strings.Repeat("v", 64<<10))
	before := heap()
	pipeline := bytes.Repeat(respclient.AppendCommand(nil, "GET", "k"), 1000)
	for err := error(nil); err == nil; { // until neither side takes any more
		_ = stuck.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		_, err = stuck.Write(pipeline)
	}
	eventually(t, "the server waits for the client to read", func() bool {
		for _, line := range strings.Split(strings.TrimSpace(text(t, admin, "CLIENT", "LIST", "TYPE", "normal")), "\n") {
			f := fields(line)
			if n, _ := strconv.Atoi(f["tot-mem"]); n > 4<<20 {
				t.Errorf("it takes %d bytes: %s", n, line)
			}
			if f["events"] == "w" {
				return true
			}
		}
		return false
	})
	if grown := heap() - before; grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	expect(t, admin, "1", "CLIENT", "KILL", "TYPE", "normal")
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func TestBulkLimit(t *testing.T) {
	s := resptest.Start(t, "proto-max-bulk-len 1mb")
	c := s.Dial(t)
	expect(t, c, "OK", "SET", "k", strings.Repeat("v", 1<<20))
	expect(t, c, "OK", "CONFIG", "SET", "proto-max-bulk-len", "2mb") // binds connections that are there already
	expect(t, c, "OK", "SET", "k", strings.Repeat("v", 1<<20+1))
	if err := c.SendRaw([]byte("*2\r\n$3\r\nGET\r\n$2097153\r\n")); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Receive(); err != nil || v.Str != "ERR Protocol error: invalid bulk length" {
		t.Fatalf("%v %v", v, err)
	}
	closed(t, c)
}

func TestQueryBufferLimit(t *testing.T) {
	s := resptest.Start(t, "client-query-buffer-limit 1mb")
	c := s.Dial(t)
	expect(t, c, "OK", "MSET", "a", strings.Repeat("v", 400<<10), "b", strings.Repeat("v", 400<<10))
	// The write may fail half way: the server closes without a word, as Redis does.
	_ = c.Send("MSET", "a", strings.Repeat("v", 700<<10), "b", strings.Repeat("v", 700<<10))
	eventually(t, "the connection ends", func() bool { _, err := c.Receive(); return err != nil })
	o := s.Dial(t)
	if info := text(t, o, "INFO", "stats"); !strings.Contains(info, "client_query_buffer_limit_disconnections:1\r\n") {
		t.Errorf("%q", info)
	}
	if n := text(t, o, "STRLEN", "a"); n != strconv.Itoa(400<<10) {
		t.Errorf("the command was executed: %s", n)
	}
}

func TestUnauthenticatedLimits(t *testing.T) {
	s := resptest.Start(t, "requirepass secret")
	for raw, want := range map[string]string{
		"*11\r\n":                                 "-ERR Protocol error: unauthenticated multibulk length\r\n",
		"*2\r\n$4\r\nAUTH\r\n$16385\r\n":          "-ERR Protocol error: unauthenticated bulk length\r\n",
		"*1\r\n$9223372036854775807\r\n":          "-ERR Protocol error: invalid bulk length\r\n",
		"*1\r\n$4\r\nPING\r\n*-9999999999999\r\n": "-NOAUTH Authentication required.\r\n",
	} {
		nc := s.DialRaw(t)
		if _, err := io.WriteString(nc, raw); err != nil {
			t.Fatal(err)
		}
		_ = nc.SetReadDeadline(time.Now().Add(patience))
		if got, err := bufio.NewReader(nc).ReadString('\n'); got != want {
			t.Errorf("%q: %q %v", raw, got, err)
		}
	}
	c := s.Dial(t)
	expect(t, c, "-NOAUTH Authentication required.", "GET", "k")
	expect(t, c, "OK", "AUTH", "secret")
	expect(t, c, "OK", "SET", "k", strings.Repeat("v", 20<<10))
	text(t, c, "RESET")
	expect(t, c, "-NOAUTH Authentication required.", "GET", "k")
}

func TestHTTP(t *testing.T) {
	s := resptest.Start(t)
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: x\r\n\r\nSET k v\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\nSET k v\r\n",
	} {
		nc := s.DialRaw(t)
		if _, err := io.WriteString(nc, request); err != nil {
			t.Fatal(err)
		}
		if got := endOf(t, nc); strings.Contains(got, "OK") {
			t.Errorf("%q: %q", request, got)
		}
	}
	expect(t, s.Dial(t), "0", "EXISTS", "k")
}

func TestOneBytePackets(t *testing.T) {
	s := resptest.Start(t)
	nc := s.DialRaw(t)
	raw := append(respclient.AppendCommand(nil, "SET", "k", "a value"), "GET k\r\nPING\r\n"...)
	for i := range raw {
		if _, err := nc.Write(raw[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	_ = nc.SetReadDeadline(time.Now().Add(patience))
	want := "+OK\r\n$7\r\na value\r\n+PONG\r\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(nc, got); err != nil || string(got) != want {
		t.Errorf("%q %v", got, err)
	}
}

// idleConnections is a number of connections whose two ends this process can hold; idleBytesMax what one may cost, the
// client's end included.
const (
	idleConnections = 2000
	idleBytesMax    = 24 << 10
)

func TestIdleConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("opens thousands of connections")
	}
	s := resptest.Start(t)
	admin := s.Dial(t)
	text(t, admin, "PING")
	before := heap()
	conns := make([]net.Conn, 0, idleConnections)
	defer func() {
		for _, nc := range conns {
			_ = nc.Close()
		}
	}()
	pong := make([]byte, len("+PONG\r\n"))
	for range idleConnections {
		nc, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Skipf("%d connections: %v", len(conns), err)
		}
		conns = append(conns, nc)
		if _, err := io.WriteString(nc, "PING\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(nc, pong); err != nil {
			t.Fatal(err)
		}
	}
	each := (heap() - before) / idleConnections
	t.Logf("%d bytes a connection", each)
	if each > idleBytesMax {
		t.Errorf("an idle connection takes %d bytes", each)
	}
	if got := strings.Count(text(t, admin, "CLIENT", "LIST"), "\n"); got != idleConnections+1 {
		t.Errorf("%d connections", got)
	}
}
