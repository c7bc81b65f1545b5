package simtest

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// trace is what happened in a run: faults, starts and ends of processes, leadership, and violations. It is printed, as
// far as it matters, when a run fails. Safe for concurrent use.
type trace struct {
	mu         sync.Mutex
	events     []event
	violations []event
}

type event struct {
	at   time.Duration // since the bubble began
	text string
}

func (e event) String() string { return fmt.Sprintf("%10.4f  %s", e.at.Seconds(), e.text) }

// eventsMax bounds the memory of a run: a long one forgets its beginning.
const eventsMax = 20000

// violationsMax is how many are kept: the first ones tell most.
const violationsMax = 20

func (t *trace) add(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.events) == eventsMax {
		t.events = append(t.events[:0], t.events[eventsMax/2:]...)
	}
	t.events = append(t.events, event{time.Since(bubbleStart), fmt.Sprintf(format, args...)})
}

// violation notes that something happened which must not.
func (t *trace) violation(format string, args ...any) {
	t.add("VIOLATION "+format, args...)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.violations) < violationsMax {
		t.violations = append(t.violations, t.events[len(t.events)-1])
	}
}

// around is how much of the trace before and after a moment is shown, and linesMax how many lines at most.
const (
	around   = 10 * time.Second
	linesMax = 150
)

// window is what happened around a stretch of time.
func (t *trace) window(from, to time.Duration) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for _, e := range t.events {
		if e.at >= from-around && e.at <= to+around/5 {
			lines = append(lines, e.String())
		}
	}
	if cut := len(lines) - linesMax; cut > 0 {
		lines = append([]string{fmt.Sprintf("... %d earlier events", cut)}, lines[cut:]...)
	}
	return strings.Join(lines, "\n")
}

// failure is all violations and what led to the first; "" if there was none.
func (t *trace) failure() string {
	t.mu.Lock()
	all := append([]event(nil), t.violations...)
	t.mu.Unlock()
	if len(all) == 0 {
		return ""
	}
	var b strings.Builder
	for _, v := range all {
		fmt.Fprintln(&b, v)
	}
	fmt.Fprintf(&b, "what led to the first:\n%s", t.window(all[0].at, all[0].at))
	return b.String()
}
