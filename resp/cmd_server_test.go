package resp_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/resp/resptest"
)

func elems(t *testing.T, c *respclient.Conn, args ...string) []respclient.Value {
	t.Helper()
	v, err := c.Do(args...)
	if err != nil || v.IsError() {
		t.Fatalf("%q: %v %v", args, v, err)
	}
	return v.Elems
}

func TestSaves(t *testing.T) {
	s := resptest.Start(t)
	c, o := s.Dial(t), s.Dial(t)
	release := s.Backend.HoldSnapshots()
	t.Cleanup(release)
	expect(t, c, "Background saving started", "BGSAVE", "schedule")
	expect(t, c, "-ERR Background save already in progress", "BGSAVE")
	expect(t, c, "-ERR Background save already in progress", "SAVE")
	expect(t, c, "-ERR Background append only file rewriting already in progress", "BGREWRITEAOF")
	release()
	eventually(t, "the snapshot ends", func() bool { return text(t, c, "SAVE") == "OK" })
	release = s.Backend.HoldSnapshots()
	if err := c.Send("SAVE"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "SAVE is under way", func() bool { return text(t, o, "BGSAVE") == "-ERR Background save already in progress" })
	// A snapshot that hangs does not hold its connection, nor the server.
	expect(t, o, "1", "CLIENT", "KILL", "TYPE", "normal")
	eventually(t, "the connection ends", func() bool { _, err := c.Receive(); return err != nil })
	release()
	eventually(t, "the snapshot ends", func() bool { return text(t, o, "BGREWRITEAOF") == "Background append only file rewriting started" })
}

