package svg

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func sampleChart() Chart {
	return Chart{
		Title: "Cost & growth <nodes>", X: Axis{Label: "bytes of a value", Log: true, Format: Bytes},
		Panels: []Panel{
			{Title: "rate", Y: Axis{Label: "commands a second", Log: true}, Series: []Series{
				{"ours", []Point{{3, 20000}, {256, 18000}, {4096, 9000}, {1 << 20, 90}}},
				{"theirs", []Point{{3, 50000}, {256, math.NaN()}, {4096, 0}, {1 << 20, 200}}},
			}},
			{Title: "latency", Y: Axis{Label: "p99, ms"}, Series: []Series{{"ours", []Point{{3, 1.5}, {256, 2.5}, {1 << 20, 7}}}}},
		},
	}
}

func wellFormed(t *testing.T, text string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
}

func TestChart(t *testing.T) {
	text := sampleChart().String()
	wellFormed(t, text)
	for _, want := range []string{
		"Cost &amp; growth &lt;nodes&gt;", "commands a second", "p99, ms", "bytes of a value", "prefers-color-scheme: dark",
		">1 MiB<", ">256 B<", ">ours<", ">theirs<", ">10k<", `class="line s1"`, `class="f0"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture has no %q", want)
		}
	}
	for _, bad := range []string{"NaN", "Inf", "%!"} {
		if strings.Contains(text, bad) {
			t.Errorf("the picture has %q", bad)
		}
	}
	// Circles: 4 points and a legend, 3 points and a legend. Squares: only the 2 points that can be drawn, and a
	// legend.
	if c, r := strings.Count(text, "<circle"), strings.Count(text, `<rect class="f1"`); c != 9 || r != 3 {
		t.Errorf("%d circles, %d squares", c, r)
	}
}

// A line must not run across a point that was not measured.
func TestGap(t *testing.T) {
	c := Chart{Panels: []Panel{{Series: []Series{{"a", []Point{{1, 1}, {2, math.NaN()}, {3, 1}}}}}}}
	text := c.String()
	start := strings.LastIndex(text, `<path class="line s0" d="`)
	path, _, _ := strings.Cut(text[start+len(`<path class="line s0" d="`):], `"`)
	if strings.Count(path, "M") != 2 || strings.Contains(path, "L") {
		t.Errorf("path %q", path)
	}
}

func TestEmptyCharts(t *testing.T) {
	nothing := []Series{{Name: "a"}, {"b", []Point{{math.Inf(1), 1}, {-1, -1}}}}
	for _, log := range []bool{false, true} {
		for _, series := range [][]Series{nil, nothing, {{"c", []Point{{5, 5}}}}} {
			text := Chart{X: Axis{Log: log}, Panels: []Panel{{Y: Axis{Log: log}, Series: series}}}.String()
			wellFormed(t, text)
			if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
				t.Errorf("log %v, %v: %s", log, series, text)
			}
		}
	}
}

func TestScale(t *testing.T) {
	for _, s := range []scale{
		newScale(Axis{Log: true}, []float64{3, 8000}, 200, 0), newScale(Axis{}, []float64{0, 7.3}, 200, 0), newScale(Axis{}, []float64{3, 7}, 0, 500),
	} {
		if s.at(s.least) != s.fromPx || math.Abs(s.at(s.most)-s.toPx) > 1e-6 {
			t.Errorf("%+v: ends at %v and %v", s, s.at(s.least), s.at(s.most))
		}
	}
	if s := newScale(Axis{Log: true}, []float64{3, 8000}, 200, 0); s.least != 2 || s.most != 10000 {
		t.Errorf("log ends %v to %v", s.least, s.most)
	}
	if s := newScale(Axis{}, []float64{0, 7.3}, 200, 0); s.least != 0 || s.most != 8 {
		t.Errorf("linear ends %v to %v", s.least, s.most)
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		s    scale
		want []float64
	}{
		{newScale(Axis{Log: true}, []float64{20, 400}, 100, 0), []float64{20, 50, 100, 200, 500}},
		{newScale(Axis{Log: true}, []float64{1, 100000}, 100, 0), []float64{1, 10, 100, 1000, 10000, 100000}},
		{newScale(Axis{}, []float64{0, 10}, 100, 0), []float64{0, 2, 4, 6, 8, 10}},
	} {
		got := c.s.ticks()
		if !slices.EqualFunc(got, c.want, func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*b }) {
			t.Errorf("ticks %v, want %v", got, c.want)
		}
	}
}

func TestRound(t *testing.T) {
	for v, want := range map[float64][2]float64{1: {1, 1}, 3: {2, 5}, 5: {5, 5}, 70: {50, 100}, 0.03: {0.02, 0.05}, 999: {500, 1000}} {
		if d, u := roundDown(v), roundUp(v); math.Abs(d-want[0]) > 1e-9 || math.Abs(u-want[1]) > 1e-9 {
			t.Errorf("%v: %v and %v, want %v", v, d, u, want)
		}
	}
}

func TestSpaced(t *testing.T) {
	s := scale{least: 0, most: 100, fromPx: 0, toPx: 100}
	if got := spaced([]float64{0, 5, 20, 20, 95, 100}, s, 10); !slices.Equal(got, []float64{0, 20, 100}) {
		t.Errorf("%v", got)
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.5: "0.5", 3: "3", 999: "999", 1000: "1k", 12345: "12.3k", 1e6: "1M", 2.5e9: "2.5G"} {
		if got := Short(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{3: "3 B", 1024: "1 KiB", 1 << 20: "1 MiB", 3 << 29: "1.5 GiB"} {
		if got := Bytes(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}
