package resp_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/internal/script"
	"github.com/redoubtdb/redoubt/resp"
	"github.com/redoubtdb/redoubt/resp/resptest"
)

// bothWays runs a test on a server with event loops, and on one that gives each connection a goroutine.
func bothWays(t *testing.T, test func(t *testing.T, s *resptest.Server), lines ...string) {
	for name, noLoops := range map[string]bool{"loops": false, "goroutines": true} {
		t.Run(name, func(t *testing.T) {
			test(t, resptest.StartWith(t, func(o *resp.Options) { o.NoEventLoops = noLoops }, lines...))
		})
	}
}

// subscribe has a client subscribe, and takes the confirmations.
func subscribe(t *testing.T, c *respclient.Conn, args ...string) {
	t.Helper()
	if err := c.Send(args...); err != nil {
		t.Fatal(err)
	}
	for range args[1:] {
		received(t, c)
	}
}

// received waits for a push message, or an array that stands for one, and returns its elements.
func received(t *testing.T, c *respclient.Conn) []string {
	t.Helper()
	c.Timeout = patience
	v, err := c.Receive()
	if err != nil {
		t.Fatal(err)
	}
	return v.Strings()
}

// target runs scripts on a server. None of those that are run here lets time pass.
type target struct {
	t *testing.T
	s *resptest.Server
}

func (t target) Open() (script.Conn, error) { return respclient.Dial(t.s.Addr) }
func (t target) Wait(time.Duration)         { t.t.Error("a script waits for time to pass") }

// TestPushScripts runs the scripts with pushes that package integration holds to redis-server.
func TestPushScripts(t *testing.T) {
	scripts, err := script.Load("../fsm/testdata/script")
	if err != nil {
		t.Fatal(err)
	}
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		for _, sc := range scripts {
			if !slices.Contains([]string{"server_pubsub.txt", "server_tracking.txt"}, sc.Name) {
				continue
			}
			res, err := sc.Run(target{t, s})
			if err != nil {
				t.Error(err)
			}
			for _, d := range res.Differences {
				t.Error(d)
			}
		}
	})
}

// TestFanOut: many clients that do nothing get every message of many publishers, all in the same order.
func TestFanOut(t *testing.T) {
	const subscribers, publishers, each = 20, 5, 100
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		var all sync.WaitGroup
		got := make([][]string, subscribers)
		for i := range subscribers {
			c := s.Dial(t)
			if i%2 == 1 {
				text(t, c, "HELLO", "3")
			}
			subscribe(t, c, "SUBSCRIBE", "ch")
			all.Go(func() {
				c.Timeout = patience
				for range publishers * each {
					v, err := c.Receive()
					if err != nil {
						t.Error(err)
						return
					}
					got[i] = append(got[i], v.Strings()[2])
				}
			})
		}
		for p := range publishers {
			c := s.Dial(t)
			all.Go(func() {
				for n := range each {
					if v, err := c.Do("PUBLISH", "ch", fmt.Sprint(p, ":", n)); err != nil || v.Int != subscribers {
						t.Errorf("%v, %v", v, err)
						return
					}
				}
			})
		}
		all.Wait()
		for i := range got {
			if !slices.Equal(got[i], got[0]) {
				t.Errorf("subscriber %d has another order", i)
			}
		}
	})
}

