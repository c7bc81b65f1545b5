package resp_test

import (
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/resp/resptest"
)

const patience = 30 * time.Second

// text sends a command and returns its reply as text; an error reply has a minus in front.
func text(t *testing.T, c *respclient.Conn, args ...string) string {
	t.Helper()
	v, err := c.Do(args...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	if v.IsError() {
		return "-" + v.Str
	}
	return v.Text()
}

func expect(t *testing.T, c *respclient.Conn, want string, args ...string) {
	t.Helper()
	if got := text(t, c, args...); got != want {
		t.Errorf("%q: %q, want %q", args, got, want)
	}
}

// eventually asks until the answer is good.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// closed waits for the server to close the connection.
func closed(t *testing.T, c *respclient.Conn) {
	t.Helper()
	c.Timeout = patience
	if v, err := c.Receive(); err == nil {
		t.Fatalf("the connection is open: %+v", v)
	} else if !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("the connection is not closed: %v", err)
	}
}

// fields reads a line of CLIENT LIST.
func fields(line string) map[string]string {
	m := map[string]string{}
	for _, f := range strings.Fields(line) {
		k, v, _ := strings.Cut(f, "=")
		m[k] = v
	}
	return m
}

// Redis 7.0's fields in their order, then those of 7.2.
var infoLine = regexp.MustCompile(`^id=\d+ addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:\d+ fd=\d+ name=\S* age=\d+ idle=\d+ flags=\w+ db=\d+ ` +
	`sub=0 psub=0 ssub=0 multi=-?\d+ qbuf=\d+ qbuf-free=\d+ argv-mem=\d+ multi-mem=\d+ rbs=\d+ rbp=\d+ obl=\d+ oll=0 omem=0 ` +
	`tot-mem=\d+ events=[rw] cmd=\S+ user=default redir=-1 resp=[23] lib-name=\S* lib-ver=\S*\n$`)

func TestClientInfo(t *testing.T) {
	s := resptest.Start(t)
	c := s.Dial(t)
	text(t, c, "SELECT", "3")
	expect(t, c, "OK", "CLIENT", "SETNAME", "me")
	expect(t, c, "OK", "CLIENT", "SETINFO", "lib-name", "lib")
	expect(t, c, "OK", "CLIENT", "SETINFO", "LIB-VER", "1.2")
	expect(t, c, "-ERR lib-name cannot contain spaces, newlines or special characters.", "CLIENT", "SETINFO", "LIB-NAME", "a b")
	expect(t, c, "-ERR Unrecognized option 'foo'", "CLIENT", "SETINFO", "foo", "a")
	expect(t, c, "OK", "CLIENT", "NO-EVICT", "on")
	expect(t, c, "OK", "CLIENT", "NO-TOUCH", "ON")
	line := text(t, c, "CLIENT", "INFO")
	if !infoLine.MatchString(line) {
		t.Fatalf("%q", line)
	}
	f := fields(line)
	for k, want := range map[string]string{
		"name": "me", "db": "3", "lib-name": "lib", "lib-ver": "1.2", "flags": "eT", "cmd": "client|info",
		"qbuf": "26", "argv-mem": "10", "resp": "2", "multi": "-1", "id": text(t, c, "CLIENT", "ID"),
	} {
		if f[k] != want {
			t.Errorf("%s=%s, want %s", k, f[k], want)
		}
	}
	text(t, c, "MULTI")
	text(t, c, "SET", "k", strings.Repeat("v", 1000))
	o := s.Dial(t)
	f = fields(strings.Split(text(t, o, "CLIENT", "LIST"), "\n")[0])
	if mem, _ := strconv.Atoi(f["multi-mem"]); f["multi"] != "1" || f["flags"] != "xeT" || mem < 1000 || mem > 3000 {
		t.Errorf("a transaction: %v", f)
	}
	text(t, c, "RESET")
	if f = fields(text(t, c, "CLIENT", "INFO")); f["flags"] != "N" || f["name"] != "" || f["db"] != "0" {
		t.Errorf("after RESET: %v", f)
	}
}

func TestClientListFilters(t *testing.T) {
	s := resptest.Start(t)
	a, b := s.Dial(t), s.Dial(t)
	ida, idb := text(t, a, "CLIENT", "ID"), text(t, b, "CLIENT", "ID")
	if got := strings.Count(text(t, a, "CLIENT", "LIST"), "\n"); got != 2 {
		t.Errorf("%d lines", got)
	}
	list := text(t, a, "CLIENT", "LIST", "ID", idb, "12345", ida)
	if !strings.HasPrefix(list, "id="+idb+" ") || strings.Count(list, "\n") != 2 {
		t.Errorf("%q", list)
	}
	expect(t, a, "", "CLIENT", "LIST", "TYPE", "pubsub")
	if got := strings.Count(text(t, a, "CLIENT", "LIST", "TYPE", "NORMAL"), "\n"); got != 2 {
		t.Errorf("%d lines", got)
	}
}

