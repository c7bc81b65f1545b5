package fsm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// TestZsetEvents: what Redis 7.0 tells of commands on sorted sets, in its order.
func TestZsetEvents(t *testing.T) {
	testEvents(t, command.EventZset|command.EventGeneric, []toldBy{
		{"ZADD z 1 a 2 b", "zadd z"},
		{"ZADD z 1 a", ""},
		{"ZADD z NX 3 a", ""},
		{"ZADD z XX 1 c", ""},
		{"ZADD z INCR 1 a", "zincr z"},
		{"ZINCRBY z 1 a", "zincr z"},
		{"ZINCRBY z 0 a", ""},
		{"ZREM z none", ""},
		{"ZREM z a", "zrem z"},
		{"ZREM z b", "zrem z, del z"},
		{"ZADD z 1 a 2 b 3 c 4 d 5 e 6 f", "zadd z"},
		{"ZPOPMIN z 0", ""},
		{"ZPOPMIN z", "zpopmin z"},
		{"ZPOPMAX z 2", "zpopmax z"},
		{"ZMPOP 2 none z MIN COUNT 2", "zpopmin z"},
		{"ZMPOP 1 z MAX", "zpopmax z, del z"},
		{"ZADD z 1 a 2 b 3 c", "zadd z"},
		{"ZREMRANGEBYRANK z 5 6", ""},
		{"ZREMRANGEBYRANK z 0 0", "zremrangebyrank z"},
		{"ZREMRANGEBYSCORE z 2 2", "zremrangebyscore z"},
		{"ZREMRANGEBYLEX z - +", "zremrangebylex z, del z"},
		{"ZADD z 1 a 2 b 3 c", "zadd z"},
		{"ZUNIONSTORE d 1 z", "zunionstore d"},
		{"ZINTERSTORE d 1 z", "zinterstore d"},
		{"ZDIFFSTORE d 1 z", "zdiffstore d"},
		{"ZRANGESTORE d z 0 -1", "zrangestore d"},
		{"ZRANGESTORE d z 5 6", "del d"},
		{"ZUNIONSTORE d 1 none", ""},
		{"GEOADD g 13.36 38.11 a 15.08 37.50 b", "zadd g"},
		{"GEOADD g 13.36 38.11 a", ""},
		{"GEOADD g CH 13.37 38.11 a", "zadd g"},
		{"GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km", "geosearchstore d"},
		{"GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 km STOREDIST", "del d"},
		{"GEOSEARCHSTORE d none FROMLONLAT 1 1 BYRADIUS 1 km", ""},
		{"GEORADIUS g 15 37 200 km STORE d", "georadiusstore d"},
		{"GEORADIUSBYMEMBER g a 200 km STOREDIST d", "georadiusstore d"},
		{"GEORADIUS g 15 37 200 km", ""},
		{"GEORADIUS none 1 1 1 km STORE d", "del d"},
	})
}

