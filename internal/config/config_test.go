package config

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestTableIsSound(t *testing.T) {
	c := New()
	for i, s := range Settings() {
		if s.Doc == "" || strings.ContainsAny(s.Doc, "\n") || s.Name != strings.ToLower(s.Name) {
			t.Errorf("%s: bad name or description %q", s.Name, s.Doc)
		}
		if (s.Kind == Enum || s.Kind == EnumSet) != (len(s.Enum) > 0) {
			t.Errorf("%s: words of an enum", s.Name)
		}
		if s.expand == nil && c.cells[i].val.Load().text != s.Default {
			t.Errorf("%s: default %q reads back as %q", s.Name, s.Default, c.cells[i].val.Load().text)
		}
		if s.Expects() == "" {
			t.Errorf("%s: says nothing of its values", s.Name)
		}
		if got := c.String(s.Name); s.expand == nil && got != s.Default {
			t.Errorf("%s: String is %q", s.Name, got)
		}
	}
	if err := c.Validate(); err != nil {
		t.Errorf("the defaults contradict each other: %v", err)
	}
	if changed := c.Changed(); len(changed) != 0 {
		t.Errorf("changed at the start: %v", changed)
	}
}

// The file is the answer of Redis 7.0.15, started without a configuration, to CONFIG GET *.
func TestEveryRedisSettingIsThereWithItsDefault(t *testing.T) {
	differs := map[string]string{
		"bind":        "127.0.0.1 -::1", // as in the redis.conf that comes with it
		"save":        "",
		"appendfsync": "always",
	}
	data, err := os.ReadFile("testdata/redis-7.0.15-defaults.tsv")
	if err != nil {
		t.Fatal(err)
	}
	c := New()
	for line := range strings.Lines(string(data)) {
		name, want, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		if ours, ok := differs[name]; ok {
			want = ours
		}
		got := c.Get(name)
		if len(got) != 1 || got[0] != [2]string{name, want} {
			t.Errorf("CONFIG GET %s: %q, want %q", name, got, want)
		}
	}
}

func TestGetters(t *testing.T) {
	c := load(t, strings.Join([]string{
		"maxclients 77", "proto-max-bulk-len 2mb", "timeout 3", "protected-mode no", "bind 10.0.0.1 -::1",
		"slowlog-log-slower-than -1", "busy-reply-threshold 9223372036854775807", "unixsocketperm 755",
		"maxmemory-clients 5%", "loglevel WARNING", "shutdown-on-sigint now save", "write-timeout-ms 1500",
		"join a:1,b:2", "join c:3", "replicaof ::1 6380", "tls-replication yes",
		"client-output-buffer-limit replica 1kb 2mb 3",
	}, "\n"))
	check := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("int", c.Int("maxclients"), int64(77))
	check("bytes", c.Bytes("proto-max-bulk-len"), int64(2<<20))
	check("percent", c.Bytes("maxmemory-clients"), int64(-5))
	check("seconds", c.Duration("timeout"), 3*time.Second)
	check("milliseconds", c.Duration("write-timeout-ms"), 1500*time.Millisecond)
	check("negative microseconds", c.Duration("slowlog-log-slower-than"), -time.Microsecond)
	check("saturated", c.Duration("busy-reply-threshold"), time.Duration(maxI64))
	check("bool", c.Bool("protected-mode"), false)
	check("octal", c.Int("unixsocketperm"), int64(0o755))
	check("octal text", c.String("unixsocketperm"), "755")
	check("enum", c.String("loglevel"), "warning")
	check("enum index", c.Int("loglevel"), int64(3))
	check("enum set", c.String("shutdown-on-sigint"), "save now")
	check("words", strings.Join(c.Words("bind"), "|"), "10.0.0.1|-::1")
	check("join", strings.Join(c.JoinAddrs(), "|"), "a:1|b:2|c:3|[::1]:6380")
	check("node TLS", c.NodeTLS(), true)
	check("resp-addr", c.String("resp-addr"), "10.0.0.1:6379")
	check("limit", c.OutputLimit(ReplicaClient), OutputLimit{1 << 10, 2 << 20, 3 * time.Second})
	check("other limit", c.OutputLimit(PubSubClient), OutputLimit{32 << 20, 8 << 20, time.Minute})
	live := c.Live("maxclients")
	mustSet(t, c, "maxclients", "78")
	check("live", live.Int(), int64(78))
	check("live bool", c.Live("bootstrap").Bool(), false)
}

