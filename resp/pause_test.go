package resp

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// TestPauseEnds: a command that waits goes on when the pause runs out or is taken back, and not when its client is killed,
// also where both happen at once.
func TestPauseEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		end  func(p *pauses, kill func())
		goes bool
		took time.Duration
	}{
		"runs out":         {func(*pauses, func()) {}, true, time.Minute},
		"unpaused":         {func(p *pauses, _ func()) { p.unpause() }, true, time.Second},
		"server closes":    {func(p *pauses, _ func()) { p.end() }, true, time.Second},
		"killed":           {func(_ *pauses, kill func()) { kill() }, false, time.Second},
		"killed and freed": {func(p *pauses, kill func()) { kill(); p.unpause() }, false, time.Second},
		"paused longer":    {func(p *pauses, _ func()) { p.begin(2*time.Minute, false) }, true, time.Second + 2*time.Minute},
	} {
		for _, read := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				var p pauses
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				p.begin(time.Minute, true)
				start := time.Now()
				time.AfterFunc(time.Second/2, func() {
					if n := p.held.Load(); n != 1 {
						t.Errorf("%s: %d commands wait, want one", name, n)
					}
				})
				time.AfterFunc(time.Second, func() { tc.end(&p, cancel) })
				wait := p.waitWrites
				if read {
					wait = p.waitAll
				}
				if goes := wait(ctx); goes != tc.goes || time.Since(start) != tc.took {
					t.Errorf("%s (read: %t): it goes on: %t, after %s", name, read, goes, time.Since(start))
				}
				if n := p.held.Load(); n != 0 {
					t.Errorf("%s: %d commands wait at the end", name, n)
				}
			})
		}
	}
}

// TestPauseOfWritesLetsReadsPass, and a killed client's command that need not wait is not held up: whoever killed it has
// no promise that it came too late.
func TestPauseOfWritesLetsReadsPass(t *testing.T) {
	var p pauses
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if !p.waitWrites(ctx) || !p.waitAll(ctx) {
		t.Error("without a pause a command waits")
	}
	p.begin(time.Hour, false)
	if !p.waitAll(ctx) || p.waitWrites(ctx) {
		t.Error("a pause of writes: a read must pass, a killed client's write must not")
	}
	if !p.waitFor(ctx, &command.Spec{Name: "get"}) || p.waitFor(ctx, &command.Spec{Name: "pfcount"}) {
		t.Error("a pause of writes holds PFCOUNT, as Redis does, and not GET")
	}
}
