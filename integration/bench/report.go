package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// aim is a ratio that the project wants to reach, at a shape without its size: it holds for every size.
type aim struct {
	name            string
	of, than        measure
	conns, pipeline int
	least           float64
}

var aims = []aim{
	{"SET beside the Redis trio's SET + WAIT 1", ownRedoubt, ownWait, 50, 1, 1.5},
	{"linearizable GET beside one Redis", getRedoubt, getSingle, 50, 1, 0.4},
}

// versus is a table of the report: the first measure beside the others.
type versus struct {
	title    string
	measures []measure
	names    []string // of the columns, one for each measure
}

var tables = []versus{
	{"SET, by redis-benchmark", []measure{setRedoubt, setSingle, setTrio}, []string{"redoubt", "one Redis", "trio"}},
	{"SET and SET + WAIT 1, by our own generator", []measure{ownRedoubt, ownSingle, ownWait}, []string{"redoubt SET", "one Redis SET", "trio SET + WAIT"}},
	{"GET, by redis-benchmark (ours linearizable, on the leader)", []measure{getRedoubt, getSingle}, []string{"redoubt", "one Redis"}},
}

// report writes the results as Markdown.
func report(o options, m machine, res *results) string {
	var b strings.Builder
	head(&b, o, m, res)
	res.writeAims(&b)
	for _, t := range tables {
		res.writeTable(&b, t)
	}
	res.writeDetails(&b)
	res.writeFailures(&b)
	return b.String()
}

func head(b *strings.Builder, o options, m machine, res *results) {
	fmt.Fprintf(b, "# Redoubt beside Redis\n\n")
	for _, line := range [][2]string{
		{"Date", m.date.Format("2006-01-02 15:04 MST")},
		{"Command", "`" + o.command + "`"},
		{"Versions", fmt.Sprintf("redoubt %s (built with %s), redis-server %s", m.revision, m.golang, m.redis)},
		{"Machine", fmt.Sprintf("%s, %d cores, Linux %s, load average %s before the run", m.cpu, m.cores, m.kernel, m.load)},
		{"Disk", fmt.Sprintf("%s; 4 KiB append and fdatasync: p50 %s ms", m.disk, millis(m.fsync))},
		{"Run", fmt.Sprintf("%d rounds, the median counts; %s a measurement; %d keys; %s in all", o.rounds, o.cell, o.keys, res.took.Round(time.Second))},
	} {
		fmt.Fprintf(b, "- %s: %s\n", line[0], line[1])
	}
	b.WriteString(`
All processes run on this machine, clients included, with their data on the disk named above. Only one system is under
load at a time; the others run but stand idle. redoubt is three nodes, each write fsynced by a majority before its reply.
One Redis has appendfsync always. The trio is a primary with two replicas, all appendfsync always; its plain SET is
answered before any replica has it, and WAIT 1 returns when one replica has received it.

P is the number of commands in flight on each connection. Rates are operations a second (a WAIT counts for none). Times
are milliseconds from the sending of a pipeline to the first of its replies (redis-benchmark) or the last (our own
generator, which sends P SETs at once, for the trio with one WAIT 1 behind them).
`)
}

func (r *results) writeAims(b *strings.Builder) {
	b.WriteString("\n## Aims\n\n| aim | connections | P | bytes | ratio | wanted | |\n|---|---:|---:|---:|---:|---:|---|\n")
	for _, a := range aims {
		found := false
		for _, sh := range r.shapes {
			if sh.conns != a.conns || sh.pipeline != a.pipeline {
				continue
			}
			found = true
			ratio := r.rate(a.of, sh) / r.rate(a.than, sh)
			fmt.Fprintf(b, "| %s | %d | %d | %d | %s | %s | %s |\n", a.name, sh.conns, sh.pipeline, sh.size, ratioText(ratio), ratioText(a.least), verdict(ratio, a.least))
		}
		if !found {
			fmt.Fprintf(b, "| %s | %d | %d | | | %s | not measured |\n", a.name, a.conns, a.pipeline, ratioText(a.least))
		}
	}
}

func verdict(ratio, least float64) string {
	switch {
	case math.IsNaN(ratio) || math.IsInf(ratio, 0):
		return "failed"
	case ratio >= least:
		return "met"
	}
	return "missed"
}