func TestGettersPanicOnMistakes(t *testing.T) {
	c := New()
	for name, f := range map[string]func(){
		"unknown":      func() { c.Int("nosuch") },
		"wrong kind":   func() { c.Bool("maxclients") },
		"no time":      func() { c.Duration("maxclients") },
		"hook unknown": func() { c.OnChange("nosuch", nil) },
		"hook fixed":   func() { c.OnChange("databases", nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestSecretsStayOutOfLogs(t *testing.T) {
	c := load(t, "requirepass hush\nmasterauth hush\nmaxclients 5\ndir /x")
	for _, p := range c.Changed() {
		if strings.Contains(p[1], "hush") {
			t.Errorf("%s is shown", p[0])
		}
	}
	if got := c.Changed(); len(got) != 4 || got[0] != [2]string{"dir", "/x"} || got[1][1] != masked || got[2][0] != "maxclients" {
		t.Errorf("changed: %v", got)
	}
	if got := New().LogText("requirepass"); got != "" {
		t.Errorf("no password is shown as %q", got)
	}
	for _, p := range c.Agreed() {
		if p[0] == "masterauth" {
			t.Error("a secret is compared between nodes")
		}
	}
	for _, in := range []string{"requirepass a hush", "requirepass " + strings.Repeat("hush", 200)} {
		if _, err := New().ParseReader("f", strings.NewReader(in)); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("error: %v", err)
		}
	}
}

func TestValidate(t *testing.T) {
	for conf, part := range map[string]string{
		"port 0":         "no client could connect",
		"tls-port 6379":  "are the same",
		"raft-addr \"\"": "raft-addr is empty",
		"tls-port 6380":  "tls-cert-file",
		"node-tls yes\ntls-cert-file c\ntls-key-file k":                    "tls-ca-cert-file",
		"tls-port 1\ntls-cert-file c\ntls-key-file k":                      "tls-auth-clients",
		"bootstrap yes\njoin a:1":                                          "",
		"bootstrap yes\nreplicaof a 1":                                     "bootstrap",
		"batch-entry-bytes 2mb\nraft-max-entry-bytes 1mb":                  "batch-entry-bytes",
		"batch-entry-bytes 2mb\nproposal-queue-bytes 1mb":                  "proposal-queue-bytes",
		"tls-port 1\ntls-cert-file c\ntls-key-file k\ntls-auth-clients no": "",
		"bootstrap yes\nreplicaof NO ONE":                                  "",
	} {
		err := load(t, conf).Validate()
		if part == "" && err != nil || part != "" && (err == nil || !strings.Contains(err.Error(), part)) {
			t.Errorf("%q: %v", conf, err)
		}
	}
}

func load(t *testing.T, conf string) *Config {
	t.Helper()
	c := New()
	if _, err := c.ParseReader("test.conf", strings.NewReader(conf)); err != nil {
		t.Fatal(err)
	}
	return c
}

func mustSet(t *testing.T, c *Config, kv ...string) {
	t.Helper()
	if err := c.Set(pairs(kv...), false); err != nil {
		t.Fatal(err)
	}
}

func pairs(kv ...string) [][2]string {
	var out [][2]string
	for i := 0; i < len(kv); i += 2 {
		out = append(out, [2]string{kv[i], kv[i+1]})
	}
	return out
}
