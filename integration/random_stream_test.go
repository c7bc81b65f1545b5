package integration

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/internal/script"
)

// TestRandomStreams runs the same random stream commands on real Redis and on a server of ours. A seed's commands go out in
// transactions, because each write of its own waits for the disk.
func TestRandomStreams(t *testing.T) {
	t.Parallel()
	oracle, under := startRedis(t), startRedoubt(t)
	seeds := uint64(streamSeeds)
	if testing.Short() {
		seeds = randomSeedsShort
	}
	first := uint64(1)
	if *seedFlag != 0 {
		first, seeds = *seedFlag, *seedFlag
	}
	for seed := first; seed <= seeds; seed++ {
		if diff := runRandomStreams(t, oracle, under, seed); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

const (
	streamSeeds   = 10
	streamBatches = 40 // a seed
	streamBatch   = 50 // commands
)

func runRandomStreams(t *testing.T, oracle, under string, seed uint64) string {
	t.Helper()
	a, b := dial(t, oracle), dial(t, under)
	defer a.Close()
	defer b.Close()
	g := &streamGenerator{rng: rand.New(rand.NewPCG(seed, 3))}
	for n := range streamBatches {
		batch := [][]string{{"FLUSHALL"}}
		if n > 0 {
			batch = nil
		}
		for range streamBatch {
			batch = append(batch, g.next())
		}
		batch = append(batch, g.state()...)
		if diff := sameTxn(t, a, b, batch); diff != "" {
			return fmt.Sprintf("batch %d %s", n, diff)
		}
	}
	return ""
}

// sameTxn runs commands in a transaction on both servers and describes the first difference; "" if there is none.
func sameTxn(t *testing.T, a, b *respclient.Conn, batch [][]string) string {
	t.Helper()
	x, y := runTxn(t, a, batch), runTxn(t, b, batch)
	for i, args := range batch {
		if p, q := streamReply(args, x[i]), streamReply(args, y[i]); p != q {
			return fmt.Sprintf("%.300q: redis %.1500s, ours %.1500s, after %.3000q", args, p, q, batch[max(0, i-20):i])
		}
	}
	return ""
}

// runTxn returns the replies to each command, those included that MULTI refused.
func runTxn(t *testing.T, c *respclient.Conn, batch [][]string) []respclient.Value {
	t.Helper()
	do := func(args ...string) respclient.Value {
		v, err := c.Do(args...)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	do("MULTI")
	for _, args := range batch {
		if v := do(args...); v.IsError() {
			t.Fatalf("%q: %s", args, v.Str)
		}
	}
	v := do("EXEC")
	if len(v.Elems) != len(batch) {
		t.Fatalf("%d replies to %d commands: %s", len(v.Elems), len(batch), script.Render(v))
	}
	return v.Elems
}

// streamReply prints a reply without what the time of day decides.
func streamReply(args []string, v respclient.Value) string {
	switch {
	case args[0] == "XPENDING" && len(args) > 3:
		for i := range v.Elems {
			if e := v.Elems[i].Elems; len(e) == 4 && e[2].Int < 1e12 { // what TIME 1 makes is idle for ever
				e[2].Int = 0
			} else if len(e) == 4 {
				e[2].Int = 1
			}
		}
	case args[0] == "XINFO":
		timeless(&v)
	}
	return script.Render(v)
}

// timeless takes times out of a reply of XINFO: what follows "idle", and what can be nothing but milliseconds since 1970.
func timeless(v *respclient.Value) {
	for i := range v.Elems {
		e := &v.Elems[i]
		if e.Int > 1e12 || i > 0 && (v.Elems[i-1].Str == "idle" || v.Elems[i-1].Str == "radix-tree-nodes") {
			e.Int = 0
		}
		timeless(e)
	}
}

// streamGenerator makes random stream commands over few keys, groups and consumers, with IDs in the order of which most can
// be added.
type streamGenerator struct {
	rng *rand.Rand
	ms  int // of the ID that was used last
}

// In each form K is a key, G a group, C a consumer, I an ID, J a next ID for XADD, E an edge of a range, N a small number,
// V fields and values.
var streamForms = strings.Split(strings.TrimSpace(`
XADD K J V
XADD K J V
XADD K J V
XADD K J V
XADD K MAXLEN N J V
XADD K MAXLEN ~ N J V
XADD K MINID ~ I J V
XADD K MINID I LIMIT N J V
XADD K MAXLEN ~ N LIMIT N J V
XADD K NOMKSTREAM J V
XADD K I V
XLEN K
XDEL K I
XDEL K I I I
XTRIM K MAXLEN N
XTRIM K MAXLEN ~ N
XTRIM K MINID I
XTRIM K MINID ~ I
XTRIM K MINID ~ I LIMIT N
XRANGE K E E
XRANGE K E E COUNT N
XREVRANGE K E E
XREVRANGE K E E COUNT N
XREAD STREAMS K I
XREAD COUNT N STREAMS K K I $
XGROUP CREATE K G I
XGROUP CREATE K G $ MKSTREAM
XGROUP CREATE K G I ENTRIESREAD N
XGROUP SETID K G I
XGROUP SETID K G I ENTRIESREAD N
XGROUP CREATECONSUMER K G C
XGROUP DELCONSUMER K G C
XGROUP DESTROY K G
XREADGROUP GROUP G C STREAMS K >
XREADGROUP GROUP G C COUNT N STREAMS K >
XREADGROUP GROUP G C COUNT N STREAMS K >
XREADGROUP GROUP G C COUNT N STREAMS K K > I
XREADGROUP GROUP G C NOACK COUNT N STREAMS K >
XREADGROUP GROUP G C STREAMS K I
XACK K G I
XACK K G I I I
XPENDING K G
XPENDING K G E E N
XPENDING K G IDLE 1000000000000 E E N C
XPENDING K G E E N C
XCLAIM K G C 0 I I
XCLAIM K G C 0 I I FORCE
XCLAIM K G C 0 I JUSTID TIME 1
XCLAIM K G C 0 I I I RETRYCOUNT N
XCLAIM K G C 1000000000000 I I FORCE LASTID I
XCLAIM K G C 0 I IDLE 5000000 FORCE
XAUTOCLAIM K G C 0 I COUNT N
XAUTOCLAIM K G C 1000000000000 I COUNT N
XAUTOCLAIM K G C 0 E JUSTID
XSETID K I
XSETID K J ENTRIESADDED N MAXDELETEDID I
COPY K K REPLACE
COPY K K REPLACE
RENAME K K
DEL K
`), "\n")

var streamWords = map[string][]string{
	"K": {"s", "s", "s", "t"}, "G": {"g", "g", "g", "h"}, "C": {"alice", "bob", "eve"},
	"E": {"-", "+", "I", "(I", "I"}, "N": {"0", "1", "2", "3", "5", "8", "20", "100", "-1"},
}

func (g *streamGenerator) next() []string {
	form := streamForms[g.rng.IntN(len(streamForms))]
	if (strings.HasPrefix(form, "DEL") || strings.HasPrefix(form, "RENAME")) && g.rng.IntN(8) > 0 {
		form = streamForms[0]
	}
	var out []string
	for _, w := range strings.Fields(form) {
		if w == "V" {
			out = append(out, g.fields()...)
			continue
		}
		out = append(out, g.word(w))
	}
	return out
}

func (g *streamGenerator) word(w string) string {
	if from := streamWords[w]; from != nil {
		return g.word(from[g.rng.IntN(len(from))])
	}
	switch w {
	case "J":
		if g.ms += g.rng.IntN(3); g.rng.IntN(2) == 0 {
			return strconv.Itoa(g.ms) + "-*"
		}
		return g.id(g.ms)
	case "I":
		return g.id(max(0, g.ms-g.rng.IntN(60)))
	case "(I":
		return "(" + g.word("I")
	}
	return w
}

func (g *streamGenerator) id(ms int) string {
	if g.rng.IntN(3) == 0 {
		return strconv.Itoa(ms)
	}
	return fmt.Sprint(ms, "-", g.rng.IntN(4))
}

// fields are mostly those of other entries too, with values that fill nodes at different speeds.
func (g *streamGenerator) fields() []string {
	names := [][]string{{"a"}, {"a", "b"}, {"a", "b"}, {"c", "", "7"}}[g.rng.IntN(4)]
	var out []string
	for _, n := range names {
		values := []string{"", "7", "-5", "4000", "-70000", "123456789012", strings.Repeat("x", g.rng.IntN(70)),
			strings.Repeat("y", 100+g.rng.IntN(400))}
		out = append(out, n, values[g.rng.IntN(len(values))])
	}
	return out
}

// state asks for everything about the streams.
func (g *streamGenerator) state() [][]string {
	var out [][]string
	for _, k := range []string{"s", "t"} {
		out = append(out, []string{"XINFO", "STREAM", k, "FULL", "COUNT", "0"}, []string{"XREVRANGE", k, "+", "-"})
		out = append(out, []string{"XINFO", "GROUPS", k}, []string{"XINFO", "CONSUMERS", k, "g"})
	}
	return out
}
