package fsm

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// bitStringOf makes a string of n bytes with holes of a whole chunk, in one piece or as a blob, and its bytes.
func bitStringOf(rng *rand.Rand, n int) (v value, p []byte) {
	p = make([]byte, n)
	v = rawValue("").overwrite(n, nil, 1)
	for range rng.IntN(6) {
		at := rng.IntN(n)
		piece := make([]byte, 1+rng.IntN(min(n-at, 3*chunkBytes)))
		fill := byte(rng.IntN(3) - 1) // 0, 1 or 255
		for i := range piece {
			if piece[i] = fill; rng.IntN(50) == 0 {
				piece[i] = byte(rng.Uint32())
			}
		}
		copy(p[at:], piece)
		v = v.overwrite(at, piece, 1)
	}
	return v, p
}

func lengthOf(rng *rand.Rand) int {
	return []int{1, 7, 9, 100, chunkBytes, chunkBytes + 1, blobBytesMin, blobBytesMin + 1, 5*chunkBytes - 1}[rng.IntN(9)]
}

// TestBitsMatchAByteSlice counts and finds bits in ranges of strings, and compares with what single bits say.
func TestBitsMatchAByteSlice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		v, p := bitStringOf(rng, lengthOf(rng))
		bits := len(p) * 8
		from := rng.IntN(bits)
		to := from + rng.IntN(bits-from+1)
		count, found := 0, [2]int{-1, -1}
		for i := from; i < to; i++ {
			bit := int(p[i/8] >> (7 - i%8) & 1)
			count += bit
			if found[bit] < 0 {
				found[bit] = i
			}
		}
		if got := v.countBits(from, to); got != count {
			t.Fatalf("%d bytes, [%d, %d): %d bits, want %d", len(p), from, to, got, count)
		}
		for bit, want := range found {
			if got := v.findBit(byte(bit), from, to); got != want {
				t.Fatalf("%d bytes, [%d, %d): the first %d is at %d, want %d", len(p), from, to, bit, got, want)
			}
		}
	}
}

func TestBitopMatchesByteSlices(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for range 400 {
		m := New()
		tx := &m.writeTx
		tx.begin(m, 1)
		tx.selectDB(0)
		var sources [][]byte
		call := []string{"BITOP", "", "to"}
		for i := range 1 + rng.IntN(4) {
			v, p := bitStringOf(rng, lengthOf(rng))
			key := strconv.Itoa(i)
			tx.set([]byte(key), v, 0)
			for range 1 + rng.IntN(2) {
				call, sources = append(call, key), append(sources, p)
			}
		}
		op := bitOperation(rng.IntN(3))
		if len(sources) == 1 && rng.IntN(2) == 0 {
			op = bitNot
		}
		if len(sources) > 1 && rng.IntN(2) == 0 {
			op = []bitOperation{bitDiff, bitDiff1, bitAndOr, bitOne}[rng.IntN(4)]
		}
		call[1] = bitOperations[op]
		want := bitopSlowly(op, sources)
		c := callOf(call...)
		bitop(tx, &c, command.Discard)
		v := tx.lookup([]byte("to")).value()
		if got := v.AppendTo(nil); !bytes.Equal(got, want) {
			t.Fatalf("%q of %d strings: another result than bit by bit", call[1], len(sources))
		}
		if b, ok := v.obj.(*blob); ok != (len(want) > blobBytesMin) || ok && !zeroTail(b) {
			t.Fatalf("%q: a string of %d bytes is kept wrong", call[1], len(want))
		}
	}
}

// zeroTail reports whether the bytes after a blob's end are zero, as they must be.
func zeroTail(b *blob) bool {
	last := b.chunks[len(b.chunks)-1].data
	return last == nil || b.n%chunkBytes == 0 || !slices.ContainsFunc(last[b.n%chunkBytes:], func(c byte) bool { return c != 0 })
}

func bitopSlowly(op bitOperation, sources [][]byte) []byte {
	n := 0
	for _, p := range sources {
		n = max(n, len(p))
	}
	out := make([]byte, n)
	if op > bitNot {
		for i := range n * 8 {
			if newerBit(op, sources, i) {
				out[i/8] |= 1 << (i % 8)
			}
		}
		return out
	}
	for i := range out {
		for j, p := range sources {
			b := byte(0)
			if i < len(p) {
				b = p[i]
			}
			switch {
			case op == bitNot:
				out[i] = ^b
			case j == 0:
				out[i] = b
			default:
				out[i] = byte(op.of(uint64(out[i]), uint64(b)))
			}
		}
	}
	return out
}

