package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/integration/chaos/fault"
)

// How long a fault lasts, how long it may take to begin, and how long the cluster is left alone when it has settled.
const (
	holdMin  = 2 * time.Second
	holdMax  = 8 * time.Second
	beginMax = 30 * time.Second
	calmMin  = 1 * time.Second
	calmMax  = 4 * time.Second
)

// window is the time of one fault, until the next one.
type window struct {
	kind, what                   string
	stops                        bool // nodes may stop by themselves
	failed                       bool // it did not come about
	begun, healed, settled, over time.Time
}

// cycle lets faults come and go, all kinds in random order before one comes again, until timed ends.
func (r *run) cycle(timed, after context.Context, rnd *rand.Rand) {
	pause(timed, r.lead()+between(rnd, calmMin, calmMax))
	for timed.Err() == nil {
		for _, i := range rnd.Perm(len(r.kinds)) {
			if timed.Err() != nil {
				return
			}
			w := r.strike(timed, after, r.kinds[i], rnd)
			r.windows = append(r.windows, w)
			if r.broken {
				return
			}
		}
	}
}

// lead is what a control asks for.
func (r *run) lead() time.Duration {
	if c := r.o.controlled(); c != nil {
		return c.lead
	}
	return 0
}

// strike is one fault, its end, and the time that the cluster needs to settle.
func (r *run) strike(timed, after context.Context, k *fault.Kind, rnd *rand.Rand) window {
	leader := "nobody"
	if n := r.cluster.Leader(after); n != nil {
		leader = n.ID
	}
	w := window{kind: k.Name, stops: k.Stops, begun: time.Now()}
	f := k.New(r.cluster, rnd)
	beginning, cancel := context.WithTimeout(after, beginMax)
	var err error
	w.what, err = f.Begin(beginning)
	cancel()
	if err != nil {
		r.say("%v", err)
		w.failed = true
	}
	r.say("%s: %s (%s led)", w.kind, w.what, leader)
	pause(timed, between(rnd, holdMin, max(holdMax, k.Lasts)))
	w.healed = time.Now()
	if err := f.End(after); err != nil {
		r.problem("%v", err)
	}
	if err := r.settle(after); err != nil {
		r.problem("after %s (%s): %v", w.kind, w.what, err)
		r.broken = true
	}
	w.settled = time.Now()
	r.say("healed, and settled after %s", w.settled.Sub(w.healed).Round(time.Millisecond))
	pause(timed, between(rnd, calmMin, calmMax))
	w.over = time.Now()
	return w
}

// settle brings back what a fault leaves to be brought back, and waits until all nodes are well.
func (r *run) settle(ctx context.Context) error {
	if err := r.cluster.Revive(ctx); err != nil {
		return err
	}
	if err := r.cluster.Restore(ctx); err != nil {
		return err
	}
	return r.cluster.AwaitSettled(ctx)
}

func between(rnd *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(rnd.Int64N(int64(high-low)))
}

// pause waits, at most until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// exitPanic is the exit status of a Go program that panics.
const exitPanic = 2

// judgeExits holds the ends of nodes that nobody asked for against what the faults of their time allow.
func (r *run) judgeExits(exits []fault.Exit) {
	for _, e := range exits {
		allowed := false
		for _, w := range r.windows {
			if !e.At.Before(w.begun) && !e.At.After(w.over) {
				allowed = w.stops
			}
		}
		if !allowed || e.Code == exitPanic || e.Code < 0 {
			r.problem("%s", e)
		}
	}
}

// outcries begin the lines by which the Go runtime says that the program itself is wrong.
var outcries = []string{"panic: ", "fatal error: ", "WARNING: DATA RACE", "unexpected fault address"}

// judgeLogs looks through what the nodes have printed.
func (r *run) judgeLogs() {
	logs, err := filepath.Glob(filepath.Join(r.o.dir, "n*.log"))
	if err != nil {
		r.problem("%v", err)
	}
	for _, path := range logs {
		lines, err := outcriesIn(path)
		if err != nil {
			r.problem("%v", err)
		}
		for _, line := range lines {
			r.problem("%s: %s", filepath.Base(path), line)
		}
	}
}

const logLineMax = 1 << 20 // bytes

func outcriesIn(path string) (found []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, logLineMax)
	for number := 1; lines.Scan(); number++ {
		for _, o := range outcries {
			if strings.HasPrefix(lines.Text(), o) {
				found = append(found, fmt.Sprintf("line %d: %s", number, lines.Text()))
			}
		}
	}
	return found, lines.Err()
}
