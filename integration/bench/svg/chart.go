package svg

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Chart is a picture.
type Chart struct {
	Title  string
	X      Axis
	Panels []Panel
}

// Panel is a plot of its own. Its y axis begins at zero unless it is logarithmic.
type Panel struct {
	Title  string
	Y      Axis
	Series []Series
}

// Axis says what is measured along it.
type Axis struct {
	Label string // with the unit
	Log   bool
	// Format writes a number beside the axis; nil: Short.
	Format func(v float64) string
}

// Series is a line. Points stand in the order of X.
type Series struct {
	Name   string
	Points []Point
}

// Point is one measurement.
type Point struct{ X, Y float64 }

// Sizes in pixels.
const (
	width        = 860
	marginLeft   = 84
	marginRight  = 24
	titleHeight  = 44
	panelHead    = 52 // the panel's title and its legend
	plotHeight   = 210
	panelGap     = 18
	footHeight   = 58 // the numbers and the label of the x axis
	plotWidth    = width - marginLeft - marginRight
	tickGap      = 44 // least distance of two numbers on the x axis
	markRadius   = 3.6
	legendLine   = 26
	legendLetter = 6.9 // width of a letter, about
)

// style has each colour twice. Picked so that neighbours differ in lightness too.
const style = `
text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 17px; font-weight: 600 }
.panel { font-size: 13px; font-weight: 600 }
.back { fill: #ffffff }
.grid { stroke: #d8dee4; stroke-width: 1 }
.axis { stroke: #59636e; stroke-width: 1; fill: none }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
.s0 { stroke: #0550ae } .f0 { fill: #0550ae }
.s1 { stroke: #bc4c00; stroke-dasharray: 7 4 } .f1 { fill: #bc4c00 }
.s2 { stroke: #1a7f37; stroke-dasharray: 2 4 } .f2 { fill: #1a7f37 }
.s3 { stroke: #8250df; stroke-dasharray: 10 3 2 3 } .f3 { fill: #8250df }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.back { fill: #0d1117 }
.grid { stroke: #30363d }
.axis { stroke: #9198a1 }
.s0 { stroke: #79c0ff } .f0 { fill: #79c0ff }
.s1 { stroke: #ffa657 } .f1 { fill: #ffa657 }
.s2 { stroke: #56d364 } .f2 { fill: #56d364 }
.s3 { stroke: #d2a8ff } .f3 { fill: #d2a8ff }
}
`

// styles is how many series can be told apart; a further one looks like an earlier.
const styles = 4