// TestRandomZset does random things to a few sorted sets, small and big ones, on replicas that hold and restore snapshots.
func TestRandomZset(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	r := newReplicas(t)
	r.rarely = true
	member := func() string { return "m" + strconv.Itoa(rng.IntN(300)) }
	for range 3000 {
		key := []string{"a", "b", "c"}[rng.IntN(3)]
		args := [][]string{
			{"ZADD", key, strconv.Itoa(rng.IntN(50)), member()},
			{"ZADD", key, "0.5", member(), "-inf", member(), "7", member()},
			{"ZINCRBY", key, "1.25", member()},
			{"ZREM", key, member(), member()},
			{"ZPOPMIN", key, strconv.Itoa(rng.IntN(3))},
			{"ZPOPMAX", key},
			{"ZREMRANGEBYSCORE", key, "3", "4"},
			{"ZREMRANGEBYRANK", key, "5", "7"},
			{"ZREVRANK", key, member()},
			{"ZRANGEBYSCORE", key, "(3", "inf", "LIMIT", "2", "3"},
			{"ZRANDMEMBER", key, "3"},
			{"ZUNIONSTORE", "c", "2", "a", "b", "WEIGHTS", "0.5", "3"},
			{"ZINTERSTORE", "d", "2", "a", "c"},
			{"COPY", "a", "b", "REPLACE"},
		}
		if _, err := r.do(0, 3, args[[]int{0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}[rng.IntN(18)]]); err != nil {
			t.Fatal(err)
		}
		if r.index%100 == 0 {
			if err := r.agree(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestMalformedZset: what no writer makes is refused.
func TestMalformedZset(t *testing.T) {
	one, two := "\x00\x00\x00\x00\x00\x00\xf0\x3f", "\x00\x00\x00\x00\x00\x00\x00\x40"
	nan := "\x00\x00\x00\x00\x00\x00\xf8\x7f"
	var many, long strings.Builder
	for i := range zsetSmallMembersMax + 1 {
		fmt.Fprintf(&many, "\x03%03d%s", i, one)
	}
	fmt.Fprintf(&long, "\x41%s%s", strings.Repeat("x", zsetSmallBytesMax+1), one)
	for name, c := range map[string]struct {
		form byte
		data string
	}{
		"no members":           {zsetSmall, "\x00"},
		"an unknown form":      {zsetBig + 1, "\x01\x01a" + one},
		"a score cut off":      {zsetSmall, "\x01\x01a" + one[:7]},
		"a member cut off":     {zsetSmall, "\x01\x09a" + one},
		"fewer than counted":   {zsetSmall, "\x02\x01a" + one},
		"no number":            {zsetSmall, "\x01\x01a" + nan},
		"out of order":         {zsetBig, "\x02\x01a" + two + "\x01b" + one},
		"names out of order":   {zsetSmall, "\x02\x01b" + one + "\x01a" + one},
		"a member twice":       {zsetSmall, "\x02\x01a" + one + "\x01a" + two},
		"twice in a big one":   {zsetBig, "\x02\x01a" + one + "\x01a" + two},
		"too many to be small": {zsetSmall, "\x81\x01" + many.String()},
		"too long to be small": {zsetSmall, "\x01" + long.String()},
	} {
		d := decoder{rest: []byte(c.data)}
		if decodeZset(&d, c.form); !d.bad {
			t.Errorf("%s: it is taken", name)
		}
	}
	d := decoder{rest: []byte("\x02\x01a" + one + "\x01b" + one)}
	if z := decodeZset(&d, zsetSmall); d.bad || z.size() != 2 || len(d.rest) != 0 {
		t.Error("a good one is refused")
	}
}

// TestZrandmember: every member is chosen about as often as another.
func TestZrandmember(t *testing.T) {
	m := New()
	execute(t, m, "ZADD z 1 a 2 b 3 c 4 d")
	chosen := map[string]int{}
	for _, line := range []string{"ZRANDMEMBER z -4000", "ZRANDMEMBER z -4000 WITHSCORES"} {
		for _, w := range strings.FieldsFunc(execute(t, m, line), func(c rune) bool { return strings.ContainsRune(`[]", `, c) }) {
			chosen[w]++
		}
	}
	for _, member := range []string{"a", "b", "c", "d"} {
		if n := chosen[member]; n < 1800 || n > 2200 {
			t.Errorf("%s was chosen %d times of 8000", member, n)
		}
	}
}

func TestParseDouble(t *testing.T) {
	inf := math.Inf(1)
	for s, want := range map[string]struct {
		f        float64
		lost, ok bool
	}{
		"1": {1, false, true}, "-1.5e3": {-1500, false, true}, "+.5": {0.5, false, true}, "5.": {5, false, true},
		"0x10": {16, false, true}, "-0X.8P1": {-1, false, true}, "0xep0": {14, false, true}, "0xe": {14, false, true},
		"inf": {inf, false, true}, "-InFiNiTy": {-inf, false, true}, "+inf": {inf, false, true},
		"1e400": {inf, true, true}, "-1e400": {-inf, true, true}, "1e-400": {0, true, true}, "0e-400": {0, false, true},
		"0x1p-2000": {0, true, true}, "0x0p-2000": {0, false, true}, "0x1p2000": {inf, true, true},
		"4.9e-324": {math.SmallestNonzeroFloat64, false, true}, "1e99999999999999999999": {inf, true, true},
		"": {}, "-": {}, ".": {}, "nan": {}, "1_0": {}, "0x1_0": {}, "0x": {}, "0xp1": {}, "1e": {}, "e1": {}, "0b1": {}, "ınf": {},
		" 1": {}, "1 ": {}, "1\x00": {}, "0x1.8p": {}, "--1": {}, "infinit": {},
	} {
		f, lost, ok := parseDouble(s)
		if ok != want.ok || ok && (f != want.f || lost != want.lost) {
			t.Errorf("%q: %g %t %t, want %+v", s, f, lost, ok, want)
		}
	}
}

// TestWindow: LIMIT counts from the end where a range goes backwards.
func TestWindow(t *testing.T) {
	for _, c := range []struct {
		w        window
		back     bool
		from, to int
	}{
		{wholeWindow, false, 10, 20}, {wholeWindow, true, 10, 20},
		{window{2, 3}, false, 12, 15}, {window{2, 3}, true, 15, 18}, {window{8, 30}, true, 10, 12},
		{window{-1, 3}, false, 10, 10}, {window{10, 3}, false, 10, 10}, {window{0, 0}, true, 20, 20},
		{window{math.MaxInt64, math.MaxInt64}, false, 10, 10},
	} {
		if from, to := c.w.of(10, 20, c.back); !slices.Equal([]int{from, to}, []int{c.from, c.to}) {
			t.Errorf("%+v: [%d, %d)", c, from, to)
		}
	}
}
