package resp

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

var tipsLatency = []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"}

// LATENCY of Redis 7.0.
var latencyCommands = []entry{{
	Spec: command.Spec{
		Name: "latency", Arity: -2, Group: "server", Since: "2.8.13", Summary: "Reads what took long.", Complexity: "Depends on subcommand.",
	},
	subs: []entry{
		latencyEntry("doctor", 2, adminAnyTime, "2.8.13", latencyDoctor, "Explains the latencies seen.").tipped(tipsLatency...),
		latencyEntry("graph", 3, adminAnyTime, "2.8.13", latencyGraph, "Draws an event's latencies.").tipped(tipsLatency...),
		latencyEntry("help", 2, anyTime, "2.8.13", help("LATENCY", latencyHelp...), "Lists the subcommands."),
		latencyEntry("histogram", -2, adminAnyTime, "7.0.0", latencyHistogram, "Returns how the times of commands are distributed.").
			costing("O(N) where N is the number of commands").tipped(tipsLatency...),
		latencyEntry("history", 3, adminAnyTime, "2.8.13", latencyHistory, "Returns an event's latencies.").tipped(tipsLatency...),
		latencyEntry("latest", 2, adminAnyTime, "2.8.13", latencyLatest, "Returns every event's last latency.").tipped(tipsLatency...),
		latencyEntry("reset", -2, adminAnyTime, "2.8.13", latencyReset, "Forgets events.").
			tipped("request_policy:all_nodes", "response_policy:all_succeeded"),
	},
}}

func latencyEntry(sub string, arity int, f command.Flags, since string, run handler, summary string) entry {
	return entry{Spec: command.Spec{
		Name: "latency|" + sub, Arity: arity, Flags: f, Group: "server", Since: since, Summary: summary, Complexity: "O(1)",
	}, run: run}
}

var latencyHelp = []string{
	"DOCTOR",
	"    A report for people.",
	"GRAPH <event>",
	"    Draws the samples of an event.",
	"HISTOGRAM [<command> ...]",
	"    How many calls of each command took up to so many microseconds.",
	"HISTORY <event>",
	"    The samples of an event: time and milliseconds.",
	"LATEST",
	"    For each event its name, the time and milliseconds of the last sample, and",
	"    the most milliseconds of all.",
	"RESET [<event> ...]",
	"    Forgets the events named, or all.",
}

func latencyHistory(c *conn, args [][]byte) {
	samples, _ := c.srv.latency.history(string(args[2]))
	c.w.Array(len(samples))
	for _, s := range samples {
		c.w.Array(2)
		c.w.Int(s.at)
		c.w.Int(s.millis)
	}
}

func latencyLatest(c *conn, _ [][]byte) {
	type line struct {
		name    string
		last    latencySample
		maximum int64
	}
	var lines []line
	for _, name := range c.srv.latency.names() {
		if samples, maximum := c.srv.latency.history(name); len(samples) > 0 {
			lines = append(lines, line{name, samples[len(samples)-1], maximum})
		}
	}
	c.w.Array(len(lines))
	for _, l := range lines {
		c.w.Array(4)
		c.w.BulkString(l.name)
		c.w.Int(l.last.at)
		c.w.Int(l.last.millis)
		c.w.Int(l.maximum)
	}
}

func latencyReset(c *conn, args [][]byte) {
	names := make([]string, 0, len(args)-2)
	for _, a := range args[2:] {
		names = append(names, string(a))
	}
	c.w.Int(int64(c.srv.latency.reset(names...)))
}

// graphColumns is how many of the newest samples LATENCY GRAPH draws.
const graphColumns = 80

// graphRows are the heights of a column in halves of a character, from the top.
const graphRows = 4

