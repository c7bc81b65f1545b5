package fsm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/zeebo/xxh3"
)

// TestDigestOfAnyString: however a string is held, holes among it, its digest is that of its bytes.
func TestDigestOfAnyString(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 4))
	for range 200 {
		v, p := bitStringOf(rng, lengthOf(rng))
		if got, want := v.digest(), fmt.Sprintf("%016x", xxh3.Hash(p)); got != want {
			t.Fatalf("%d bytes: %s, want %s", len(p), got, want)
		}
	}
}
