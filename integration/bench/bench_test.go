package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"math"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-quick", "-conns", "1, 50", "-rounds", "5"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.conns, []int{1, 50}) || !slices.Equal(o.sizes, []int{3}) || o.rounds != 5 || o.cell != 400*time.Millisecond {
		t.Errorf("options %+v", o)
	}
	if o.command != "go run ./integration/bench -quick -conns 1, 50 -rounds 5" {
		t.Errorf("command %q", o.command)
	}
	if o, err = parseOptions(nil, io.Discard); err != nil || !slices.Equal(o.sizes, []int{3, 256}) || o.cell != 1800*time.Millisecond {
		t.Errorf("defaults %+v, %v", o, err)
	}
	for _, bad := range [][]string{
		{"-conns", "0"}, {"-conns", "10001"}, {"-pipelines", "1,,2"}, {"-sizes", "x"}, {"-rounds", "0"}, {"-rounds", "100"},
		{"-keys", "-1"}, {"-cell", "1ms"}, {"-cell", "1h"}, {"surplus"}, {"-unknown"},
	} {
		if _, err := parseOptions(bad, io.Discard); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if _, err := parseOptions([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

func TestToolsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := findTools()
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "redis-") {
		t.Errorf("error %v", err)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 100}, 3}} {
		if got := median(c.in); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.in, got, c.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestHistogramBuckets(t *testing.T) {
	last := -1
	for _, v := range []uint64{0, 1, 31, 32, 63, 64, 65, 66, 127, 128, 1000, 1e6, 1e9, 1e12, math.MaxInt64} {
		i := bucketOf(v)
		if i < last || i >= histogramBuckets {
			t.Fatalf("bucket of %d is %d after %d", v, i, last)
		}
		last = i
		if top := bucketTop(i); top < v || float64(top-v) > float64(v)/histogramSub {
			t.Errorf("bucket %d of %d ends at %d", i, v, top)
		}
		if i > 0 && bucketTop(i-1) >= v {
			t.Errorf("%d also fits into bucket %d, which ends at %d", v, i-1, bucketTop(i-1))
		}
	}
}

func TestHistogramQuantiles(t *testing.T) {
	var a, b histogram
	if a.quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	for i := 1; i <= 500; i++ {
		a.add(time.Duration(i)*time.Microsecond, 2)
		b.add(time.Duration(500+i)*time.Microsecond, 2)
	}
	a.merge(&b)
	if a.samples != 2000 {
		t.Errorf("%d samples", a.samples)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Microsecond, 0.99: 990 * time.Microsecond, 1: time.Millisecond} {
		if got := a.quantile(q); got < want || got > want+want/histogramSub {
			t.Errorf("quantile %v is %s, want %s", q, got, want)
		}
	}
}

const benchmarkCSV = `"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"SET","294117.62","2.264","0.360","2.287","3.383","5.007","5.815"
"GET","526315.81","1.229","0.112","1.023","2.463","4.295","4.479"
`

func TestParseBenchmark(t *testing.T) {
	s, err := parseBenchmark(benchmarkCSV, opGet)
	if err != nil || s.rate != 526315.81 || s.p50 != 1023*time.Microsecond || s.p99 != 4295*time.Microsecond {
		t.Errorf("sample %+v, %v", s, err)
	}
	for _, bad := range []string{
		"", "\n", `"test","rps"` + "\n", `"test","rps"` + "\n" + `"GET","1"` + "\n", strings.Replace(benchmarkCSV, "526315.81", "nan", 1),
		strings.Replace(benchmarkCSV, `"526315.81"`, `"526315.81`, 1), strings.Replace(benchmarkCSV, `"4.295","4.479"`, "", 1),
		strings.Replace(benchmarkCSV, "GET", "MGET", 1),
	} {
		if _, err := parseBenchmark(bad, opGet); !errors.Is(err, errOutput) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseBenchmark(f *testing.F) {
	f.Add(benchmarkCSV)
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseBenchmark(text, opSet); err == nil && (s.rate < 0 || math.IsNaN(s.rate)) {
			t.Errorf("rate %v", s.rate)
		}
	})
}

func TestParseStat(t *testing.T) {
	const tail = " S 1 2 3 4 5 6 7 8 9 10 250 50 7 8 20 0 9 0 12345"
	for _, name := range []string{"redoubt", "a (b) c", ")"} {
		if got, err := parseStat("42 (" + name + ")" + tail); err != nil || got != 3*time.Second {
			t.Errorf("%q: %s, %v", name, got, err)
		}
	}
	for _, bad := range []string{"", "42 (x)", "42 (x) S 1 2", strings.Replace("42 (x)"+tail, "250", "x", 1)} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("42 (x) S 1 2 3 4 5 6 7 8 9 10 250 50 7 8")
	f.Fuzz(func(_ *testing.T, text string) { _, _ = parseStat(text) })
}

func TestMachineTexts(t *testing.T) {
	if got := cpuModel("processor\t: 0\nmodel name\t: Fast CPU @ 3GHz\nprocessor : 1\n"); got != "Fast CPU @ 3GHz" {
		t.Errorf("cpu %q", got)
	}
	if got := cpuModel(""); got != "unknown" {
		t.Errorf("no cpu: %q", got)
	}
	if got := redisVersion("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64"); got != "7.0.15" {
		t.Errorf("version %q", got)
	}
	if got := infoField("# Raft\r\nraft_voters:3\r\nraft_voters_x:4\r\n", "raft_voters"); got != "3" {
		t.Errorf("field %q", got)
	}
}

func TestRequestsFor(t *testing.T) {
	if got := requestsFor(1000, 2*time.Second, shape{3, 1, 1}); got != 2000 {
		t.Errorf("%d requests", got)
	}
	if got := requestsFor(10, time.Second, shape{3, 200, 16}); got != requestBlocks*200*16 {
		t.Errorf("%d requests of a slow system", got)
	}
	if got := requestsFor(1e15, time.Second, shape{3, 1, 1}); got != requestsMax {
		t.Errorf("%d requests of a fast one", got)
	}
}

func TestNumberTexts(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567.6: "1,234,568", math.Inf(1): noValue} {
		if got := rateText(v); got != want {
			t.Errorf("rate %v is %q, want %q", v, got, want)
		}
	}
	for v, want := range map[time.Duration]string{234 * time.Microsecond: "0.23", 12345 * time.Microsecond: "12.3", time.Second: "1000", -1: noValue} {
		if got := millis(v); got != want {
			t.Errorf("%s is %q, want %q", v, got, want)
		}
	}
}

