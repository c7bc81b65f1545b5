package hll

import "math"

const (
	registerBits = 6
	registerMax  = 1<<registerBits - 1
	rankMax      = restBits + 1 // that an element can have
)

// Set is the registers of a HyperLogLog, or the largest of those of several.
type Set [Registers]uint8

// Merge raises the registers to those of p, which Is has accepted. It is false, and the registers are undefined, where p is
// corrupt.
func (s *Set) Merge(p []byte) bool {
	if Dense(p) {
		s.mergeDense(p[headerBytes:])
		return true
	}
	return s.mergeSparse(p[headerBytes:])
}

func (s *Set) mergeDense(p []byte) {
	for i := 0; i < Registers; i, p = i+4, p[3:] {
		into := (*[4]uint8)(s[i:])
		a, b, c, d := unpack((*[3]byte)(p))
		into[0], into[1], into[2], into[3] = max(into[0], a), max(into[1], b), max(into[2], c), max(into[3], d)
	}
}

// unpack reads the four registers that three bytes of a dense string hold.
func unpack(p *[3]byte) (a, b, c, d uint8) {
	w := uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16
	return uint8(w & registerMax), uint8(w >> 6 & registerMax), uint8(w >> 12 & registerMax), uint8(w >> 18)
}

func (s *Set) mergeSparse(p []byte) bool {
	at := 0
	for len(p) > 0 {
		r, ok := runAt(p)
		if !ok || r.n > Registers-at {
			return false
		}
		if r.rank > 0 {
			for i := range r.n {
				s[at+i] = max(s[at+i], r.rank)
			}
		}
		at, p = at+r.n, p[r.bytes:]
	}
	return at == Registers
}

// Count estimates how many different elements were added.
func (s *Set) Count() int64 {
	var h histogram
	for _, rank := range s {
		h[rank&registerMax]++
	}
	return h.estimate()
}

// Count is Merge and Count of a p alone, at less cost.
func Count(p []byte) (n int64, ok bool) {
	var h histogram
	if Dense(p) {
		h.addDense(p[headerBytes:])
	} else if !h.addSparse(p[headerBytes:]) {
		return 0, false
	}
	return h.estimate(), true
}

// histogram counts the registers of each rank.
type histogram [registerMax + 1]int

func (h *histogram) addDense(p []byte) {
	var parts [4]histogram // most registers are alike: counts of one would wait for each other
	for ; len(p) >= 3; p = p[3:] {
		a, b, c, d := unpack((*[3]byte)(p))
		parts[0][a&registerMax]++
		parts[1][b&registerMax]++
		parts[2][c&registerMax]++
		parts[3][d&registerMax]++
	}
	for i := range h {
		h[i] += parts[0][i] + parts[1][i] + parts[2][i] + parts[3][i]
	}
}

func (h *histogram) addSparse(p []byte) bool {
	n := 0
	for len(p) > 0 {
		r, ok := runAt(p)
		if n += r.n; !ok || n > Registers {
			return false
		}
		h[r.rank&registerMax] += r.n
		p = p[r.bytes:]
	}
	return n == Registers
}

// estimate is the cardinality (Ertl, algorithm 6). What no elements could bring about may be more than an int64 holds; then
// it is the smallest, as in Redis.
func (h *histogram) estimate() int64 {
	const m = Registers
	// Conversions keep products and sums apart: fused they would round differently on some machines.
	z := m * tau(float64(m-h[rankMax])/m)
	for rank := restBits; rank >= 1; rank-- {
		z = (z + float64(h[rank])) * 0.5
	}
	z += float64(m * sigma(float64(h[0])/m))
	n := math.Round(m * m / (2 * math.Ln2) / z)
	if !(n < math.MaxInt64) {
		return math.MinInt64
	}
	return int64(n)
}

// sigma is what registers of 0 add (Ertl, formula 29). x is in [0, 1].
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	for y, z := 1.0, x; ; y += y {
		x *= x
		last := z
		if z += float64(x * y); z == last {
			return z
		}
	}
}

// tau is what registers of the highest rank take away (Ertl, formula 30).
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	for y, z := 1.0, 1-x; ; {
		x = math.Sqrt(x)
		y *= 0.5
		last, d := z, 1-x
		if z -= float64(float64(d*d) * y); z == last {
			return z / 3
		}
	}
}
