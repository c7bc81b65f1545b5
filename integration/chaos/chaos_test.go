package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/chaos/fault"
	"github.com/redoubtdb/redoubt/integration/chaos/workload"
	"github.com/redoubtdb/redoubt/integration/testcluster"
)

// programEnv has the test's executable be the program.
const programEnv = "REDOUBT_CHAOS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) == "1" {
		main() // does not return
	}
	os.Exit(m.Run())
}

// chaos runs the program and returns what it printed and its exit status.
func chaos(t *testing.T, args ...string) (string, int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, append(args, "-binary", testcluster.Binary(t))...)
	cmd.Env = append(os.Environ(), programEnv+"=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// TestShortRun is the whole harness for half a minute. Longer ones are for make chaos.
func TestShortRun(t *testing.T) {
	faults := "kill9-leader,kill9-one,pause-leader,transfer"
	if fault.Isolation() == nil {
		faults += ",partition-leader"
	}
	out, code := chaos(t, "-minutes", "0.5", "-faults", faults, "-workloads", "register,counter,bank", "-rate", "300", "-o", t.TempDir())
	t.Log(out)
	if code != 0 {
		t.Errorf("exit status %d", code)
	}
	if !strings.Contains(out, "passed: no violation") {
		t.Error("no verdict")
	}
}

// TestControlIsCaught: clients that repeat writes of unknown outcome count some of them twice, and the run says so. With this
// seed the first fault has clients not hear the leader, which goes on to apply what they sent.
func TestControlIsCaught(t *testing.T) {
	if err := fault.Isolation(); err != nil {
		t.Skip("without a network that can be cut it is left to chance whether a write of unknown outcome was applied:", err)
	}
	out, code := chaos(t, "-control", "retry-unknown", "-minutes", "0.2", "-seed", "1", "-faults", "partition-clients",
		"-workloads", "counter", "-rate", "500", "-o", t.TempDir())
	if code != 0 || !strings.Contains(out, "control retry-unknown: caught") || !strings.Contains(out, "VIOLATION (counter)") {
		t.Errorf("exit status %d\n%s", code, out)
	}
}

func TestOptionsAreRefused(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"-faults nonsense", `no fault is called "nonsense"`},
		{"-workloads nonsense", `no workload is called "nonsense"`},
		{"-control nonsense", `no control is called "nonsense"`},
		{"-nodes 2", "-nodes is 3 to 7"},
		{"-minutes 0", "-minutes is more than 0"},
		{"-rate -1", "not negative"},
		{"word", `unexpected argument "word"`},
	} {
		_, err := parseOptions(strings.Fields(tc.args), io.Discard)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.args, err)
		}
	}
}

