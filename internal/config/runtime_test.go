package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The texts in this file were compared by hand with Redis 7.0.15.

func TestGet(t *testing.T) {
	c := New()
	show := func(patterns ...string) string {
		var b strings.Builder
		for _, p := range c.Get(patterns...) {
			fmt.Fprintf(&b, "%s=%s ", p[0], p[1])
		}
		return strings.TrimSpace(b.String())
	}
	for in, want := range map[string]string{
		"port":                      "port=6379",
		"PORT":                      "PORT=6379",
		"Port port PO*":             "Port=6379",
		"nosuch":                    "",
		"slave-read-only nosuch":    "slave-read-only=yes",
		"slaveof":                   "slaveof=",
		`[p]or\t`:                   "port=6379",
		`p\ort`:                     "",
		"hash-max-zip*":             "hash-max-ziplist-entries=512 hash-max-ziplist-value=64",
		"lua-time-limit":            "lua-time-limit=5000",
		"key-load-*":                "",
		"key-load-delay":            "key-load-delay=0",
		"slave-ann* replica-ann*-*": "slave-announce-ip= slave-announce-port=0 replica-announce-ip= replica-announce-port=0",
		"data-dir":                  "data-dir=./data",
	} {
		if got := show(strings.Fields(in)...); got != want {
			t.Errorf("CONFIG GET %s: %q, want %q", in, got, want)
		}
	}
	if all := c.Get("*"); len(all) < 192 {
		t.Errorf("CONFIG GET * has %d settings", len(all))
	}
}

// TestKeptSettings: CONFIG SET may name the value that is there, but for what Redis calls immutable.
func TestKeptSettings(t *testing.T) {
	c := New()
	for _, kv := range c.Get("*") {
		s, _ := Lookup(kv[0])
		err := c.Set([][2]string{{kv[0], kv[1]}}, true)
		if want := s.Change == Never || s.Protected; (err != nil) != want {
			t.Errorf("%s set to its value %q: %v", kv[0], kv[1], err)
		}
	}
	for _, other := range [][2]string{{"batch-inflight", "5"}, {"batch-inflight", "x"}, {"join", "a:1"}, {"port", "6380"}} {
		if err := c.Set([][2]string{other}, true); !errors.Is(err, ErrImmutable) {
			t.Errorf("%s: %v", other, err)
		}
	}
}