// newerBit is a bit of the result of one of Redis 8.2's operations.
func newerBit(op bitOperation, sources [][]byte, i int) bool {
	first, others, all := false, false, 0
	for j, p := range sources {
		if i/8 >= len(p) || p[i/8]>>(i%8)&1 == 0 {
			continue
		}
		all++
		first, others = first || j == 0, others || j > 0
	}
	switch op {
	case bitDiff:
		return first && !others
	case bitDiff1:
		return others && !first
	case bitAndOr:
		return first && others
	}
	return all == 1
}

// TestFieldsMatchBigIntegers adds and sets numbers of all widths and compares with arithmetic without overflow.
func TestFieldsMatchBigIntegers(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for range 20000 {
		f := field{signed: rng.IntN(2) == 0}
		f.width = 1 + rng.IntN(63)
		if f.signed && rng.IntN(4) == 0 {
			f.width = 64
		}
		least, most := f.limits()
		old := f.number(rng.Uint64() >> rng.IntN(64))
		n := int64(rng.Uint64()) >> rng.IntN(64)
		sum := new(big.Int).Add(big.NewInt(old), big.NewInt(n))
		over, under := sum.Cmp(big.NewInt(most)) > 0, sum.Cmp(big.NewInt(least)) < 0
		for how := overflowWrap; how <= overflowFail; how++ {
			want, fits := sum, true
			switch {
			case !over && !under:
			case how == overflowFail:
				want, fits = new(big.Int), false
			case how == overflowSaturate && over:
				want = big.NewInt(most)
			case how == overflowSaturate:
				want = big.NewInt(least)
			default:
				want = wrapped(sum, f)
			}
			if got, ok := f.add(old, n, how); ok != fits || want.Cmp(big.NewInt(got)) != 0 {
				t.Fatalf("%+v: %d + %d, overflow %d: %d, %t, want %s", f, old, n, how, got, ok, want)
			}
		}
	}
}

func wrapped(n *big.Int, f field) *big.Int {
	size := new(big.Int).Lsh(big.NewInt(1), uint(f.width))
	n = new(big.Int).Mod(n, size)
	if f.signed && n.Bit(f.width-1) == 1 {
		n.Sub(n, size)
	}
	return n
}

// TestFieldsStayApart writes fields at all offsets of short and long strings and compares every bit.
func TestFieldsStayApart(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for _, n := range []int{40, 3 * chunkBytes} {
		s := newBitString(rawValue(""), n, 1)
		bits := make([]byte, n*8)
		for range 3000 {
			width := 1 + rng.IntN(64)
			at := (n*8/2 - 150) + rng.IntN(300-width)
			x := rng.Uint64()
			s.write(at, width, x)
			for i := range width {
				bits[at+i] = byte(x >> (width - 1 - i) & 1)
			}
			read := uint64(0)
			for i := range width {
				read = read<<1 | uint64(bits[at+i])
			}
			if got := s.read(at, width); got != read {
				t.Fatalf("%d bytes: %d bits at %d are %x, want %x", n, width, at, got, read)
			}
		}
		for i, want := range bits {
			if got := s.value().bit(i); got != int64(want) {
				t.Fatalf("%d bytes: bit %d is %d", n, i, got)
			}
		}
	}
}

// TestAChangeOfABitCopiesLittle: under a snapshot a change of a long string copies a piece of it, and not the rest.
func TestAChangeOfABitCopiesLittle(t *testing.T) {
	m := New()
	call(t, m, "SETBIT", "k", strconv.Itoa(64<<20), "1")
	call(t, m, "BITOP", "NOT", "k", "k")
	const changes = 50
	for _, line := range []string{"SETBIT k %d 0", "BITFIELD k SET u16 %d 0 INCRBY i64 %[1]d 5"} {
		var held *Snapshot
		var used uint64
		for i := range changes {
			held = m.Snapshot()
			var before, after runtime.MemStats
			args := strings.Fields(fmt.Sprintf(line, 1000*(i+1)))
			runtime.ReadMemStats(&before)
			call(t, m, args...)
			runtime.ReadMemStats(&after)
			used += after.TotalAlloc - before.TotalAlloc
		}
		if most := uint64(6 * chunkBytes); used/changes > most {
			t.Errorf("%s: %d bytes are copied, want at most %d", line, used/changes, most)
		}
		runtime.KeepAlive(held)
	}
}