func TestClientKill(t *testing.T) {
	s := resptest.Start(t)
	admin := s.Dial(t)
	for _, filter := range []string{"id", "addr", "laddr", "old", "maxage"} {
		victim := s.Dial(t)
		f := fields(text(t, victim, "CLIENT", "INFO"))
		switch filter {
		case "id":
			expect(t, admin, "1", "CLIENT", "KILL", "ID", f["id"])
		case "addr":
			expect(t, admin, "0", "CLIENT", "KILL", "ADDR", f["addr"], "TYPE", "pubsub")
			expect(t, admin, "1", "CLIENT", "KILL", "ADDR", f["addr"], "TYPE", "normal", "USER", "default")
		case "laddr":
			expect(t, admin, "1", "CLIENT", "KILL", "LADDR", f["laddr"], "SKIPME", "yes")
		case "old":
			expect(t, admin, "OK", "CLIENT", "KILL", f["addr"])
		case "maxage":
			expect(t, admin, "0", "CLIENT", "KILL", "MAXAGE", "1000000")
			expect(t, admin, "1", "CLIENT", "KILL", "ID", f["id"])
		}
		if list := text(t, admin, "CLIENT", "LIST", "ID", f["id"]); list != "" {
			t.Errorf("%s: still listed: %s", filter, list)
		}
		closed(t, victim)
	}
	other := s.Dial(t)
	text(t, other, "PING")
	expect(t, admin, "2", "CLIENT", "KILL", "SKIPME", "no")
	closed(t, admin) // after its reply
	closed(t, other)
}

// A client that never reads is cut off all the same, and what it sent after the kill is not executed.
func TestClientKillStuck(t *testing.T) {
	s := resptest.Start(t)
	admin, stuck := s.Dial(t), s.DialRaw(t)
	text(t, admin, "SET", "big", strings.Repeat("v", 1<<20))
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		cmd := respclient.AppendCommand(nil, "GET", "big")
		for {
			if _, err := stuck.Write(cmd); err != nil {
				return
			}
		}
	}()
	eventually(t, "replies pile up", func() bool {
		for _, line := range strings.Split(text(t, admin, "CLIENT", "LIST"), "\n") {
			if f := fields(line); f["events"] == "w" && f["obl"] != "0" {
				return true
			}
		}
		return false
	})
	expect(t, admin, "1", "CLIENT", "KILL", "TYPE", "normal")
	select {
	case <-flooded:
	case <-time.After(patience):
		t.Fatal("the connection is open")
	}
}

func TestClientReply(t *testing.T) {
	s := resptest.Start(t)
	c := s.Dial(t)
	for _, step := range []string{"client reply skip", "set k 1", "ping one", "client reply off", "ping two", "nosuch", "incr k",
		"client reply skip", "client reply on", "get k"} {
		if err := c.Send(strings.Fields(step)...); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"one", "OK", "2"} {
		v, err := c.Receive()
		if err != nil || v.Text() != want {
			t.Fatalf("%v %v, want %s", v, err, want)
		}
	}
}

func TestClientPause(t *testing.T) {
	s := resptest.Start(t)
	admin, c := s.Dial(t), s.Dial(t)
	expect(t, admin, "OK", "CLIENT", "PAUSE", "60000", "WRITE")
	expect(t, c, "", "GET", "k")
	if err := c.Send("SET", "k", "v"); err != nil {
		t.Fatal(err)
	}
	expect(t, admin, "OK", "CLIENT", "PAUSE", "60000", "ALL") // wider: the write waits on
	reader := s.Dial(t)
	if err := reader.Send("GET", "k"); err != nil {
		t.Fatal(err)
	}
	expect(t, admin, "OK", "CLIENT", "UNPAUSE")
	for _, r := range []*respclient.Conn{c, reader} {
		if v, err := r.Receive(); err != nil || v.IsError() {
			t.Fatalf("%v %v", v, err)
		}
	}
	// A pause that runs out by itself.
	expect(t, admin, "OK", "CLIENT", "PAUSE", "20")
	expect(t, c, "OK", "SET", "k", "w")
}

func TestClientUnblock(t *testing.T) {
	s := resptest.Start(t)
	admin, c := s.Dial(t), s.Dial(t)
	id := text(t, c, "CLIENT", "ID")
	text(t, c, "SET", "k", "v")
	for reason, want := range map[string]string{"TIMEOUT": "0", "ERROR": "UNBLOCKED client unblocked via CLIENT UNBLOCK"} {
		if err := c.Send("WAIT", "1", "0"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "WAIT is unblocked", func() bool { return text(t, admin, "CLIENT", "UNBLOCK", id, reason) == "1" })
		if v, err := c.Receive(); err != nil || v.Text() != want {
			t.Fatalf("%s: %v %v", reason, v, err)
		}
	}
	expect(t, admin, "0", "CLIENT", "UNBLOCK", id)
	// A kill ends a wait as well.
	if err := c.Send("WAIT", "1", "0"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "WAIT waits", func() bool { return strings.Contains(text(t, admin, "CLIENT", "LIST", "ID", id), "flags=b") })
	expect(t, admin, "1", "CLIENT", "KILL", "ID", id)
	eventually(t, "the connection ends", func() bool { _, err := c.Receive(); return err != nil })
}
