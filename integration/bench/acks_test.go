package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

// acksAt has acknowledged writes at the given milliseconds, by the nodes of the same place in addrs.
func acksAt(begin time.Time, addrs []string, ms ...int) *acks {
	a := newAcks()
	for i, m := range ms {
		a.addAt(addrs[i%len(addrs)], func() time.Time { return begin.Add(time.Duration(m) * time.Millisecond) })
	}
	return a
}

func TestLongestPause(t *testing.T) {
	begin := time.Now()
	for _, c := range []struct {
		from, want int
		ms         []int
	}{
		{0, 0, nil},
		{0, 30, []int{10, 20, 50, 60}},
		{0, 40, []int{40, 50}},
		{20, 30, []int{10, 20, 50, 60}}, // from an acknowledged write on
		{55, 5, []int{10, 20, 50, 60}},
	} {
		got := acksAt(begin, []string{"a"}, c.ms...).longestPause(begin.Add(time.Duration(c.from) * time.Millisecond))
		if got != time.Duration(c.want)*time.Millisecond {
			t.Errorf("%v from %d: %s, want %d ms", c.ms, c.from, got, c.want)
		}
	}
}

func TestNextAck(t *testing.T) {
	begin := time.Now()
	a := acksAt(begin, []string{"a", "a", "b"}, 1, 2, 3, 4, 5, 6)
	of := func(addr string) func(ack) bool { return func(k ack) bool { return k.addr == addr } }
	if k, err := a.next(t.Context(), time.Minute, begin.Add(3*time.Millisecond), of("b")); err != nil || k.at != begin.Add(6*time.Millisecond) {
		t.Errorf("%s, %v", k.at.Sub(begin), err)
	}
	if _, err := a.next(t.Context(), time.Nanosecond, begin.Add(6*time.Millisecond), of("b")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	got := make(chan ack)
	go func() {
		k, _ := a.next(t.Context(), time.Minute, begin.Add(6*time.Millisecond), of("c"))
		got <- k
	}()
	a.addAt("b", func() time.Time { return begin.Add(7 * time.Millisecond) })
	a.addAt("c", func() time.Time { return begin.Add(8 * time.Millisecond) })
	if k := <-got; k.addr != "c" {
		t.Errorf("%+v", k)
	}
}

// Only so many are kept, and always the newest.
func TestAcksAreBounded(t *testing.T) {
	begin := time.Now()
	a := newAcks()
	for i := range 3*acksKept + 1 {
		a.addAt("a", func() time.Time { return begin.Add(time.Duration(i)) })
	}
	if n := len(a.last); n > acksKept || n < acksKept/2 || a.last[n-1].at != begin.Add(3*acksKept) {
		t.Errorf("%d kept", n)
	}
}

func TestWriterNotesAcknowledgedWrites(t *testing.T) {
	answers := make(chan string, 3)
	answers <- "-READONLY no\r\n"
	answers <- "+OK\r\n"
	close(answers)
	addr := fakeServer(t, func(string) string { return <-answers })
	a := newAcks()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		writer{addr: addr, key: "k", acks: a}.run(ctx)
		close(ended)
	}()
	if k, err := a.next(t.Context(), time.Minute, time.Time{}, anyAck); err != nil || k.addr != addr {
		t.Errorf("%+v, %v", k, err)
	}
	cancel()
	<-ended
	if len(a.last) != 1 {
		t.Errorf("%d writes noted of one", len(a.last))
	}
}