// TestOptionsAsFlags: the program inside the namespaces gets all that this one was told, a control's defaults too.
func TestOptionsAsFlags(t *testing.T) {
	for _, args := range []string{
		"-minutes 2.5 -nodes 5 -faults pause,kill9-all -workloads counter -rate 9 -clients 3",
		"-control no-fsync -minutes 0.1",
		"-control stale-reads -faults pause -seed 5",
	} {
		o, err := parseOptions(strings.Fields(args), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		o.dir, o.binary = "/somewhere", "/elsewhere"
		again, err := parseOptions(o.args(), io.Discard)
		if err != nil || !reflect.DeepEqual(again, o) {
			t.Errorf("%s:\n%+v, which is not\n%+v: %v", args, again, o, err)
		}
	}
}

func seconds(list ...float64) []time.Time {
	var out []time.Time
	for _, s := range list {
		out = append(out, time.Unix(0, int64(s*float64(time.Second))))
	}
	return out
}

func TestLongestGap(t *testing.T) {
	acks := seconds(1, 2, 3, 6, 7, 7.5)
	for _, tc := range []struct {
		from, to float64
		want     time.Duration
	}{
		{0, 10, 3 * time.Second},           // between two
		{0, 2.5, time.Second},              // before the first
		{4, 5, time.Second},                // none within
		{6.5, 10, 2500 * time.Millisecond}, // after the last
		{6, 7.5, time.Second},              // from one to another
		{20, 20.5, 500 * time.Millisecond}, // after all
		{-2, 1, 3 * time.Second},           // before all
		{1, 3.5, time.Second},              // beginning at one
	} {
		b := seconds(tc.from, tc.to)
		if got := longestGap(acks, b[0], b[1]); got != tc.want {
			t.Errorf("%v to %v: %s, want %s", tc.from, tc.to, got, tc.want)
		}
	}
}

func TestSummarize(t *testing.T) {
	at := seconds(0, 4, 5, 6, 10, 12, 13, 14)
	windows := []window{
		{kind: "pause", begun: at[0], healed: at[1], settled: at[2], over: at[3]},
		{kind: "pause", failed: true, begun: at[4], healed: at[5], settled: at[6], over: at[7]},
		{kind: "loss", begun: at[0], healed: at[0], settled: at[0], over: at[1]},
	}
	got := summarize(windows, seconds(1, 2, 3, 4.5, 5.5, 11, 13.75))
	want := []kindSummary{
		{kind: "loss", times: 1, gap: time.Second, gapHealed: time.Second},
		{kind: "pause", times: 2, failed: 1, gap: 2750 * time.Millisecond, gapHealed: 1750 * time.Millisecond, settle: time.Second},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestVerdict(t *testing.T) {
	bad := []workload.Report{{}, {Violations: []string{"a", "b"}}}
	for name, tc := range map[string]struct {
		control string
		outcome outcome
		want    string
		code    int
	}{
		"well":       {"", outcome{reports: []workload.Report{{}}}, "passed", 0},
		"violations": {"", outcome{reports: bad}, "FAILED: 2 violations, 0 undecided checks, 0 other", 1},
		"undecided":  {"", outcome{reports: []workload.Report{{Undecided: 1}}}, "FAILED: 0 violations, 1 undecided", 1},
		"problem":    {"", outcome{problems: []string{"p"}}, "FAILED: 0 violations, 0 undecided checks, 1 other", 1},
		"caught":     {"no-fsync", outcome{reports: bad, problems: []string{"p"}}, "control no-fsync: caught", 0},
		"not caught": {"no-fsync", outcome{problems: []string{"p"}}, "control no-fsync: NOT CAUGHT", 1},
	} {
		r := &run{o: options{control: tc.control}, outcome: tc.outcome}
		if text, code := r.verdict(); code != tc.code || !strings.HasPrefix(text, tc.want) {
			t.Errorf("%s: %q, %d", name, text, code)
		}
	}
}

func TestExitsAreJudged(t *testing.T) {
	at := seconds(0, 10, 20)
	windows := []window{
		{kind: "pause", begun: at[0], over: at[1]},
		{kind: "fsync-error", stops: true, begun: at[1], over: at[2]},
	}
	for name, tc := range map[string]struct {
		exit fault.Exit
		bad  bool
	}{
		"by design":          {fault.Exit{At: seconds(15)[0], Code: 1}, false},
		"a panic":            {fault.Exit{At: seconds(15)[0], Code: 2}, true},
		"by a signal":        {fault.Exit{At: seconds(15)[0], Code: -1}, true},
		"without a reason":   {fault.Exit{At: seconds(5)[0], Code: 1}, true},
		"outside all faults": {fault.Exit{At: seconds(25)[0], Code: 0}, true},
	} {
		r := &run{out: io.Discard, outcome: outcome{windows: windows}}
		r.judgeExits([]fault.Exit{tc.exit})
		if bad := len(r.problems) == 1; bad != tc.bad {
			t.Errorf("%s: %q", name, r.problems)
		}
	}
}

func TestOutcriesAreFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n1.log")
	text := "all well\nno panic: here\npanic: index out of range\n\tfatal error: indented\nfatal error: concurrent map writes\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := outcriesIn(path)
	want := []string{"line 3: panic: index out of range", "line 5: fatal error: concurrent map writes"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestKindThatNeverCameAboutIsAProblem(t *testing.T) {
	r := &run{out: io.Discard, outcome: outcome{windows: []window{
		{kind: "pause", failed: true}, {kind: "pause"}, {kind: "loss", failed: true}, {kind: "loss", failed: true},
	}}}
	r.neverCameAbout()
	if len(r.problems) != 1 || !strings.HasPrefix(r.problems[0], "loss ") {
		t.Errorf("%q", r.problems)
	}
}

// TestHistoryHasAllThatPassed over the connections of a workload.
func TestHistoryHasAllThatPassed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the connection
		nc, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.CopyN(nc, nc, 4)
		_ = nc.Close()
	}()
	dir := t.TempDir()
	h, err := newHistory(dir, "echo", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := h.dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write([]byte("\x00a\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(nc); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(nc.Close(), h.close()); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "echo.history.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	at := -1
	for _, want := range []string{"#1 to \"127", `#1 > "\x00a\r\n"`, `#1 < "\x00a\r\n"`, `#1 end "EOF"`} {
		i := strings.Index(string(text), want)
		if i <= at {
			t.Errorf("%q is not there, or in the wrong order:\n%s", want, text)
		}
		at = i
	}
}
