package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/integration/bench/svg"
)

func (b *bench) growthReport(rows []*growthRow) string {
	var t strings.Builder
	g := growths[b.o.growth]
	head(&t, "Redoubt: "+strings.ToLower(g.title), b.m, b.o.command, b.growthRun())
	t.WriteString("\nBy our own generator. " + g.notes + "\n")
	if b.o.svg != "" {
		seen := strings.TrimPrefix(filepath.ToSlash(b.picture()), "docs/") // from a page in docs
		fmt.Fprintf(&t, "\n![%s](%s)\n", g.title, seen)
	}
	growthRates(&t, b.o.growth, rows)
	growthTimes(&t, b.o.growth, rows)
	growthErrors(&t, b.o.growth, rows)
	return t.String()
}

// growthRun says what was the same at all points.
func (b *bench) growthRun() string {
	what := []string{fmt.Sprintf("%d rounds a point, the median counts; %s a measurement", b.o.rounds, b.o.cell)}
	if b.o.growth != growConns {
		what = append(what, fmt.Sprintf("%d connections", b.o.conns[0]))
	}
	if b.o.growth != growValues {
		what = append(what, fmt.Sprintf("values of %d bytes", b.o.sizes[0]))
	}
	if b.o.growth != growKeys {
		what = append(what, fmt.Sprintf("%d keys", b.o.keys))
	}
	if b.o.growth != growNodes {
		what = append(what, fmt.Sprintf("%d nodes", nodes))
	}
	return strings.Join(append(what, fmt.Sprintf("pipeline %d", b.o.pipelines[0])), "; ")
}

func (r *growthRow) median(s series, of func(sample) float64) float64 { return r.cells[s].median(of) }

func rateOf(s sample) float64 { return s.rate }

func growthRates(t *strings.Builder, name string, rows []*growthRow) {
	fmt.Fprintf(t, "\n| %s |", growths[name].axis.Label)
	for _, s := range allSeries {
		fmt.Fprintf(t, " %s /s |", s)
	}
	t.WriteString(" SET ratio | GET ratio | redoubt SET MB/s | CPU s: leader + followers |" +
		" redoubt RSS MiB | Redis RSS MiB |\n" +
		"|" + strings.Repeat("---:|", 1+len(allSeries)+6) + "\n")
	for _, r := range rows {
		fmt.Fprintf(t, "| %s |", rateText(float64(r.point)))
		for _, s := range allSeries {
			fmt.Fprintf(t, " %s |", rateText(r.median(s, rateOf)))
		}
		for i := range 2 {
			fmt.Fprintf(t, " %s |", ratioText(r.median(allSeries[2*i], rateOf)/r.median(allSeries[2*i+1], rateOf)))
		}
		fmt.Fprintf(t, " %s | %s | %s | %s |\n", megabytes(r, name), r.cells[allSeries[0]].cpuText(),
			mebibytes(r.rss[redoubt]), mebibytes(r.rss[single]))
	}
}

// megabytes a second that our SETs carry in values; known only where the size is what grows.
func megabytes(r *growthRow, name string) string {
	v := r.median(allSeries[0], rateOf) * float64(r.point) / 1e6
	if name != growValues || math.IsNaN(v) {
		return noValue
	}
	return ratioText(v)
}

func growthTimes(t *strings.Builder, name string, rows []*growthRow) {
	fmt.Fprintf(t, "\nLatencies, p50 / p99 / p99.9 in ms:\n\n| %s |", growths[name].axis.Label)
	for _, s := range allSeries {
		fmt.Fprintf(t, " %s |", s)
	}
	t.WriteString("\n|" + strings.Repeat("---:|", 1+len(allSeries)) + "\n")
	for _, r := range rows {
		fmt.Fprintf(t, "| %s |", rateText(float64(r.point)))
		for _, s := range allSeries {
			fmt.Fprintf(t, " %s |", r.cells[s].times())
		}
		t.WriteString("\n")
	}
}

// times are the medians of the three quantiles, as text.
func (o *outcome) times() string {
	if o == nil || len(o.samples) == 0 {
		return noValue
	}
	var parts []string
	for _, of := range []func(sample) time.Duration{
		func(s sample) time.Duration { return s.p50 },
		func(s sample) time.Duration { return s.p99 },
		func(s sample) time.Duration { return s.p999 },
	} {
		parts = append(parts, millis(time.Duration(o.median(func(s sample) float64 { return float64(of(s)) }))))
	}
	return strings.Join(parts, " / ")
}

func growthErrors(t *strings.Builder, name string, rows []*growthRow) {
	title := "\n## Failed measurements\n\n"
	for _, r := range rows {
		for _, s := range allSeries {
			for _, err := range r.cells[s].errs {
				fmt.Fprintf(t, "%s- %s %d, %s: %s\n", title, name, r.point, s, errLine(err))
				title = ""
			}
		}
	}
}

// growthChart is the picture: rates above, latencies below, and memory where the number of keys grows.
func growthChart(name string, rows []*growthRow) svg.Chart {
	g := growths[name]
	line := func(label string, y func(r *growthRow) float64) svg.Series {
		out := svg.Series{Name: label}
		for _, r := range rows {
			out.Points = append(out.Points, svg.Point{X: float64(r.point), Y: y(r)})
		}
		return out
	}
	var rates, times []svg.Series
	for _, s := range allSeries {
		rates = append(rates, line(s.String(), func(r *growthRow) float64 { return r.median(s, rateOf) }))
		times = append(times, line(s.String(), func(r *growthRow) float64 {
			return r.median(s, func(s sample) float64 { return float64(s.p99) / float64(time.Millisecond) })
		}))
	}
	c := svg.Chart{Title: g.title, X: g.axis, Panels: []svg.Panel{
		{Title: "Commands a second", Y: svg.Axis{Label: "commands/s", Log: true}, Series: rates},
		{Title: "Latency, 99th percentile", Y: svg.Axis{Label: "ms", Log: true}, Series: times},
	}}
	if name == growKeys {
		y := svg.Axis{Label: "bytes", Log: true, Format: svg.Bytes}
		c.Panels = append(c.Panels, svg.Panel{Title: "Resident memory of one node", Y: y, Series: []svg.Series{
			line("redoubt leader", func(r *growthRow) float64 { return float64(r.rss[redoubt]) }),
			line("Redis", func(r *growthRow) float64 { return float64(r.rss[single]) }),
		}})
	}
	return c
}
