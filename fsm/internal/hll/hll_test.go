package hll

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// TestHash holds the hash to what redis-server 7.0 shows of it: PFDEBUG DECODE after PFADD of x, y and z.
func TestHash(t *testing.T) {
	s := New()
	for _, c := range []struct {
		element     string
		index, rank int
	}{
		{"x", 16374, 2}, {"y", 14932, 3}, {"z", 8581, 1},
	} {
		index, rank := place([]byte(c.element))
		if index != c.index || int(rank) != c.rank {
			t.Errorf("%s: register %d, %d, want %d, %d", c.element, index, rank, c.index, c.rank)
		}
		s.Add([][]byte{[]byte(c.element)})
	}
	if got, _ := Describe(s.Bytes()); got != "Z:8581 v:1,1 Z:6350 v:3,1 Z:1441 v:2,1 z:9" {
		t.Error(got)
	}
}

// TestSketch changes sketches at random and compares them with plain registers. What they were opened on must stay as it is.
func TestSketch(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var plain Set
		s := New()
		for range 60 {
			was := bytes.Clone(s.Bytes())
			opened, ok := Open(s.Bytes())
			if !ok {
				t.Fatalf("seed %d: a sketch is corrupt", seed)
			}
			before := plain
			changeBoth(rng, opened, &plain, seed%4 == 0)
			if !bytes.Equal(was, s.Bytes()) {
				t.Fatalf("seed %d: the string that was opened has changed", seed)
			}
			if before != plain && !opened.Changed() {
				t.Fatalf("seed %d: a change is not told", seed)
			}
			var got Set
			if s = opened; !Is(s.Bytes()) || !got.Merge(s.Bytes()) || got != plain {
				t.Fatalf("seed %d: the registers differ", seed)
			}
			if n, ok := Count(s.Bytes()); !ok || n != plain.Count() {
				t.Fatalf("seed %d: estimated as %d, the registers as %d", seed, n, plain.Count())
			}
			if !Dense(s.Bytes()) && len(s.Bytes()) > SparseBytesMax {
				t.Fatalf("seed %d: a sparse string of %d bytes", seed, len(s.Bytes()))
			}
		}
	}
}

// changeBoth does one thing to a sketch and to plain registers: narrow, it meets few registers, which form runs.
func changeBoth(rng *rand.Rand, s *Sketch, plain *Set, narrow bool) {
	switch rng.IntN(8) {
	case 0:
		var more Set
		for range rng.IntN(50) {
			more[rng.IntN(Registers)] = uint8(rng.IntN(4))
		}
		s.Merge(&more)
		for i := range plain {
			plain[i] = max(plain[i], more[i])
		}
	case 1:
		s.Expire()
	default:
		var elements [][]byte
		for range rng.IntN(2 * unpackFrom) {
			elements = append(elements, strconv.AppendUint(nil, rng.Uint64(), 36))
		}
		s.Add(elements)
		for _, e := range elements {
			index, rank := place(e)
			plain[index] = max(plain[index], rank)
		}
		for range rng.IntN(20) {
			index, rank := rng.IntN(Registers), uint8(1+rng.IntN(2))
			if narrow {
				index %= 100
			}
			s.raise(index, rank)
			plain[index] = max(plain[index], rank)
		}
	}
}

// TestLimits: a register that sparse has no room for, the last registers of all, strings over the limit.
func TestLimits(t *testing.T) {
	s := New()
	s.raise(5, sparseMax)
	if Dense(s.Bytes()) {
		t.Error("the largest sparse register makes it dense")
	}
	s.raise(5, sparseMax+1)
	s.raise(Registers-1, rankMax)
	var got, want Set
	want[5], want[Registers-1] = sparseMax+1, rankMax
	if !Dense(s.Bytes()) || !got.Merge(s.Bytes()) || got != want {
		t.Error("a register over the largest sparse one is lost")
	}

	long := append(New().Bytes()[:headerBytes], bytes.Repeat([]byte{longZeros, 0}, Registers)...)
	if len(long) != BytesMax {
		t.Fatal(len(long))
	}
	s, ok := Open(long)
	if !ok {
		t.Fatal("the longest sparse string is not read")
	}
	s.Add([][]byte{[]byte("x")})
	if !Dense(s.Bytes()) {
		t.Error("a string over the limit stays sparse")
	}
}

func TestCorrupt(t *testing.T) {
	head := string(New().Bytes()[:headerBytes])
	for _, runs := range []string{
		"", "\x00", "\x7f\xfe", "\x7f\xff\x00", "\x7f\xff\x7f\xff", "\x7f", "\x7f\xfe\x40", "\x80", "\x7f\xff\x80",
		strings.Repeat("\x00", Registers+1), strings.Repeat("\x83", Registers/4+1),
	} {
		p := []byte(head + runs)
		if _, ok := Open(p); ok || !Is(p) {
			t.Errorf("%.10q is opened", runs)
		}
		if _, ok := Count(p); ok {
			t.Errorf("%.10q is counted", runs)
		}
		if new(Set).Merge(p) {
			t.Errorf("%.10q is merged", runs)
		}
	}
	for _, p := range []string{"", "HYLL", head[:headerBytes-1], "hYLL" + head[4:], head[:4] + "\x02" + head[5:], head[:4] + "\x00" + head[5:]} {
		if Is([]byte(p)) {
			t.Errorf("%q counts as a HyperLogLog", p)
		}
	}
}

func TestSelfTest(t *testing.T) {
	if err := SelfTest(); err != nil {
		t.Error(err)
	}
}

func BenchmarkAddSparse(b *testing.B) {
	s := New()
	for i := range 1200 {
		s.Add([][]byte{strconv.AppendInt(nil, int64(i), 10)})
	}
	for i := 0; b.Loop(); i++ {
		o, _ := Open(s.Bytes())
		o.Add([][]byte{strconv.AppendInt(nil, int64(i), 10)})
	}
}

func BenchmarkCountDense(b *testing.B) {
	s := New()
	s.MakeDense()
	for b.Loop() {
		Count(s.Bytes())
	}
}