func TestSetErrors(t *testing.T) {
	c := New()
	related := func(name, why string) string {
		return "ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + why
	}
	const classes = "client-output-buffer-limit"
	cases := []struct {
		args []string
		want string
		kind error
	}{
		{[]string{"foo", "1"}, "ERR Unknown option or number of arguments for CONFIG SET - 'foo'", ErrUnknown},
		{[]string{"FOO", "1"}, "ERR Unknown option or number of arguments for CONFIG SET - 'FOO'", ErrUnknown},
		{[]string{"maxclients", "0"}, related("maxclients", "argument must be between 1 and 4294967295 inclusive"), ErrInvalidValue},
		{[]string{"maxclients", "abc"}, related("maxclients", "argument couldn't be parsed into an integer"), ErrInvalidValue},
		{[]string{"maxclients", ""}, related("maxclients", "argument couldn't be parsed into an integer"), ErrInvalidValue},
		{[]string{"maxclients", "007"}, related("maxclients", "argument couldn't be parsed into an integer"), ErrInvalidValue},
		{[]string{"maxclients", "+7"}, related("maxclients", "argument couldn't be parsed into an integer"), ErrInvalidValue},
		{[]string{"SLAVE-priority", "-1"}, related("slave-priority", "argument must be between 0 and 2147483647 inclusive"), ErrInvalidValue},
		{[]string{"maxclients", "1", "MAXCLIENTS", "2"}, related("maxclients", "duplicate parameter"), ErrDuplicate},
		{[]string{"hz", "5", "nosuch", "1"}, "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'", ErrUnknown},
		{[]string{"databases", "4", "nosuch", "1"}, related("databases", "can't set immutable config"), ErrImmutable},
		{[]string{"daemonize", "yes", "hz", "1", "hz", "1"}, related("daemonize", "can't set immutable config"), ErrImmutable},
		{[]string{"port", "1"}, related("port", "can't set immutable config"), ErrImmutable}, // nobody has hooked it
		{[]string{"dir", "/tmp"}, related("dir", "can't set protected config"), ErrProtected},
		{[]string{"dbfilename", "x"}, related("dbfilename", "can't set protected config"), ErrProtected},
		{[]string{"maxmemory", "10zb"}, related("maxmemory", "argument must be a memory value"), ErrInvalidValue},
		{[]string{"maxmemory", "-5"}, related("maxmemory", "argument must be a memory value"), ErrInvalidValue},
		{[]string{"proto-max-bulk-len", "1000"}, related("proto-max-bulk-len", "argument must be between 1048576 and 9223372036854775807 inclusive"), ErrInvalidValue},
		{[]string{"maxmemory-clients", "500%"}, related("maxmemory-clients", "percentage argument must be less or equal to 100"), ErrInvalidValue},
		{[]string{"maxmemory-clients", "-1%"}, related("maxmemory-clients", "argument must be a memory or percent value"), ErrInvalidValue},
		{[]string{"appendonly", "foo"}, related("appendonly", "argument must be 'yes' or 'no'"), ErrInvalidValue},
		{[]string{"maxmemory-policy", "x"}, related("maxmemory-policy", "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction"), ErrInvalidValue},
		{[]string{"shutdown-on-sigint", "nosave save"}, related("shutdown-on-sigint", "shutdown options SAVE and NOSAVE can't be used simultaneously"), ErrInvalidValue},
		{[]string{"notify-keyspace-events", "1"}, related("notify-keyspace-events", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."), ErrInvalidValue},
		{[]string{"save", "900 1 300"}, related("save", "Invalid save parameters"), ErrInvalidValue},
		{[]string{"save", "0 1"}, related("save", "Invalid save parameters"), ErrInvalidValue},
		{[]string{classes, "normal 1 2"}, related(classes, "Wrong number of arguments in buffer limit configuration."), ErrInvalidValue},
		{[]string{classes, "master 1 2 3"}, related(classes, "Invalid client class specified in buffer limit configuration."), ErrInvalidValue},
		{[]string{classes, "normal 1 2 -3"}, related(classes, "Error in hard, soft or soft_seconds setting in buffer limit configuration."), ErrInvalidValue},
		{[]string{"oom-score-adj-values", "1 2"}, related("oom-score-adj-values", "wrong number of arguments"), ErrInvalidValue},
		{[]string{"oom-score-adj-values", "1 2 3000"}, related("oom-score-adj-values", "Invalid oom-score-adj-values, elements must be between -2000 and 2000."), ErrInvalidValue},
		{[]string{"latency-tracking-info-percentiles", "1 x"}, related("latency-tracking-info-percentiles", "Invalid latency-tracking-info-percentiles parameters"), ErrInvalidValue},
		{[]string{"latency-tracking-info-percentiles", "101"}, related("latency-tracking-info-percentiles", "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"), ErrInvalidValue},
		{[]string{"cluster-announce-hostname", "a$"}, related("cluster-announce-hostname", "Hostnames may only contain alphanumeric characters, hyphens or dots"), ErrInvalidValue},
	}
	for _, tc := range cases {
		before := fmt.Sprint(c.Get("*"))
		err := c.Set(pairs(tc.args...), false)
		if err == nil || err.Error() != tc.want || !errors.Is(err, tc.kind) {
			t.Errorf("CONFIG SET %q:\n got %v\nwant %s", tc.args, err, tc.want)
		}
		if after := fmt.Sprint(c.Get("*")); after != before {
			t.Errorf("CONFIG SET %q changed something", tc.args)
		}
	}
}

func TestSetValues(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"maxmemory", "10MB", "10485760"},
		{"maxmemory", "007mb", "7340032"},
		{"maxmemory", "1k", "1000"},
		{"maxmemory", "", "0"},
		{"maxmemory", "kb", "0"},
		{"maxmemory", "99999999999999999999", "9223372036854775807"}, // Redis wraps around
		{"APPENDONLY", "NO", "no"},
		{"hz", "1000", "500"},
		{"hz", "0", "1"},
		{"notify-keyspace-events", "KEA", "AKE"},
		{"notify-keyspace-events", "KEmlgdtn", "gltdnKEm"},
		{"notify-keyspace-events", "g$lszhxetdm", "Am"},
		{"notify-keyspace-events", "AnK", "AK"},
		{"notify-keyspace-events", "", ""},
		{"save", "900 1 300 10", "900 1 300 10"},
		{"save", "900 0", "900 0"},
		{"save", "", ""},
		{"client-output-buffer-limit", "normal 1kb 2mb 3 replica 4 5 6", "normal 1024 2097152 3 slave 4 5 6 pubsub 33554432 8388608 60"},
		{"client-output-buffer-limit", "pubsub 7 8 9", "normal 1024 2097152 3 slave 4 5 6 pubsub 7 8 9"},
		{"client-output-buffer-limit", "", "normal 1024 2097152 3 slave 4 5 6 pubsub 7 8 9"},
		{"latency-tracking-info-percentiles", "1 1 0.0 99.99", "1 1 0 99.99"},
		{"latency-tracking-info-percentiles", "", ""},
		{"maxmemory-clients", "5%", "5%"},
		{"maxmemory-clients", "0%", "0"},
		{"shutdown-on-sigint", "now nosave", "nosave now"},
		{"list-max-listpack-size", "-2147483648", "-2147483648"},
		{"lua-time-limit", "77", "77"},
	}
	c := New()
	c.OnChange("list-max-listpack-size", func(string, string) error { return nil })
	for _, tc := range cases {
		mustSet(t, c, tc.name, tc.in)
		if got := c.Get(tc.name); got[0][1] != tc.want {
			t.Errorf("CONFIG SET %s %q: %q, want %q", tc.name, tc.in, got[0][1], tc.want)
		}
	}
	if c.Int("busy-reply-threshold") != 77 {
		t.Error("the alias set something else")
	}
	// Two names of one setting are no duplicate; the later one stays.
	mustSet(t, c, "slave-priority", "1", "replica-priority", "2")
	if c.Int("replica-priority") != 2 {
		t.Error(c.Int("replica-priority"))
	}
}

