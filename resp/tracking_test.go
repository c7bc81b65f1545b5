package resp_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/resp/resptest"
)

// heard waits for a message and compares it.
func heard(t *testing.T, c *respclient.Conn, want string) {
	t.Helper()
	c.Timeout = patience
	v, err := c.Receive()
	if err != nil {
		t.Fatalf("%v, want %s", err, want)
	}
	if got := flat(v); got != want {
		t.Errorf("heard %q, want %q", got, want)
	}
}

// flat prints a value and its elements in one line.
func flat(v respclient.Value) string {
	if v.IsNull() {
		return "nil"
	}
	if v.Kind == respclient.Int {
		return strconv.FormatInt(v.Int, 10)
	}
	if v.Elems == nil {
		return v.Str
	}
	var parts []string
	for _, e := range v.Elems {
		parts = append(parts, flat(e))
	}
	return strings.Join(parts, " ")
}

// quiet checks that a client in RESP3 is told of nothing.
func quiet(t *testing.T, c *respclient.Conn) {
	t.Helper()
	expect(t, c, "PONG", "PING")
	if pushed := c.Pushes(); len(pushed) > 0 {
		t.Errorf("heard %q", flat(pushed[0]))
	}
}

func TestTrackingRedirected(t *testing.T) {
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		to, c, w := s.Dial(t), s.Dial(t), s.Dial(t)
		id := text(t, to, "CLIENT", "ID")
		expect(t, c, "-ERR A client can only redirect to a single other client", "CLIENT", "TRACKING", "ON", "REDIRECT", id, "REDIRECT", id)
		expect(t, c, "OK", "CLIENT", "TRACKING", "ON", "REDIRECT", id)
		expect(t, c, id, "CLIENT", "GETREDIR")
		// In RESP2 it must be a subscriber.
		text(t, c, "GET", "k")
		text(t, w, "SET", "k", "1")
		expect(t, to, "PONG", "PING")
		subscribe(t, to, "SUBSCRIBE", "__redis__:invalidate")
		text(t, c, "GET", "k")
		text(t, w, "SET", "k", "2")
		heard(t, to, "message __redis__:invalidate k")
		text(t, w, "FLUSHALL")
		heard(t, to, "message __redis__:invalidate nil")
		if f := fields(text(t, c, "CLIENT", "INFO")); f["flags"] != "t" || f["redir"] != id {
			t.Errorf("%v", f)
		}
		text(t, to, "RESET")
		text(t, to, "HELLO", "3")
		text(t, c, "GET", "k")
		text(t, w, "SET", "k", "3")
		heard(t, to, "invalidate k")
		// BCAST as well.
		expect(t, c, "OK", "CLIENT", "TRACKING", "OFF")
		expect(t, c, "OK", "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "k", "REDIRECT", id)
		text(t, w, "MSET", "k2", "1", "k1", "1", "a", "1")
		heard(t, to, "invalidate k1 k2")
		// The other one goes.
		text(t, c, "HELLO", "3")
		quiet(t, c)
		_ = to.Close()
		eventually(t, "the connection is gone", func() bool { return text(t, w, "CLIENT", "LIST", "ID", id) == "" })
		for range 2 {
			text(t, w, "SET", "k", "4")
			heard(t, c, "tracking-redir-broken "+id)
		}
		if f := fields(text(t, c, "CLIENT", "INFO")); f["flags"] != "tRB" || f["redir"] != id {
			t.Errorf("%v", f)
		}
		v, _ := c.Do("CLIENT", "TRACKINGINFO")
		if got := flat(v); got != "flags on bcast broken_redirect redirect "+id+" prefixes k" {
			t.Errorf("%q", got)
		}
		expect(t, c, "OK", "CLIENT", "TRACKING", "ON", "BCAST")
		text(t, w, "SET", "k", "5")
		for _, want := range []string{"invalidate k", "invalidate k"} { // by two prefixes
			heard(t, c, want)
		}
	})
}

// tracked reads the tracking fields of INFO.
func tracked(t *testing.T, c *respclient.Conn) string {
	t.Helper()
	var out []string
	for _, line := range strings.Split(text(t, c, "INFO", "clients", "stats"), "\r\n") {
		if name, n, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(name, "tracking_") {
			out = append(out, n)
		}
	}
	return strings.Join(out, " ")
}

