package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// op names what a write is for, in errors and in Stalled.
type op uint8

const (
	opLogAppend op = iota
	opLogTruncate
	opLogSync
	opLogMeta
	opLogRead
	opMark
	opStable
	opIdentity
	opSnapshotWrite
	opSnapshotFinish
)

var opNames = [...]string{
	"log append", "log truncate", "log sync", "log segment", "log read", "log mark", "stable write", "identity write",
	"snapshot write", "snapshot finish",
}

func (o op) String() string { return opNames[o] }

// watchSlots is the number of writes watched at a time. Writes beyond it go unwatched, but then as many older ones are
// under way, and Stalled reports the oldest.
const watchSlots = 16

// guard is what all stores of a directory share: the first failure, and the watch on writes under way.
type guard struct {
	logger    *slog.Logger
	onFailure func(error)
	limit     time.Duration
	base      time.Time

	first   atomic.Pointer[error]
	opening opening
	opened  atomic.Bool // until then a failure is Open's to return, and OnFailure is not called
	closed  atomic.Bool

	// lost is the time in which this process did not run, as far as polls of stalled show it; polled is when the last was.
	lost, polled atomic.Int64
	slots        [watchSlots]struct {
		start atomic.Int64 // as now returns it; 0: free
		op    atomic.Uint32
	}
}

func newGuard(o Options) *guard {
	return &guard{logger: o.Logger, onFailure: o.OnFailure, limit: o.StallLimit, base: time.Now()}
}

// err is the failure that everybody gets, nil while there is none.
func (g *guard) err() error {
	if g.closed.Load() {
		return ErrClosed
	}
	return g.failure()
}

func (g *guard) failure() error {
	if p := g.first.Load(); p != nil {
		return *p
	}
	return nil
}

// fail records the first failure and returns it, whatever err is.
func (g *guard) fail(o op, err error) error {
	if g.closed.Load() {
		return fmt.Errorf("%w: %s: %w", ErrClosed, o, err)
	}
	if errors.Is(err, ErrFailed) {
		return err
	}
	wrapped := fmt.Errorf("%w: %s: %w", ErrFailed, o, err)
	if !g.first.CompareAndSwap(nil, &wrapped) {
		return g.failure()
	}
	g.logger.Error("storage has failed; the node must stop", "op", o.String(), "err", err)
	if g.onFailure != nil && g.opened.Load() {
		go g.onFailure(wrapped)
	}
	return wrapped
}

// write runs a write under the watch. Any error, and any panic of a library, fails the directory.
func (g *guard) write(o op, fn func() error) error {
	if err := g.err(); err != nil {
		return err
	}
	if err := g.watch(o, fn); err != nil {
		return g.fail(o, err)
	}
	return nil
}

// spare is write for what nobody relies on before it has returned, and what is then removed: a disk without room ends the
// write and not the directory.
func (g *guard) spare(o op, fn func() error) error {
	if err := g.err(); err != nil {
		return err
	}
	err := g.watch(o, fn)
	switch {
	case err == nil:
		return nil
	case DiskFull(err) || errors.Is(err, ErrNoRoom):
		return fmt.Errorf("%s: %w", o, err)
	}
	return g.fail(o, err)
}

func (g *guard) watch(o op, fn func() error) error {
	slot := g.begin(o)
	defer g.end(slot)
	return contain(fn)
}

// contain turns panics into errors, and faults too: bbolt reads through a memory map, where a bad page or a disk that
// does not answer is a fault that would end the process.
func contain(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return fn()
}

// now is the time in which this process has run since base, in nanoseconds, plus one.
func (g *guard) now() int64 { return int64(time.Since(g.base)) - g.lost.Load() + 1 }

// pollGapMax is the longest time between two polls of stalled, in nanoseconds, that counts as the process's own: polls come
// ten times a second, and in a process or a machine that was suspended for longer no write was slow.
const pollGapMax = int64(time.Second)

// notePoll takes out what lies between this poll and the one before beyond pollGapMax.
func (g *guard) notePoll() {
	now := int64(time.Since(g.base)) + 1
	if last := g.polled.Swap(now); last != 0 && now-last > pollGapMax {
		g.lost.Add(now - last - pollGapMax)
	}
}

// begin takes a slot; -1 where all are taken.
func (g *guard) begin(o op) int {
	now := g.now()
	for i := range g.slots {
		if g.slots[i].start.CompareAndSwap(0, now) {
			g.slots[i].op.Store(uint32(o))
			return i
		}
	}
	return -1
}

func (g *guard) end(slot int) {
	if slot >= 0 {
		g.slots[slot].start.Store(0)
	}
}

// stalled returns the oldest write under way and whether it is older than the limit.
func (g *guard) stalled() (string, time.Duration, bool) {
	g.notePoll()
	var oldest int64
	var name string
	for i := range g.slots {
		if start := g.slots[i].start.Load(); start != 0 && (oldest == 0 || start < oldest) {
			oldest, name = start, op(g.slots[i].op.Load()).String()
		}
	}
	if oldest == 0 {
		return "", 0, false
	}
	age := time.Duration(g.now() - oldest)
	return name, age, age >= g.limit
}
