package storage

import (
	"log/slog"
	"sync"
	"time"
)

// openingPeriod is how long Open works on one file or directory before the log says that it waits for it, and how often
// the log says so again.
const openingPeriod = 3 * time.Second

// opening is the watch over Open: a disk that hangs gives no error, and who waits for the node to start would see nothing
// at all. Nothing is ended by it, since a large log or snapshot on a slow disk takes its time too.
type opening struct {
	mu    sync.Mutex
	path  string
	since time.Time
}

// at notes what is worked on from now on.
func (o *opening) at(path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.path, o.since = path, time.Now()
}

func (o *opening) now() (path string, since time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.path, o.since
}

// watch starts the goroutine that reports, and returns what ends it. tick is nil but in tests.
func (o *opening) watch(logger *slog.Logger, tick <-chan time.Time) (end func()) {
	stop, ended := make(chan struct{}), make(chan struct{})
	stopTicker := func() {}
	if tick == nil {
		t := time.NewTicker(openingPeriod)
		tick, stopTicker = t.C, t.Stop
	}
	go func() {
		defer close(ended)
		defer stopTicker()
		var last time.Time // when that had begun which was worked on at the tick before
		for {
			select {
			case <-tick:
				last = o.report(logger, last)
			case <-stop:
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-ended
	}
}

// report says what Open waits for if that is what it waited for at the last tick.
func (o *opening) report(logger *slog.Logger, last time.Time) time.Time {
	path, since := o.now()
	if since.Equal(last) && !since.IsZero() {
		logger.Warn("the start still waits for this part of the data directory; is the disk slow, or does it hang?",
			"path", path, "waiting", time.Since(since).Round(time.Millisecond))
	}
	return since
}
