package geohash

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestHashes: numbers and texts that redis-server 7.0 gives.
func TestHashes(t *testing.T) {
	for _, c := range []struct {
		p     Point
		hash  uint64
		text  string
		again Point
	}{
		{Point{13.361389, 38.115556}, 3479099956230698, "sqc8b49rny0", Point{13.361389338970184, 38.1155563954963}},
		{Point{15.087269, 37.502669}, 3479447370796909, "sqdtr74hyu0", Point{15.087267458438873, 37.50266842333162}},
		{Point{-180, -85.05112878}, 0, "00bh0hbj200", Point{-179.999997317791, -85.05112751263943}},
		{Point{180, 85.05112878}, 13510798882111488, "bp05b5048p0", Point{180, 85.05112878}},
	} {
		hash := Encode(c.p)
		if hash != c.hash || Text(Decode(hash)) != c.text {
			t.Errorf("%v: %d %s, want %d %s", c.p, hash, Text(Decode(hash)), c.hash, c.text)
		}
		if p := Decode(hash); math.Abs(p.Lon-c.again.Lon) > 1e-12 || math.Abs(p.Lat-c.again.Lat) > 1e-12 {
			t.Errorf("%v comes back as %v", c.p, p)
		}
	}
}

// TestDecode: a place comes back to less than half a cell.
func TestDecode(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 10000 {
		p := Point{rng.Float64()*2*LonMax - LonMax, rng.Float64()*2*LatMax - LatMax}
		q := Decode(Encode(p))
		if math.Abs(p.Lon-q.Lon) > 180.0/(1<<26)+1e-12 || math.Abs(p.Lat-q.Lat) > 90.0/(1<<26) {
			t.Fatalf("%v comes back as %v", p, q)
		}
	}
}

func TestFromScore(t *testing.T) {
	for score, want := range map[float64]uint64{
		0: 0, 0.9: 0, -1: math.MaxUint64, 1 << 52: 1 << 52, 1 << 63: 1 << 63, 1e19: 1e19, 1 << 64: 0, 1e300: 0,
		-9.3e18: 1 << 63, math.Inf(1): 0, math.Inf(-1): 1 << 63,
	} {
		if got := FromScore(score); got != want {
			t.Errorf("%g: %d, want %d", score, got, want)
		}
	}
}

// TestFunctions compares sines and such with those of package math.
func TestFunctions(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	near := func(name string, x, got, want float64) {
		t.Helper()
		if ulp := math.Abs(math.Nextafter(want, math.Inf(1)) - want); math.Abs(got-want) > 2*ulp+1e-17 {
			t.Errorf("%s(%g): %.17g, package math has %.17g", name, x, got, want)
		}
	}
	for range 100000 {
		x := (rng.Float64()*2 - 1) * math.Pi
		if rng.IntN(2) == 0 {
			x *= math.Pow(10, -8*rng.Float64())
		}
		near("sin", x, sin(x), math.Sin(x))
		near("cos", x, cos(x), math.Cos(x))
		if y := math.Abs(x) / math.Pi; y < 0.5 { // beyond that math.Asin loses digits
			near("asin", y, asin(y), math.Asin(y))
		}
	}
	for x, want := range map[float64]float64{ // as C's library has them
		0.5594067246806151: 0.5936698831001499, 0.8257953831575089: 0.9716110764041883, 0.9992990496529324: 1.533352175023424,
		0.9998886849481103: 1.5558753940409145,
	} {
		near("asin", x, asin(x), want)
	}
	for _, x := range []float64{0, 0.5, 1, math.Pi / 4, math.Pi / 2, math.Pi, 100, -1000, 1e6} {
		if got := sin(x); math.Abs(got-math.Sin(x)) > 1e-9 {
			t.Errorf("sin(%g): %g", x, got)
		}
		if got := cos(x); math.Abs(got-math.Cos(x)) > 1e-9 {
			t.Errorf("cos(%g): %g", x, got)
		}
	}
	if asin(0) != 0 || asin(1) != math.Pi/2 || !math.IsNaN(sin(math.Inf(1))) || !math.IsNaN(cos(math.NaN())) {
		t.Error("at the ends")
	}
}

// TestGolden holds what is computed to bits that were computed before: a change of them would part nodes of two versions,
// and another result on another processor would part nodes of one.
func TestGolden(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	sum := uint64(0)
	for range 20000 {
		p := Point{rng.Float64()*2*LonMax - LonMax, rng.Float64()*2*LatMax - LatMax}
		q := Decode(Encode(Point{rng.Float64()*2*LonMax - LonMax, rng.Float64()*2*LatMax - LatMax}))
		a := Area{Center: p, Radius: math.Pow(10, 8*rng.Float64())}
		for _, r := range a.Scores() {
			sum = sum*31 + math.Float64bits(r.From) + math.Float64bits(r.To)
		}
		sum = sum*31 + math.Float64bits(Distance(p, q))
	}
	if want := uint64(0xe7fbbae2c30f659e); sum != want {
		t.Errorf("%#x, want %#x", sum, want)
	}
}

// TestScores: whatever is in an area, but at its very edge, is in one of its ranges, and in one only.
func TestScores(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	found := 0
	for range 2000 {
		a := Area{Center: Point{rng.Float64()*300 - 150, rng.Float64()*140 - 70}, Radius: math.Pow(10, 1+5*rng.Float64())}
		if rng.IntN(2) == 0 {
			a.Box, a.Width, a.Height = true, a.Radius, a.Radius*rng.Float64()
		}
		ranges := a.Scores()
		for range 50 {
			spread := degrees(a.Radius/earthRadius) * 2
			p := Decode(Encode(Point{a.Center.Lon + (rng.Float64()-0.5)*spread, a.Center.Lat + (rng.Float64()-0.5)*spread}))
			if _, within := a.Distance(p); !within {
				continue
			}
			found++
			n, score := 0, float64(Encode(p))
			for _, r := range ranges {
				if r.From <= score && score < r.To {
					n++
				}
			}
			if n != 1 {
				t.Fatalf("%+v: %v is in %d ranges of %v", a, p, n, ranges)
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d places were in an area", found)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b Point
		want float64
	}{
		{Point{13.361389338970184, 38.1155563954963}, Point{15.087267458438873, 37.50266842333162}, 166274.1516},
		{Point{1, 2}, Point{1, 2}, 0},
		{Point{1, 0}, Point{1, 90}, earthRadius * math.Pi / 2},
		{Point{0, 0}, Point{180, 0}, earthRadius * math.Pi},
	} {
		if got := Distance(c.a, c.b); math.Abs(got-c.want) > 0.0001 || got != Distance(c.b, c.a) {
			t.Errorf("%v: %f", c, got)
		}
	}
}