func TestShutdown(t *testing.T) {
	s := resptest.Start(t)
	c := s.Dial(t)
	if err := c.SendRaw([]byte("SET k v\r\nSHUTDOWN NOSAVE NOW FORCE\r\nSET k w\r\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "SHUTDOWN arrives", func() bool { return s.Backend.Shutdowns() == 1 })
	s.Close(patience)
	if v, err := c.Receive(); err != nil || v.Text() != "OK" {
		t.Fatalf("the reply before SHUTDOWN: %v %v", v, err)
	}
	closed(t, c)
	s.Close(patience) // twice is safe
}

func TestSlowlog(t *testing.T) {
	s := resptest.Start(t, "slowlog-log-slower-than 0", "slowlog-max-len 4", "requirepass hush")
	c := s.Dial(t)
	text(t, c, "AUTH", "hush")
	text(t, c, "HELLO", "2", "AUTH", "default", "hush", "SETNAME", "me")
	text(t, c, "CONFIG", "SET", "masterauth", "hush", "maxclients", "100")
	text(t, c, append([]string{"DEL"}, strings.Split(strings.Repeat("key ", 40), " ")...)...)
	entries := elems(t, c, "SLOWLOG", "GET", "-1")
	if len(entries) != 4 {
		t.Fatalf("%d entries", len(entries))
	}
	var lines []string
	for i, e := range entries {
		if e.Elems[0].Int != int64(3-i) || !strings.HasPrefix(e.Elems[4].Str, "127.0.0.1:") {
			t.Errorf("entry %+v", e)
		}
		lines = append(lines, strings.Join(e.Elems[3].Strings(), " "))
	}
	for i, want := range []string{
		"DEL" + strings.Repeat(" key", 30) + " ... (11 more arguments)",
		"CONFIG SET masterauth (redacted) maxclients 100",
		"HELLO 2 AUTH (redacted) (redacted) SETNAME me",
		"AUTH (redacted)",
	} {
		if lines[i] != want {
			t.Errorf("%q, want %q", lines[i], want)
		}
	}
	if name := entries[0].Elems[5].Str; name != "me" {
		t.Errorf("name %q", name)
	}
	text(t, c, "SET", "k", strings.Repeat("x", 200))
	if got := elems(t, c, "SLOWLOG", "GET", "1")[0].Elems[3].Elems[2].Str; got != strings.Repeat("x", 128)+"... (72 more bytes)" {
		t.Errorf("%q", got)
	}
	expect(t, c, "4", "SLOWLOG", "LEN")
	// Transactions are noted call by call, the connection's own commands too.
	for _, l := range []string{"MULTI", "SET in 1", "ECHO in", "EXEC"} {
		text(t, c, strings.Fields(l)...)
	}
	for i, e := range elems(t, c, "SLOWLOG", "GET", "2") {
		if got, want := e.Elems[3].Strings()[0], []string{"ECHO", "SET"}[i]; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLatency(t *testing.T) {
	s := resptest.Start(t, "enable-debug-command local")
	c := s.Dial(t)
	text(t, c, "DEBUG", "SLEEP", "0.005")
	if n := len(elems(t, c, "LATENCY", "LATEST")); n != 0 {
		t.Errorf("without a threshold: %d events", n)
	}
	expect(t, c, "OK", "CONFIG", "SET", "latency-monitor-threshold", "1")
	text(t, c, "DEBUG", "SLEEP", "0.005")
	latest := elems(t, c, "LATENCY", "LATEST")
	if len(latest) != 1 || latest[0].Elems[0].Str != "command" || latest[0].Elems[2].Int < 5 || latest[0].Elems[3].Int < 5 {
		t.Fatalf("%+v", latest)
	}
	// On a busy machine other commands may take a millisecond, too.
	slow := func(e respclient.Value) bool { return e.Elems[1].Int >= 5 }
	if h := elems(t, c, "LATENCY", "HISTORY", "command"); !slices.ContainsFunc(h, slow) {
		t.Errorf("%+v", h)
	}
	if g := text(t, c, "LATENCY", "GRAPH", "command"); !strings.HasPrefix(g, "command - high ") {
		t.Errorf("%q", g)
	}
	if d := text(t, c, "LATENCY", "DOCTOR"); !strings.Contains(d, "command: ") {
		t.Errorf("%q", d)
	}
	expect(t, c, "1", "LATENCY", "RESET", "command", "nosuch")
	text(t, c, "CLIENT", "ID")
	h := elems(t, c, "LATENCY", "HISTOGRAM", "client|id", "debug", "nosuch")
	if len(h) != 4 || h[0].Str != "client|id" || h[2].Str != "debug" {
		t.Fatalf("%+v", h)
	}
	steps := h[3].Elems[3].Elems
	if h[3].Elems[1].Int != 2 || steps[len(steps)-1].Int != 2 || steps[len(steps)-2].Int < 5000 {
		t.Errorf("%+v", h[3])
	}
	if h := elems(t, c, "LATENCY", "HISTOGRAM", "client"); len(h) != 2 || h[0].Str != "client|id" {
		t.Errorf("by container: %+v", h)
	}
	expect(t, c, "OK", "CONFIG", "SET", "latency-tracking", "no")
	expect(t, c, "OK", "CONFIG", "RESETSTAT")
	text(t, c, "PING")
	if h := elems(t, c, "LATENCY", "HISTOGRAM"); len(h) != 0 {
		t.Errorf("without tracking: %+v", h)
	}
}

func TestDebug(t *testing.T) {
	const off = "-ERR DEBUG command not allowed. "
	c := resptest.Start(t).Dial(t)
	if got := text(t, c, "DEBUG", "DIGEST"); !strings.HasPrefix(got, off) {
		t.Errorf("%q", got)
	}
	s := resptest.Start(t, "enable-debug-command yes")
	c = s.Dial(t)
	text(t, c, "SET", "k", "12")
	expect(t, c, "OK", "DEBUG", "SET-ACTIVE-EXPIRE", "0")
	if s.Backend.ActiveExpire() {
		t.Error("SET-ACTIVE-EXPIRE 0")
	}
	if d := text(t, c, "DEBUG", "DIGEST"); len(d) != 40 {
		t.Errorf("digest %q", d)
	}
	if o := text(t, c, "DEBUG", "OBJECT", "k"); !strings.HasPrefix(o, "Value at:0x0 refcount:2147483647 encoding:int serializedlength:") ||
		!strings.Contains(o, " lru_seconds_idle:0") {
		t.Errorf("%q", o)
	}
	expect(t, c, "-ERR no such key", "DEBUG", "OBJECT", "nosuch")
	expect(t, c, "-A B", "DEBUG", "ERROR", "A B")
	expect(t, c, "-ERR not supported: the state is that of the Raft log, and a restart reads it again", "DEBUG", "RELOAD")
	expect(t, c, "-ERR unknown subcommand or wrong number of arguments for 'sleep'. Try DEBUG HELP.", "DEBUG", "sleep")
	for _, proto := range []string{"2", "3"} {
		text(t, c, "HELLO", proto)
		for _, kind := range strings.Fields("string integer double bignum null array set map attrib verbatim true false") {
			if v, err := c.Do("DEBUG", "PROTOCOL", kind); err != nil || v.IsError() {
				t.Errorf("%s: %v %v", kind, v, err)
			}
		}
	}
	if v, err := c.Do("DEBUG", "PROTOCOL", "push"); err != nil || v.Str != "Some real reply following the push reply" || len(c.Pushes()) != 1 {
		t.Errorf("push: %v %v", v, err)
	}
}

func TestMemoryStats(t *testing.T) {
	c := resptest.Start(t).Dial(t)
	text(t, c, "SET", "k", "v")
	stats := map[string]respclient.Value{}
	e := elems(t, c, "MEMORY", "STATS")
	for i := 0; i < len(e); i += 2 {
		stats[e[i].Str] = e[i+1]
	}
	if stats["keys.count"].Int != 1 || stats["total.allocated"].Int < 1<<16 || stats["clients.normal"].Int < 1<<10 {
		t.Errorf("%v", stats)
	}
	if f, err := strconv.ParseFloat(stats["peak.percentage"].Str, 64); err != nil || f <= 0 || f > 101 {
		t.Errorf("peak.percentage %v", stats["peak.percentage"])
	}
	expect(t, c, "OK", "MEMORY", "PURGE")
}

func TestLolwut(t *testing.T) {
	c := resptest.Start(t).Dial(t)
	if got := text(t, c, "LOLWUT", "VERSION", "5"); !strings.HasSuffix(got, "\nRedoubt ver. "+resptest.Version+"\n") || !strings.Contains(got, "#") {
		t.Errorf("%q", got)
	}
}

func TestConfigRewrite(t *testing.T) {
	s := resptest.Start(t)
	c := s.Dial(t)
	expect(t, c, "-ERR The server is running without a config file", "CONFIG", "REWRITE")
	path := filepath.Join(t.TempDir(), "redoubt.conf")
	if err := os.WriteFile(path, []byte("# mine\nmaxclients 50\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Config.ParseFile(path); err != nil {
		t.Fatal(err)
	}
	expect(t, c, "OK", "CONFIG", "SET", "maxclients", "60")
	expect(t, c, "OK", "CONFIG", "REWRITE")
	b, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(b), "# mine\nmaxclients 60\n") {
		t.Errorf("%q %v", b, err)
	}
}

func TestResetStat(t *testing.T) {
	c := resptest.Start(t).Dial(t)
	text(t, c, "NOSUCH")
	text(t, c, "GET", "k")
	if got := text(t, c, "INFO", "commandstats"); !strings.Contains(got, "cmdstat_get:calls=1,") {
		t.Errorf("%q", got)
	}
	expect(t, c, "OK", "CONFIG", "RESETSTAT")
	if got := text(t, c, "INFO", "all"); strings.Contains(got, "cmdstat_get") || strings.Contains(got, "errorstat_") {
		t.Errorf("%q", got)
	}
}
