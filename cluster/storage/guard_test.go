package storage

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// faultLog fails or hangs where it is told to.
type faultLog struct {
	raft.LogStore
	mu    sync.Mutex
	err   error
	panic bool
	calls int
	hang  chan struct{}
}

func (f *faultLog) StoreLogs(logs []*raft.Log) error {
	f.mu.Lock()
	f.calls++
	err, p, hang := f.err, f.panic, f.hang
	f.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if p {
		panic("out of my depth")
	}
	if err != nil {
		return err
	}
	return f.LogStore.StoreLogs(logs)
}

func (f *faultLog) set(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
}

func openFaulty(t *testing.T, kind string) (*Dir, *faultLog, chan error) {
	t.Helper()
	f := &faultLog{}
	failures := make(chan error, 10)
	o := testOptions(t.TempDir(), kind)
	o.StallLimit = time.Nanosecond
	o.OnFailure = func(err error) { failures <- err }
	o.WrapLog = func(l raft.LogStore) raft.LogStore {
		f.LogStore = l
		return f
	}
	d := mustOpen(t, o)
	fill(t, d, 1, 5, 1)
	return d, f, failures
}

// The first failure is for good, keeps its cause, is reported once, and nothing is written any more.
func TestFailureSticks(t *testing.T) {
	forKinds(t, func(t *testing.T, kind string) {
		d, f, failures := openFaulty(t, kind)
		f.set(func() { f.err = fmt.Errorf("write segment: %w", syscall.ENOSPC) })
		k, err := d.Snapshots().Create(1, 5, 1, testConf, 1, nil)
		must(t, err)
		for range 3 {
			err := d.Log().StoreLog(entry(6, 1))
			wantIs(t, err, ErrFailed)
			wantIs(t, err, syscall.ENOSPC)
			f.set(func() { f.err = nil })
		}
		if f.calls != 2 { // fill's and the one that failed
			t.Fatalf("%d calls of the store: it was tried again", f.calls)
		}
		wantIs(t, d.Log().DeleteRange(1, 2), ErrFailed)
		wantIs(t, d.Stable().SetUint64([]byte(keyCurrentTerm), 9), ErrFailed)
		wantIs(t, d.Stable().SetUint64([]byte(keyLastVoteTerm), 9), ErrFailed)
		wantIs(t, d.SetClusterID("c"), ErrFailed)
		_, err = d.Snapshots().Create(1, 5, 1, testConf, 1, nil)
		wantIs(t, err, ErrFailed)
		_, err = k.Write([]byte("x"))
		must(t, err) // into the buffer
		wantIs(t, k.Close(), ErrFailed)
		wantIs(t, d.Err(), syscall.ENOSPC)
		wantIs(t, <-failures, syscall.ENOSPC)
		wantEntries(t, d, 1, 5, 1) // reads go on
		mustClose(t, d)
		if len(failures) != 0 {
			t.Fatal("reported twice")
		}
		o := d.opts
		o.WrapLog = nil
		wantEntries(t, mustOpen(t, o), 1, 5, 1)
	})
}

func TestPanicIsFailure(t *testing.T) {
	d, f, failures := openFaulty(t, LogWAL)
	f.set(func() { f.panic = true })
	wantIs(t, d.Log().StoreLog(entry(6, 1)), ErrFailed)
	wantIs(t, <-failures, ErrFailed)
}

// OnFailure may close the directory.
func TestCloseInOnFailure(t *testing.T) {
	f := &faultLog{err: errors.New("broken")}
	done := make(chan error)
	ready := make(chan *Dir, 1)
	o := testOptions(t.TempDir(), LogWAL)
	o.OnFailure = func(error) { done <- (<-ready).Close() }
	o.WrapLog = func(l raft.LogStore) raft.LogStore {
		f.LogStore = l
		return f
	}
	d := mustOpen(t, o)
	ready <- d
	wantIs(t, d.Log().StoreLog(entry(1, 1)), ErrFailed)
	must(t, <-done)
}

func TestStalled(t *testing.T) {
	d, f, _ := openFaulty(t, LogWAL)
	if op, age, ok := d.Stalled(); ok {
		t.Fatalf("idle, but %s stalls for %v", op, age)
	}
	hang := make(chan struct{})
	f.set(func() { f.hang = hang })
	stored := make(chan error)
	go func() { stored <- d.Log().StoreLog(entry(6, 1)) }()
	var op string
	for ok := false; !ok; op, _, ok = d.Stalled() { // the goroutine has begun when it shows
	}
	if op != opLogAppend.String() {
		t.Fatalf("stalls in %s", op)
	}
	close(hang)
	must(t, <-stored)
	if op, _, ok := d.Stalled(); ok {
		t.Fatalf("still %s", op)
	}
}

func TestStallLimitAndSlots(t *testing.T) {
	g := newGuard(Options{StallLimit: time.Hour})
	var slots []int
	for range watchSlots + 1 {
		slots = append(slots, g.begin(opStable))
	}
	if slots[watchSlots] != -1 {
		t.Fatal("more slots than there are")
	}
	if op, _, ok := g.stalled(); op != "stable write" || ok {
		t.Fatalf("%q stalled %v below the limit", op, ok)
	}
	for _, s := range slots {
		g.end(s)
	}
	if op, _, _ := g.stalled(); op != "" {
		t.Fatalf("%q under way", op)
	}
}

// What raft-wal does in the background, and only logs, fails the directory too.
func TestRotationFailure(t *testing.T) {
	failures := make(chan error, 1)
	o := testOptions(t.TempDir(), LogWAL)
	o.OnFailure = func(err error) { failures <- err }
	d := mustOpen(t, o)
	setTerm(t, d, 1)
	// A directory in the place of the table's temporary file: the rotation cannot write it.
	mkdirAt(t, d, logName, walMetaName+tmpSuffix)
	var err error
	for i := uint64(1); err == nil && i < 1000; i++ {
		err = d.Log().StoreLog(entry(i, 1))
	}
	wantIs(t, err, ErrFailed)
	wantIs(t, <-failures, syscall.EISDIR)
}

// TestSuspendedProcessIsNoStall: the time in which the process was suspended, as polls ten times a second show it, is not
// taken for a slow disk; what comes after it is.
func TestSuspendedProcessIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 10 * time.Second
		g := newGuard(Options{StallLimit: limit})
		poll := func(d time.Duration) (age time.Duration, stalled bool) {
			for range d / (100 * time.Millisecond) {
				time.Sleep(100 * time.Millisecond)
				_, age, stalled = g.stalled()
			}
			return age, stalled
		}
		poll(time.Second)
		slot := g.begin(opLogAppend)
		poll(time.Second)
		time.Sleep(time.Hour) // SIGSTOP, or a suspended machine
		if age, stalled := poll(5 * time.Second); stalled {
			t.Fatalf("stalled for %s", age)
		}
		if age, stalled := poll(6 * time.Second); !stalled || age > 15*time.Second {
			t.Errorf("after 12 seconds of its own: %s, stalled: %v", age, stalled)
		}
		g.end(slot)
	})
}