func TestTrackingTable(t *testing.T) {
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		a, b, w := s.Dial(t), s.Dial(t), s.Dial(t)
		for _, c := range []*respclient.Conn{a, b} {
			text(t, c, "HELLO", "3")
			expect(t, c, "OK", "CLIENT", "TRACKING", "ON")
			text(t, c, "MGET", "1", "2", "3", "4", "5")
		}
		text(t, b, "GET", "6")
		for _, step := range []struct{ do, want string }{
			{"PING", "2 6 11 0"},
			{"SET 1 x", "2 5 9 0"},
			{"DEL 2", "2 5 9 0"},
			{"CLIENT NO-EVICT off", "2 5 9 0"},
		} {
			text(t, w, strings.Fields(step.do)...)
			if got := tracked(t, w); got != step.want {
				t.Errorf("after %s: %s, want %s", step.do, got, step.want)
			}
		}
		heard(t, a, "invalidate 1")
		heard(t, b, "invalidate 1")
		// Reads past the limit evict.
		text(t, w, "CONFIG", "SET", "tracking-table-max-keys", "2")
		if got := tracked(t, w); !strings.HasPrefix(got, "2 2 ") {
			t.Errorf("%s", got)
		}
		text(t, w, "CONFIG", "SET", "tracking-table-max-keys", "1000000")
		for range 5 {
			text(t, a, "GET", "1")
		}
		text(t, a, "CLIENT", "TRACKING", "OFF")
		text(t, b, "RESET")
		if got := tracked(t, w); got != "0 0 0 0" {
			t.Errorf("nobody tracks: %s", got)
		}
		// A connection's end is one of tracking.
		text(t, a, "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a", "PREFIX", "b")
		text(t, b, "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a")
		if got := tracked(t, w); got != "2 0 0 2" {
			t.Errorf("%s", got)
		}
		_ = a.Close()
		eventually(t, "the prefix is gone", func() bool { return tracked(t, w) == "1 0 0 1" })
	})
}

// TestTrackingEviction: a client holds no key of which the table is too full to remember it.
func TestTrackingEviction(t *testing.T) {
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		c, w := s.Dial(t), s.Dial(t)
		text(t, c, "HELLO", "3")
		text(t, c, "CLIENT", "TRACKING", "ON")
		held := map[string]bool{}
		for n := range 100 {
			key := fmt.Sprint("k", n)
			text(t, c, "GET", key)
			held[key] = true
		}
		text(t, c, "PING")
		for _, p := range c.Pushes() {
			delete(held, p.Elems[1].Elems[0].Str)
		}
		if len(held) != 10 || tracked(t, w) != "1 10 10 0" {
			t.Errorf("%d held, %s", len(held), tracked(t, w))
		}
		for key := range held {
			text(t, w, "SET", key, "1")
			heard(t, c, "invalidate "+key)
		}
	}, "tracking-table-max-keys 10")
}

func TestTrackingPrefixLimits(t *testing.T) {
	c := resptest.Start(t).Dial(t)
	args := []string{"CLIENT", "TRACKING", "ON", "BCAST"}
	for n := range 1024 {
		args = append(args, "PREFIX", fmt.Sprintf("%04d", n))
	}
	expect(t, c, "OK", args...)
	const tooMany = "-ERR a connection may have 1024 prefixes of 1048576 bytes together"
	expect(t, c, tooMany, "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "x")
	expect(t, c, "OK", "CLIENT", "TRACKING", "OFF")
	expect(t, c, tooMany, "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", strings.Repeat("x", 1<<20+1))
	expect(t, c, "OK", "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", strings.Repeat("x", 1<<20))
}

// What Redis does not tell: databases that are swapped, and what others write behind a NOLOOP client's own write. And a
// transaction that begins to track is told to drop what it has read.
func TestTrackingBeyondRedis(t *testing.T) {
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		c, w := s.Dial(t), s.Dial(t)
		text(t, c, "HELLO", "3")
		for _, step := range []string{"MULTI", "GET k", "CLIENT TRACKING ON NOLOOP", "EXEC"} {
			text(t, c, strings.Fields(step)...)
		}
		heard(t, c, "invalidate nil")
		text(t, c, "GET", "k")
		text(t, w, "SWAPDB", "0", "1")
		heard(t, c, "invalidate nil")
		text(t, c, "GET", "k")
		text(t, c, "SET", "k", "1")
		quiet(t, c)
		text(t, w, "SET", "k", "2")
		heard(t, c, "invalidate k")
	})
}

