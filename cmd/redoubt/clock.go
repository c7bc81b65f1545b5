package main

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"
)

// wallClock is the node's clock: the machine's, with a wall reading that DEBUG CLOCK-OFFSET can shift, as a wrong time
// server would. Elapsed time stays the machine's, so that time outs and leases, which go by it, are not touched. It
// implements cluster.Clock; the one of a server is behind log time, TIME, TTL and all else that shows the time.
type wallClock struct{ offset atomic.Int64 } // nanoseconds

// Now returns the wall clock with a monotonic reading.
func (c *wallClock) Now() time.Time {
	now := time.Now()
	if d := time.Duration(c.offset.Load()); d != 0 {
		return shiftWall(now, d)
	}
	return now
}

// clockOffsetMax keeps the wall clock within what a time.Time with a monotonic reading can say: 1885 to 2157.
const clockOffsetMax = 50 * 365 * 24 * time.Hour

var errNoShift = errors.New("this build's package time does not let the wall clock be shifted alone")

// SetOffset makes the wall clock differ from the machine's by d; 0 ends that.
func (c *wallClock) SetOffset(d time.Duration) error {
	if d.Abs() > clockOffsetMax {
		return fmt.Errorf("the offset is more than %d days", int64(clockOffsetMax/(24*time.Hour)))
	}
	now := time.Now()
	if s := shiftWall(now, d); s.Sub(now) != 0 || s.UnixNano()-now.UnixNano() != int64(d) {
		return errNoShift
	}
	c.offset.Store(int64(d))
	return nil
}

// wallEpoch is what package time counts seconds from in a time.Time with a monotonic reading.
var wallEpoch = time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// shiftWall moves the wall reading of t and leaves the monotonic one, which no method can do: Add moves both. The first
// word of a time.Time with both is a mark, 33 bits of seconds and 30 of nanoseconds. SetOffset checks that it is so.
func shiftWall(t time.Time, d time.Duration) time.Time {
	wall, out := t.Round(0).Add(d), t
	*(*uint64)(unsafe.Pointer(&out)) = 1<<63 | uint64(wall.Unix()-wallEpoch)<<30 | uint64(wall.Nanosecond())
	return out
}