func TestProtectedSettings(t *testing.T) {
	for conf, want := range map[string][2]bool{"no": {false, false}, "local": {false, true}, "yes": {true, true}} {
		c := load(t, "enable-protected-configs "+conf)
		for i, local := range []bool{false, true} {
			if ok := c.Set(pairs("dbfilename", "x"), local) == nil; ok != want[i] {
				t.Errorf("%s, local %v: %v", conf, local, ok)
			}
		}
	}
	c := load(t, "enable-protected-configs yes")
	if err := c.Set(pairs("dbfilename", "a/b"), true); err == nil || !strings.HasSuffix(err.Error(), "dbfilename can't be a path, just a filename") {
		t.Error(err)
	}
	if err := c.Set(pairs("dir", "/x"), true); !errors.Is(err, ErrImmutable) {
		t.Error(err)
	}
}

func TestHooks(t *testing.T) {
	c := New()
	var log []string
	broken := errors.New("no such\nport")
	record := func(name string, fail string) {
		c.OnChange(name, func(was, is string) error {
			log = append(log, fmt.Sprintf("%s %s>%s now %s", name, was, is, c.String(name)))
			if is == fail {
				return broken
			}
			return nil
		})
	}
	record("timeout", "")
	record("port", "13")
	record("maxclients", "")

	mustSet(t, c, "port", "1", "timeout", "2", "maxclients", "10000")
	want := "port 6379>1 now 1, timeout 0>2 now 2"
	if got := strings.Join(log, ", "); got != want {
		t.Errorf("hooks ran: %s", got)
	}
	log = nil
	err := c.Set(pairs("timeout", "3", "port", "13", "maxclients", "5"), false)
	if !errors.Is(err, ErrApply) || !errors.Is(err, broken) ||
		err.Error() != "ERR CONFIG SET failed (possibly related to argument 'port') - no such port" {
		t.Error(err)
	}
	want = "timeout 2>3 now 3, port 1>13 now 13, timeout 3>2 now 2"
	if got := strings.Join(log, ", "); got != want {
		t.Errorf("hooks ran: %s", got)
	}
	if c.String("timeout") != "2" || c.String("port") != "1" || c.String("maxclients") != "10000" {
		t.Error("the values were not taken back")
	}
}

func TestConcurrentUse(t *testing.T) {
	c := New()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 200 {
				if err := c.Set(pairs("maxclients", fmt.Sprint(1+n*4+i), "save", "1 1"), false); err != nil {
					t.Error(err)
				}
				if c.Int("maxclients") < 1 || len(c.Get("max*", "save")) < 2 {
					t.Error("a reader saw nonsense")
				}
			}
		})
	}
	wg.Wait()
}

// What CONFIG GET does not print is known to those who carry the setting out, and they hear of its change.
func TestEventLetters(t *testing.T) {
	c := New()
	var heard []string
	c.OnChange("notify-keyspace-events", func(_, _ string) error {
		heard = append(heard, c.EventLetters())
		return nil
	})
	for _, v := range []string{"KA", "KAn", "KAn", "K", ""} {
		if err := c.Set([][2]string{{"notify-keyspace-events", v}}, true); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"AK", "AKn", "K", ""}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}
