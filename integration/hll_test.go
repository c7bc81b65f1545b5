package integration

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	hllRounds      = 200
	hllRoundsShort = 60
)

// TestHLLBytes adds and merges at random on real Redis and on a server of ours: the strings must be the same bytes, and the
// estimates the same numbers. Some strings are handed from one to the other, some are made of many short runs.
func TestHLLBytes(t *testing.T) {
	t.Parallel()
	p := startBoth(t)
	rounds := hllRounds
	if testing.Short() {
		rounds = hllRoundsShort
	}
	for range rounds {
		p.hllStep()
	}
}

var hllKeys = []string{"a", "b", "c", "d", "e"}

// twoServers are real Redis and a server of ours, which are sent the same.
type twoServers struct {
	t           *testing.T
	redis, ours *respclient.Conn
	rng         *rand.Rand
}

func startBoth(t *testing.T) *twoServers {
	t.Helper()
	p := &twoServers{t: t, redis: dial(t, startRedis(t)), ours: dial(t, startRedoubt(t)), rng: rand.New(rand.NewPCG(7, 7))}
	t.Cleanup(func() { _, _ = p.redis.Close(), p.ours.Close() })
	return p
}

// both sends a command to both servers, whose replies must agree.
func (p *twoServers) both(args ...string) respclient.Value {
	p.t.Helper()
	a, b := p.do(p.redis, args...), p.do(p.ours, args...)
	if x, y := fmt.Sprintf("%+v", a), fmt.Sprintf("%+v", b); x != y {
		p.t.Fatalf("%.100q: redis %.3000s, ours %.3000s", args, x, y)
	}
	return a
}

func (p *twoServers) do(c *respclient.Conn, args ...string) respclient.Value {
	p.t.Helper()
	v, err := c.Do(args...)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

func (p *twoServers) hllStep() {
	p.t.Helper()
	key, other := p.oneOf(hllKeys...), p.oneOf(hllKeys...)
	switch p.rng.IntN(12) {
	case 0:
		p.both("PFMERGE", key, other, p.oneOf(hllKeys...))
	case 1:
		p.both("DEL", key)
	case 2:
		p.both("SET", key, string(p.runs()))
		for range 20 {
			p.both("PFADD", key, strconv.Itoa(p.rng.Int()))
			p.both("GET", key)
		}
	case 3:
		p.handOver(key)
	default:
		p.both(append([]string{"PFADD", key}, p.elements()...)...)
	}
	p.both("GET", key)
	p.both("PFCOUNT", key, "none")
	p.both("PFCOUNT", key, other)
	if p.rng.IntN(20) == 0 && p.both("EXISTS", key).Int == 1 {
		p.both("PFDEBUG", "GETREG", key)
	}
}

func (p *twoServers) oneOf(words ...string) string { return words[p.rng.IntN(len(words))] }

// elements are one, a few or many, of a range where they may have been added before.
func (p *twoServers) elements() []string {
	out := make([]string, []int{0, 1, 3, 20, 200}[p.rng.IntN(5)])
	most := []int{300, 5000, 1 << 40}[p.rng.IntN(3)]
	for i := range out {
		out[i] = strconv.Itoa(p.rng.IntN(most))
	}
	return out
}

// handOver counts one string on Redis, which writes the cardinality into it, and gives it to ours: that takes the
// cardinality as it stands there.
func (p *twoServers) handOver(key string) {
	p.t.Helper()
	n := p.do(p.redis, "PFCOUNT", key)
	v := p.do(p.redis, "GET", key)
	if v.IsNull() {
		return
	}
	p.do(p.ours, "SET", key, v.Str)
	if got := p.do(p.ours, "PFCOUNT", key); got.Int != n.Int {
		p.t.Fatalf("a string of Redis: %d elements by ours, %d by Redis", got.Int, n.Int)
	}
}

// runs is a sparse string, sound and about as long as one may be, of runs that additions split and join.
func (p *twoServers) runs() []byte {
	var out []byte
	most := []int{50, 2000, 2900, 2982, 3100}[p.rng.IntN(5)]
	left := 1 << 14
	for len(out) < most { // runs of four at most: some registers are left
		n := 1 + p.rng.IntN(4)
		kind := byte(0)
		if p.rng.IntN(5) > 0 {
			kind = 0x80 | byte(p.rng.IntN(2))<<2
		}
		out = append(out, kind|byte(n-1))
		left -= n
	}
	out = append(out, 0x40|byte((left-1)>>8), byte(left-1))
	return slices.Concat([]byte("HYLL\x01"), make([]byte, 10), []byte{0x80}, out)
}
