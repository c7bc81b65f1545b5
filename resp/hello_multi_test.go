package resp_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/resp/resptest"
)

// helloSessions are what clients send who change the protocol inside MULTI.
var helloSessions = map[string][]string{
	"to RESP3": {
		"SET n 1", "MULTI", "GET nosuch", "HELLO 3", "GET nosuch", "CONFIG GET maxmemory", "INCR n", "EXEC", "GET nosuch",
	},
	"back to RESP2, reads alone": {
		"HELLO 3", "MULTI", "GET nosuch", "HELLO 2", "GET nosuch", "EXEC", "GET nosuch",
	},
	"there and back": {
		"MULTI", "HELLO 3", "SET k v GET", "PING", "HELLO 2", "SET nosuch v XX", "TIME x", "HELLO 3 SETNAME me", "SET nosuch v XX",
		"CLIENT GETNAME", "EXEC", "GET nosuch",
	},
	"there and back, well formed": {
		"MULTI", "HELLO 3", "SET k2 v GET", "PING", "HELLO 2", "SET nosuch v XX", "HELLO 3 SETNAME me", "SET nosuch v XX",
		"CLIENT GETNAME", "EXEC", "GET nosuch",
	},
	"refused": {
		"MULTI", "HELLO 9", "GET nosuch", "HELLO 3 AUTH bob pw", "GET nosuch", "HELLO 3 NONSENSE", "SET nosuch v XX", "EXEC",
		"GET nosuch",
	},
	"not executed": {
		"WATCH w", "SET w 1", "MULTI", "HELLO 3", "GET nosuch", "SET w 2", "EXEC", "GET nosuch",
	},
	"without a protocol": {"HELLO 3", "MULTI", "HELLO", "GET nosuch", "EXEC"},
}

// TestHelloInMulti compares every byte with redis-server's: replies behind a HELLO in EXEC are of the new protocol, those
// before it of the old one, also where the state machine writes them.
func TestHelloInMulti(t *testing.T) {
	redis, ours := startRedis(t), resptest.Start(t).Addr
	for name, session := range helloSessions {
		want, got := rawReplies(t, redis, session), rawReplies(t, ours, session)
		if got != want {
			t.Errorf("%s:\n%q\nRedis:\n%q", name, got, want)
		}
	}
}

// ofItsOwn is what differs between any two servers.
var ofItsOwn = regexp.MustCompile(`(version\r\n)\$\d+\r\n[^\r]*|(\r\nid\r\n):\d+`)

// rawReplies sends a session in one go and returns its replies as they came.
func rawReplies(t *testing.T, addr string, session []string) string {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	const end = "end of the session"
	if _, err := fmt.Fprintf(nc, "%s\r\nECHO \"%s\"\r\n", strings.Join(session, "\r\n"), end); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for in := bufio.NewReader(nc); !strings.Contains(out.String(), end); {
		line, err := in.ReadString('\n')
		out.WriteString(line)
		if err != nil && err != io.EOF {
			t.Fatalf("%v after %q", err, out.String())
		}
		if err == io.EOF {
			break
		}
	}
	return ofItsOwn.ReplaceAllString(out.String(), "$1$2?")
}
