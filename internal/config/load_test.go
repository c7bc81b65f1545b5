package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestParseErrors(t *testing.T) {
	long := strings.Repeat("x", 80)
	cases := []struct {
		conf string
		want string
		kind error
	}{
		{"# c\n\nmaxclients abc", `f:3: 'maxclients' takes an integer from 1 to 4294967295, got "abc"`, ErrInvalidValue},
		{"maxclients 0", `f:1: 'maxclients' takes an integer from 1 to 4294967295, got "0"`, ErrInvalidValue},
		{"maxclients 1 2", `f:1: 'maxclients' takes one value, got 2`, ErrInvalidValue},
		{"port", `f:1: 'port' takes one value, got 0`, ErrInvalidValue},
		{"slave-read-only perhaps", `f:1: 'slave-read-only' takes yes or no, got "perhaps"`, ErrInvalidValue},
		{"maxmemory 1tb", `f:1: 'maxmemory' takes a size in bytes (units k, kb, m, mb, g, gb) of at least 0, got "1tb"`, ErrInvalidValue},
		{"loglevel loud", `f:1: 'loglevel' takes one of debug, verbose, notice, warning, got "loud"`, ErrInvalidValue},
		{"save 1", `f:1: 'save' takes pairs of seconds and changes, 64 at most, got "1"`, ErrInvalidValue},
		{strings.Repeat("save 1 1\n", savePointsMax+1), `f:65: 'save' takes pairs of seconds and changes, 64 at most, got "1 1"`, ErrInvalidValue},
		{"replicaof a 70000", `f:1: 'replicaof' takes a host and a port, or NO ONE, got "a 70000"`, ErrInvalidValue},
		{"raft-addr nohost", `f:1: 'raft-addr' takes host:port, got "nohost"`, ErrInvalidValue},
		{"resp-addr nohost", `f:1: 'resp-addr' takes host:port, got "nohost"`, ErrInvalidValue},
		{"resp-addr a b", `f:1: 'resp-addr' takes one value, got 2`, ErrInvalidValue},
		{"daemonize yes", `f:1: 'daemonize' takes no (a service manager runs the server in the background), got "yes"`, ErrInvalidValue},
		{"unixsocketperm 999", `f:1: 'unixsocketperm' takes an octal number up to 777, got "999"`, ErrInvalidValue},
		{"node-id " + strings.Repeat("x", 200), "f:1: 'node-id' takes text of at most 128 bytes, got \"" + long[:64] + `..."`, ErrInvalidValue},
		{"bind \"\"", `f:1: 'bind' takes 1 to 16 addresses, got ""`, ErrInvalidValue},
		{"nosuch 1", `f:1: unknown directive "nosuch"`, ErrUnknown},
		{"port \"1", `f:1: unbalanced quotes`, ErrSyntax},
		{"rename-command a b", `f:1: 'rename-command' is not supported: take commands away from users with ACL rules`, ErrUnsupported},
		{"loadmodule x", `f:1: 'loadmodule' is not supported: there are no modules`, ErrUnsupported},
		{"user", `f:1: 'user' takes a name and rules`, ErrInvalidValue},
		{"include", `f:1: 'include' takes one file name or pattern`, ErrInvalidValue},
		{"include /no/such/file", `f:1: include: open /no/such/file: no such file or directory`, fs.ErrNotExist},
		{"include [", `f:1: include "[": syntax error in pattern`, ErrSyntax},
		{"port " + strings.Repeat("1", lineBytesMax), fmt.Sprintf("f:1: the line is longer than %d bytes", lineBytesMax), ErrLimit},
	}
	for _, c := range cases {
		cfg := New()
		_, err := cfg.ParseReader("f", strings.NewReader(c.conf))
		if err == nil || err.Error() != c.want || !errors.Is(err, c.kind) {
			t.Errorf("%.40q:\n got %v\nwant %s", c.conf, err, c.want)
		}
	}
}

func TestParseLimitsFileSize(t *testing.T) {
	in := strings.NewReader(strings.Repeat("#\n", fileBytesMax/2+1))
	if _, err := New().ParseReader("f", in); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	in = strings.NewReader(strings.Repeat("#\n", fileBytesMax/2))
	if _, err := New().ParseReader("f", in); err != nil {
		t.Error(err)
	}
}

