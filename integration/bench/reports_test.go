package main

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

var inf = math.Inf(1)

// testBench is a run that measures nothing.
func testBench(t *testing.T, args ...string) *bench {
	o, err := parseOptions(args, &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	return &bench{o: o, m: machine{disk: "ext4"}}
}

func expect(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("the report has no %q:\n%s", want, text)
		}
	}
	checkColumns(t, text)
}

func samplesOf(rate float64) *outcome {
	return &outcome{samples: []sample{{
		rate: rate, p50: time.Millisecond, p99: 2 * time.Millisecond, p999: 3 * time.Millisecond, wall: time.Second, cpu: []time.Duration{time.Second},
	}}}
}

func TestGrowthReport(t *testing.T) {
	b := testBench(t, "-growth", "values", "-svg", "docs/performance")
	rows := []*growthRow{
		{point: 3, rss: map[systemID]int64{redoubt: 64 << 20, single: 16 << 20}, cells: map[series]*outcome{
			{redoubt, opSet}: samplesOf(1000), {single, opSet}: samplesOf(4000), {redoubt, opGet}: samplesOf(500), {single, opGet}: samplesOf(1000),
		}},
		{point: 1 << 20, rss: map[systemID]int64{}, cells: map[series]*outcome{
			{redoubt, opSet}: {errs: []error{errors.New("it\nbroke")}}, {single, opSet}: samplesOf(4), {redoubt, opGet}: samplesOf(5), {single, opGet}: samplesOf(10),
		}},
	}
	expect(t, b.growthReport(rows),
		"| 3 | 1,000 | 4,000 | 500 | 1,000 | 0.25 | 0.50 | 0.00 | 1.00 | 64 | 16 |",
		"| 1,048,576 | – | 4 | 5 | 10 | – | 0.50 | – | – | 0 | 0 |",
		"| 3 | 1.00 / 2.00 / 3.00 |", "- values 1048576, redoubt SET: it broke", "(performance/growth-values.svg)",
	)
	if got := megabytes(rows[0], growKeys); got != noValue {
		t.Errorf("%s MB/s of a growth that is none of values", got)
	}
	if err := growthFailures(rows); err == nil {
		t.Error("a failed measurement is no error")
	}
	if err := growthFailures(rows[:1]); err != nil {
		t.Error(err)
	}
	picture := growthChart(growKeys, rows).String()
	for _, want := range []string{"redoubt SET", "Redis GET", "commands/s", "keys", "Resident memory"} {
		if !strings.Contains(picture, want) {
			t.Errorf("the picture has no %q", want)
		}
	}
}

func TestSnapshotReport(t *testing.T) {
	b := testBench(t, "-mode", "snapshot")
	slow := samplesOf(500)
	slow.samples[0].p99 = 8 * time.Millisecond
	text := b.snapshotReport([]snapshotResult{{load: "full", kinds: [snapshotKinds]outcome{*samplesOf(1000), *samplesOf(900), *slow}}})
	expect(t, text,
		"| full | none | 1,000 | 1.00 | 2.00 | 3.00 | – |  |  | 1.0 |",
		"| full | on the leader | 900 | 1.00 | 2.00 | 3.00 | 1.00 | at most 3 | met | 1.0 |",
		"| full | on all nodes | 500 | 1.00 | 8.00 | 3.00 | 4.00 | at most 3 | missed | 1.0 |",
	)
}

func TestMemoryReport(t *testing.T) {
	var b strings.Builder
	b.WriteString(memoryHead)
	const mib = 1 << 20
	ours := &memoryResult{
		id: redoubt, empty: memorySize{20 * mib, 20 * mib}, filled: memorySize{220 * mib, 230 * mib}, rested: memorySize{180 * mib, 240 * mib},
		used: 150 * mib, followers: []int64{210 * mib, 205 * mib},
	}
	theirs := &memoryResult{id: single, empty: memorySize{10 * mib, 10 * mib}, filled: memorySize{110 * mib, 110 * mib}, rested: memorySize{120 * mib, 120 * mib}, used: 90 * mib}
	d := datasets(100)[0]
	ours.writeRow(&b, d, mib, theirs)
	theirs.writeRow(&b, d, mib, theirs)
	(&memoryResult{id: redoubt, missing: errReply}).writeRow(&b, datasets(100)[1], mib, theirs)
	expect(t, b.String(),
		"| strings of 100 bytes | redoubt | 20 | 220 | 240 | 180 | 150 | 200 | 2.00 | 1.50 | at most 1.6 | missed | 210, 205 |",
		"| strings of 100 bytes | one Redis | 10 | 110 | 120 | 120 | 90 | 100 |", "no such command yet",
	)
}

func TestRestartReport(t *testing.T) {
	b := testBench(t, "-mode", "restart")
	text := b.restartReport(
		&restartResult{id: redoubt, read: []float64{4, 9, 3}, write: []float64{4, 9, 5}, disk: 2 << 20},
		&restartResult{id: single, read: []float64{2, 2, 2}, write: []float64{2, 2, 2}, disk: 1 << 20},
	)
	expect(t, text, "| redoubt | 4.00 | 9.00 | 5.00 | 9.00 | 2 |", "| first read beside Redis | 2.00 | at most 2 | met |",
		"| first write beside Redis | 2.50 | at most 2 | missed |")
}

func TestFailoverReport(t *testing.T) {
	b := testBench(t, "-mode", "failover")
	ms := func(v ...int) (out []time.Duration) {
		for _, n := range v {
			out = append(out, time.Duration(n)*time.Millisecond)
		}
		return out
	}
	expect(t, b.failoverReport(ms(500, 300, 1199), ms(10, 60, 49)),
		"| kill -9 of the leader | 300 | 500 | 1199 | median under 600, worst under 1200 | met |", "| transfer | 10 | 49 | 60 | median under 50 | met |")
	expect(t, b.failoverReport(ms(700, 1300), ms(50)), "| median missed, worst missed |", "| transfer | 50 | 50 | 50 | median under 50 | median missed |")
	expect(t, b.failoverReport(nil, nil), "| median missed, worst missed |")
}
