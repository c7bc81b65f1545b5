package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

// TestCommandTable compares the state machine's command table with COMMAND INFO and COMMAND DOCS of real Redis.
func TestCommandTable(t *testing.T) {
	c, err := respclient.Dial(startRedis(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tab := command.NewTable()
	fsm.Commands(tab)
	for _, s := range tab.All() {
		for _, spec := range append([]*command.Spec{s}, s.Subcommands...) {
			t.Run(spec.Name, func(t *testing.T) { compareSpec(t, c, spec) })
		}
	}
}

func compareSpec(t *testing.T, c *respclient.Conn, s *command.Spec) {
	v, err := c.Do("COMMAND", "INFO", s.Name)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Elems) != 1 || len(v.Elems[0].Elems) != 10 {
		t.Fatalf("redis-server does not know it: %+v", v)
	}
	info := v.Elems[0].Elems
	same(t, "arity", int64(s.Arity), info[1].Int)
	same(t, "flags", s.Flags.Names(), info[2].Strings())
	first, last, step := keyRange(s)
	same(t, "first key", first, info[3].Int)
	same(t, "last key", last, info[4].Int)
	same(t, "key step", step, info[5].Int)
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

// keyRange is the range of keys that COMMAND INFO prints: what the key specifications span.
func keyRange(s *command.Spec) (first, last, step int64) {
	for i, k := range s.Keys {
		if k.Keyword != "" || k.KeyNum {
			continue
		}
		end := int64(k.Last)
		if k.Last >= 0 {
			end += int64(k.Index)
		}
		if i == 0 {
			first, last, step = int64(k.Index), end, int64(k.Step)
			continue
		}
		last = max(last, end)
	}
	return first, last, step
}

// categories are the ACL categories as the facade prints them.
func categories(s *command.Spec) []string {
	var out []string
	for _, name := range s.ACL().Names() {
		out = append(out, "@"+name)
	}
	return sorted(out)
}

func describeKeys(s *command.Spec) []string {
	var out []string
	for _, k := range s.Keys {
		find := fmt.Sprintf("range %d %d %d", k.Last, k.Step, k.Limit)
		if k.KeyNum {
			find = fmt.Sprintf("keynum %d %d %d", k.KeyNumIndex, k.FirstKey, k.Step)
		}
		out = append(out, fmt.Sprintf("[%s] index %d %s", strings.Join(k.Flags.Names(), " "), k.Index, find))
	}
	return out
}

func redisKeys(v respclient.Value) []string {
	var out []string
	for _, e := range v.Elems {
		k := pairs(e)
		begin, find := pairs(k["begin_search"]), pairs(k["find_keys"])
		r := pairs(find["spec"])
		numbers := []int64{r["lastkey"].Int, r["keystep"].Int, r["limit"].Int}
		if find["type"].Str == "keynum" {
			numbers = []int64{r["keynumidx"].Int, r["firstkey"].Int, r["keystep"].Int}
		}
		out = append(out, fmt.Sprintf("[%s] %s %d %s %d %d %d",
			strings.Join(k["flags"].Strings(), " "), begin["type"].Str, pairs(begin["spec"])["index"].Int,
			find["type"].Str, numbers[0], numbers[1], numbers[2]))
	}
	return out
}
