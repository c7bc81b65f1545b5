package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/testcluster"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

const hostileTimeout = 20 * time.Second

func dialRaw(t *testing.T, n *testcluster.Node) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", n.RespAddr, hostileTimeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(hostileTimeout))
	return c
}

// malformed are inputs that the server must answer with an error, or close upon, at once and at no cost. body is sent
// again and again until the server ends the connection or bodyBytes are sent.
var malformed = []struct {
	name, head string
	body       string
	bodyBytes  int
	want       string
}{
	{"longest bulk", "*1\r\n$9223372036854775807\r\n", "", 0, "-ERR Protocol error: invalid bulk length\r\n"},
	{"longest multibulk", "*9223372036854775807\r\n", "", 0, "-ERR Protocol error: invalid multibulk length\r\n"},
	{"long multibulk", "*1000000000\r\n", "$1\r\na\r\n", 10 << 20, "-ERR Protocol error: invalid multibulk length\r\n"},
	{"negative bulk", "*1\r\n$-5\r\n", "", 0, "-ERR Protocol error: invalid bulk length\r\n"},
	{"bulk beyond the limit", "*2\r\n$3\r\nGET\r\n$2000000000\r\n", strings.Repeat("x", 64<<10), 600 << 20, "-ERR Protocol error: invalid bulk length\r\n"},
	{"endless inline", "", strings.Repeat("x", 64<<10), 300 << 20, "-ERR Protocol error: too big inline request\r\n"},
	{"endless length", "*", strings.Repeat("1", 64<<10), 300 << 20, "-ERR Protocol error: too big mbulk count string\r\n"},
	{"no dollar", "*1\r\nPING\r\n", "", 0, "-ERR Protocol error: expected '$', got 'P'\r\n"},
	{"unbalanced quotes", "GET \"k\r\n", "", 0, "-ERR Protocol error: unbalanced quotes in request\r\n"},
	{"HTTP POST", "POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET owned 1\r\n", "", 0, ""},
	{"HTTP Host", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nSET owned 1\r\n", "", 0, "-ERR wrong number of arguments for 'get' command\r\n"},
}

// hostileClients send the same at once, each hostileRounds times, on a connection of its own each time.
const (
	hostileClients = 4
	hostileRounds  = 25
)

// TestHostileBytes sends what crashes or chokes careless servers.
func TestHostileBytes(t *testing.T) {
	c := testcluster.Start(t, testcluster.Options{Nodes: 1})
	n := c.Leader()
	for _, a := range malformed {
		t.Run(a.name, func(t *testing.T) {
			besiege(t, c, cpuMax, func() {
				var wg sync.WaitGroup
				for range hostileClients {
					wg.Go(func() {
						for range hostileRounds {
							attackOnce(t, n, a.head, a.body, a.bodyBytes, a.want)
						}
					})
				}
				wg.Wait()
			})
		})
	}
	if v := n.Do("EXISTS", "owned"); v.Int != 0 {
		t.Error("a command in the body of an HTTP request was executed")
	}
}

// attackOnce is an attack over a connection of its own, and its only answer.
func attackOnce(t *testing.T, n *testcluster.Node, head, body string, bodyBytes int, want string) {
	conn, err := net.DialTimeout("tcp", n.RespAddr, hostileTimeout)
	if err != nil {
		t.Error(err)
		return
	}
	_ = conn.SetDeadline(time.Now().Add(hostileTimeout))
	if got := attack(conn, head, body, bodyBytes); got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
}

// attack sends, and reads until the server ends the connection.
func attack(conn net.Conn, head, body string, bodyBytes int) string {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if _, err := io.WriteString(conn, head); err != nil {
			return
		}
		for n := 0; n < bodyBytes; n += len(body) {
			if _, err := io.WriteString(conn, body); err != nil {
				return
			}
		}
	}()
	answer, err := io.ReadAll(conn)
	_ = conn.Close()
	<-sent
	if err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		return fmt.Sprintf("%s (%v)", answer, err)
	}
	return string(answer)
}