func TestReport(t *testing.T) {
	sh := shape{3, 50, 1}
	res := &results{shapes: []shape{sh}, cells: map[cell]*outcome{}}
	rates := map[measure]float64{setRedoubt: 20000, setSingle: 40000, setTrio: 25000, ownRedoubt: 18000, ownWait: 12000, getRedoubt: 30000, getSingle: 100000}
	for m, rate := range rates {
		o := &outcome{}
		for _, f := range []float64{1, 0.5, 2} {
			o.samples = append(o.samples, sample{rate: f * rate, p50: time.Millisecond, p99: 2 * time.Millisecond, wall: time.Second, cpu: []time.Duration{time.Second, 250 * time.Millisecond}})
		}
		res.cells[cell{m, sh}] = o
	}
	res.cells[cell{ownSingle, sh}] = &outcome{errs: []error{errors.New("it\nbroke")}}
	text := report(options{command: "cmd", rounds: 3}, machine{disk: "ext4", fsync: 230 * time.Microsecond, etcd: "3.4.23"}, res)
	for _, want := range []string{
		"| first aim: SET beside the Redis trio's SET + WAIT 1 | 50 | 1 | 3 | 1.50 | 1.50 | met |",
		"| first aim: linearizable GET beside one Redis | 50 | 1 | 3 | 0.30 | 0.40 | missed |",
		"| 50 | 1 | 3 | 20,000 | 40,000 | 25,000 | 0.50 | 0.80 | 1.00 / 2.00 |",
		"| 50 | 1 | 3 | 18,000 | – | 12,000 | – | 1.50 |",
		"20,000 | 10,000 to 40,000 | 1.00 | 1.00 + 0.25 |",
		"- one Redis SET (own), 50 connections, P 1, 3 bytes: it broke",
		"p50 0.23 ms",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report has no %q:\n%s", want, text)
		}
	}
	if res.failures() != 1 {
		t.Errorf("%d failures", res.failures())
	}
	checkColumns(t, text)
}

// checkColumns checks that the rows of a table have as many cells as its head.
func checkColumns(t *testing.T, text string) {
	columns := 0
	for line := range strings.Lines(text) {
		switch n := strings.Count(line, "|"); {
		case n == 0:
			columns = 0
		case columns == 0:
			columns = n
		case n != columns:
			t.Errorf("%d columns instead of %d: %s", n-1, columns-1, line)
		}
	}
}