func TestFailedParseChangesNothing(t *testing.T) {
	c := New()
	if _, err := c.ParseReader("f", strings.NewReader("maxclients 5\nuser a on\nport x")); err == nil {
		t.Fatal("no error")
	}
	if c.Int("maxclients") != 10000 || len(c.Users()) != 0 {
		t.Error("half of the file was taken")
	}
}

func TestRepeatedDirectives(t *testing.T) {
	c := load(t, "maxclients 5\nMaxClients 6\nsave 900 1\nsave 300 10 60 5\n"+
		"client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit \"slave 4 5 6\"\n")
	if c.Int("maxclients") != 6 || c.String("save") != "900 1 300 10 60 5" {
		t.Error(c.Int("maxclients"), c.String("save"))
	}
	if got := c.String("client-output-buffer-limit"); got != "normal 1 2 3 slave 4 5 6 pubsub 33554432 8388608 60" {
		t.Error(got)
	}
	if got := load(t, "save 900 1\nsave \"\"\nsave 1 1").String("save"); got != "1 1" {
		t.Error(got)
	}
	if got := load(t, "replicaof a 1\nslaveof no one").String("replicaof"); got != "" {
		t.Error(got)
	}
}

func TestRespAddrStandsForBindAndPort(t *testing.T) {
	for conf, want := range map[string]string{
		"resp-addr 10.0.0.1:7000":             "10.0.0.1 7000",
		"resp-addr [::1]:7000":                "::1 7000",
		"resp-addr :7000":                     "* 7000",
		"resp-addr 1.1.1.1:7000\nport 7001":   "1.1.1.1 7001",
		"bind a b\nport 1\nresp-addr c:00007": "c 7",
	} {
		c := load(t, conf)
		if got := c.String("bind") + " " + c.String("port"); got != want {
			t.Errorf("%q: %s", conf, got)
		}
	}
}

func TestWarnings(t *testing.T) {
	c := New()
	warnings, err := c.ParseReader("f", strings.NewReader("port 1\nrdbcompression no\nslave-read-only yes\n"))
	if err != nil || len(warnings) != 2 {
		t.Fatal(warnings, err)
	}
	if got := warnings[0].String(); got != "f:2: 'rdbcompression' has no effect here: snapshots are Raft's" {
		t.Error(got)
	}
	if got := warnings[1].String(); got != "f:3: 'slave-read-only' has no effect here: it is always so here" {
		t.Error(got)
	}
}

func TestUsers(t *testing.T) {
	c := load(t, "port 1\nuser anna on >pw ~*\nuser default off")
	users := c.Users()
	if len(users) != 2 || users[0].Line != 2 || strings.Join(users[0].Args, " ") != "anna on >pw ~*" {
		t.Errorf("%v", users)
	}
}

