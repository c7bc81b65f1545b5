package fsm

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// TestOverwriteMatchesAByteSlice changes values at random beside a plain slice, with generations going on and copies
// made meanwhile, none of which may ever see a later change.
func TestOverwriteMatchesAByteSlice(t *testing.T) {
	type kept struct {
		v    value
		want []byte
	}
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var v value
		var model []byte
		var old []kept
		gen := uint32(1)
		for range 30 {
			off := rng.IntN(len(model) + chunkBytes)
			s := make([]byte, rng.IntN(2*chunkBytes))
			for i := range s {
				s[i] = byte(rng.Uint32())
			}
			switch rng.IntN(5) {
			case 0: // a snapshot holds the value
				old = append(old, kept{v, slices.Clone(model)})
				gen++
			case 1: // COPY to another key, which is then changed
				_ = v.share(gen).overwrite(0, s, gen)
			case 2: // COPY to another key, which stays
				old = append(old, kept{v.share(gen), slices.Clone(model)})
			}
			if n := off + len(s); n > len(model) {
				model = append(model, make([]byte, n-len(model))...)
			}
			copy(model[off:], s)
			v = v.overwrite(off, s, gen)
			checkValue(t, v, model)
			from := rng.IntN(len(model) + 1)
			to := from + rng.IntN(len(model)-from+1)
			if v.Slice(from, to) != string(model[from:to]) {
				t.Fatalf("seed %d: Slice(%d, %d) differs", seed, from, to)
			}
		}
		for i := range old {
			checkValue(t, old[i].v, old[i].want)
		}
	}
}

func checkValue(t *testing.T, v value, want []byte) {
	t.Helper()
	if v.Len() != len(want) || v.Text() != string(want) || string(v.AppendTo(nil)) != string(want) {
		t.Fatalf("a value of %d bytes differs from its model of %d", v.Len(), len(want))
	}
}

func TestAChangeOfABigStringCopiesLittle(t *testing.T) {
	const size = 8 << 20
	v := rawValue(string(make([]byte, size)))
	one := []byte("x")
	v = v.overwrite(0, one, 1)
	const changes = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for gen := range uint32(changes) { // as if a snapshot were taken before each change
		v = v.overwrite(size/2, one, gen+2)
	}
	runtime.ReadMemStats(&after)
	if got, most := (after.TotalAlloc-before.TotalAlloc)/changes, uint64(4*chunkBytes); got > most {
		t.Errorf("a change of one byte under a snapshot copies %d bytes, want at most %d", got, most)
	}
}

func TestAFarSetRangeTakesNoMemory(t *testing.T) {
	v := rawValue("").overwrite(StringBytesMax-1, []byte("x"), 1)
	b, ok := v.obj.(*blob)
	if !ok || b.n != StringBytesMax {
		t.Fatalf("%T of %d bytes", v.obj, v.Len())
	}
	filled := 0
	for _, c := range b.chunks {
		if c.data != nil {
			filled++
		}
	}
	if filled != 1 {
		t.Errorf("%d chunks are filled, want 1", filled)
	}
}
