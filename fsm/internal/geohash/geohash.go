// Package geohash turns places on the earth into numbers whose order keeps neighbours together, as Redis's GEO commands do:
// longitude and latitude, cut to 26 bits each, and their bits interleaved. Such a number, below 2^52, is a score of a sorted
// set, and a cell of the earth is a range of scores.
//
// All nodes must compute the same bits and the same distances, on any processor. Go may fuse a product and a sum into one
// operation that rounds once, and does so on arm64 but not on amd64; its functions of package math differ by that already.
// So products that go into sums pass through mul here, and sines are this package's own. Square roots, remainders and
// conversions within range are exact or correctly rounded everywhere.
package geohash

import "math"

// The limits of what has a hash. Latitudes beyond those of the web's Mercator projection have none.
const (
	LonMax = 180
	LatMax = 85.05112878
)

// steps is how often each coordinate is halved.
const steps = 26

// mul is a product that is rounded before it goes into a sum: the conversion forbids to fuse the two.
func mul(a, b float64) float64 { return float64(a * b) }

// Point is a place in degrees.
type Point struct{ Lon, Lat float64 }

// Valid reports whether a place has a hash.
func (p Point) Valid() bool {
	return p.Lon >= -LonMax && p.Lon <= LonMax && p.Lat >= -LatMax && p.Lat <= LatMax
}

// Encode returns the hash of a valid place.
func Encode(p Point) uint64 { return cellOf(p, steps, LatMax).bits() }

// Decode returns the middle of the smallest cell of a hash. Numbers that are no hash have some place too.
func Decode(hash uint64) Point {
	lonMin, lonMax, latMin, latMax := cell{squeeze(hash >> 1), squeeze(hash), steps}.bounds()
	return Point{
		Lon: min(max((lonMin+lonMax)/2, -LonMax), LonMax),
		Lat: min(max((latMin+latMax)/2, -LatMax), LatMax),
	}
}

// FromScore is a score as a hash. One that is no integer of 64 bits becomes what it does in C on amd64, where C leaves it
// open and Go would let processors differ.
func FromScore(score float64) uint64 {
	const top = 1 << 63
	switch {
	case score >= -top && score < top:
		return uint64(int64(score))
	case score >= top && score < 2*top:
		return uint64(int64(score-top)) ^ top
	case score < 0:
		return top
	}
	return 0
}

const textBytes = 11

// Text returns the hash of a place as it is commonly written: in base 32, of latitudes from -90 to 90. 52 bits give ten
// digits and a bit; the eleventh digit is always 0, as in Redis.
func Text(p Point) string {
	const digits = "0123456789bcdefghjkmnpqrstuvwxyz"
	bits := cellOf(p, steps, 90).bits()
	var text [textBytes]byte
	for i := range text {
		text[i] = digits[0]
		if i < textBytes-1 {
			text[i] = digits[bits>>(2*steps-5*(i+1))&31]
		}
	}
	return string(text[:])
}

// cell is a part of the earth: the lon-th of 2^step from west to east, the lat-th from south to north. At the upper limits
// lon and lat are 2^step, one more than there are.
type cell struct {
	lon, lat uint32
	step     int
}

func cellOf(p Point, step int, latMax float64) cell {
	size := float64(uint64(1) << step)
	return cell{
		lon:  uint32((p.Lon + LonMax) / (2 * LonMax) * size),
		lat:  uint32((p.Lat + latMax) / (2 * latMax) * size),
		step: step,
	}
}

// bits interleaves the coordinates, beginning with the lowest bit of the latitude.
func (c cell) bits() uint64 { return spread(c.lat) | spread(c.lon)<<1 }

// scores returns the range [from, to) of the scores in a cell.
func (c cell) scores() (from, to float64) {
	shift := 2 * (steps - c.step)
	return float64(c.bits() << shift), float64((c.bits() + 1) << shift)
}

// bounds returns the degrees of a cell's edges.
func (c cell) bounds() (lonMin, lonMax, latMin, latMax float64) {
	size := float64(uint64(1) << c.step)
	edge := func(i uint32, limit float64) float64 { return mul(float64(i)/size, 2*limit) - limit }
	return edge(c.lon, LonMax), edge(c.lon+1, LonMax), edge(c.lat, LatMax), edge(c.lat+1, LatMax)
}

// moved is the cell so many cells to the east and to the north, round the earth.
func (c cell) moved(east, north int) cell {
	mask := uint32(1)<<c.step - 1
	if east != 0 {
		c.lon = (c.lon + uint32(east)) & mask
	}
	if north != 0 {
		c.lat = (c.lat + uint32(north)) & mask
	}
	return c
}

// spread puts a zero in front of each bit.
func spread(n uint32) uint64 {
	x := uint64(n)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	x = (x | x<<2) & 0x3333333333333333
	return (x | x<<1) & 0x5555555555555555
}

// squeeze takes every other bit, beginning with the lowest: the inverse of spread.
func squeeze(x uint64) uint32 {
	x &= 0x5555555555555555
	x = (x | x>>1) & 0x3333333333333333
	x = (x | x>>2) & 0x0f0f0f0f0f0f0f0f
	x = (x | x>>4) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16)
}

const radiansPerDegree = math.Pi / 180

func radians(degrees float64) float64 { return mul(degrees, radiansPerDegree) }
func degrees(radians float64) float64 { return radians / radiansPerDegree }
