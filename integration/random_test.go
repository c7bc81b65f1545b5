package integration

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/internal/script"
)

var seedFlag = flag.Uint64("seed", 0, "run the random commands of this seed only")

const (
	randomSeeds      = 20
	randomSeedsShort = 2
	randomCommands   = 2000 // a seed
)

// TestRandomCommandsRedisAlone is the check of the test itself: two of the same must not differ.
func TestRandomCommandsRedisAlone(t *testing.T) {
	t.Parallel()
	testRandomCommands(t, startRedis(t), startRedis(t))
}

// TestRandomCommands runs the same random commands on real Redis and on a server of ours.
func TestRandomCommands(t *testing.T) {
	t.Parallel()
	testRandomCommands(t, startRedis(t), startRedoubt(t))
}

func testRandomCommands(t *testing.T, oracle, under string) {
	seeds := uint64(randomSeeds)
	if testing.Short() {
		seeds = randomSeedsShort
	}
	first := uint64(1)
	if *seedFlag != 0 {
		first, seeds = *seedFlag, *seedFlag
	}
	for seed := first; seed <= seeds; seed++ {
		if diff := runRandomCommands(t, oracle, under, seed); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

// runRandomCommands sends one sequence of random commands to two servers and describes the first difference; "" if
// there is none. At the end it compares all keys.
func runRandomCommands(t *testing.T, oracle, under string, seed uint64) string {
	t.Helper()
	a, b := dial(t, oracle), dial(t, under)
	defer a.Close()
	defer b.Close()
	g := &generator{rng: rand.New(rand.NewPCG(seed, 2))}
	send := func(args ...string) string {
		va, err := a.Do(args...)
		if err != nil {
			t.Fatal(err)
		}
		vb, err := b.Do(args...)
		if err != nil {
			t.Fatal(err)
		}
		if x, y := printed(args[0], va), printed(args[0], vb); x != y && !near(args[0], va, vb) {
			return fmt.Sprintf("%.300q: redis %.600s, ours %.600s", args, x, y)
		}
		return ""
	}
	if diff := send("FLUSHALL"); diff != "" {
		return diff
	}
	for n := range randomCommands {
		if diff := send(g.next()...); diff != "" {
			return fmt.Sprintf("command %d %s", n, diff)
		}
	}
	for db := range randomDBs {
		for _, args := range g.finalState(db) {
			if diff := send(args...); diff != "" {
				return fmt.Sprintf("at the end, database %d: %s", db, diff)
			}
		}
	}
	return ""
}

func dial(t *testing.T, addr string) *respclient.Conn {
	t.Helper()
	c, err := respclient.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// generator makes random commands over few keys and arguments at the edges. Deadlines are far away or long gone, so
// that two servers whose clocks are milliseconds apart agree.
type generator struct{ rng *rand.Rand }

const randomDBs = 3

var (
	randomKeys = []string{"a", "b", "c", "key:1", "key:2", "\x00\xff"}
	// Each line is a command; K is a key, V a value, N an integer, F a number, D a database, T a time to live, S and M
	// deadlines in seconds and milliseconds, P a pattern, O an option of SET, E one of EXPIRE, G one of GETEX.
	randomForms = strings.Split(strings.TrimSpace(`
GET K
SET K V
SET K V O
SET K V O O
SET K N
SET K F
SETNX K V
SETEX K T V
PSETEX K T V
GETSET K V
GETDEL K
GETEX K
GETEX K G
GETEX K G G
MGET K K K
MSET K V K V
MSET K V K
MSETNX K V K V
APPEND K V
STRLEN K
GETRANGE K N N
SUBSTR K N N
SETRANGE K R V
INCR K
DECR K
INCRBY K N
DECRBY K N
INCRBYFLOAT K F
LCS K K
LCS K K LEN
LCS K K IDX
LCS K K IDX WITHMATCHLEN MINMATCHLEN N
DEL K
UNLINK K K
EXISTS K K K
TOUCH K K
TYPE K
RENAME K K
RENAMENX K K
COPY K K
COPY K K REPLACE
COPY K K DB D
COPY K K DB D REPLACE
MOVE K D
SELECT D
SWAPDB D D
KEYS P
SCAN 0 COUNT 1000 MATCH P
OBJECT ENCODING K
EXPIRE K T
EXPIRE K T E
EXPIRE K T E E
PEXPIRE K T E
EXPIREAT K S E
PEXPIREAT K M E
TTL K
EXPIRETIME K
PEXPIRETIME K
PERSIST K
FLUSHDB
`), "\n")
	randomWords = map[string][]string{
		"V": {"", "x", "hello world", "12", "-7", "3.0", "\r\n", strings.Repeat("ab", 30), strings.Repeat("0123456789", 4000)},
		"N": {"0", "1", "-1", "2", "5", "-3", "100", "-100", "9223372036854775807", "-9223372036854775808",
			"9223372036854775808", "abc", "", "1.5", "007", "+1"},
		"R": {"0", "1", "3", "50", "30000", "-1", "536870912", "abc"},
		"F": {"0", "1", "0.1", "-2.5", "3.14159265358979", "1e3", "1e-7", "1e25", "-1e-17", "inf", "abc", "", "0x1p4",
			"123456789.987654321", "1e17"},
		"D": {"0", "1", "2", "0", "1", "2", "-1", "99", "x"},
		"T": {"0", "-1", "x", "9223372036854775807", "9223372036854775"},
		"S": {"33177117420", "33177117421", "1", "0", "-5", "x", "9223372036854775807"},
		"M": {"33177117420000", "33177117420600", "1", "0", "-5", "x", "9223372036854775807"},
		"P": {"*", "key:*", "[ab]", "?", "nosuch", "*[12]"},
		"O": {"NX", "XX", "GET", "KEEPTTL", "EX T", "PX T", "EXAT S", "PXAT M", "BOGUS", "EX"},
		"E": {"NX", "XX", "GT", "LT", "BOGUS"},
		"G": {"PERSIST", "EX T", "PX T", "EXAT S", "PXAT M", "BOGUS", "EX"},
	}
)

func (g *generator) pick(from []string) string { return from[g.rng.IntN(len(from))] }

// next makes a command. Flushing all is rare, so that something is there most of the time.
func (g *generator) next() []string {
	form := g.pick(randomForms)
	if form == "FLUSHDB" && g.rng.IntN(10) != 0 {
		form = "GET K"
	}
	return g.expand(strings.Fields(form))
}

func (g *generator) expand(words []string) []string {
	var out []string
	for _, w := range words {
		switch from, ok := randomWords[w]; {
		case w == "K":
			out = append(out, g.pick(randomKeys))
		case w == "T" && g.rng.IntN(4) != 0:
			// Steps of a second at least, so that GT and LT do not hang on a millisecond.
			out = append(out, fmt.Sprint(1000*(1000+g.rng.IntN(1_000_000))))
		case ok && (w == "O" || w == "G"):
			out = append(out, g.expand(strings.Fields(g.pick(from)))...)
		case ok:
			out = append(out, g.pick(from))
		default:
			out = append(out, w)
		}
	}
	return out
}

// near reports whether two times to live differ by no more than the servers' clocks and the test's own pace explain.
func near(name string, a, b respclient.Value) bool {
	const secondsMax = 5
	most := int64(secondsMax)
	switch name {
	case "TTL", "EXPIRETIME":
	case "PEXPIRETIME":
		most *= 1000
	default:
		return false
	}
	return a.Kind == respclient.Int && b.Kind == respclient.Int && a.Int > 0 && b.Int > 0 && max(a.Int-b.Int, b.Int-a.Int) <= most
}

// printed prints a reply so that equal states look equal: KEYS and SCAN list in any order.
func printed(name string, v respclient.Value) string {
	switch name {
	case "KEYS":
		v.Elems = script.Sorted(v.Elems)
	case "SCAN":
		if len(v.Elems) == 2 {
			v.Elems[1].Elems = script.Sorted(v.Elems[1].Elems)
		}
	}
	return script.Render(v)
}

// finalState asks for everything that a database holds. Redis counts keys that have expired until it happens on them:
// each is asked for before DBSIZE, which the random commands leave out for the same reason.
func (g *generator) finalState(db int) [][]string {
	out := [][]string{{"SELECT", fmt.Sprint(db)}, append([]string{"EXISTS"}, randomKeys...), {"DBSIZE"}, {"KEYS", "*"}}
	for _, k := range randomKeys {
		out = append(out, []string{"GET", k}, []string{"OBJECT", "ENCODING", k}, []string{"EXPIRETIME", k})
	}
	return out
}