// TestTrackingWhileBlocked: one that waits in a blocking command hears meanwhile, and has the replies to what it sent before.
func TestTrackingWhileBlocked(t *testing.T) {
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		w := s.Dial(t)
		for _, blocking := range []string{"BLPOP list 0", "XREAD BLOCK 0 STREAMS stream $", "WAIT 1 0"} {
			c := s.Dial(t)
			text(t, c, "HELLO", "3")
			text(t, c, "CLIENT", "TRACKING", "ON")
			text(t, c, "GET", "k")
			id := text(t, c, "CLIENT", "ID")
			if err := c.SendRaw([]byte("PING one\r\n" + blocking + "\r\nPING two\r\n")); err != nil {
				t.Fatal(err)
			}
			heard(t, c, "one")
			text(t, w, "SET", "k", "v")
			heard(t, c, "invalidate k")
			eventually(t, "it is unblocked", func() bool { return text(t, w, "CLIENT", "UNBLOCK", id) == "1" })
			c.Timeout = patience
			if _, err := c.Receive(); err != nil {
				t.Fatal(err)
			}
			heard(t, c, "two")
		}
	})
}

// cache is a client side cache that is kept by the protocol's rules. A reply may be kept when it comes, and goes when an
// invalidation does.
type cache struct {
	conn   *respclient.Conn
	values map[string]int
	errs   func(format string, args ...any)
	asked  []string // whose replies are to come
}

// take takes what has come, until all replies have.
func (k *cache) take() {
	for len(k.asked) > 0 {
		v, err := k.conn.Receive()
		if err != nil {
			k.errs("%v", err)
			return
		}
		if v.Kind == respclient.Push {
			k.invalidate(v)
			continue
		}
		if v.Kind == respclient.Bulk {
			k.values[k.asked[0]], _ = strconv.Atoi(v.Str)
		}
		k.asked = k.asked[1:]
	}
}

func (k *cache) invalidate(v respclient.Value) {
	if v.Elems[1].IsNull() {
		clear(k.values)
	}
	for _, key := range v.Elems[1].Elems {
		delete(k.values, key.Str)
	}
}

// TestNoStaleCache: whatever is read and written at once, a cache never has a value that was overwritten before it last asked
// the server for anything.
func TestNoStaleCache(t *testing.T) {
	const keys, readers, writers, rounds = 8, 4, 2, 400
	bothWays(t, func(t *testing.T, s *resptest.Server) {
		var written [keys]atomic.Int64 // acknowledged; each key has one writer, and grows
		var all, writing sync.WaitGroup
		for n := range writers {
			c := s.Dial(t)
			writing.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(n), 1))
				for v := int64(1); v <= rounds; v++ {
					key := rnd.IntN(keys/writers)*writers + n
					var err error
					switch rnd.IntN(4) {
					case 0:
						_, err = c.Do("MULTI")
						_, _ = c.Do("GET", fmt.Sprint(key))
						_, _ = c.Do("SET", fmt.Sprint(key), fmt.Sprint(v))
						_, _ = c.Do("EXEC")
					default:
						_, err = c.Do("SET", fmt.Sprint(key), fmt.Sprint(v))
					}
					if err != nil {
						t.Error(err)
						return
					}
					written[key].Store(v)
				}
			})
		}
		done := make(chan struct{})
		for n := range readers {
			k := &cache{conn: s.Dial(t), values: map[string]int{}, errs: t.Errorf}
			text(t, k.conn, "HELLO", "3")
			mode := []string{"CLIENT", "TRACKING", "ON"}
			if n == 0 {
				mode = append(mode, "BCAST")
			}
			text(t, k.conn, mode...)
			all.Go(func() { k.run(t, done, uint64(n), func(key int) int64 { return written[key].Load() }) })
		}
		writing.Wait()
		close(done)
		all.Wait()
	})
}

// run reads keys at random, and compares what the cache has with what was acknowledged before its last question.
func (k *cache) run(t *testing.T, done <-chan struct{}, seed uint64, written func(key int) int64) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	for last := false; !last; {
		select {
		case <-done:
			last = true
		default:
		}
		var floor [8]int64
		for key := range floor {
			floor[key] = written(key)
		}
		for range 1 + rnd.IntN(4) {
			key := fmt.Sprint(rnd.IntN(8))
			switch rnd.IntN(5) {
			case 0: // a transaction, whose replies are not kept
				for _, step := range []string{"MULTI", "GET " + key, "SET own 1", "EXEC"} {
					_ = k.conn.Send(strings.Fields(step)...)
					k.asked = append(k.asked, "")
				}
			default:
				_ = k.conn.Send("GET", key)
				k.asked = append(k.asked, key)
			}
		}
		_ = k.conn.Send("PING")
		k.asked = append(k.asked, "")
		k.take()
		for key, v := range k.values {
			if n, err := strconv.Atoi(key); err == nil && int64(v) < floor[n] {
				t.Errorf("key %s is cached as %d, it was %d before", key, v, floor[n])
				return
			}
		}
	}
}
