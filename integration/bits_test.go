package integration

import (
	"strconv"
	"strings"
	"testing"
)

const (
	bitRounds      = 3000
	bitRoundsShort = 500
)

// TestRandomBits sends random commands of bits to real Redis and to a server of ours. The strings are short, long enough to
// be kept in pieces, or have holes.
func TestRandomBits(t *testing.T) {
	t.Parallel()
	p := startBoth(t)
	rounds := bitRounds
	if testing.Short() {
		rounds = bitRoundsShort
	}
	for n := range rounds {
		args := p.bitCommand()
		p.both(args...)
		if n%10 == 0 {
			key := p.bitKey()
			p.both("GET", key)
			p.both("OBJECT", "ENCODING", key)
		}
	}
}

func (p *twoServers) bitKey() string { return p.oneOf("a", "b", "c", "d", "e", "f") }

func (p *twoServers) bitCommand() []string {
	key := p.bitKey()
	switch p.rng.IntN(12) {
	case 0:
		word := p.oneOf("\x00", "\xff", "ab", "\x00\xff\x10", "7")
		return []string{"SET", key, strings.Repeat(word, p.rng.IntN([]int{2, 50, 30000}[p.rng.IntN(3)]))}
	case 1:
		return []string{"SETRANGE", key, p.number(60000), strings.Repeat(p.oneOf("\x00", "\xff", "\x01"), p.rng.IntN(20000))}
	case 2:
		return []string{"DEL", key}
	case 3:
		return append([]string{"BITOP", p.oneOf("AND", "OR", "XOR"), key}, p.bitKey(), p.bitKey(), p.bitKey())
	case 4:
		return []string{"BITOP", "NOT", key, p.bitKey()}
	case 5:
		return []string{"SETBIT", key, p.number(500000), p.oneOf("0", "1")}
	case 6:
		return []string{"GETBIT", key, p.number(500000)}
	case 7:
		return append([]string{"BITCOUNT", key}, p.bitRange(false)...)
	case 8, 9:
		return append([]string{"BITPOS", key, p.oneOf("0", "1")}, p.bitRange(true)...)
	}
	return p.bitfield(key)
}

// bitRange is none, a start where that is allowed, or a start, an end and perhaps their unit.
func (p *twoServers) bitRange(startAlone bool) []string {
	out := []string{p.number(500000), p.number(500000), p.oneOf("BIT", "BYTE")}
	if p.rng.IntN(2) == 0 { // a few bits
		start := p.rng.IntN(400000)
		out[0], out[1] = strconv.Itoa(start), strconv.Itoa(start+p.rng.IntN(100))
	}
	n := p.rng.IntN(4)
	if n == 1 && !startAlone {
		n = 0
	}
	return out[:n]
}

// number is below most or a little more, small or large, and now and then negative.
func (p *twoServers) number(most int) string {
	n := p.rng.IntN(most>>p.rng.IntN(12) + 1)
	if p.rng.IntN(4) == 0 {
		n = -n
	}
	return strconv.Itoa(n)
}

func (p *twoServers) bitfield(key string) []string {
	out := []string{"BITFIELD", key}
	for range 1 + p.rng.IntN(4) {
		kind := p.oneOf("i", "u") + strconv.Itoa(1+p.rng.IntN(64))
		at := p.oneOf("", "", "#") + p.number(6000)
		n := strconv.FormatInt(int64(p.rng.Uint64())>>p.rng.IntN(64), 10)
		switch p.rng.IntN(4) {
		case 0:
			out = append(out, "GET", kind, at)
		case 1:
			out = append(out, "SET", kind, at, n)
		case 2:
			out = append(out, "INCRBY", kind, at, n)
		case 3:
			out = append(out, "OVERFLOW", p.oneOf("WRAP", "SAT", "FAIL"))
		}
	}
	return out
}
