package main

import (
	"context"
	"time"
)

// schedule waits until a connection's next batch is due and returns the moment that its latency counts from. A schedule
// belongs to one connection.
type schedule func(ctx context.Context) (time.Time, error)

// clock is the schedule of a connection: at once for a load without a pace. The connections of a load with one are
// due at even distances, one after the other.
func (l load) clock(conn int, begin time.Time) schedule {
	if l.pace <= 0 {
		return func(context.Context) (time.Time, error) { return time.Now(), nil }
	}
	every := time.Duration(float64(l.conns*l.pipeline) / l.pace * float64(time.Second))
	due := begin.Add(every * time.Duration(conn) / time.Duration(l.conns))
	return func(ctx context.Context) (time.Time, error) {
		at := due
		due = due.Add(every)
		if ahead := time.Until(at); ahead > 0 {
			// The timer's own lateness is no fault of the server.
			return sleep(ctx, ahead)
		}
		return at, nil
	}
}

// sleep waits for d, or until ctx ends, and returns the time after it.
func sleep(ctx context.Context, d time.Duration) (time.Time, error) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return time.Now(), nil
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	}
}