// TestTheLastBit: the longest string takes little memory and time where it is empty, and nothing is longer.
func TestTheLastBit(t *testing.T) {
	m := New()
	for _, tc := range []struct{ line, want string }{
		{"SETBIT k 4294967295 1", "(integer) 0"},
		{"STRLEN k", "(integer) 536870912"},
		{"GETBIT k 4294967295", "(integer) 1"},
		{"BITCOUNT k", "(integer) 1"},
		{"BITCOUNT k 4294967295 4294967295 BIT", "(integer) 1"},
		{"BITPOS k 1", "(integer) 4294967295"},
		{"BITPOS k 0 -1", "(integer) 4294967288"},
		{"BITFIELD k GET u8 4294967295 SET u1 4294967295 0 SET i64 4294967232 -1", "[128, 1, 0]"},
		{"BITFIELD k SET i64 4294967233 1", "(error) " + errBitOffset},
		{"BITFIELD k INCRBY i64 #67108864 1", "(error) " + errBitOffset},
		{"BITFIELD k GET i64 #288230376151711744", "(error) " + errBitOffset},
		{"BITFIELD k GET i64 #67108863", "[-1]"},
		{"BITOP OR to k k", "(integer) 536870912"},
		{"BITOP AND to k none", "(integer) 536870912"},
		{"BITCOUNT to", "(integer) 0"},
		{"STRLEN k", "(integer) 536870912"},
	} {
		if got := execute(t, m, tc.line); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.line, got, tc.want)
		}
	}
}

// TestEventsOfBitsAndHLLs: what is told where, and what changes nothing tells nobody.
func TestEventsOfBitsAndHLLs(t *testing.T) {
	for _, tc := range []struct{ before, line, want string }{
		{"SET x v", "SETBIT k 7 1", "setbit k"},
		{"SETBIT k 7 1", "SETBIT k 7 1", ""},
		{"SET k v", "SETBIT k 0 0", ""},
		{"SETBIT k 7 1", "SETBIT k 100 0", "setbit k"},
		{"SET k v", "BITFIELD k SET u8 0 118", "setbit k"},
		{"SET k v", "BITFIELD k GET u8 0", ""},
		{"SET k v", "BITFIELD k OVERFLOW FAIL INCRBY u8 80 300", ""},
		{"SET k v", "BITOP OR d k", "set d"},
		{"SET d v", "BITOP OR d k", "del d"},
		{"SET x v", "BITOP OR d k", ""},
		{"SET x v", "PFADD k", "pfadd k"},
		{"PFADD k x", "PFADD k x", ""},
		{"PFADD k x", "PFADD k y z", "pfadd k"},
		{"PFADD k x", "PFMERGE k", "pfadd k"},
		{"PFADD k x", "PFMERGE to k", "pfadd to"},
		{"PFADD k x", "PFDEBUG TODENSE k", ""},
		{"PFADD k x", "PFCOUNT k", ""},
	} {
		m := New()
		execute(t, m, tc.before)
		var told []string
		m.OnEvents(command.EventString|command.EventGeneric, func(_ uint64, happened []command.Event) {
			for _, e := range happened {
				told = append(told, e.Name+" "+e.Key)
			}
		})
		execute(t, m, tc.line)
		if got := strings.Join(told, ", "); got != tc.want {
			t.Errorf("%s, %s: %q, want %q", tc.before, tc.line, got, tc.want)
		}
	}
}

// TestWatchBearsWhatChangesNothing: a command that only makes a string raw leaves its version.
func TestWatchBearsWhatChangesNothing(t *testing.T) {
	for before, line := range map[string]string{
		"SET k abc":                    "SETBIT k 0 0",
		"SET k 12 EX 100":              "BITFIELD k OVERFLOW FAIL INCRBY u8 0 300",
		"SETBIT k 7 1":                 "SETBIT k 7 1",
		"PFADD k x":                    "PFADD k x",
		"SET k HYLL\x01" + emptySparse: "PFADD k",
	} {
		m := New()
		execute(t, m, before)
		m.Snapshot()
		w := m.Watch(0, [][]byte{[]byte("k")})
		execute(t, m, line)
		if !m.Holds(w) {
			t.Errorf("%s, WATCH k, %s: the watch does not hold", before, line)
		}
		if got := execute(t, m, "OBJECT ENCODING k"); got != `"raw"` {
			t.Errorf("%s, %s: the encoding is %s", before, line, got)
		}
	}
}

const emptySparse = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff"