// TestReadAfterMessage: who has a message reads what its publisher wrote before it; and on a connection that reads and
// listens at once, no reply that follows a message is older than that.
func TestReadAfterMessage(t *testing.T) {
	const rounds = 300
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		c := s.Dial(t)
		text(t, c, "HELLO", "3")
		text(t, c, "SET", "k", "0")
		subscribe(t, c, "SUBSCRIBE", "ch", "__keyspace@0__:k")
		p := s.Dial(t)
		text(t, p, "CONFIG", "SET", "notify-keyspace-events", "K$")
		var writer sync.WaitGroup
		writer.Go(func() {
			for n := 1; n <= rounds; n++ {
				_ = p.Send("SET", "k", fmt.Sprint(n))
				_ = p.Send("PUBLISH", "ch", fmt.Sprint(n))
				for range 2 {
					if _, err := p.Receive(); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
		defer writer.Wait()
		c.Timeout = patience
		seen, sets, replies := 0, 0, 0
		for asked := 0; seen < rounds || replies < asked; {
			if asked-replies < 3 && seen < rounds {
				if err := c.Send("GET", "k"); err != nil {
					t.Fatal(err)
				}
				asked++
			}
			v, err := c.Receive()
			if err != nil {
				t.Fatal(err)
			}
			if v.Kind == respclient.Push {
				if m := v.Strings(); m[1] == "ch" {
					seen, _ = strconv.Atoi(m[2])
				} else {
					sets++
				}
				continue
			}
			replies++
			if n, _ := strconv.Atoi(v.Str); n < max(seen, sets) {
				t.Fatalf("read %d after message %d and event %d", n, seen, sets)
			}
		}
	})
}

// TestPublishOnAFollower: the message takes its way over the leader; inside EXEC it goes once the reads are done.
func TestPublishOnAFollower(t *testing.T) {
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		text(t, s.Dial(t), "SET", "k", "v")
		s.Backend.Follow(true)
		p, c := s.Dial(t), s.Dial(t)
		text(t, p, "HELLO", "3")
		p.Pushes()
		subscribe(t, p, "SUBSCRIBE", "own")
		subscribe(t, c, "PSUBSCRIBE", "*")
		subscribe(t, c, "SSUBSCRIBE", "shard")
		for i, args := range [][]string{{"PUBLISH", "a", "1"}, {"SPUBLISH", "shard", "2"}, {"PUBLISH", "b", "3"}} {
			expect(t, p, "1", args...)
			if got := received(t, c); got[len(got)-1] != fmt.Sprint(i+1) {
				t.Errorf("%q brought %q", args, got)
			}
		}
		expect(t, p, "-READONLY You can't write against a read only replica.", "SET", "k", "w")
		expect(t, p, "2", "PUBLISH", "own", "x")
		if pushed := p.Pushes(); len(pushed) != 1 || pushed[0].Strings()[2] != "x" {
			t.Errorf("its own message: %v", pushed)
		}
		received(t, c)
		for _, args := range [][]string{{"MULTI"}, {"GET", "k"}, {"PUBLISH", "c", "y"}, {"GET", "k"}} {
			text(t, p, args...)
		}
		v, err := p.Do("EXEC")
		if err != nil || fmt.Sprint(v.Strings(), v.Elems[1].Int) != "[v 1 v] 1" {
			t.Errorf("EXEC: %v, %v", v, err)
		}
		if got := received(t, c); got[3] != "y" {
			t.Errorf("%q", got)
		}
		// A pipeline of messages and reads.
		for n := range 100 {
			_ = p.Send("PUBLISH", "d", fmt.Sprint(n))
			_ = p.Send("GET", "k")
		}
		for n := range 100 {
			a, err := p.Receive()
			b, err2 := p.Receive()
			if errors.Join(err, err2) != nil || a.Int != 1 || b.Str != "v" {
				t.Fatal(a, b, err, err2)
			}
			if got := received(t, c); got[3] != fmt.Sprint(n) {
				t.Fatalf("%q, want %d", got, n)
			}
		}
	})
}

// speak publishes without a pause until the function that it returns is called.
func speak(p *respclient.Conn, channel string) (end func()) {
	stop := make(chan struct{})
	var speaker sync.WaitGroup
	speaker.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = p.Do("PUBLISH", channel, "x")
			}
		}
	})
	return func() {
		close(stop)
		speaker.Wait()
	}
}

// TestProtocolChangesAmongPushes: what was published before HELLO is in the old protocol, what follows in the new one.
func TestProtocolChangesAmongPushes(t *testing.T) {
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		c, p := s.Dial(t), s.Dial(t)
		text(t, c, "HELLO", "3")
		subscribe(t, c, "SUBSCRIBE", "ch")
		defer speak(p, "ch")()
		proto := respclient.Push
		for range 50 {
			if err := c.SendRaw([]byte("RESET\r\nHELLO 3\r\nSUBSCRIBE ch\r\nHELLO 2\r\nPING\r\n")); err != nil {
				t.Fatal(err)
			}
			for done := false; !done; {
				v, err := c.Receive()
				if err != nil {
					t.Fatal(err)
				}
				switch first := firstOf(v); {
				case v.Str == "RESET":
					proto = 0 // nothing comes
				case first == "server":
					if v.Kind == respclient.Map {
						proto = respclient.Push
					} else {
						proto = respclient.Array
					}
				case first == "pong":
					done = true
				case v.Kind != proto:
					t.Fatalf("%s came as %c, want %c", script.Render(v), v.Kind, proto)
				}
			}
		}
	})
}

func firstOf(v respclient.Value) string {
	if len(v.Elems) == 0 {
		return ""
	}
	return v.Elems[0].Str
}

// TestUnsubscribedHearsNothing: once a subscription's end is confirmed nothing comes that it would have brought.
func TestUnsubscribedHearsNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		c, p := s.Dial(t), s.Dial(t)
		defer speak(p, "ch")()
		for range 100 {
			subscribe(t, c, "SUBSCRIBE", "ch")
			received(t, c)
			if err := c.Send("UNSUBSCRIBE", "ch"); err != nil {
				t.Fatal(err)
			}
			for m := received(t, c); m[0] != "unsubscribe"; m = received(t, c) {
			}
			expect(t, c, "PONG", "PING")
		}
	})
}

// TestCloseWithSubscribers: the server's end does not wait for those who listen.
func TestCloseWithSubscribers(t *testing.T) {
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		c := s.Dial(t)
		subscribe(t, c, "SUBSCRIBE", "ch")
		text(t, s.Dial(t), "PUBLISH", "ch", "x")
		begin := time.Now()
		s.Close(time.Minute)
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("closed after %s", took)
		}
		if got := received(t, c); got[2] != "x" {
			t.Errorf("%q", got)
		}
		closed(t, c)
	})
}
