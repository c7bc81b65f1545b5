// Package collector decides how much garbage the Go heap may hold before it is collected (GOGC).
//
// By default a heap may double between two collections. That is too much for a node whose data are most of its heap: the
// machine would need twice the memory of the data. It is too little for a node that has just begun: a heap of a few
// megabytes would be collected dozens of times a second under load. So the share falls as the heap grows; see roomFor.
package collector

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// roomMin is how much garbage the smallest heap may hold, in bytes: few collections while there is little data.
	roomMin = 32 << 20
	// roomFlat is up to where garbage may be as much as what is alive, in bytes. Above it garbage stays at that size until
	// it is roomShare of what is alive, and grows with it from there on.
	roomFlat = 80 << 20
	// roomShare is the percentage of a big heap that may be garbage. Each collection marks what is alive, so that halving
	// the share doubles the price of an allocated byte; docs/PERFORMANCE.md has figures.
	roomShare = 45
	// percentStep is by how many hundredths of itself a percentage must change to be set: that stops all goroutines.
	percentStep = 5
)

// roomFor is how many bytes of garbage may gather beside so many that are alive, stacks and globals included.
func roomFor(live uint64) uint64 {
	return max(roomMin, min(live, roomFlat), live*roomShare/100)
}

// percentFor is GOGC for a heap after a collection.
func percentFor(live uint64) int {
	live = max(live, 1<<20) // a process has more than that; and no percentage without bounds
	return int((roomFor(live)*100 + live/2) / live)
}

// Govern sets GOGC after each collection until ctx ends, and then to what it was. It does nothing where the operator has
// set GOGC. GOMEMLIMIT holds all the same.
func Govern(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	collected := make(chan struct{}, 1)
	stop := afterEach(collected)
	defer stop()
	was := debug.SetGCPercent(percentFor(liveBytes()))
	defer debug.SetGCPercent(was)
	for percent := 0; ; {
		if next := percentFor(liveBytes()); differs(percent, next) {
			percent = next
			debug.SetGCPercent(percent)
		}
		select {
		case <-ctx.Done():
			return
		case <-collected:
		}
	}
}

func differs(percent, next int) bool {
	return max(next-percent, percent-next)*100 > percent*percentStep
}

// liveBytes is what GOGC is a percentage of: what the last collection found alive, and the stacks and globals that it
// looked through.
func liveBytes() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(s)
	sum := uint64(0)
	for _, m := range s {
		sum += m.Value.Uint64()
	}
	return sum
}

// afterEach sends to c after each collection, unless c is full, until stop is called.
func afterEach(c chan<- struct{}) (stop func()) {
	ctx, stop := context.WithCancel(context.Background())
	var arm func(struct{})
	arm = func(struct{}) {
		if ctx.Err() != nil {
			return
		}
		select {
		case c <- struct{}{}:
		default:
		}
		// An object that nothing refers to is found dead by the next collection.
		runtime.AddCleanup(&sentinel{}, arm, struct{}{})
	}
	arm(struct{}{})
	return stop
}

// sentinel has a pointer, so that it has a piece of memory of its own, which small things without one share.
type sentinel struct{ _ *sentinel }
