package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestModeOptions(t *testing.T) {
	o, err := parseOptions([]string{"-growth", "conns", "-svg", "d", "-points", "9,1", "-server-args", "--a b"}, io.Discard)
	if err != nil || o.mode != modeGrowth || !slices.Equal(o.points, []int{1, 9}) || o.svg != "d" || !slices.Equal(o.serverArgs, []string{"--a", "b"}) {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err = parseOptions([]string{"-growth", "nodes"}, io.Discard); err != nil || !slices.Equal(o.points, []int{3, 5, 7}) {
		t.Errorf("%+v, %v", o, err)
	}
	for mode, keys := range map[string]int{modeMatrix: 100_000, modeSnapshot: 2_000_000, modeMemory: 1_000_000, modeRestart: 5_000_000} {
		if o, err := parseOptions([]string{"-mode", mode}, io.Discard); err != nil || o.keys != keys {
			t.Errorf("%s: %d keys, %v", mode, o.keys, err)
		}
	}
	for _, bad := range []string{
		"-mode x", "-mode growth", "-growth x", "-growth keys -mode memory", "-svg d", "-growth nodes -points 10", "-growth keys -points 0",
		"-mode memory -sizes 1,2", "-growth keys -conns 1,2", "-failures 0", "-rest -1s",
	} {
		if _, err := parseOptions(strings.Fields(bad), io.Discard); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// Every mode has what the program looks up by its name.
func TestModesAreComplete(t *testing.T) {
	for name := range presets {
		if modes[name] == nil {
			t.Errorf("mode %s does nothing", name)
		}
	}
	if len(modes) != len(presets) {
		t.Errorf("%d modes, %d presets", len(modes), len(presets))
	}
	for name, g := range growths {
		if g.most < slices.Max(g.points) || !slices.IsSorted(g.points) || g.axis.Label == "" {
			t.Errorf("growth %s: %+v", name, g)
		}
	}
	for _, a := range aims {
		if a.name == "" || a.limit <= 0 || !slices.Contains(measures, a.of) || !slices.Contains(measures, a.than) {
			t.Errorf("aim %+v", a)
		}
	}
}

func TestLatencyAim(t *testing.T) {
	sh := shape{3, 1, 1}
	res := &results{shapes: []shape{sh}, cells: map[cell]*outcome{
		{ownRedoubt, sh}: {samples: []sample{{p50: 300 * time.Microsecond}}},
		{ownWait, sh}:    {samples: []sample{{p50: 200 * time.Microsecond}}},
	}}
	var b strings.Builder
	res.writeAims(&b)
	if want := "| p50 of SET beside that of SET + WAIT 1 | 1 | 1 | 3 | 1.50 | at most 1.20 | missed |"; !strings.Contains(b.String(), want) {
		t.Errorf("no %q in\n%s", want, b.String())
	}
	res.cells[cell{ownRedoubt, sh}] = &outcome{errs: []error{io.EOF}}
	b.Reset()
	res.writeAims(&b)
	if want := "| 3 | – | at most 1.20 | failed |"; !strings.Contains(b.String(), want) {
		t.Errorf("no %q in\n%s", want, b.String())
	}
}

func TestVerdicts(t *testing.T) {
	for v, want := range map[float64]string{2.9: "met", 3: "met", 3.1: "missed", inf: "failed"} {
		if got := verdictAtMost(v, 3); got != want {
			t.Errorf("%v at most 3: %s, want %s", v, got, want)
		}
	}
}

func TestParseStatus(t *testing.T) {
	m, err := parseStatus("Name:\tVmRSS:\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n")
	if err != nil || m != (memorySize{1 << 20, 2 << 20}) {
		t.Errorf("%+v, %v", m, err)
	}
	for _, bad := range []string{"", "VmRSS: 1 kB\n", "VmHWM: 1 kB\nVmRSS: x kB\n", "VmHWM: 1 kB\nVmRSS: 1 MB\n", "VmHWM: 1 kB\nVmRSS: -1 kB\n"} {
		if _, err := parseStatus(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	own, err := memoryOf(os.Getpid())
	if err != nil || own.resident < 1<<20 || own.peak < own.resident {
		t.Errorf("own memory %+v, %v", own, err)
	}
}

func TestDatasets(t *testing.T) {
	for i, want := range []string{"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000007\r\n$4\r\n" + filler(4), "*12\r\n$4\r\nHSET\r\n", "*22\r\n$4\r\nZADD\r\n"} {
		d := datasets(4)[i]
		if got := string(d.command(nil, 7)); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", d.name, got)
		}
	}
}

func TestFillStopsAtAnError(t *testing.T) {
	addr := fakeServer(t, func(string) string { return "-ERR unknown command\r\n" })
	f := setKeys(3, 0, 1000)
	f.addr = addr
	err := f.run(t.Context())
	if !errors.Is(err, errReply) || !strings.Contains(err.Error(), "unknown command") {
		t.Errorf("error %v", err)
	}
}

func TestSuccessReply(t *testing.T) {
	for reply, good := range map[string]bool{
		"+OK\r\n": true, ":5\r\n": true, ":0\r\n": true, "5\r\n": false, "-ERR\r\n": false, "\r\n": false, "\n": false, ":\r\n": false, "$2\r\n": false,
	} {
		if err := successReply(bufio.NewReader(strings.NewReader(reply))); (err == nil) != good {
			t.Errorf("%q: %v", reply, err)
		}
	}
}

func TestDiskUse(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int{"x": 10, "a/y": 32} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := diskUse(dir); err != nil || n != 42 {
		t.Errorf("%d, %v", n, err)
	}
}

// The connections of a paced load are due one after the other, and one that is late sends at once and counts from
// when it was due.
func TestPace(t *testing.T) {
	l := load{conns: 4, pipeline: 1, pace: 400}
	begin := time.Now().Add(-time.Second)
	for conn := range 4 {
		due := l.clock(conn, begin)
		for i := range 3 {
			at, err := due(t.Context())
			want := begin.Add(time.Duration(i)*10*time.Millisecond + time.Duration(conn)*2500*time.Microsecond)
			if err != nil || at != want {
				t.Errorf("batch %d of connection %d is due at %s, want %s, %v", i, conn, at.Sub(begin), want.Sub(begin), err)
			}
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.EOF)
	if _, err := l.clock(0, time.Now().Add(time.Hour))(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("error %v", err)
	}
	l.pace = 0
	if at, err := l.clock(3, begin)(t.Context()); err != nil || time.Since(at) > time.Minute || !at.After(begin) {
		t.Errorf("without a pace: %v, %v", at, err)
	}
}

func TestLoadEnds(t *testing.T) {
	over := make(chan struct{})
	began := 0
	addr := fakeServer(t, func(string) string { return "+OK\r\n" })
	l := load{addr: addr, op: opSet, conns: 2, pipeline: 1, size: 3, keys: 5, timeLimit: time.Hour, until: over, begin: func() error {
		began++
		close(over)
		return nil
	}}
	if _, err := l.run(t.Context()); err != nil || began != 1 {
		t.Errorf("begun %d times, %v", began, err)
	}
	l.begin = func() error { return io.EOF }
	if _, err := l.run(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("error %v", err)
	}
}
