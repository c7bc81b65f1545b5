package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	snapshotTimeMax = 5 * time.Minute
	savePoll        = 20 * time.Millisecond
	// snapshotP99Most is how many times its usual p99 a SET's may be while a snapshot is written.
	snapshotP99Most = 3
	// pacedShare of the rate that the servers reach is what the second load asks for.
	pacedShare = 0.5
)

// snapshotKind says who takes a snapshot while the load runs.
type snapshotKind int

const (
	noSnapshot snapshotKind = iota
	leaderSnapshot
	allSnapshots
	snapshotKinds
)

func (k snapshotKind) String() string {
	return [...]string{"none", "on the leader", "on all nodes"}[k]
}

// snapshotResult is one load of the report with all its kinds of snapshot.
type snapshotResult struct {
	load  string
	kinds [snapshotKinds]outcome
}

// snapshots measures the latency of SETs with and without a snapshot under way: of a load that takes all the servers
// can give, and of one at a fixed pace, which shows better what a client with little to do would see.
func (b *bench) snapshots(ctx context.Context) (string, error) {
	l, err := b.launcher("snapshot")
	if err != nil {
		return "", err
	}
	// Nodes take snapshots by themselves as well; a threshold that is never reached keeps them out of the measurement.
	s, err := l.startRedoubt(ctx, nodes, "--snapshot-threshold", strconv.Itoa(math.MaxInt32))
	if err != nil {
		return "", err
	}
	defer s.stop()
	fmt.Fprintf(b.progress, "filling %d keys ...\n", b.o.keys)
	if err := b.fill(ctx, s, setKeys(b.o.sizes[0], 0, b.o.keys)); err != nil {
		return "", err
	}
	if err := s.save(ctx, s.procs...); err != nil { // so that no node takes one for the length of its log
		return "", err
	}
	full, err := b.snapshotLoad(ctx, s, "as fast as it goes", 0)
	if err != nil {
		return "", err
	}
	pace := pacedShare * full.kinds[noSnapshot].median(rateOf)
	paced, err := b.snapshotLoad(ctx, s, fmt.Sprintf("%s /s", rateText(pace)), pace)
	if err != nil {
		return "", err
	}
	return b.snapshotReport([]snapshotResult{full, paced}), nil
}

func (b *bench) snapshotLoad(ctx context.Context, s *system, name string, pace float64) (snapshotResult, error) {
	res := snapshotResult{load: name}
	for range b.o.rounds {
		for k := range snapshotKinds {
			flushDisks()
			got, err := b.snapshotSample(ctx, s, k, pace)
			if err != nil {
				return res, err
			}
			res.kinds[k].samples = append(res.kinds[k].samples, got)
			fmt.Fprintf(b.progress, "%s, snapshot %s: %s /s for %s\n",
				name, k, rateText(got.rate), got.wall.Round(time.Millisecond))
			if err := s.settle(); err != nil {
				return res, err
			}
		}
	}
	return res, nil
}

// snapshotSample runs the load for a while, or for as long as the snapshots take that begin with it.
func (b *bench) snapshotSample(ctx context.Context, s *system, k snapshotKind, pace float64) (sample, error) {
	leader, err := s.leader()
	if err != nil {
		return sample{}, err
	}
	l := load{
		addr: leader.addr, op: opSet, conns: b.o.conns[0], pipeline: b.o.pipelines[0], size: b.o.sizes[0], keys: b.o.keys,
		timeLimit: b.o.cell, pace: pace,
	}
	if k == noSnapshot {
		return l.run(ctx)
	}
	who := []*process{leader}
	if k == allSnapshots {
		who = s.procs
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan struct{})
	var saved error // may be read once over is closed
	l.timeLimit, l.until = snapshotTimeMax, over
	l.begin = func() error {
		go func() {
			defer close(over)
			saved = s.save(ctx, who...)
		}()
		return nil
	}
	out, err := l.run(ctx)
	if err != nil {
		return sample{}, err // the goroutine, if it was started, ends with ctx
	}
	<-over
	return out, saved
}

// save has the processes take a snapshot at the same time, and waits until all are on the disk.
func (s *system) save(ctx context.Context, who ...*process) error {
	for _, p := range who {
		if _, err := ask(p.addr, "BGSAVE"); err != nil {
			return fmt.Errorf("snapshot of %s: %w", p.Name, err)
		}
	}
	return s.poll(ctx, snapshotTimeMax, savePoll, func() error {
		for _, p := range who {
			info, err := ask(p.addr, "INFO", "persistence")
			if err != nil {
				return err
			}
			if infoField(info.Text(), "rdb_bgsave_in_progress") != "0" {
				return fmt.Errorf("%s is still taking its snapshot", p.Name)
			}
			if state := infoField(info.Text(), "rdb_last_bgsave_status"); state != "ok" {
				return fmt.Errorf("the snapshot of %s ended with %q", p.Name, state)
			}
		}
		return nil
	})
}

const snapshotHead = `
SETs to random keys, by our own generator, for as long as the snapshot takes. The load at a fixed pace counts the latency
from when a request was due.

| load | snapshot | /s | p50 ms | p99 ms | p99.9 ms | p99 to that without | wanted | | length s |
|---|---|---:|---:|---:|---:|---:|---|---|---:|
`

func (b *bench) snapshotReport(results []snapshotResult) string {
	var t strings.Builder
	head(&t, "Redoubt: latency under a snapshot", b.m, b.o.command, fmt.Sprintf(
		"%d rounds, the median counts; %d keys, values of %d bytes; %d connections; %s a measurement without a snapshot",
		b.o.rounds, b.o.keys, b.o.sizes[0], b.o.conns[0], b.o.cell))
	t.WriteString(snapshotHead)
	for _, r := range results {
		for k := range r.kinds {
			r.writeRow(&t, snapshotKind(k))
		}
	}
	return t.String()
}

func (r *snapshotResult) writeRow(t *strings.Builder, k snapshotKind) {
	o := &r.kinds[k]
	p99 := func(s sample) float64 { return float64(s.p99) }
	ratio, wanted, verdict := noValue, "", ""
	if k != noSnapshot {
		v := o.median(p99) / r.kinds[noSnapshot].median(p99)
		ratio, wanted, verdict = ratioText(v), fmt.Sprintf("at most %d", snapshotP99Most), verdictAtMost(v, snapshotP99Most)
	}
	times := strings.ReplaceAll(o.times(), " / ", " | ")
	wall := o.median(func(s sample) float64 { return s.wall.Seconds() })
	fmt.Fprintf(t, "| %s | %s | %s | %s | %s | %s | %s | %.1f |\n",
		r.load, k, rateText(o.median(rateOf)), times, ratio, wanted, verdict, wall)
}
