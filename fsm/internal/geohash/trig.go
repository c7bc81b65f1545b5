package geohash

import "math"

// The functions here are those of package math, computed from plain sums, products and roots in a fixed order, so that
// every processor gets the same bits. They are off by less than one unit of the last digit.

// Half of pi in two parts: halfPiLow is what the first lacks.
const (
	halfPi    = math.Pi / 2
	halfPiLow = 6.123233995736766e-17
)

// manyTurns is where angles are brought back by a remainder first, which is exact.
const manyTurns = 32

// quarter takes the quarters of a circle off an angle: x = q*halfPi + y + rest, y at most an eighth of a circle.
func quarter(x float64) (q int, y, rest float64) {
	if math.Abs(x) > manyTurns {
		x = math.Mod(x, 2*math.Pi)
	}
	n := math.Floor(mul(x, 2/math.Pi) + 0.5)
	near := x - mul(n, halfPi)
	low := mul(n, halfPiLow)
	y = near - low
	return int(n) & 3, y, near - y - low
}

func sin(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return math.NaN()
	}
	switch q, y, rest := quarter(x); q {
	case 0:
		return sinNear(y, rest)
	case 1:
		return cosNear(y, rest)
	case 2:
		return -sinNear(y, rest)
	default:
		return -cosNear(y, rest)
	}
}

func cos(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return math.NaN()
	}
	switch q, y, rest := quarter(x); q {
	case 0:
		return cosNear(y, rest)
	case 1:
		return -sinNear(y, rest)
	case 2:
		return -cosNear(y, rest)
	default:
		return sinNear(y, rest)
	}
}

// The Taylor series of sine and cosine in y*y, behind their first terms: up to an eighth of a circle what follows is too
// small to count.
var (
	sinTerms = []float64{
		1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000,
		1.0 / 355687428096000,
	}
	cosTerms = []float64{
		1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000,
		-1.0 / 6402373705728000,
	}
)

// series is terms[0] + terms[1]*z + terms[2]*z*z...
func series(terms []float64, z float64) float64 {
	sum := 0.0
	for i := len(terms) - 1; i >= 0; i-- {
		sum = mul(sum, z) + terms[i]
	}
	return sum
}

// sinNear is the sine of y+rest, for y up to an eighth of a circle and a rest far smaller.
func sinNear(y, rest float64) float64 {
	z := mul(y, y)
	cube := mul(y, z)
	return y + (mul(cube, mul(z, series(sinTerms, z))-1.0/6) + mul(rest, 1-mul(z, 0.5)))
}

// cosNear is the cosine of y+rest. 1-z/2 is not exact: what its rounding lost goes into the small terms.
func cosNear(y, rest float64) float64 {
	z := mul(y, y)
	half := mul(z, 0.5)
	most := 1 - half
	return most + ((1 - most - half) + (mul(mul(z, z), series(cosTerms, z)) - mul(y, rest)))
}

// asinTerms is the series of the arc sine in x*x behind its first term, long enough for x up to a half.
var asinTerms = func() []float64 {
	terms := make([]float64, 26)
	part := 1.0
	for i := range terms {
		n := float64(i + 1)
		part = mul(part, (2*n-1)/(2*n))
		terms[i] = part / (2*n + 1)
	}
	return terms
}()

// asin is for x from 0 to 1.
func asin(x float64) float64 {
	if x <= 0.5 {
		z := mul(x, x)
		return x + mul(x, mul(z, series(asinTerms, z)))
	}
	z := mul(1-x, 0.5)
	root := math.Sqrt(z)
	half := root + mul(root, mul(z, series(asinTerms, z)))
	return halfPi - (mul(2, half) - halfPiLow)
}
