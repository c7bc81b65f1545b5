package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// What is wanted of the time from the kill of a leader to the first acknowledged write, and of the longest pause in
	// acknowledged writes when leadership is handed over. Milliseconds.
	killMedianMost     = 600
	killWorstMost      = 1200
	transferMedianMost = 50

	failoverTimeMax = 30 * time.Second
	// transferTail is how long writes are watched after the new leader's first, so that a pause then is seen as well.
	transferTail = 300 * time.Millisecond
)

// failovers kills the leader again and again, and then has it hand leadership over again and again, while writers at
// every node try to write all the time.
func (b *bench) failovers(ctx context.Context) (string, error) {
	l, err := b.launcher("failover")
	if err != nil {
		return "", err
	}
	s, err := l.startRedoubt(ctx, nodes)
	if err != nil {
		return "", err
	}
	defer s.stop()
	f := &failoverRun{b: b, s: s, acks: newAcks()}
	stop := f.startWriters(ctx)
	defer stop()
	var kills, transfers []time.Duration
	for i := range b.o.failures {
		took, err := f.kill(ctx)
		if err != nil {
			return "", fmt.Errorf("kill %d: %w", i+1, err)
		}
		kills = append(kills, took)
		fmt.Fprintf(b.progress, "kill %d: %s ms\n", i+1, millis(took))
	}
	for i := range b.o.failures {
		pause, err := f.transfer(ctx)
		if err != nil {
			return "", fmt.Errorf("transfer %d: %w", i+1, err)
		}
		transfers = append(transfers, pause)
		fmt.Fprintf(b.progress, "transfer %d: %s ms\n", i+1, millis(pause))
	}
	return b.failoverReport(kills, transfers), nil
}

// failoverRun is a cluster under writers.
type failoverRun struct {
	b    *bench
	s    *system
	acks *acks
}

// kill ends the leader as kill -9 does and returns the time to the first write that another node acknowledges. The
// node is started again, and all is well when it returns.
func (f *failoverRun) kill(ctx context.Context) (time.Duration, error) {
	leader, err := f.s.leader()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	leader.Kill()
	first, err := f.acks.next(ctx, failoverTimeMax, begin, func(a ack) bool { return a.addr != leader.addr })
	if err != nil {
		return 0, fmt.Errorf("no write was acknowledged: %w", err)
	}
	leader.Await()
	if err := leader.Launch(); err != nil {
		return 0, err
	}
	return first.at.Sub(begin), f.s.awaitReady(ctx)
}

// transfer has the leader hand over and returns the longest pause between two acknowledged writes, wherever.
func (f *failoverRun) transfer(ctx context.Context) (time.Duration, error) {
	leader, err := f.s.leader()
	if err != nil {
		return 0, err
	}
	before, err := f.acks.next(ctx, failoverTimeMax, time.Now(), func(a ack) bool { return a.addr == leader.addr })
	if err != nil {
		return 0, fmt.Errorf("no write was acknowledged before: %w", err)
	}
	if _, err := ask(leader.addr, "FAILOVER"); err != nil {
		return 0, err
	}
	first, err := f.acks.next(ctx, failoverTimeMax, before.at, func(a ack) bool { return a.addr != leader.addr })
	if err != nil {
		return 0, fmt.Errorf("no write was acknowledged after: %w", err)
	}
	if _, err := f.acks.next(ctx, failoverTimeMax, first.at.Add(transferTail), anyAck); err != nil {
		return 0, fmt.Errorf("writes did not go on: %w", err)
	}
	return f.acks.longestPause(before.at), f.s.awaitReady(ctx)
}

func anyAck(ack) bool { return true }

// startWriters has every node written to by a few connections, until the returned function is called.
func (f *failoverRun) startWriters(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	n := 0
	for _, p := range f.s.procs {
		for range f.b.o.conns[0] {
			w := writer{addr: p.addr, acks: f.acks, key: fmt.Sprintf("failover:%d", n)}
			n++
			go func() {
				w.run(ctx)
				done <- struct{}{}
			}()
		}
	}
	return func() {
		cancel()
		for range n {
			<-done
		}
	}
}

const failoverHead = `
From kill -9 of the leader to the first write that another node acknowledges; and the longest pause between two
acknowledged writes while FAILOVER moves leadership. The writers try every node all the time, so no client's way of
finding the new leader is in these figures.

| what | least ms | median ms | worst ms | wanted | |
|---|---:|---:|---:|---|---|
`

func (b *bench) failoverReport(kills, transfers []time.Duration) string {
	var t strings.Builder
	head(&t, "Redoubt: failover", b.m, b.o.command, fmt.Sprintf(
		"%d kills and %d transfers of leadership; default profile; %d writers at each of the %d nodes",
		len(kills), len(transfers), b.o.conns[0], nodes))
	t.WriteString(failoverHead)
	kill, pause := inMillis(kills), inMillis(transfers)
	killed := errors.Join(within("median", median(kill), killMedianMost), within("worst", most(kill), killWorstMost))
	handed := within("median", median(pause), transferMedianMost)
	fmt.Fprintf(&t, "| kill -9 of the leader | %s | median under %d, worst under %d | %s |\n",
		spread(kill), killMedianMost, killWorstMost, metOr(killed))
	fmt.Fprintf(&t, "| transfer | %s | median under %d | %s |\n", spread(pause), transferMedianMost, metOr(handed))
	return t.String()
}

func within(what string, v, limit float64) error {
	if v < limit {
		return nil
	}
	return fmt.Errorf("%s missed", what)
}

func metOr(err error) string {
	if err == nil {
		return "met"
	}
	return strings.ReplaceAll(err.Error(), "\n", ", ")
}

func inMillis(d []time.Duration) []float64 {
	out := make([]float64, len(d))
	for i, v := range d {
		out[i] = float64(v) / float64(time.Millisecond)
	}
	return out
}

func spread(ms []float64) string {
	if len(ms) == 0 {
		return noValue + " | " + noValue + " | " + noValue
	}
	return fmt.Sprintf("%.0f | %.0f | %.0f", slices.Min(ms), median(ms), slices.Max(ms))
}
