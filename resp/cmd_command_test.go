package resp_test

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/resp/resptest"
)

func TestCommandNames(t *testing.T) {
	c := resptest.Start(t).Dial(t)
	table := resptest.Table()
	expect(t, c, fmt.Sprint(len(table.All())), "COMMAND", "COUNT")
	if n := len(elems(t, c, "COMMAND")); n != len(table.All()) {
		t.Errorf("COMMAND: %d", n)
	}
	if n := len(elems(t, c, "COMMAND", "INFO")); n != len(table.All()) {
		t.Errorf("COMMAND INFO: %d", n)
	}
	if n := len(elems(t, c, "COMMAND", "DOCS")); n != 2*len(table.All()) {
		t.Errorf("COMMAND DOCS: %d", n)
	}
	all := 0
	for _, s := range table.All() {
		all += 1 + len(s.Subcommands)
	}
	if n := len(elems(t, c, "COMMAND", "LIST")); n != all {
		t.Errorf("COMMAND LIST: %d of %d", n, all)
	}
	conn, err := c.Do("COMMAND", "LIST", "FILTERBY", "ACLCAT", "connection")
	if names := conn.Strings(); err != nil || !slices.Contains(names, "client|id") || slices.Contains(names, "get") {
		t.Errorf("%q %v", names, err)
	}
}

// Every command says what it is for.
func TestCommandDocs(t *testing.T) {
	c := resptest.Start(t).Dial(t)
	docs := elems(t, c, "COMMAND", "DOCS")
	var check func(e []respclient.Value)
	check = func(e []respclient.Value) {
		for i := 0; i < len(e); i += 2 {
			d := map[string]respclient.Value{}
			for j := 0; j < len(e[i+1].Elems); j += 2 {
				d[e[i+1].Elems[j].Str] = e[i+1].Elems[j+1]
			}
			for _, field := range []string{"summary", "since", "group"} {
				if d[field].Str == "" {
					t.Errorf("%s has no %s", e[i].Str, field)
				}
			}
			check(d["subcommands"].Elems)
		}
	}
	check(docs)
}

// startRedis runs redis-server for comparison and returns its address.
func startRedis(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("no redis-server to compare with")
	}
	if v, err := exec.Command(path, "--version").Output(); err != nil || !strings.Contains(string(v), "v=7.0.") {
		t.Skipf("redis-server 7.0 is needed to compare with: %s %v", v, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	ready := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer ready.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			return addr
		}
	}
	t.Fatal("redis-server did not start")
	return ""
}

// Elements of COMMAND INFO that differ on purpose: the arity of commands that have got an option since 7.0 (WITHSCORE), and,
// the last one, which subcommands there are.
const (
	arityAt       = 1
	subcommandsAt = 9
)

var newerArity = map[string]bool{"zrank": true, "zrevrank": true}

// TestCommandInfoLikeRedis compares the description of every command that both have.
func TestCommandInfoLikeRedis(t *testing.T) {
	redis, err := respclient.Dial(startRedis(t))
	if err != nil {
		t.Fatal(err)
	}
	defer redis.Close()
	ours := resptest.Start(t).Dial(t)
	for _, c := range []*respclient.Conn{redis, ours} {
		elems(t, c, "HELLO", "3")
	}
	for _, s := range resptest.Table().All() {
		for _, spec := range append([]*command.Spec{s}, s.Subcommands...) {
			want := elems(t, redis, "COMMAND", "INFO", spec.Name)[0]
			got := elems(t, ours, "COMMAND", "INFO", spec.Name)[0]
			if want.IsNull() {
				continue // ours alone, or of a later Redis
			}
			for i := range want.Elems[:subcommandsAt] {
				if a, b := describe(want.Elems[i]), describe(got.Elems[i]); a != b && !(i == arityAt && newerArity[spec.Name]) {
					t.Errorf("%s, element %d: %s, in Redis %s", spec.Name, i, b, a)
				}
			}
		}
	}
}

// describe prints a value without the notes of key specifications.
func describe(v respclient.Value) string {
	if v.Kind == respclient.Map && len(v.Elems) > 0 && v.Elems[0].Str == "notes" {
		v.Elems = v.Elems[2:]
	}
	if v.Elems == nil {
		return fmt.Sprintf("%c%s", v.Kind, v.Text())
	}
	parts := make([]string, len(v.Elems))
	for i, e := range v.Elems {
		parts[i] = describe(e)
	}
	return fmt.Sprintf("%c%q", v.Kind, parts)
}

// keyLines are calls whose keys both servers find, or do not. A line is left out where there is no such command yet.
var keyLines = `get a
set a b
set a b get
mset a b c d
mset a b c
del a b c
rename a b
copy a b
lcs a b idx
object encoding a
memory usage a
eval s 1 a
eval s 0
eval s 5 a
fcall f 2 a b
sort a
sort a by x store b
sort a store b store c
sort_ro a by x
zunionstore d 2 a b
zunionstore d 3 a
zinter 2 a b
zmpop 2 a b min
lmpop 1 a left
blmpop 0 2 a b left
bzmpop 0 1 a min
xread streams a b 0 0
xread count 1 block 0 streams a 0
xreadgroup group g c streams a 1
xgroup create a g 0
xinfo stream a
georadius k 1 1 1 m
georadius k 1 1 1 m store b
georadius k 1 1 1 m storedist b
georadiusbymember k m 1 m store b
bitop and d a b
bitfield a get u8 0
bitfield a set u8 0 1
migrate h 1 a 0 10
pfcount a b
pfmerge a b c
blpop a b 0
brpoplpush a b 0
spop a
sintercard 2 a b
smove a b c
restore a 0 x
dump a
touch a b
ping
spublish a b
publish a b
subscribe a
exists a b
watch a b`

func TestGetKeysLikeRedis(t *testing.T) {
	redis, err := respclient.Dial(startRedis(t))
	if err != nil {
		t.Fatal(err)
	}
	defer redis.Close()
	ours := resptest.Start(t).Dial(t)
	for _, line := range strings.Split(keyLines, "\n") {
		words := strings.Fields(line)
		if resptest.Table().Get(words[0]) == nil {
			continue
		}
		for _, sub := range []string{"GETKEYS", "GETKEYSANDFLAGS"} {
			call := append([]string{"COMMAND", sub}, words...)
			want, err := redis.Do(call...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ours.Do(call...)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := describe(want), describe(got); a != b {
				t.Errorf("%q: %s, in Redis %s", call, b, a)
			}
		}
	}
}
