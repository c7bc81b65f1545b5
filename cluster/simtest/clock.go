package simtest

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// Clock is a node's clock: the bubble's elapsed time and a wall clock that may be wrong. It implements cluster.Clock.
// Safe for concurrent use.
type Clock struct{ offset atomic.Int64 }

// Now implements cluster.Clock.
func (c *Clock) Now() time.Time {
	now := time.Now()
	return withMonotonic(now.Add(time.Duration(c.offset.Load())), now.Sub(bubbleStart))
}

// Jump moves the wall clock by d, as an operator or a time server would.
func (c *Clock) Jump(d time.Duration) { c.offset.Add(int64(d)) }

// Set makes the wall clock differ from the bubble's by d.
func (c *Clock) Set(d time.Duration) { c.offset.Store(int64(d)) }

var (
	// bubbleStart is when every bubble of testing/synctest begins.
	bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	// wallEpoch is what package time counts from in a time.Time with a monotonic reading.
	wallEpoch = time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
)

// withMonotonic gives a wall clock reading a monotonic one that is independent of it. In a bubble time.Now has none, and
// no method can shift the one and not the other, which is what a step of a machine's clock does. The layout is package
// time's: a mark, 33 bits of seconds and 30 of nanoseconds; then the monotonic nanoseconds. TestClock watches over it.
func withMonotonic(t time.Time, mono time.Duration) time.Time {
	out := t.Round(0)
	words := (*[2]uint64)(unsafe.Pointer(&out))
	words[0] = 1<<63 | uint64(t.Unix()-wallEpoch)<<30 | uint64(t.Nanosecond())
	words[1] = uint64(mono)
	return out
}

// until is time.Until for deadlines that were made from c and for those that were made from the bubble's time.
func (c *Clock) until(deadline time.Time) time.Duration {
	if deadline != deadline.Round(0) { // it has a monotonic reading
		return deadline.Sub(c.Now())
	}
	return time.Until(deadline)
}