// String draws the chart.
func (c Chart) String() string {
	var b strings.Builder
	height := titleHeight + len(c.Panels)*(panelHead+plotHeight+panelGap) + footHeight
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s</style>\n", html.EscapeString(c.Title), style)
	fmt.Fprintf(&b, `<rect class="back" width="%d" height="%d"/>`+"\n", width, height)
	text(&b, "title", marginLeft, 28, "start", c.Title)
	x := newScale(c.X, c.xs(), marginLeft, marginLeft+plotWidth)
	top := float64(titleHeight)
	for i, p := range c.Panels {
		p.draw(&b, c, x, top+panelHead, i == len(c.Panels)-1)
		top += panelHead + plotHeight + panelGap
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// xs are the places of all points that some panel can draw.
func (c Chart) xs() []float64 {
	var out []float64
	for _, p := range c.Panels {
		for _, s := range p.Series {
			for _, pt := range s.Points {
				if drawable(c.X, pt.X) && drawable(p.Y, pt.Y) {
					out = append(out, pt.X)
				}
			}
		}
	}
	return out
}

func drawable(a Axis, v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!a.Log || v > 0)
}

func (p Panel) draw(b *strings.Builder, c Chart, x scale, top float64, last bool) {
	text(b, "panel", marginLeft, top-30, "start", p.Title)
	p.legend(b, top-12)
	var ys []float64
	for _, s := range p.Series {
		for _, pt := range s.Points {
			if drawable(c.X, pt.X) && drawable(p.Y, pt.Y) {
				ys = append(ys, pt.Y)
			}
		}
	}
	if !p.Y.Log {
		ys = append(ys, 0)
	}
	bottom := top + plotHeight
	y := newScale(p.Y, ys, bottom, top)
	for _, v := range y.ticks() {
		at := y.at(v)
		line(b, "grid", marginLeft, at, marginLeft+plotWidth, at)
		text(b, "", marginLeft-8, at+4, "end", p.Y.format(v))
	}
	p.drawX(b, c, x, top, bottom, last)
	fmt.Fprintf(b, `<path class="axis" d="M%d %.1fV%.1fH%d"/>`+"\n", marginLeft, top, bottom, marginLeft+plotWidth)
	mid := (top + bottom) / 2
	fmt.Fprintf(b, `<text text-anchor="middle" transform="translate(18 %.1f) rotate(-90)">%s</text>`+"\n",
		mid, html.EscapeString(p.Y.Label))
	for i, s := range p.Series {
		s.draw(b, i%styles, c.X, p.Y, x, y)
	}
}

// drawX draws the marks of the x axis: at the points themselves, as far as their numbers have room.
func (p Panel) drawX(b *strings.Builder, c Chart, x scale, top, bottom float64, last bool) {
	for _, v := range spaced(c.xs(), x, tickGap) {
		at := x.at(v)
		line(b, "grid", at, top, at, bottom)
		if last {
			text(b, "", at, bottom+18, "middle", c.X.format(v))
		}
	}
	if last {
		text(b, "", marginLeft+plotWidth/2, bottom+42, "middle", c.X.Label)
	}
}

func (p Panel) legend(b *strings.Builder, y float64) {
	x := float64(marginLeft)
	for i, s := range p.Series {
		fmt.Fprintf(b, `<path class="line s%d" d="M%.1f %.1fh%d"/>`+"\n", i%styles, x, y-4, legendLine)
		mark(b, i%styles, x+legendLine/2, y-4)
		text(b, "", x+legendLine+6, y, "start", s.Name)
		x += legendLine + 24 + legendLetter*float64(len([]rune(s.Name)))
	}
}

func (s Series) draw(b *strings.Builder, look int, ax, ay Axis, x, y scale) {
	var path strings.Builder
	var marks [][2]float64
	command := "M"
	for _, p := range s.Points {
		if !drawable(ax, p.X) || !drawable(ay, p.Y) {
			command = "M" // a gap, not a line across what was not measured
			continue
		}
		px, py := x.at(p.X), y.at(p.Y)
		fmt.Fprintf(&path, "%s%.1f %.1f", command, px, py)
		marks = append(marks, [2]float64{px, py})
		command = "L"
	}
	if len(marks) == 0 {
		return
	}
	fmt.Fprintf(b, `<path class="line s%d" d="%s"/>`+"\n", look, path.String())
	for _, m := range marks {
		mark(b, look, m[0], m[1])
	}
}

// mark draws a circle, a square, a triangle or a diamond.
func mark(b *strings.Builder, look int, x, y float64) {
	const r = markRadius
	switch look {
	case 0:
		fmt.Fprintf(b, `<circle class="f0" cx="%.1f" cy="%.1f" r="%.1f"/>`+"\n", x, y, r)
	case 1:
		fmt.Fprintf(b, `<rect class="f1" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`+"\n", x-r, y-r, 2*r, 2*r)
	case 2:
		fmt.Fprintf(b, `<path class="f2" d="M%.1f %.1fl%.1f %.1fh%.1fz"/>`+"\n", x, y-1.2*r, 1.2*r, 2.2*r, -2.4*r)
	default:
		const d = 1.3 * r
		fmt.Fprintf(b, `<path class="f3" d="M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz"/>`+"\n", x, y-d, d, d, -d, d, -d, -d)
	}
}

func line(b *strings.Builder, class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(b, `<path class="%s" d="M%.1f %.1fL%.1f %.1f"/>`+"\n", class, x1, y1, x2, y2)
}

func text(b *strings.Builder, class string, x, y float64, anchor, s string) {
	attr := ""
	if class != "" {
		attr = ` class="` + class + `"`
	}
	fmt.Fprintf(b, `<text%s x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", attr, x, y, anchor, html.EscapeString(s))
}
