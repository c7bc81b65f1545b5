package resp_test

import (
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/resp/resptest"
)

// TestRepliesBeforeTheEnd: a client that goes too far in the middle of a pipeline is told what came of the rest.
func TestRepliesBeforeTheEnd(t *testing.T) {
	s := resptest.Start(t, "client-query-buffer-limit 1mb")
	nc := s.DialRaw(t)
	if _, err := nc.Write([]byte("SET a 1\r\nSET b 2\r\nGET a\r\n*2\r\n$3\r\nGET\r\n$2097152\r\n")); err != nil {
		t.Fatal(err)
	}
	if got := endOf(t, nc); got != "+OK\r\n+OK\r\n$1\r\n1\r\n" {
		t.Errorf("%q", got)
	}
}

// TestNoFollowerReadForALeadersClient: between the loss of leadership and the end of its connections no client is served
// stale data by a node that it takes for the leader.
func TestNoFollowerReadForALeadersClient(t *testing.T) {
	s := resptest.Start(t)
	fresh, used := s.Dial(t), s.Dial(t)
	expect(t, used, "OK", "SET", "k", "v")
	text(t, fresh, "PING")
	s.Backend.Follow(true)
	for _, c := range []*respclient.Conn{fresh, used} {
		if v, err := c.Do("GET", "k"); err != nil || !strings.HasPrefix(v.Str, "CLUSTERDOWN ") {
			t.Errorf("%+v %v", v, err)
		}
	}
	if got := text(t, s.Dial(t), "GET", "k"); got != "v" {
		t.Errorf("a client that came to a follower: %q", got)
	}
}

// TestMutedRefusalInMulti: a command that is too large for MULTI is not answered either where replies are off.
func TestMutedRefusalInMulti(t *testing.T) {
	s := resptest.Start(t)
	c := s.Dial(t)
	for _, args := range [][]string{
		{"CLIENT", "REPLY", "OFF"}, {"MULTI"}, {"SET", "k", strings.Repeat("v", resptest.EntryBytesMax)}, {"DISCARD"},
	} {
		if err := c.Send(args...); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, c, "OK", "CLIENT", "REPLY", "ON")
	expect(t, c, "PONG", "PING")
}
