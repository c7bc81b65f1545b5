package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/internal/script"
)

// TestCommandTable compares the state machine's command table with COMMAND INFO and COMMAND DOCS of real Redis.
func TestCommandTable(t *testing.T) {
	addr := startRedis(t)
	version := versionOf(t, addr)
	c, err := respclient.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tab := command.NewTable()
	fsm.Commands(tab)
	for _, s := range tab.All() {
		for _, spec := range append([]*command.Spec{s}, s.Subcommands...) {
			t.Run(spec.Name, func(t *testing.T) {
				if script.Newer(spec.Since, version) {
					t.Skipf("of Redis %s, the server is %s", spec.Since, version)
				}
				compareSpec(t, c, spec)
			})
		}
	}
}

// newerArity is that of commands which have come to take more arguments after Redis 7.0.
var newerArity = map[string]int{"zrank": -3, "zrevrank": -3} // WITHSCORE, 7.2

func compareSpec(t *testing.T, c *respclient.Conn, s *command.Spec) {
	v, err := c.Do("COMMAND", "INFO", s.Name)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Elems) != 1 || len(v.Elems[0].Elems) != 10 {
		t.Fatalf("redis-server does not know it: %+v", v)
	}
	info := v.Elems[0].Elems
	if arity, ok := newerArity[s.Name]; ok {
		same(t, "arity", s.Arity, arity)
	} else {
		same(t, "arity", int64(s.Arity), info[1].Int)
	}
	same(t, "flags", s.Flags.Names(), info[2].Strings())
	first, last, step := s.KeyRange()
	same(t, "first key", int64(first), info[3].Int)
	same(t, "last key", int64(last), info[4].Int)
	same(t, "key step", int64(step), info[5].Int)
	same(t, "ACL categories", categories(s), sorted(info[6].Strings()))
	same(t, "tips", s.Tips, info[7].Strings())
	same(t, "key specifications", describeKeys(s), redisKeys(info[8]))

	v, err = c.Do("COMMAND", "DOCS", s.Name)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Elems) != 2 {
		t.Fatalf("COMMAND DOCS: %+v", v)
	}
	docs := pairs(v.Elems[1])
	same(t, "since", s.Since, docs["since"].Str)
	same(t, "group", s.Group, docs["group"].Str)
	same(t, "deprecated since", s.Deprecated, docs["deprecated_since"].Str)
	same(t, "replaced by another", s.ReplacedBy != "", docs["replaced_by"].Str != "") // in words of our own
}

func same[T any](t *testing.T, what string, ours, redis T) {
	t.Helper()
	if a, b := fmt.Sprint(ours), fmt.Sprint(redis); a != b {
		t.Errorf("%s: %s, in Redis %s", what, a, b)
	}
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

func pairs(v respclient.Value) map[string]respclient.Value {
	m := map[string]respclient.Value{}
	for i := 0; i+1 < len(v.Elems); i += 2 {
		m[v.Elems[i].Str] = v.Elems[i+1]
	}
	return m
}

func categories(s *command.Spec) []string {
	var out []string
	for _, name := range s.ACL().Names() {
		out = append(out, "@"+name)
	}
	return sorted(out)
}

func describeKeys(s *command.Spec) []string {
	var out []string
	for i := range s.Keys {
		k := &s.Keys[i]
		begin := fmt.Sprintf("index map[index:%d]", k.Index)
		find := fmt.Sprintf("range map[keystep:%d lastkey:%d limit:%d]", k.Step, k.Last, k.Limit)
		switch {
		case k.Unknown():
			begin = "unknown map[]"
		case k.Keyword != "":
			begin = fmt.Sprintf("keyword map[keyword:%s startfrom:%d]", k.Keyword, k.StartFrom)
		}
		switch {
		case k.Unknown():
			find = "unknown map[]"
		case k.KeyNum:
			find = fmt.Sprintf("keynum map[firstkey:%d keynumidx:%d keystep:%d]", k.FirstKey, k.KeyNumIndex, k.Step)
		}
		out = append(out, fmt.Sprintf("[%s] %s %s", strings.Join(k.Flags.Names(), " "), begin, find))
	}
	return out
}

func redisKeys(v respclient.Value) []string {
	var out []string
	for _, e := range v.Elems {
		k := pairs(e)
		out = append(out, fmt.Sprintf("[%s] %s %s", strings.Join(k["flags"].Strings(), " "),
			described(k["begin_search"]), described(k["find_keys"])))
	}
	return out
}

// described is one half of a key specification: its type, and its fields in the order of their names.
func described(v respclient.Value) string {
	half := pairs(v)
	fields := map[string]string{}
	for name, f := range pairs(half["spec"]) {
		if fields[name] = f.Str; f.Kind == respclient.Int {
			fields[name] = fmt.Sprint(f.Int)
		}
	}
	return fmt.Sprint(half["type"].Str, " ", fields)
}
