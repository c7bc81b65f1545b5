package svg

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// scale turns values into pixels.
type scale struct {
	log          bool
	least, most  float64 // values, least < most
	fromPx, toPx float64
}

// newScale covers the values, with round ends on the y axis and tight ones on the x axis.
func newScale(a Axis, values []float64, fromPx, toPx float64) scale {
	s := scale{log: a.Log, least: 0, most: 1, fromPx: fromPx, toPx: toPx}
	if s.log {
		s.least, s.most = 1, 10
	}
	if len(values) > 0 {
		s.least, s.most = slices.Min(values), slices.Max(values)
	}
	vertical := fromPx > toPx
	switch {
	case s.log && vertical:
		s.least, s.most = roundDown(s.least), roundUp(s.most*(1+1e-9))
	case vertical:
		step := stepOf(s.most - s.least)
		s.most = math.Ceil(s.most/step) * step
		s.least = math.Floor(s.least/step) * step
	default: // a little room, so that no mark stands on the edge
		s.pad()
	}
	if s.least >= s.most {
		s.most = s.least + 1
		if s.log {
			s.most = s.least * 10
		}
	}
	return s
}

// padShare of the width is left free on both sides of the x axis.
const padShare = 0.03

func (s *scale) pad() {
	if s.log {
		f := math.Pow(s.most/s.least, padShare)
		if f == 1 {
			f = 2
		}
		s.least, s.most = s.least/f, s.most*f
		return
	}
	d := (s.most - s.least) * padShare
	if d == 0 {
		d = 1
	}
	s.least, s.most = s.least-d, s.most+d
}

func (s scale) at(v float64) float64 {
	share := (v - s.least) / (s.most - s.least)
	if s.log {
		share = math.Log(v/s.least) / math.Log(s.most/s.least)
	}
	return s.fromPx + share*(s.toPx-s.fromPx)
}

// ticks are the values that a line and a number stand at: decades, with 2 and 5 between them where there are few, or
// multiples of a round step.
func (s scale) ticks() []float64 {
	var out []float64
	if !s.log {
		step := stepOf(s.most - s.least)
		for i := math.Ceil(s.least / step); i*step <= s.most*(1+1e-9); i++ {
			out = append(out, i*step)
		}
		return out
	}
	factors := []float64{1, 2, 5}
	if s.most/s.least > 2000 {
		factors = []float64{1}
	}
	for d := math.Pow(10, math.Floor(math.Log10(s.least)+1e-9)); d <= s.most*(1+1e-9); d *= 10 {
		for _, f := range factors {
			if v := d * f; v >= s.least*(1-1e-9) && v <= s.most*(1+1e-9) {
				out = append(out, v)
			}
		}
	}
	return out
}

// ticksWanted is about how many ticks a linear axis gets.
const ticksWanted = 5

// stepOf is 1, 2 or 5 times a power of ten.
func stepOf(span float64) float64 {
	if span <= 0 {
		return 1
	}
	raw := span / ticksWanted
	d := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 5} {
		if raw <= f*d*(1+1e-9) {
			return f * d
		}
	}
	return 10 * d
}

// roundDown is the next of 1, 2 and 5 times a power of ten that is not above v; roundUp that which is not below.
func roundDown(v float64) float64 {
	d := math.Pow(10, math.Floor(math.Log10(v)+1e-12))
	for _, f := range []float64{5, 2} {
		if v >= f*d*(1-1e-9) {
			return f * d
		}
	}
	return d
}

func roundUp(v float64) float64 {
	d := roundDown(v)
	if d >= v*(1-1e-8) {
		return d
	}
	for _, f := range []float64{1, 2, 5, 10} {
		if e := f * math.Pow(10, math.Floor(math.Log10(v)+1e-12)); e >= v*(1-1e-8) {
			return e
		}
	}
	return d * 10
}

// spaced picks, from the left, the values that stand at least gap pixels apart; the last one always.
func spaced(values []float64, s scale, gap float64) []float64 {
	sorted := slices.Compact(slices.Sorted(slices.Values(values)))
	var out []float64
	for i, v := range sorted {
		last := i == len(sorted)-1
		for last && len(out) > 0 && s.at(v)-s.at(out[len(out)-1]) < gap {
			out = out[:len(out)-1]
		}
		if len(out) == 0 || s.at(v)-s.at(out[len(out)-1]) >= gap {
			out = append(out, v)
		}
	}
	return out
}

func (a Axis) format(v float64) string {
	if a.Format != nil {
		return a.Format(v)
	}
	return Short(v)
}

// Short writes a number with three digits that count and a letter for thousands, millions and more.
func Short(v float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= unit.of*0.9995 {
			return digits(v/unit.of) + unit.name
		}
	}
	return digits(v)
}

// Bytes writes a size in powers of 1024.
func Bytes(v float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1 << 30, " GiB"}, {1 << 20, " MiB"}, {1 << 10, " KiB"}} {
		if v >= unit.of {
			return digits(v/unit.of) + unit.name
		}
	}
	return digits(v) + " B"
}

func digits(v float64) string {
	t := strconv.FormatFloat(v, 'g', 3, 64)
	if strings.Contains(t, "e") {
		t = strconv.FormatFloat(v, 'f', -1, 64)
	}
	return t
}
