package fsm

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/lua"
	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/internal/script"
)

func (r *replicas) must(t testing.TB, args ...string) respclient.Value {
	t.Helper()
	v, err := r.do(0, 2, args)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// randomScript writes, reads and computes: with chance, in the order of tables, and stopping in the middle.
func randomScript(rng *rand.Rand) string {
	pieces := []string{
		`redis.call("set", k(), math.random())`,
		`redis.call("rpush", k() .. "l", n(), tostring({}))`,
		`local t = {} for i = 1, 20 do t["f" .. n()] = i end for f, v in pairs(t) do redis.call("hset", k() .. "h", f, v) end`,
		`redis.call("hset", k() .. "h", "json", cjson.encode({a = {n()}, b = redis.call("get", k())}))`,
		`redis.call("zadd", k() .. "z", n() / 3, cmsgpack.pack({n()}))`,
		`redis.call("sadd", k() .. "s", n(), n(), n())`,
		`redis.call("spop", k() .. "s", 2)`,
		`redis.call("set", k(), redis.call("time")[1])`,
		`redis.call("expire", k(), 1 + n())`,
		`redis.call("del", k())`,
		`redis.pcall("incr", k() .. "h")`,
		`redis.call("set", k() .. "big", ("x"):rep(1000 * n()))`,
		`local t = {} for i = 1, 50 do t[i] = n() end table.sort(t, function(a, b) return a % 7 < b % 7 end) redis.call("set", k(), table.concat(t, ","))`,
		`if n() == 3 then error("stopped") end`,
		`if n() == 4 then redis.call("incr", k() .. "h") end`,
		`redis.call("select", n() % 3)`,
	}
	var b strings.Builder
	b.WriteString(`local function n() return math.random(10) end local function k() return "k" .. n() end` + "\n")
	for range 1 + rng.IntN(8) {
		b.WriteString("do " + pieces[rng.IntN(len(pieces))] + " end\n")
	}
	b.WriteString(`return {n(), redis.call("get", k()), redis.call("lrange", k() .. "l", 0, 3)}`)
	return b.String()
}

// TestScriptsAreTheSameEverywhere: random scripts leave the same state and reply the same on a machine that replays, one that
// copies for snapshots, and one that is restored again and again.
func TestScriptsAreTheSameEverywhere(t *testing.T) {
	for seed := range uint64(15) {
		rng := rand.New(rand.NewPCG(seed, 2))
		r := newReplicas(t)
		for range 25 {
			r.must(t, "EVAL", randomScript(rng), "0")
			r.now += rng.Int64N(4000)
		}
		if err := r.agree(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestScriptsThatReachALimit are stopped at the same place on all replicas, with what they have written until then.
func TestScriptsThatReachALimit(t *testing.T) {
	defer func(l lua.Limits) { scriptLimits = l }(scriptLimits)
	scriptLimits = lua.Limits{Steps: 10_000_000, Bytes: 64 << 20, StringBytes: 16 << 20}
	r := newReplicas(t)
	for i := range 1000 {
		r.must(t, "SADD", "set", fmt.Sprint(i))
		r.must(t, "RPUSH", "list", strings.Repeat("x", 1000))
	}
	for _, c := range []struct{ src, want string }{
		{`redis.call("set", "a", 1) while true do end`, errScriptSteps},
		{`while true do redis.call("incr", "b") end`, errScriptSteps},
		{`local t = {} while true do t[#t + 1] = redis.call("lrange", "list", 0, -1) end`, errScriptBytes},
		{`local t = {1} for i = 1, 40 do t = {t, t} end return t`, errScriptBytes},
		{`local s = ("x"):rep(1e7) local t = {} for i = 1, 1000 do t[i] = s end return t`, errScriptBytes},
		{`while true do pcall(redis.call, "nosuch") end`, "ERR Script stopped"},
	} {
		if v := r.must(t, "EVAL", c.src, "0"); v.Kind != respclient.Error || !strings.HasPrefix(v.Str, c.want) {
			t.Errorf("%s: %.200v", c.src, v)
		}
	}
	stopInTheMiddle(t, r)
	if v := r.must(t, "GET", "a"); v.Str != "1" {
		t.Errorf("what was written before the limit is gone: %v", v)
	}
	if err := r.agree(); err != nil {
		t.Error(err)
	}
}

// stopInTheMiddle has the memory end while a command replies: it is carried out all the same, on all replicas.
func stopInTheMiddle(t *testing.T, r *replicas) {
	const fill = `local a, b, c, d = ("x"):rep(15e6), ("x"):rep(15e6), ("x"):rep(15e6), ("x"):rep(15e6) local e = ("x"):rep(tonumber(ARGV[1])) `
	least, most := 1<<20, 16<<20 // what fits is between them
	for most-least > 1 {
		mid := (least + most) / 2
		if v := viewed(r.m[0], "EVAL_RO", fill, "0", fmt.Sprint(mid)); v.Kind == respclient.Error {
			most = mid
		} else {
			least = mid
		}
	}
	const half = 20_000 // bytes, of what 1000 members take
	v := r.must(t, "EVAL", fill+`return redis.call("spop", "set", 1000)`, "0", fmt.Sprint(least-half))
	if !strings.HasPrefix(v.Str, errScriptBytes) {
		t.Errorf("%.200v", v)
	}
	if v := r.must(t, "EXISTS", "set"); v.Int != 0 {
		t.Error("a command was left in the middle")
	}
}

// TestAReplyOfItselfEnds: a table that stands in itself is cut off, as in Redis.
func TestAReplyOfItselfEnds(t *testing.T) {
	v := newReplicas(t).must(t, "EVAL", `local t = {} t[1] = t return t`, "0")
	depth := 0
	for ; v.Kind == respclient.Array && len(v.Elems) == 1; depth++ {
		v = v.Elems[0]
	}
	if depth != replyDepthMax || v.Str != "ERR reached lua stack limit" {
		t.Errorf("%v at depth %d", v, depth)
	}
}

func TestScriptCacheIsBounded(t *testing.T) {
	var s scriptCache
	for i := range scriptsMax {
		if !s.add(fmt.Sprint(i), "x") {
			t.Fatalf("no room for the %dth", i)
		}
	}
	if s.add("more", "x") || !s.add("7", "x") {
		t.Error("the number of scripts is not bounded, or a known one is refused")
	}
	s = scriptCache{}
	big := strings.Repeat("x", scriptCacheBytesMax)
	if !s.add("a", big) || s.add("b", "x") {
		t.Error("the bytes of scripts are not bounded")
	}
}

// TestAFullCache: SCRIPT LOAD says so, EVAL runs all the same.
func TestAFullCache(t *testing.T) {
	r := newReplicas(t)
	for _, m := range r.m {
		m.scripts.bytes = scriptCacheBytesMax
	}
	r.rarely = true // no restore in between, which would count anew
	if v := r.must(t, "SCRIPT", "LOAD", "return 1"); v.Str != errScriptCacheIsFull {
		t.Error(v)
	}
	if v := r.must(t, "EVAL", "return 1", "0"); v.Int != 1 {
		t.Error(v)
	}
	if v := r.must(t, "EVALSHA", sha1hex("return 1"), "0"); v.Str != errNoScript {
		t.Error(v)
	}
	if r.must(t, "SCRIPT", "FLUSH"); r.must(t, "SCRIPT", "LOAD", "return 1").Str != sha1hex("return 1") {
		t.Error("SCRIPT FLUSH makes no room")
	}
}

// viewed runs a call in a View.
func viewed(m *Machine, args ...string) respclient.Value {
	c := command.Call{}
	for _, a := range args {
		c.Args = append(c.Args, []byte(a))
	}
	c.Spec = testTable().Lookup(c.Args)
	rec := &script.Recorder{}
	m.View([]command.Call{c}, command.ReadOptions{Clock: testTime}, rec)
	vs, _ := rec.Take()
	return vs[0]
}

// TestScriptsInAView: what a follower answers. Reads run, writes are refused, and nothing is remembered for the log.
func TestScriptsInAView(t *testing.T) {
	r := newReplicas(t)
	r.must(t, "SET", "k", "v")
	r.must(t, "SCRIPT", "LOAD", `return redis.call("get", KEYS[1])`)
	r.must(t, "FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('w', function() return 1 end)\n"+
		"redis.register_function{function_name='r', callback=function(k) return redis.call('get', k[1]) end, flags={'no-writes'}}")
	m, before := r.m[0], r.m[0].Digest()
	for _, c := range []struct {
		want string
		args []string
	}{
		{"v", []string{"EVAL", `return redis.call("get", "k")`, "0"}},
		{"v", []string{"EVALSHA", sha1hex(`return redis.call("get", KEYS[1])`), "1", "k"}},
		{"v", []string{"FCALL", "r", "1", "k"}},
		{"v", []string{"FCALL_RO", "r", "1", "k"}},
		{command.ErrReadOnly, []string{"FCALL", "w", "0"}},
		{command.ErrReadOnly + " script: ", []string{"EVAL", `return redis.call("set", "k", 1)`, "0"}},
		{errCallReadOnly + " script: ", []string{"EVAL_RO", `return redis.call("set", "k", 1)`, "0"}},
		{command.ErrReadOnly, []string{"EVAL", "#!lua\nreturn 1", "0"}},
		{"seen", []string{"EVAL_RO", `return "seen"`, "0"}},
		{"seen", []string{"EVALSHA_RO", sha1hex(`return "seen"`), "0"}}, // this node has compiled it
		{command.ErrReadOnly, []string{"SCRIPT", "LOAD", "return 1"}},
		{command.ErrReadOnly, []string{"SCRIPT", "FLUSH"}},
	} {
		if v := viewed(m, c.args...); !strings.HasPrefix(v.Str, c.want) {
			t.Errorf("%q: %v, want %s", c.args, v, c.want)
		}
	}
	if m.Digest() != before {
		t.Error("a View changed the state")
	}
	if v := r.must(t, "EVALSHA", sha1hex(`return "seen"`), "0"); v.Str != errNoScript {
		t.Errorf("the log finds a script that only this node has seen: %v", v)
	}
}

// TestViewsRunScriptsBesideEachOther: the race detector watches.
func TestViewsRunScriptsBesideEachOther(t *testing.T) {
	r := newReplicas(t)
	r.must(t, "SET", "k", "v")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 50 {
				src := fmt.Sprintf(`local t = {tostring({}), tostring(pairs), %d} return redis.call("get", "k") .. cjson.encode(t):sub(1, 0)`, (i+j)%20)
				if v := viewed(r.m[0], "EVAL_RO", src, "0"); v.Str != "v" {
					t.Errorf("%v", v)
				}
			}
		})
	}
	wg.Wait()
}

// TestSnapshotsCarryScripts: what was loaded is there after a restore, and each is found when it is damaged.
func TestSnapshotsCarryScripts(t *testing.T) {
	r := newReplicas(t)
	r.must(t, "SCRIPT", "LOAD", "return 1")
	r.must(t, "EVAL", "return 2", "0")
	r.must(t, "FUNCTION", "LOAD", "#!lua name=l\nredis.register_function{function_name='f', callback=function() return 3 end, flags={'no-writes'}, description='d'}")
	data := written(t, r.m[0])
	m := New()
	if err := m.Restore(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if m.Digest() != r.m[0].Digest() || !bytes.Equal(written(t, m), data) {
		t.Error("the restored machine is another")
	}
	for _, c := range []struct {
		want int64
		args []string
	}{
		{1, []string{"EVALSHA_RO", sha1hex("return 1"), "0"}}, {2, []string{"EVALSHA_RO", sha1hex("return 2"), "0"}},
		{3, []string{"FCALL_RO", "F", "0"}},
	} {
		if v := viewed(m, c.args...); v.Int != c.want {
			t.Errorf("%q: %v", c.args, v)
		}
	}
	d := loader{}
	for _, bad := range [][]byte{{0}, {5, 'a'}, append(appendString(nil, "a"), appendString(nil, "a")...)} {
		d.s = newState()
		if err := d.functions(bad); err == nil {
			t.Errorf("% x is a record of functions", bad)
		}
		if err := d.scripts(bad); err == nil && len(bad) < 3 && bad[0] != 0 {
			t.Errorf("% x is a record of scripts", bad)
		}
	}
}

// TestFunctionRestoreRefuses: no dump, however malformed, does anything or panics.
func TestFunctionRestoreRefuses(t *testing.T) {
	r := newReplicas(t)
	r.must(t, "FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return 1 end)")
	dump := r.must(t, "FUNCTION", "DUMP").Str
	for i := range dump {
		bad := []byte(dump)
		bad[i] ^= 0x41
		if v := r.must(t, "FUNCTION", "RESTORE", string(bad), "REPLACE"); v.Kind != respclient.Error {
			t.Errorf("byte %d flipped: %v", i, v)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 500 { // lengths and LZF, with sums that hold
		body := []byte{opcodeFunction}
		for range 1 + rng.IntN(30) {
			body = append(body, byte(rng.Uint32()))
		}
		d := dumpReader{rest: body[1:]}
		_ = d.string()
	}
}

// TestScriptsOfTheLogAreNotToldOfOneNode: how long a key has been unused differs from node to node, and a script may write what
// it is told.
func TestScriptsOfTheLogAreNotToldOfOneNode(t *testing.T) {
	r := newReplicas(t)
	r.must(t, "SET", "k", "v")
	r.now += 100_000
	r.must(t, "SET", "other", "v")
	viewed(r.m[1], "GET", "k")
	const ask = `return redis.call("object", "idletime", "k")`
	if a, b := viewed(r.m[0], "EVAL_RO", ask, "0"), viewed(r.m[1], "EVAL_RO", ask, "0"); a.Int == b.Int {
		t.Fatalf("both replicas call the key unused for %v: this test shows nothing", a)
	}
	r.must(t, "EVAL", `redis.call("set", "told", redis.call("object", "idletime", "k"))`, "0")
	if err := r.agree(); err != nil {
		t.Error(err)
	}
}