// TestOneByteAPacket sends a long argument byte by byte: linear work, and no stack that grows with it.
func TestOneByteAPacket(t *testing.T) {
	c := testcluster.Start(t, testcluster.Options{Nodes: 1})
	n := c.Leader()
	const size = 100_000
	besiege(t, c, hostileTimeout, func() {
		conn := dialRaw(t, n)
		for _, b := range respclient.AppendCommand(nil, "SET", "k", strings.Repeat("v", size)) {
			if _, err := conn.Write([]byte{b}); err != nil { // TCP_NODELAY is Go's default: a packet a byte, mostly
				t.Fatal(err)
			}
		}
		reply := make([]byte, 5)
		if _, err := io.ReadFull(conn, reply); err != nil || string(reply) != "+OK\r\n" {
			t.Errorf("%q, %v", reply, err)
		}
	})
	if v := n.Do("STRLEN", "k"); v.Int != size {
		t.Errorf("STRLEN: %d", v.Int)
	}
}

// TestUnreadReplies has clients ask for far more than they ever read. The server must hold no more for each than the
// replies of one run of reads, in a buffer that grew by doubling and so is at most twice as long, beside those that it
// outgrew; and stop in good order although they never read.
func TestUnreadReplies(t *testing.T) {
	const (
		clients, gets = 20, 1000
		value         = 256 << 10
		runMax        = 32 // resp.readRunMax
	)
	c := testcluster.Start(t, testcluster.Options{Nodes: 1, Flags: []string{"--shutdown-timeout", "1"}})
	n := c.Leader()
	n.Do("SET", "k", strings.Repeat("v", value))
	before := usageOf(t, n.Pid())
	ping := startPinger(n.Dial())
	pipeline := bytes.Repeat(respclient.AppendCommand(nil, "GET", "k"), gets)
	var stuck []net.Conn
	for range clients {
		conn := dialRaw(t, n)
		if _, err := conn.Write(pipeline); err != nil {
			t.Fatal(err)
		}
		stuck = append(stuck, conn)
	}
	c.Await("all clients have replies that they do not read", func() bool {
		return strings.Count(n.Do("CLIENT", "LIST").Str, " events=w ") == clients
	})
	quiet, now, most := 0, usage{}, int64(0)
	c.Await("its memory has stopped growing", func() bool {
		now = usageOf(t, n.Pid())
		quiet++
		if now.rss > most+(1<<20) {
			quiet, most = 0, now.rss
		}
		return quiet == restPolls
	})
	seen := ping.end(t)
	t.Logf("%d clients that do not read %d GiB: %d MiB; %s", clients, clients*gets*value>>30, (now.rss-before.rss)>>20, seen)
	if seen.n == 0 || seen.p50 > pingMax {
		t.Errorf("%s", seen)
	}
	if limit := int64(clients*4*runMax*value + rssSlack); now.rss > before.rss+limit {
		t.Errorf("it cost %d MiB", (now.rss-before.rss)>>20)
	}
	if exit := n.Term(); exit.Code != 0 || exit.Took > hostileTimeout/2 {
		t.Errorf("with clients that do not read: exit status %d after %s", exit.Code, exit.Took)
	}
	for _, conn := range stuck {
		_ = conn.Close()
	}
	n.Restart()
	c.AwaitVoters(1)
}

// TestBeforeAuthentication: who has not logged in may send little.
func TestBeforeAuthentication(t *testing.T) {
	c := testcluster.Start(t, testcluster.Options{Nodes: 1, Password: secret})
	n := c.Leader()
	big := strings.Repeat("x", 64<<10)
	for _, a := range []struct{ head, body, want string }{
		{"*2\r\n$4\r\nAUTH\r\n$1000000\r\n", big, "-ERR Protocol error: unauthenticated bulk length\r\n"},
		{"*11\r\n", "$1\r\na\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n"},
	} {
		besiege(t, c, cpuMax, func() { attackOnce(t, n, a.head, a.body, 300<<20, a.want) })
	}
	conn := dialRaw(t, n)
	if _, err := io.WriteString(conn, "SET k v\r\n"); err != nil {
		t.Fatal(err)
	}
	want := "-NOAUTH Authentication required.\r\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
}

