package geohash

import (
	"math"
	"slices"
)

// earthRadius in meters, as Redis has it.
const earthRadius = 6372797.560856

// Distance returns the meters between two places, by the haversine formula.
func Distance(a, b Point) float64 {
	v := sin(mul(radians(b.Lon)-radians(a.Lon), 0.5))
	if v == 0 {
		return latDistance(a.Lat, b.Lat)
	}
	latA, latB := radians(a.Lat), radians(b.Lat)
	u := sin(mul(latB-latA, 0.5))
	h := mul(u, u) + mul(mul(mul(cos(latA), cos(latB)), v), v)
	return 2 * earthRadius * asin(min(math.Sqrt(h), 1))
}

func latDistance(a, b float64) float64 {
	return earthRadius * math.Abs(radians(b)-radians(a))
}

// Area is the part of the earth that a search asks for: a circle, or a box where Width is set. Lengths are in meters.
type Area struct {
	Center        Point
	Radius        float64
	Box           bool
	Width, Height float64
}

// Distance returns the meters from the center to a place, and whether the place is in the area.
func (a *Area) Distance(p Point) (meters float64, within bool) {
	if !a.Box {
		meters = Distance(a.Center, p)
		return meters, meters <= a.Radius
	}
	// The box is as wide as it says at every latitude.
	if latDistance(p.Lat, a.Center.Lat) > a.Height/2 ||
		Distance(p, Point{a.Center.Lon, p.Lat}) > a.Width/2 {
		return 0, false
	}
	return Distance(a.Center, p), true
}

// Range is a range [From, To) of scores.
type Range struct{ From, To float64 }

// Scores returns the ranges of scores in which the places of the area are: the cell of its center, and those around it that
// the area reaches. Their order is Redis's; it decides the order of replies that are not sorted.
func (a *Area) Scores() []Range {
	b := a.bounds()
	step := a.step()
	c := cellOf(a.Center, step, LatMax)
	if step > 1 && !c.covers(b) {
		step--
		c = cellOf(a.Center, step, LatMax)
	}
	var cells []cell
	for _, d := range [...]struct{ east, north int }{
		{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1},
	} {
		// At the coarsest steps the same cell lies on both sides, and needs a look whatever it is.
		if step >= 2 && !c.reaches(b, d.east, d.north) {
			continue
		}
		if n := c.moved(d.east, d.north); !slices.Contains(cells, n) {
			cells = append(cells, n)
		}
	}
	ranges := make([]Range, len(cells))
	for i, n := range cells {
		ranges[i].From, ranges[i].To = n.scores()
	}
	return ranges
}

// box is the degrees that an area lies within.
type box struct{ lonMin, lonMax, latMin, latMax float64 }

// bounds takes the side that is nearer to a pole for the width in degrees: there it is the greatest.
func (a *Area) bounds() box {
	width, height := a.Radius, a.Radius
	if a.Box {
		width, height = a.Width/2, a.Height/2
	}
	lat := degrees(height / earthRadius)
	side := a.Center.Lat + lat
	if a.Center.Lat < 0 {
		side = a.Center.Lat - lat
	}
	lon := degrees(width / earthRadius / cos(radians(side)))
	return box{a.Center.Lon - lon, a.Center.Lon + lon, a.Center.Lat - lat, a.Center.Lat + lat}
}

// step is how often the earth can be halved so that nine cells cover the area, near enough.
func (a *Area) step() int {
	const halfEquator = 20037726.37 // meters, in the web's Mercator projection
	reach := a.Radius
	if a.Box {
		reach = math.Sqrt(mul(a.Width/2, a.Width/2) + mul(a.Height/2, a.Height/2))
	}
	if reach == 0 {
		return steps
	}
	n := 1
	for ; reach < halfEquator; reach *= 2 {
		n++
	}
	n -= 2
	// Towards the poles cells become narrower.
	if lat := math.Abs(a.Center.Lat); lat > 80 {
		n -= 2
	} else if lat > 66 {
		n--
	}
	return min(max(n, 1), steps)
}

// covers reports whether a cell and those around it reach as far as the box.
func (c cell) covers(b box) bool {
	_, _, _, north := c.moved(0, 1).bounds()
	_, _, south, _ := c.moved(0, -1).bounds()
	_, east, _, _ := c.moved(1, 0).bounds()
	west, _, _, _ := c.moved(-1, 0).bounds()
	return !(north < b.latMax) && !(south > b.latMin) && !(east < b.lonMax) && !(west > b.lonMin)
}

// reaches reports whether the box goes beyond the cell's edges in a direction.
func (c cell) reaches(b box, east, north int) bool {
	lonMin, lonMax, latMin, latMax := c.bounds()
	return !(north < 0 && latMin < b.latMin) && !(north > 0 && latMax > b.latMax) &&
		!(east < 0 && lonMin < b.lonMin) && !(east > 0 && lonMax > b.lonMax)
}
