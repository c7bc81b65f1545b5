package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/integration/chaos/fault"
	"github.com/redoubtdb/redoubt/integration/chaos/workload"
)

const (
	drainMax = 60 * time.Second // until the clients have ended, once they were told to
	finalMax = 60 * time.Second // for the last reads of one workload
)

// run is one run: what it runs on, and what came of it.
type run struct {
	o       options
	out     io.Writer
	started time.Time
	kinds   []*fault.Kind
	refused []string
	cluster *fault.Cluster
	loads   []workload.Workload

	histories []*history
	outcome
	// broken says that the cluster could not be healed: nothing more can be read.
	broken bool
	// interrupted says that the run ended before its time.
	interrupted bool

	mu sync.Mutex // guards out
}

// outcome is what came of a run.
type outcome struct {
	windows []window
	reports []workload.Report
	// problems are what is wrong beside what the workloads' checkers say.
	problems []string
}

// execute does a run, prints what came of it, and returns the exit status.
func execute(ctx context.Context, o options, out io.Writer) (int, error) {
	log, err := os.Create(filepath.Join(o.dir, "chaos.log"))
	if err != nil {
		return 1, err
	}
	defer log.Close()
	r := &run{o: o, out: io.MultiWriter(out, log), started: time.Now()}
	fmt.Fprintln(r.out, o.command())
	// Healing, the last reads and the end of the nodes go on when ctx has ended: only faults and clients stop early.
	if err := r.do(ctx, context.WithoutCancel(ctx)); err != nil {
		return 1, err
	}
	return r.report(), nil
}

func (r *run) do(ctx, after context.Context) (err error) {
	if r.kinds, r.refused, err = fault.Choose(r.o.faults); err != nil {
		return err
	}
	for _, why := range r.refused {
		r.say("not here: %s", why)
	}
	if len(r.kinds) == 0 {
		return errors.New("none of the faults can be had here")
	}
	r.cluster, err = fault.Start(after, fault.Options{
		Binary: r.o.binary, Dir: r.o.dir, Nodes: r.o.nodes, Flags: r.o.flags,
		Isolated: fault.Inside(), Disk: fault.DiskFor(r.kinds), Log: r.say,
	})
	if err != nil {
		return fmt.Errorf("start the cluster: %w", err)
	}
	defer func() {
		if err := r.cluster.Close(); err != nil {
			r.problem("%v", err)
		}
	}()
	defer r.closeHistories()
	if err := r.makeLoads(); err != nil {
		return err
	}
	r.disturb(ctx, after)
	r.interrupted = ctx.Err() != nil
	r.finish(after)
	return nil
}

func (r *run) makeLoads() error {
	for i, name := range r.o.workloads {
		h, err := newHistory(r.o.dir, name, r.started)
		if err != nil {
			return err
		}
		r.histories = append(r.histories, h)
		o := workload.Options{
			Nodes: r.cluster.Addrs, Dial: h.dial, Clients: r.o.clients, Rate: r.o.rate,
			Seed: r.o.seed + uint64(i), Started: r.started,
		}
		for _, k := range r.kinds {
			o.ClockJumps = o.ClockJumps || k.Jumps
		}
		if c := r.o.controlled(); c != nil && c.spoil != nil {
			c.spoil(&o)
		}
		w, err := workload.New(name, o)
		if err != nil {
			return err
		}
		r.loads = append(r.loads, w)
	}
	return nil
}

// disturb runs the workloads, and faults one after the other, until the time is over.
func (r *run) disturb(ctx, after context.Context) {
	loading, stop := context.WithCancel(after)
	defer stop()
	var wg sync.WaitGroup
	for _, w := range r.loads {
		wg.Go(func() { w.Run(loading) })
	}
	timed, cancel := context.WithTimeout(ctx, r.o.duration())
	defer cancel()
	r.cycle(timed, after, rand.New(rand.NewPCG(r.o.seed, r.o.seed)))
	stop()
	ended := make(chan struct{})
	go func() {
		wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(drainMax):
		r.problem("the clients did not end within %s", drainMax)
		<-ended
	}
}

// finish looks at the healed cluster and has the histories judged.
func (r *run) finish(ctx context.Context) {
	if !r.broken {
		if err := r.cluster.CheckDigests(ctx); err != nil {
			r.problem("%v", err)
		}
	}
	for _, w := range r.loads {
		if !r.broken {
			final, cancel := context.WithTimeout(ctx, finalMax)
			if err := w.Final(final); err != nil {
				r.problem("%s: the last reads: %v", w.Name(), err)
			}
			cancel()
		}
		began := time.Now()
		r.reports = append(r.reports, w.Check())
		r.say("%s is judged (%s)", w.Name(), time.Since(began).Round(time.Millisecond))
	}
	r.judgeExits(r.cluster.Exits())
	r.judgeLogs()
}

// closeHistories ends the files in which the histories are.
func (r *run) closeHistories() {
	for _, h := range r.histories {
		if err := h.close(); err != nil {
			r.say("history: %v", err)
		}
	}
}

func (r *run) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.problems = append(r.problems, text)
	r.say("PROBLEM: %s", text)
}

// say prints a line with the time since the beginning. Any goroutine may call it.
func (r *run) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, "%7.1fs  %s\n", time.Since(r.started).Seconds(), fmt.Sprintf(format, args...))
}
