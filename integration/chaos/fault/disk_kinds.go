package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// diskKinds are what happens to disks. A node whose disk fails stops by design; one whose disk is full does not.
var diskKinds = []*Kind{
	{Name: "disk-full", needs: needsSmall, make: diskFull},
	{Name: "fsync-error", Stops: true, needs: needsStrace, make: injected(anyOne, syncError)},
	{Name: "fsync-delay", needs: needsStrace, make: injected(oneOf(theLeader, anyOne, all), syncDelay)},
	{Name: "fsync-hang", Stops: true, Lasts: hangLasts, needs: needsStrace, make: injected(leaderMostly, syncHang)},
	{Name: "power-cut", Stops: true, needs: needsPower, make: powerCut(oneOf(anyOne, theLeader, aMajority, all))},
	{Name: "power-cut-all", Stops: true, needs: needsPower, make: powerCut(all)},
}

// syncError fails every sync from some call on, or that one alone: a second try after a failed sync proves nothing.
func syncError(r *rand.Rand) string {
	when := fmt.Sprintf("error=EIO:when=%d", 1+r.IntN(20))
	if r.IntN(2) == 0 {
		when += "+"
	}
	return when
}

// Delays of a sync: what an overloaded disk takes. An ordinary one takes a millisecond or less.
const (
	syncDelayMin = 20 * time.Millisecond
	syncDelayMax = 500 * time.Millisecond
	syncHangTime = 10 * time.Minute // longer than any fault lasts
	hangLasts    = 16 * time.Second // longer than a node waits for its disk before it stops
)

func syncDelay(r *rand.Rand) string {
	d := syncDelayMin + time.Duration(r.Int64N(int64(syncDelayMax-syncDelayMin)))
	return fmt.Sprintf("delay_enter=%d", d.Microseconds())
}

func syncHang(*rand.Rand) string { return fmt.Sprintf("delay_enter=%d", syncHangTime.Microseconds()) }

// injected meddles with the syncs of the victims until its end.
func injected(whom target, how func(*rand.Rand) string) func(*Cluster, *rand.Rand) *Fault {
	return func(c *Cluster, r *rand.Rand) *Fault {
		inject := how(r)
		var attached []*injector
		return &Fault{
			begin: func(ctx context.Context) (string, error) {
				victims, err := whom(ctx, c, r)
				if err != nil {
					return "", err
				}
				for _, n := range victims {
					i, err := c.inject(ctx, n, inject)
					if err != nil {
						return ids(victims), err
					}
					attached = append(attached, i)
				}
				return ids(victims) + " " + inject, nil
			},
			end: func(context.Context) error {
				for _, i := range attached {
					i.detach()
				}
				return nil
			},
		}
	}
}

// powerCut takes the power of nodes at one moment, and gives their disks it back with what had been synced.
func powerCut(whom target) func(*Cluster, *rand.Rand) *Fault {
	return func(c *Cluster, r *rand.Rand) *Fault {
		return &Fault{begin: func(ctx context.Context) (string, error) {
			victims, err := whom(ctx, c, r)
			if err != nil {
				return "", err
			}
			errs := make([]error, len(victims))
			var wg sync.WaitGroup
			for i, n := range victims {
				wg.Go(func() { errs[i] = n.disk.cut() })
			}
			wg.Wait()
			for i, n := range victims {
				n.Kill9()
				errs[i] = errors.Join(errs[i], n.disk.restore())
			}
			return ids(victims), errors.Join(errs...)
		}}
	}
}

// diskFull leaves no room on the disks of some nodes, and writes so much that their logs need more.
func diskFull(c *Cluster, r *rand.Rand) *Fault {
	whom := oneOf(theLeader, theLeader, anyOne, aMajority, all)
	var victims []*Node
	var f *filler
	return &Fault{
		begin: func(ctx context.Context) (what string, err error) {
			if victims, err = whom(ctx, c, r); err != nil {
				return "", err
			}
			var errs []error
			for _, n := range victims {
				errs = append(errs, n.disk.fill())
			}
			f = c.startFiller()
			return ids(victims), errors.Join(errs...)
		},
		end: func(context.Context) error {
			var errs []error
			for _, n := range victims {
				errs = append(errs, n.disk.free())
			}
			f.stop()
			return errors.Join(errs...)
		},
	}
}

// filler writes large values, so that the log, which takes its room a segment at a time, asks for the next one.
type filler struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

const (
	fillerKey    = "chaos:filler"
	fillerBytes  = 1 << 20
	fillerWrites = 80 // more than the log's segment of 64 MiB takes
)

func (c *Cluster) startFiller() *filler {
	ctx, cancel := context.WithCancel(c.ctx)
	f := &filler{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		value := strings.Repeat("x", fillerBytes)
		for i := 0; i < fillerWrites && ctx.Err() == nil; i++ {
			if c.writeAnywhere(ctx, "SET", fillerKey, value) != nil && !pauseFor(ctx, transferGap) {
				return
			}
		}
	}()
	return f
}

func (f *filler) stop() {
	if f != nil {
		f.cancel()
		<-f.ended
	}
}

// writeAnywhere tries the nodes until one takes the write. What becomes of it does not matter.
func (c *Cluster) writeAnywhere(ctx context.Context, args ...string) error {
	last := errNobody
	for _, n := range c.Up() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, last = n.Do(args...); last == nil {
			return nil
		}
	}
	return last
}