func TestReportEmpty(t *testing.T) {
	text := report(options{}, machine{}, &results{shapes: []shape{{3, 50, 1}, {3, 1, 1}}, cells: map[cell]*outcome{}})
	if strings.Contains(text, "| failed |") || strings.Count(text, "| not measured |") != len(aims) {
		t.Error("an aim without measurements was judged")
	}
	if !strings.Contains(text, etcdMissing) {
		t.Error("the report does not say that etcd is missing")
	}
	checkColumns(t, text)
}

func TestFsyncLatency(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fsyncLatency(ctx, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// fakeServer answers each request of a connection by a script: it reads commands and writes what answer returns.
func fakeServer(t *testing.T, answer func(command string) string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer c.Close()
				serveFake(c, answer)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); conns.Wait() })
	return l.Addr().String()
}

func serveFake(c net.Conn, answer func(string) string) {
	rd := bufio.NewReader(c)
	for {
		head, err := rd.ReadString('\n')
		if err != nil {
			return
		}
		lines := map[string]int{"*1\r\n": 2, "*2\r\n": 4, "*3\r\n": 6}[head]
		var words []string
		for i := range lines {
			line, err := rd.ReadString('\n')
			if err != nil {
				return
			}
			if i%2 == 1 {
				words = append(words, strings.TrimSpace(line))
			}
		}
		if _, err := io.WriteString(c, answer(strings.Join(words, " "))); err != nil {
			return
		}
	}
}

func TestLoad(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	addr := fakeServer(t, func(command string) string {
		name, _, _ := strings.Cut(command, " ")
		mu.Lock()
		seen[name]++
		mu.Unlock()
		return map[string]string{"SET": "+OK\r\n", "GET": "$3\r\nxxx\r\n", "WAIT": ":1\r\n"}[name]
	})
	l := load{addr: addr, op: opSet, wait: 1, conns: 3, pipeline: 4, size: 3, keys: 100, timeLimit: 20 * time.Millisecond}
	s, err := l.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.ops == 0 || s.ops != seen["SET"] || s.ops != 4*seen["WAIT"] || s.rate <= 0 || s.p50 <= 0 || s.p99 < s.p50 {
		t.Errorf("sample %+v, seen %v", s, seen)
	}
	l.op, l.wait = opGet, 0
	if s, err = l.run(t.Context()); err != nil || s.ops != seen["GET"] || s.ops == 0 {
		t.Errorf("sample %+v, seen %v, %v", s, seen, err)
	}
}

func TestPreloadSetsEveryKey(t *testing.T) {
	const keys = 2*fillBatchMax + 7
	var mu sync.Mutex
	seen := map[string]bool{}
	addr := fakeServer(t, func(command string) string {
		mu.Lock()
		seen[command] = true
		mu.Unlock()
		return "+OK\r\n"
	})
	f := setKeys(2, 0, keys)
	f.addr = addr
	if err := f.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(seen) != keys || !seen["SET key:000000000000 "+filler(2)] || !seen["SET key:000000000406 "+filler(2)] {
		t.Errorf("%d keys of %d", len(seen), keys)
	}
}

func TestLoadFails(t *testing.T) {
	for _, c := range []struct {
		op    operation
		wait  bool
		reply string
	}{
		{opSet, false, "-READONLY no\r\n"}, {opGet, false, "$-1\r\n"}, {opGet, false, "$2\r\nxx\r\n"}, {opGet, false, "\n"}, {opSet, true, ":0\r\n"},
	} {
		addr := fakeServer(t, func(command string) string {
			if c.wait && !strings.HasPrefix(command, "WAIT") {
				return "+OK\r\n"
			}
			return c.reply
		})
		l := load{addr: addr, op: c.op, conns: 2, pipeline: 2, size: 3, keys: 5, timeLimit: time.Minute}
		if c.wait {
			l.wait = 1
		}
		if _, err := l.run(t.Context()); !errors.Is(err, errReply) {
			t.Errorf("%s, %q: %v", c.op, c.reply, err)
		}
	}
}

func TestLoadStops(t *testing.T) {
	asked := make(chan struct{}, 10)
	addr := fakeServer(t, func(string) string { asked <- struct{}{}; return "" })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	l := load{addr: addr, op: opSet, conns: 1, pipeline: 1, size: 3, keys: 5, timeLimit: time.Hour}
	if _, err := l.run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// FuzzReply: no reply may panic or block the generator.
func FuzzReply(f *testing.F) {
	for _, s := range []string{"+OK\r\n", "$3\r\nxxx\r\n", ":1\r\n", "-ERR\r\n", "\n", "$\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		for _, op := range []operation{opSet, opGet, "WAIT"} {
			w := &worker{load: load{size: 3}, rd: bufio.NewReader(bytes.NewReader(b))}
			_ = w.reply(op)
		}
	})
}