func latencyGraph(c *conn, args [][]byte) {
	event := string(args[2])
	samples, maximum := c.srv.latency.history(event)
	if len(samples) == 0 {
		c.w.Error("ERR No samples available for event '" + clipText(args[2]) + "'")
		return
	}
	samples = samples[max(0, len(samples)-graphColumns):]
	low, high := samples[0].millis, samples[0].millis
	for _, s := range samples {
		low, high = min(low, s.millis), max(high, s.millis)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n", event, high, low, maximum)
	b.WriteString(strings.Repeat("-", graphColumns) + "\n")
	drawGraph(&b, samples, low, high)
	fmt.Fprintf(&b, "(%s ago to %s ago)\n", ago(c.srv.now(), samples[0]), ago(c.srv.now(), samples[len(samples)-1]))
	c.w.Verbatim("txt", b.String())
}

// drawGraph draws a column for each sample: '|' is two halves of a row, '_' one. The lowest sample shows one half.
func drawGraph(b *strings.Builder, samples []latencySample, low, high int64) {
	span := max(high-low, 1)
	for row := graphRows - 1; row >= 0; row-- {
		line := make([]byte, len(samples))
		for i, s := range samples {
			height := 1 + (s.millis-low)*(2*graphRows-1)/span
			switch above := height - int64(2*row); {
			case above >= 2:
				line[i] = '|'
			case above == 1:
				line[i] = '_'
			default:
				line[i] = ' '
			}
		}
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
}

func ago(now time.Time, s latencySample) time.Duration {
	return max(now.Sub(time.Unix(s.at, 0)), 0).Truncate(time.Second)
}

// latencyDoctor reports in our own words; only its being a text is Redis's.
func latencyDoctor(c *conn, _ [][]byte) {
	s := c.srv
	limit := s.live.latencyMin.Int()
	if limit == 0 {
		c.w.Verbatim("txt", "Latencies are not watched: set latency-monitor-threshold to the number of milliseconds from which an event counts.\n")
		return
	}
	names := s.latency.names()
	if len(names) == 0 {
		c.w.Verbatim("txt", "No event has taken "+strconv.FormatInt(limit, 10)+" ms or more since the last LATENCY RESET.\n")
		return
	}
	var b strings.Builder
	for _, name := range names {
		samples, maximum := s.latency.history(name)
		if len(samples) == 0 {
			continue
		}
		sum := int64(0)
		for _, smp := range samples {
			sum += smp.millis
		}
		fmt.Fprintf(&b, "%s: %d seconds with slow events in the last %s, %d ms in the mean, %d ms at worst.\n",
			name, len(samples), ago(s.now(), samples[0]), sum/int64(len(samples)), maximum)
	}
	b.WriteString("\nThe time of a write includes its commit: the disks and the network of a majority of the nodes. Things to look at:\n" +
		"- SLOWLOG GET for the commands (slowlog-log-slower-than should not be above the threshold), LATENCY HISTOGRAM for their spread;\n" +
		"- commands that touch many keys or elements at once: KEYS, large ranges, deletions of large values;\n" +
		"- the disk under the data directory of every node, and the round trip between the nodes (REDOUBT STATUS).\n")
	c.w.Verbatim("txt", b.String())
}

// histogramSteps is the number of steps of LATENCY HISTOGRAM, the first about a microsecond and each twice the last, up
// to about a second; what took longer counts in the last.
const histogramSteps = 21

// histogramStep is a step's bound and the number by which Redis names it: bounds are powers of two in nanoseconds, seen
// through a histogram of two digits' precision.
func histogramStep(i int) (bound time.Duration, micros int64) {
	ns := int64(1024) << i
	return time.Duration(ns), (ns + ns/128) / 1000
}

// histogramLine is a step at which the number of calls grows: so many took up to so many microseconds.
type histogramLine struct{ micros, upTo int64 }

func histogramLines(h *latencyHist) (lines []histogramLine) {
	var counts [histogramSteps]int64
	h.each(func(upper time.Duration, n int64) {
		i := 0
		for bound, _ := histogramStep(i); upper > bound && i < histogramSteps-1; bound, _ = histogramStep(i) {
			i++
		}
		counts[i] += n
	})
	total := int64(0)
	for i, n := range counts {
		if total += n; n > 0 {
			_, micros := histogramStep(i)
			lines = append(lines, histogramLine{micros, total})
		}
	}
	return lines
}

// latencyHistogram is LATENCY HISTOGRAM: for each command that was called its calls and its histogram.
func latencyHistogram(c *conn, args [][]byte) {
	var names []string
	var all [][]histogramLine
	for _, l := range c.srv.stats.cmdLines() {
		if len(args) > 2 && !asksFor(args[2:], l.name) {
			continue
		}
		if lines := histogramLines(l.latency); len(lines) > 0 {
			names, all = append(names, l.name), append(all, lines)
		}
	}
	c.w.Map(len(names))
	for i, lines := range all {
		c.w.BulkString(names[i])
		c.w.Map(2)
		c.number("calls", int(lines[len(lines)-1].upTo))
		c.w.BulkString("histogram_usec")
		c.w.Map(len(lines))
		for _, l := range lines {
			c.w.Int(l.micros)
			c.w.Int(l.upTo)
		}
	}
}

// asksFor: a command is asked for by its name, and a subcommand by its container's as well.
func asksFor(names [][]byte, name string) bool {
	container, _, _ := strings.Cut(name, "|")
	for _, n := range names {
		if word(n, name) || word(n, container) {
			return true
		}
	}
	return false
}
