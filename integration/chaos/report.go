package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/redoubtdb/redoubt/integration/chaos/workload"
)

const violationsShow = 20 // of one workload; all are in the file

// report prints the outcome and returns the exit status.
func (r *run) report() int {
	acks := merge(r.reports)
	fmt.Fprintln(r.out)
	printFaults(r.out, summarize(r.windows, acks))
	fmt.Fprintln(r.out)
	printLoads(r.out, r.reports)
	r.neverCameAbout()
	for _, rep := range r.reports {
		r.printViolations(rep)
	}
	for _, p := range r.problems {
		fmt.Fprintln(r.out, "PROBLEM:", p)
	}
	result, code := r.verdict()
	fmt.Fprintf(r.out, "\n%s\n\n", result)
	fmt.Fprintf(r.out, "| %s | `%s` | %s | %s |\n", r.started.Format("2 January 2006"), r.o.command(), machine(), r.inShort(result))
	return code
}

// verdict says how the run ended, and the exit status.
func (r *run) verdict() (string, int) {
	violations, undecided := r.count()
	text := fmt.Sprintf("%d violations, %d undecided checks, %d other problems", violations, undecided, len(r.problems))
	switch c := r.o.controlled(); {
	case c != nil && violations > 0:
		return fmt.Sprintf("control %s: caught (%s)", c.name, text), 0
	case c != nil:
		return fmt.Sprintf("control %s: NOT CAUGHT (%s)", c.name, text), 1
	case violations+undecided+len(r.problems) > 0:
		return "FAILED: " + text, 1
	}
	if r.interrupted {
		return "passed, but interrupted: no violation", 0
	}
	return "passed: no violation", 0
}

func (r *run) count() (violations, undecided int) {
	for _, rep := range r.reports {
		violations += len(rep.Violations)
		undecided += rep.Undecided
	}
	return violations, undecided
}

// inShort is the result as the table of docs/TESTING.md has it.
func (r *run) inShort(result string) string {
	var sum workload.Report
	for _, rep := range r.reports {
		sum.Operations += rep.Operations
		sum.Acked += rep.Acked
		sum.Unknown += rep.Unknown
	}
	return fmt.Sprintf("%s; %d faults, %d operations, %d writes acknowledged, %d unknown",
		result, len(r.windows), sum.Operations, sum.Acked, sum.Unknown)
}

// neverCameAbout finds the kinds of which no fault could be begun: such a run proves nothing about them.
func (r *run) neverCameAbout() {
	tried, done := make(map[string]bool), make(map[string]bool)
	for _, w := range r.windows {
		tried[w.kind] = true
		done[w.kind] = done[w.kind] || !w.failed
	}
	for kind := range tried {
		if !done[kind] {
			r.problem("%s could not be begun once", kind)
		}
	}
}

func (r *run) printViolations(rep workload.Report) {
	if len(rep.Violations) == 0 {
		return
	}
	path := filepath.Join(r.o.dir, rep.Workload+".violations")
	if err := os.WriteFile(path, []byte(strings.Join(rep.Violations, "\n")+"\n"), 0o600); err != nil {
		r.problem("%v", err)
	}
	for i, v := range rep.Violations {
		if i == violationsShow {
			fmt.Fprintf(r.out, "%s: and %d more\n", rep.Workload, len(rep.Violations)-i)
			break
		}
		fmt.Fprintf(r.out, "VIOLATION (%s): %s\n", rep.Workload, v)
	}
}

// merge puts the acknowledgements of all workloads into one order.
func merge(reports []workload.Report) []time.Time {
	var out []time.Time
	for _, rep := range reports {
		out = append(out, rep.Acks...)
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}

// longestGap is the longest time without an acknowledged write between two moments.
func longestGap(acks []time.Time, from, to time.Time) time.Duration {
	i, _ := slices.BinarySearchFunc(acks, from, time.Time.Compare)
	longest, last := time.Duration(0), from
	for ; i < len(acks) && acks[i].Before(to); i++ {
		longest = max(longest, acks[i].Sub(last))
		last = acks[i]
	}
	return max(longest, to.Sub(last))
}

// kindSummary is what is said of one kind of faults.
type kindSummary struct {
	kind          string
	times, failed int
	gap           time.Duration // longest without an acknowledged write, while a fault lasted and after
	gapHealed     time.Duration // the same, from the moment at which it was healed
	settle        time.Duration // longest from then until all nodes were well
}

func summarize(windows []window, acks []time.Time) []kindSummary {
	var out []kindSummary
	for _, w := range windows {
		i := slices.IndexFunc(out, func(s kindSummary) bool { return s.kind == w.kind })
		if i < 0 {
			i = len(out)
			out = append(out, kindSummary{kind: w.kind})
		}
		s := &out[i]
		s.times++
		if w.failed {
			s.failed++
		}
		s.gap = max(s.gap, longestGap(acks, w.begun, w.over))
		s.gapHealed = max(s.gapHealed, longestGap(acks, w.healed, w.over))
		s.settle = max(s.settle, w.settled.Sub(w.healed))
	}
	slices.SortFunc(out, func(a, b kindSummary) int { return strings.Compare(a.kind, b.kind) })
	return out
}

func printFaults(out io.Writer, kinds []kindSummary) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "fault\ttimes\tnot begun\tlongest without an acknowledged write\tthe same once healed\tlongest to settle")
	for _, s := range kinds {
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\n", s.kind, s.times, s.failed, short(s.gap), short(s.gapHealed), short(s.settle))
	}
	_ = t.Flush() // to the screen
}

func short(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }

func printLoads(out io.Writer, reports []workload.Report) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "workload\toperations\tacknowledged\trefused\tunknown\treads\tundecided\tviolations")
	for _, r := range reports {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n",
			r.Workload, r.Operations, r.Acked, r.Refused, r.Unknown, r.Reads, r.Undecided, len(r.Violations))
	}
	_ = t.Flush() // to the screen
}

// machine is what the run ran on, in a few words.
func machine() string {
	text := fmt.Sprintf("%d cores, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err == nil {
		number, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-")
		text += " " + number
	}
	return text
}
