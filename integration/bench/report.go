package main

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// report writes the results as Markdown.
func report(o options, m machine, res *results) string {
	var b strings.Builder
	head(&b, "Redoubt beside Redis and etcd", m, o.command, fmt.Sprintf(
		"%d rounds, the median counts; %s a measurement; %d keys; %s in all", o.rounds, o.cell, o.keys, res.took.Round(time.Second)))
	b.WriteString(matrixNotes)
	if m.etcd == "" {
		b.WriteString("\n" + etcdMissing + ".\n")
	}
	res.writeAims(&b)
	for _, t := range tables {
		res.writeTable(&b, t)
	}
	res.writeDetails(&b)
	res.writeFailures(&b)
	return b.String()
}

// head begins every report: where and how its figures came about.
func head(b *strings.Builder, title string, m machine, command, run string) {
	versions := fmt.Sprintf("redoubt %s (built with %s), redis-server %s", m.revision, m.golang, m.redis)
	if m.etcd != "" {
		versions += ", etcd " + m.etcd
	}
	fmt.Fprintf(b, "# %s\n\n", title)
	for _, line := range [][2]string{
		{"Date", m.date.Format("2006-01-02 15:04 MST")},
		{"Command", "`" + command + "`"},
		{"Versions", versions},
		{"Machine", fmt.Sprintf("%s, %d cores, Linux %s, load average %s before the run", m.cpu, m.cores, m.kernel, m.load)},
		{"Disk", fmt.Sprintf("%s; 4 KiB append and fdatasync: p50 %s ms", m.disk, millis(m.fsync))},
		{"Run", run},
	} {
		fmt.Fprintf(b, "- %s: %s\n", line[0], line[1])
	}
}

const matrixNotes = `
All processes run on this machine, clients included, with their data on the disk named above. Only one system is under
load at a time; the others run but stand idle. redoubt is three nodes, each write fsynced by a majority before its reply.
One Redis has appendfsync always. The trio is a primary with two replicas, all appendfsync always; its plain SET is
answered before any replica has it, and WAIT 1 returns when one replica has received it. etcd is three members with their
default settings; its client sends every request to the member that leads.

P is the number of commands in flight on each connection. Rates are operations a second (a WAIT counts for none). Times
are milliseconds from the sending of a pipeline to the first of its replies (redis-benchmark) or the last (our own
generator, which sends P SETs at once, for the trio with one WAIT 1 behind them). etcd's client has no pipelines: P
goroutines share a connection, and times are those of single requests. CPU times include the opening of the connections.
`

func (r *results) writeAims(b *strings.Builder) {
	b.WriteString("\n## Aims\n\n| aim | connections | P | bytes | ratio | wanted | |\n" +
		"|---|---:|---:|---:|---:|---:|---|\n")
	for _, a := range aims {
		found := false
		for _, sh := range r.shapes {
			if sh.conns != a.conns || sh.pipeline != a.pipeline || !r.tried(a.of, sh) || !r.tried(a.than, sh) {
				continue
			}
			found = true
			ratio := r.ratio(a, sh)
			fmt.Fprintf(b, "| %s | %d | %d | %d | %s | %s | %s |\n",
				a.name, sh.conns, sh.pipeline, sh.size, ratioText(ratio), a.wanted(), a.verdict(ratio))
		}
		if !found {
			fmt.Fprintf(b, "| %s | %d | %d | | | %s | not measured |\n", a.name, a.conns, a.pipeline, a.wanted())
		}
	}
}

// tried: the cell was measured, if perhaps without success.
func (r *results) tried(m measure, sh shape) bool { return r.cells[cell{m, sh}] != nil }

func (r *results) ratio(a aim, sh shape) float64 {
	if !a.latency {
		return r.rate(a.of, sh) / r.rate(a.than, sh)
	}
	of, _ := r.latency(a.of, sh)
	than, _ := r.latency(a.than, sh)
	if of < 0 || than <= 0 {
		return math.NaN()
	}
	return float64(of) / float64(than)
}

func (a aim) wanted() string {
	if a.latency {
		return "at most " + ratioText(a.limit)
	}
	return ratioText(a.limit)
}

func (a aim) verdict(ratio float64) string {
	if a.latency {
		return verdictAtMost(ratio, a.limit)
	}
	return verdictAtLeast(ratio, a.limit)
}

func verdictAtLeast(v, least float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "failed"
	case v >= least:
		return "met"
	}
	return "missed"
}

func verdictAtMost(v, most float64) string { return verdictAtLeast(-v, -most) }

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
		"| measurement | connections | P | bytes | median /s | slowest to fastest round /s | wall s |" +
		" CPU s of the servers | CPU s of the client |\n" +
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
					fmt.Fprintf(b, "- %s, %d connections, P %d, %d bytes: %s\n", m, sh.conns, sh.pipeline, sh.size, errLine(err))
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
	if o == nil || len(o.samples) == 0 {
		return noValue
	}
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