func TestIncludes(t *testing.T) {
	dir := t.TempDir()
	write := func(name, conf string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(conf, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("a.inc", "maxclients 1\ntimeout 1")
	write("b.inc", "maxclients 2\nrdbcompression no")
	main := write("main.conf", "include DIR/*.inc\ninclude DIR/*.none\ntimeout 9\n")
	c := New()
	warnings, err := c.ParseFile(main)
	if err != nil || c.Int("maxclients") != 2 || c.Int("timeout") != 9 || c.File() != main {
		t.Fatal(err, c.Int("maxclients"), c.Int("timeout"), c.File())
	}
	if len(warnings) != 1 || warnings[0].File != filepath.Join(dir, "b.inc") || warnings[0].Line != 2 {
		t.Errorf("%v", warnings)
	}

	write("b.inc", "\nport x")
	if _, err := New().ParseFile(main); err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, "b.inc")+":2: 'port'") {
		t.Error(err)
	}
	loop := write("loop.conf", "include DIR/loop.conf")
	if _, err := New().ParseFile(loop); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	wide := write("wide.conf", strings.Repeat("include DIR/a.inc\n", includeFilesMax+1))
	if _, err := New().ParseFile(wide); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	if _, err := New().ParseFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func parseFlags(t *testing.T, args ...string) (*pflag.FlagSet, error) {
	t.Helper()
	fs := pflag.NewFlagSet("server", pflag.ContinueOnError)
	BindFlags(fs)
	return fs, fs.Parse(args)
}

func TestFlagsWinOverTheFile(t *testing.T) {
	fs, err := parseFlags(t, "--maxclients", "7", "--data-dir=/d", "--bootstrap", "--resp-addr", "127.0.0.1:7001",
		"--join", "a:1", "--join", "b:2,c:3", "--protected-mode", "no", "--slaveof", "h 1", "--rdbcompression=false",
		"--client-output-buffer-limit", "normal 1 2 3", "--client-output-buffer-limit", "pubsub 4 5 6")
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, "maxclients 5\nport 1\njoin z:9\ntimeout 4")
	warnings, err := c.ApplyFlags(fs)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"maxclients": "7", "dir": "/d", "bootstrap": "yes", "port": "7001", "bind": "127.0.0.1", "join": "a:1 b:2 c:3",
		"protected-mode": "no", "replicaof": "h 1", "timeout": "4",
		"client-output-buffer-limit": "normal 1 2 3 slave 268435456 67108864 60 pubsub 4 5 6",
	} {
		if got := c.String(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if len(warnings) != 1 || warnings[0].String() != "--rdbcompression has no effect here: snapshots are Raft's" {
		t.Errorf("%v", warnings)
	}
}

func TestFlagErrors(t *testing.T) {
	for arg, want := range map[string]string{
		"--maxclients=abc": `invalid argument "abc" for "--maxclients" flag: it takes an integer from 1 to 4294967295`,
		"--resp-addr=x":    `invalid argument "x" for "--resp-addr" flag: it takes host:port`,
		"--daemonize=yes":  `invalid argument "yes" for "--daemonize" flag: it takes no (a service manager runs the server in the background)`,
	} {
		if _, err := parseFlags(t, arg); err == nil || err.Error() != want {
			t.Errorf("%s: %v", arg, err)
		}
	}
	fs, _ := parseFlags(t, "--join", strings.Repeat("a:1,", joinAddrsMax), "--join", "b:1")
	if _, err := New().ApplyFlags(fs); !errors.Is(err, ErrInvalidValue) {
		t.Error(err)
	}
}

func TestFlagPortWinsOverRespAddr(t *testing.T) {
	fs, _ := parseFlags(t, "--port", "9", "--resp-addr", "h:8")
	c := New()
	if _, err := c.ApplyFlags(fs); err != nil || c.String("port") != "9" || c.String("bind") != "h" {
		t.Error(err, c.String("port"), c.String("bind"))
	}
}

func TestFlagHelpHidesOldNames(t *testing.T) {
	fs, _ := parseFlags(t)
	help := fs.FlagUsages()
	for _, flag := range []string{"--maxclients", "--data-dir", "--requirepass"} {
		if !strings.Contains(help, flag+" ") {
			t.Errorf("%s is not in the help text", flag)
		}
	}
	for _, flag := range []string{"--slaveof", "--rdbcompression", "--key-load-delay"} {
		if strings.Contains(help, flag) {
			t.Errorf("%s is in the help text", flag)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"port 1\nsave 1 2\n", "client-output-buffer-limit normal 1kb 2 3", "requirepass \"\\x00a\"", "notify-keyspace-events KEA",
		"maxmemory-clients 5%\nunixsocketperm 7", "join a:1,b:2", "latency-tracking-info-percentiles 1e1 nan", "resp-addr :1",
		"shutdown-on-sigint now save", "oom-score-adj-values 1 2 3", "bind \"a b\" c",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(strings.ToLower(string(data)), "include") || strings.Contains(string(data), "\\") {
			return // no file but the input
		}
		c := New()
		if _, err := c.ParseReader("fuzz", strings.NewReader(string(data))); err != nil {
			return
		}
		// What was accepted can be written to an empty file and is read back as the same.
		if _, err := rewritten("fuzz", nil, c.values()); err != nil {
			t.Fatal(err)
		}
		if _, err := rewritten("fuzz", data, c.values()); err != nil {
			t.Fatal(err)
		}
	})
}