// TestAnnounced: lengths that clients announce, as long as Redis allows, take no memory before the bytes have come.
func TestAnnounced(t *testing.T) {
	const clients = 200
	c := testcluster.Start(t, testcluster.Options{Nodes: 1})
	n := c.Leader()
	besiege(t, c, cpuMax, func() {
		var open []net.Conn
		for _, head := range []string{"*2\r\n$3\r\nGET\r\n$536870912\r\n", "*1048576\r\n$3\r\nDEL\r\n"} {
			for range clients / 2 {
				conn := dialRaw(t, n)
				open = append(open, conn)
				if _, err := io.WriteString(conn, head+"$1"); err != nil {
					t.Fatal(err)
				}
			}
		}
		c.Await("the server has taken all connections", func() bool {
			return strings.Count(n.Do("CLIENT", "LIST").Str, " cmd=NULL ") == clients
		})
		for _, conn := range open {
			_ = conn.Close()
		}
		c.Await("the server has read all, the end too", func() bool {
			return !strings.Contains(n.Do("CLIENT", "LIST").Str, " cmd=NULL ")
		})
	})
}

// TestPipelineSharesEntries: the writes that arrive together cost a few commits, not one each.
func TestPipelineSharesEntries(t *testing.T) {
	const sets = 1000
	n := testcluster.Start(t, testcluster.Options{Nodes: 1}).Leader()
	before := n.InfoInt("raft", "raft_last_index")
	conn := dialRaw(t, n)
	if _, err := conn.Write(bytes.Repeat(respclient.AppendCommand(nil, "SET", "k", "v"), sets)); err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("+OK\r\n", sets)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Errorf("%.100q, %v", got, err)
	}
	entries := n.InfoInt("raft", "raft_last_index") - before
	t.Logf("%d writes in %d entries", sets, entries)
	if entries > sets/10 {
		t.Errorf("%d writes take %d entries", sets, entries)
	}
}

// TestHalfOpen: with a time out set, who stops in the middle of a command is not waited for.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 1, Flags: []string{"--timeout", "1"}})
	for _, half := range []string{"", "*2\r\n$3\r\nGET\r\n", "PIN"} {
		start := time.Now()
		if got := attack(dialRaw(t, c.Nodes[0]), half, "", 0); got != "" {
			t.Errorf("%q was answered with %q", half, got)
		}
		if took := time.Since(start); took < time.Second/2 {
			t.Errorf("%q: closed after %s", half, took)
		}
	}
}

const idleClients = 10_000

// TestManyClients opens as many connections as maxclients allows, all idle, and one more.
func TestManyClients(t *testing.T) {
	count := idleClients
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if most := int(min(limit.Cur, 1<<20)) - 500; most < count { // Go has raised it to what is allowed
		t.Logf("only %d connections: RLIMIT_NOFILE is %d", most, limit.Cur)
		count = most
	}
	c := testcluster.Start(t, testcluster.Options{Nodes: 1})
	n := c.Leader()
	honest := n.Dial()
	if v, err := honest.Do("CONFIG", "SET", "maxclients", strconv.Itoa(count+1)); err != nil || v.IsError() {
		t.Fatal(v, err)
	}
	before := usageOf(t, n.Pid())
	ping := startPinger(honest)
	idle := make([]net.Conn, 0, count)
	defer func() {
		for _, conn := range idle {
			_ = conn.Close()
		}
	}()
	start := time.Now()
	for i := range count {
		conn, err := net.DialTimeout("tcp", n.RespAddr, hostileTimeout)
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, conn)
		if i%2 == 0 { // every second one is half a command behind
			if _, err := io.WriteString(conn, "*1\r\n$4\r\nPI"); err != nil {
				t.Fatal(err)
			}
		}
	}
	took := time.Since(start)
	if seen := ping.end(t); seen.n == 0 || seen.p50 > pingMax {
		t.Errorf("%s", seen)
	} else {
		t.Log(seen)
	}
	const want = "-ERR max number of clients reached\r\n"
	if got := attack(dialRaw(t, n), "", "", 0); got != want {
		t.Errorf("one more: %q", got)
	}
	now := usageOf(t, n.Pid())
	t.Logf("%d idle connections in %s: %d MiB, %d KiB each", count, took, (now.rss-before.rss)>>20, (now.rss-before.rss)/int64(count)>>10)
	if now.rss > before.rss+int64(count)*(64<<10) {
		t.Errorf("it cost %d MiB", (now.rss-before.rss)>>20)
	}
	if v, err := honest.Do("INFO", "stats"); err != nil || !strings.Contains(v.Str, "rejected_connections:1\r\n") {
		t.Errorf("the refusal is not counted, %v", err)
	}
}
