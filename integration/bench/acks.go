package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	acksKept    = 1 << 16
	writerPause = time.Millisecond // after a refusal or a failed connection
	writerWait  = time.Second      // for a reply
)

// ack is one acknowledged write.
type ack struct {
	addr string // of the node that answered
	at   time.Time
}

// acks keeps the last acknowledged writes. All methods may be called from any goroutine.
type acks struct {
	mu    sync.Mutex
	last  []ack         // the newest at the end, at most acksKept
	added chan struct{} // closed and replaced with each one
}

func newAcks() *acks { return &acks{added: make(chan struct{})} }

// add notes a write that a node has acknowledged just now.
func (a *acks) add(addr string) { a.addAt(addr, time.Now) }

// addAt takes the time under the lock, so that the writes stand in the order of their times.
func (a *acks) addAt(addr string, now func() time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.last) == acksKept {
		a.last = append(a.last[:0], a.last[acksKept/2:]...)
	}
	a.last = append(a.last, ack{addr, now()})
	close(a.added)
	a.added = make(chan struct{})
}

// next returns the first write after a moment that fits, and waits for it if need be.
func (a *acks) next(ctx context.Context, limit time.Duration, after time.Time, fits func(ack) bool) (ack, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		found, added := a.find(&after, fits)
		if found != nil {
			return *found, nil
		}
		select {
		case <-added:
		case <-ctx.Done():
			return ack{}, ctx.Err()
		}
	}
}

// find looks at the writes after a moment, and moves the moment past those that don't fit. The channel is closed when
// there are more.
func (a *acks) find(after *time.Time, fits func(ack) bool) (*ack, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range a.afterLocked(*after) {
		if fits(k) {
			return &k, nil
		}
		*after = k.at
	}
	return nil, a.added
}

func (a *acks) afterLocked(t time.Time) []ack {
	i, _ := slices.BinarySearchFunc(a.last, t, func(k ack, t time.Time) int {
		if k.at.After(t) {
			return 1
		}
		return -1
	})
	return a.last[i:]
}

// longestPause is the longest time without an acknowledged write from a moment on: up to the first write, or between
// two.
func (a *acks) longestPause(from time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	var longest time.Duration
	for _, k := range a.afterLocked(from) {
		longest = max(longest, k.at.Sub(from))
		from = k.at
	}
	return longest
}

// writer writes to one node all the time, whether it leads or not, and notes what is acknowledged.
type writer struct {
	addr, key string
	acks      *acks
}

func (w writer) run(ctx context.Context) {
	for ctx.Err() == nil {
		if c, err := respclient.Dial(w.addr); err == nil {
			w.write(ctx, c)
		}
		if _, err := sleep(ctx, writerPause); err != nil {
			return
		}
	}
}

// write uses a connection until it fails.
func (w writer) write(ctx context.Context, c *respclient.Conn) {
	defer c.Close()
	c.Timeout = writerWait
	for ctx.Err() == nil {
		v, err := c.Do("SET", w.key, "1")
		switch {
		case err != nil:
			return
		case !v.IsError():
			w.acks.add(w.addr)
			continue
		}
		if _, err := sleep(ctx, writerPause); err != nil {
			return
		}
	}
}
