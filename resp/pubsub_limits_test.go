package resp_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/resp/resptest"
)

// clientLine is the line of CLIENT LIST of another connection.
func clientLine(t *testing.T, admin *respclient.Conn, kind string) map[string]string {
	t.Helper()
	return fields(text(t, admin, "CLIENT", "LIST", "TYPE", kind))
}

func TestSubscriberIsShown(t *testing.T) {
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		admin, c := s.Dial(t), s.Dial(t)
		subscribe(t, c, "SUBSCRIBE", "a", "b")
		subscribe(t, c, "PSUBSCRIBE", "a*")
		subscribe(t, c, "SSUBSCRIBE", "s", "t", "u")
		f := clientLine(t, admin, "pubsub")
		if got := f["flags"] + f["sub"] + f["psub"] + f["ssub"]; got != "P213" {
			t.Errorf("%v", f)
		}
		info := text(t, admin, "INFO", "stats")
		for _, line := range []string{"pubsub_channels:2", "pubsub_patterns:1", "pubsubshard_channels:3"} {
			if !strings.Contains(info, line+"\r\n") {
				t.Errorf("INFO has no %s", line)
			}
		}
		if f := clientLine(t, admin, "normal"); f["flags"] != "N" {
			t.Errorf("%v", f)
		}
		expect(t, admin, "1", "CLIENT", "KILL", "TYPE", "pubsub")
		closed(t, c)
		awaitGone(t, admin)
	})
}

// awaitGone waits until no connection has a subscription.
func awaitGone(t *testing.T, admin *respclient.Conn) {
	t.Helper()
	eventually(t, "no subscription is left", func() bool {
		v, err := admin.Do("PUBSUB", "CHANNELS")
		w, err2 := admin.Do("PUBSUB", "SHARDCHANNELS")
		return errors.Join(err, err2) == nil && len(v.Elems)+len(w.Elems) == 0 && text(t, admin, "PUBSUB", "NUMPAT") == "0"
	})
}

func TestSubscriptionsDieWithTheConnection(t *testing.T) {
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		admin := s.Dial(t)
		for range 3 {
			c := s.Dial(t)
			subscribe(t, c, "SUBSCRIBE", "a")
			subscribe(t, c, "PSUBSCRIBE", "a*")
			subscribe(t, c, "SSUBSCRIBE", "s")
			_ = c.Close()
		}
		awaitGone(t, admin)
		expect(t, admin, "0", "PUBLISH", "a", "x")
	})
}

// TestSlowSubscriber: one that does not read is cut off at the hard limit, or after its time above the soft one, and costs
// a bounded piece of memory until then; the others get every message.
func TestSlowSubscriber(t *testing.T) {
	for _, limit := range []string{"pubsub 1mb 0 0", "pubsub 0 256kb 1"} {
		bothWays(t, func(t *testing.T, s *resptest.Server) {
			admin, good := s.Dial(t), s.Dial(t)
			stuck := s.DialRaw(t)
			_ = stuck.(*net.TCPConn).SetReadBuffer(4 << 10)
			if _, err := io.WriteString(stuck, "CLIENT SETNAME stuck\r\nSUBSCRIBE ch\r\n"); err != nil {
				t.Fatal(err)
			}
			subscribe(t, good, "SUBSCRIBE", "ch")
			eventually(t, "both have subscribed", func() bool { return numSub(t, admin) == 2 })
			payload := strings.Repeat("x", 32<<10)
			for sent := 0; sent < slowMessagesMax && numSub(t, admin) == 2; sent++ {
				text(t, admin, "PUBLISH", "ch", payload)
				if m := received(t, good); m[2] != payload {
					t.Fatal("another message")
				}
			}
			eventually(t, "it is cut off", func() bool { return numSub(t, admin) == 1 })
			if info := text(t, admin, "INFO", "stats"); !strings.Contains(info, "client_output_buffer_limit_disconnections:1\r\n") {
				t.Errorf("%q", info)
			}
			eventually(t, "its connection has ended", func() bool { return strings.Count(text(t, admin, "CLIENT", "LIST"), "\n") == 2 })
			expect(t, admin, "1", "PUBLISH", "ch", "end")
		}, "client-output-buffer-limit "+limit)
	}
}

// slowMessagesMax is more than what a socket holds and the soft limit.
const slowMessagesMax = 500

func numSub(t *testing.T, c *respclient.Conn) int64 {
	t.Helper()
	v, err := c.Do("PUBSUB", "NUMSUB", "ch")
	if err != nil || len(v.Elems) != 2 {
		t.Fatal(v, err)
	}
	return v.Elems[1].Int
}

// TestSubscribersAreNotIdle: the setting timeout does not hold for those who listen.
func TestSubscribersAreNotIdle(t *testing.T) {
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		idle, c := s.Dial(t), s.Dial(t)
		subscribe(t, c, "SUBSCRIBE", "ch")
		closed(t, idle)
		closed(t, s.Dial(t)) // another round of the check is over
		expect(t, s.Dial(t), "1", "PUBLISH", "ch", "x")
		if got := received(t, c); got[2] != "x" {
			t.Errorf("%q", got)
		}
	}, "timeout 1")
}

func TestSubscriptionBytesAreBounded(t *testing.T) {
	s := resptest.Start(t)
	c := s.Dial(t)
	name := strings.Repeat("n", 1<<20)
	for n := range 70 {
		v, err := c.Do("SUBSCRIBE", name+fmt.Sprint(n))
		if err != nil {
			t.Fatal(err)
		}
		if v.IsError() {
			if n < 60 {
				t.Errorf("%d subscriptions, and then %s", n, v.Str)
			}
			return
		}
	}
	t.Error("there is no bound")
}