func (r *results) writeTable(b *strings.Builder, t versus) {
	fmt.Fprintf(b, "\n## %s\n\n| connections | P | bytes |", t.title)
	for _, name := range t.names {
		fmt.Fprintf(b, " %s /s |", name)
	}
	for _, name := range t.names[1:] {
		fmt.Fprintf(b, " ratio to %s |", name)
	}
	for _, name := range t.names {
		fmt.Fprintf(b, " %s p50 / p99 ms |", name)
	}
	b.WriteString("\n|" + strings.Repeat("---:|", 3+2*len(t.names)+len(t.names)-1) + "\n")
	for _, sh := range r.shapes {
		fmt.Fprintf(b, "| %d | %d | %d |", sh.conns, sh.pipeline, sh.size)
		for _, m := range t.measures {
			fmt.Fprintf(b, " %s |", rateText(r.rate(m, sh)))
		}
		for _, m := range t.measures[1:] {
			fmt.Fprintf(b, " %s |", ratioText(r.rate(t.measures[0], sh)/r.rate(m, sh)))
		}
		for _, m := range t.measures {
			p50, p99 := r.latency(m, sh)
			fmt.Fprintf(b, " %s / %s |", millis(p50), millis(p99))
		}
		b.WriteString("\n")
	}
}

func (r *results) writeDetails(b *strings.Builder) {
	b.WriteString("\n## CPU and spread\n\nCPU seconds that each process used while the cell was measured, the leader or primary first.\n\n" +
		"| measurement | connections | P | bytes | median /s | slowest to fastest round /s | wall s | CPU s of the servers | CPU s of the client |\n" +
		"|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, sh := range r.shapes {
		for _, m := range measures {
			o := r.cells[cell{m, sh}]
			if o == nil || len(o.samples) == 0 {
				continue
			}
			least, most := math.Inf(1), math.Inf(-1)
			for _, s := range o.samples {
				least, most = min(least, s.rate), max(most, s.rate)
			}
			wall := o.median(func(s sample) float64 { return s.wall.Seconds() })
			client := o.median(func(s sample) float64 { return s.loadCPU.Seconds() })
			fmt.Fprintf(b, "| %s | %d | %d | %d | %s | %s to %s | %.2f | %s | %.2f |\n", m, sh.conns, sh.pipeline, sh.size,
				rateText(r.rate(m, sh)), rateText(least), rateText(most), wall, o.cpuText(), client)
		}
	}
}

func (r *results) writeFailures(b *strings.Builder) {
	if r.failures() == 0 {
		return
	}
	b.WriteString("\n## Failed measurements\n\n")
	for _, sh := range r.shapes {
		for _, m := range measures {
			if o := r.cells[cell{m, sh}]; o != nil {
				for _, err := range o.errs {
					fmt.Fprintf(b, "- %s, %d connections, P %d, %d bytes: %s\n", m, sh.conns, sh.pipeline, sh.size, strings.Join(strings.Fields(err.Error()), " "))
				}
			}
		}
	}
}

// median of a value of the samples; NaN if no round succeeded.
func (o *outcome) median(of func(sample) float64) float64 {
	if o == nil {
		return math.NaN()
	}
	v := make([]float64, len(o.samples))
	for i, s := range o.samples {
		v[i] = of(s)
	}
	return median(v)
}

func (o *outcome) cpuText() string {
	var parts []string
	for i := range o.samples[0].cpu {
		parts = append(parts, fmt.Sprintf("%.2f", o.median(func(s sample) float64 { return s.cpu[i].Seconds() })))
	}
	return strings.Join(parts, " + ")
}

func (r *results) rate(m measure, sh shape) float64 {
	return r.cells[cell{m, sh}].median(func(s sample) float64 { return s.rate })
}

// latency is negative if no round succeeded.
func (r *results) latency(m measure, sh shape) (p50, p99 time.Duration) {
	o := r.cells[cell{m, sh}]
	if o == nil || len(o.samples) == 0 {
		return -1, -1
	}
	return time.Duration(o.median(func(s sample) float64 { return float64(s.p50) })),
		time.Duration(o.median(func(s sample) float64 { return float64(s.p99) }))
}

const noValue = "–"

func rateText(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return noValue
	}
	digits := strconv.FormatInt(int64(math.Round(v)), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func ratioText(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return noValue
	}
	return fmt.Sprintf("%.2f", v)
}

// millis is a duration in milliseconds, to three digits that count.
func millis(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d < 0:
		return noValue
	case ms < 10:
		return fmt.Sprintf("%.2f", ms)
	case ms < 100:
		return fmt.Sprintf("%.1f", ms)
	}
	return fmt.Sprintf("%.0f", ms)
}
