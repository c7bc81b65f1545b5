package resp

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// pauses is CLIENT PAUSE: commands wait until it ends. The zero value is no pause.
type pauses struct {
	active atomic.Bool  // looked at for every command
	held   atomic.Int64 // commands that wait, each of another connection: INFO counts them as blocked clients
	mu     sync.Mutex   // guards the rest
	until  time.Time
	all    bool          // reads wait too
	over   chan struct{} // closed when the pause ends or changes
	ended  bool          // the server closes: nobody waits any more
}

// begin starts a pause or, as in Redis 7.0, extends one: the later end and the wider mode win.
func (p *pauses) begin(d time.Duration, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := time.Now().Add(d)
	if p.over == nil || time.Now().After(p.until) {
		p.all, p.until = all, until
	} else {
		p.all = p.all || all
		if until.After(p.until) {
			p.until = until
		}
	}
	p.changeLocked()
	p.active.Store(true)
}

func (p *pauses) changeLocked() {
	if p.over != nil {
		close(p.over)
	}
	p.over = make(chan struct{})
}

// unpause ends the pause.
func (p *pauses) unpause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked()
}

func (p *pauses) endLocked() {
	p.until = time.Time{}
	p.active.Store(false)
	p.changeLocked()
}

// end is unpause for good.
func (p *pauses) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.endLocked()
}

// waitWrites returns when a write may go on, waitAll when a read may. Both are false where ctx has ended while they waited:
// the command must not be executed any more, for its client was killed.
func (p *pauses) waitWrites(ctx context.Context) bool { return p.wait(ctx, false) }
func (p *pauses) waitAll(ctx context.Context) bool    { return p.wait(ctx, true) }

// heldAsWrite are commands that a pause of writes holds as well. Redis has something to replicate after them: a counter that
// it keeps with the value, and a message.
var heldAsWrite = map[string]bool{"pfcount": true, "publish": true, "spublish": true}

// waitFor is waitAll or, for a command that is held as a write is, waitWrites.
func (p *pauses) waitFor(ctx context.Context, spec *command.Spec) bool {
	return p.wait(ctx, !(p.active.Load() && heldAsWrite[spec.Name]))
}

func (p *pauses) wait(ctx context.Context, read bool) bool {
	waited := false
	for p.active.Load() {
		left, over := p.left(read)
		if left <= 0 {
			break
		}
		if !waited {
			waited = true
			p.held.Add(1)
			defer p.held.Add(-1)
		}
		t := time.NewTimer(left)
		select {
		case <-t.C:
		case <-over:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			break
		}
	}
	return !waited || ctx.Err() == nil
}

// left is how long a command has to wait at most, 0 where it need not, and what tells it to look again.
func (p *pauses) left(read bool) (time.Duration, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := time.Until(p.until)
	if left <= 0 || p.ended {
		p.active.Store(false)
		return 0, nil
	}
	if read && !p.all {
		return 0, nil
	}
	return left, p.over
}
