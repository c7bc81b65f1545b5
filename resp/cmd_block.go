package resp

import (
	"slices"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// blocks reports whether a call may have to wait for somebody else's write. In a transaction none does.
func (c *conn) blocks(spec *command.Spec, args [][]byte) bool {
	if !spec.Is(command.Blocking) || spec.Timeout == nil {
		return false
	}
	_, ok := spec.Timeout(args)
	return ok
}

// block executes a write that may have to wait: alone in its proposal, since the replies behind it have to wait too. It
// waits in the log (fsm, waiting.go); what is done here is to see when its time is over or its client gone. A proposal
// always ends, so nothing but its end is waited for then.
func (c *conn) block(spec *command.Spec, args [][]byte) {
	c.beforeWaiting()
	if c.quit || !c.srv.pauses.waitWrites(c.ctx) {
		c.quit = true
		return
	}
	if size := callBytes(args); size > c.srv.entryMax {
		c.reject(spec, c.tooLarge(size))
		return
	}
	c.addWrite(spec, args)
	c.prop.MayWait = true
	millis, _ := spec.Timeout(args)
	start, mark := time.Now(), c.w.Len()
	c.shared.unblock.Store(0)
	c.shared.blocked.Store(true)
	c.shared.timed.Store(millis != 0)
	c.srv.backend.Propose(c.prop)
	c.awaitProposal(millis)
	c.shared.blocked.Store(false)
	c.shared.timed.Store(false)
	c.endWrites(start, mark)
}

// awaitProposal waits for the end of a blocking command's proposal, which it asks for once there is a reason.
func (c *conn) awaitProposal(millis int64) {
	over, stop := timeoutOf(millis)
	defer stop()
	look := time.NewTicker(waitSlice)
	defer look.Stop()
	for {
		how := command.UnblockTimeout
		select {
		case <-c.prop.Done:
			return
		case <-over:
		case <-c.ctx.Done():
			how, c.quit = command.UnblockGone, true
		case <-look.C:
			if how = c.unblocking(); how == 0 {
				if c.sendAside(); !c.quit {
					continue
				}
				how = command.UnblockGone
			}
		}
		c.srv.backend.Unblock(c.prop, how)
		<-c.prop.Done
		return
	}
}

// unblocking is how a wait shall end of which nothing but a look can tell; 0: not yet.
func (c *conn) unblocking() command.Unblocking {
	switch unblock := c.shared.unblock.Load(); {
	case unblock == unblockError:
		return command.UnblockError
	case unblock == unblockTimeout, c.shared.closing.Load() && c.srv.backend.Leading():
		return command.UnblockTimeout
	case peerGone(c.nc):
		c.quit = true
		return command.UnblockGone
	}
	return 0
}

const errUnblockedByRole = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"

// blockRead executes a read that may have to wait for somebody's write. It takes nothing, so it waits on this node alone:
// whenever one of its keys has changed it is tried again.
func (c *conn) blockRead(spec *command.Spec, args [][]byte) {
	c.beforeWaiting()
	if c.quit || !c.srv.pauses.waitAll(c.ctx) {
		c.quit = true
		return
	}
	start, mark := time.Now(), c.w.Len()
	call := command.Call{Spec: spec, Args: slices.Clone(args), DB: c.db}
	c.pending = append(c.pending, pendingCall{spec: spec, args: args})
	c.tryUntilThere(&call)
	c.account(time.Since(start))
	c.dropMuted(mark)
	clear(c.pending)
	c.pending = c.pending[:0]
}

func (c *conn) tryUntilThere(call *command.Call) {
	millis, _ := call.Spec.Timeout(call.Args)
	c.shared.unblock.Store(0)
	c.shared.blocked.Store(true)
	c.shared.timed.Store(millis != 0)
	defer c.shared.blocked.Store(false)
	defer c.shared.timed.Store(false)
	over, stop := timeoutOf(millis)
	defer stop()
	for {
		changed, end := c.srv.backend.WatchKeys(call.DB, keysOf(call)) // before the look, or a change could come between
		waits := false
		err := c.read(func(o command.ReadOptions) (ok bool) {
			waits, ok = c.srv.backend.ViewBlocking(call, o, c.w)
			return ok
		})
		if err == nil && waits {
			waits = c.awaitChange(changed, over)
		} else if err != nil {
			c.w.Error(readErrorText(err))
			c.w.EndCall()
		}
		end()
		if err != nil || !waits {
			return
		}
	}
}

// awaitChange waits until a blocked read is worth another try. It is false where the wait has ended, and was answered.
func (c *conn) awaitChange(changed <-chan struct{}, over <-chan time.Time) bool {
	look := time.NewTicker(waitSlice)
	defer look.Stop()
	for {
		how := command.UnblockTimeout
		select {
		case <-changed:
			return true
		case <-over:
		case <-c.ctx.Done():
			c.quit = true
		case <-look.C:
			if c.led && !c.srv.backend.Leading() {
				c.w.Error(errUnblockedByRole)
				c.w.EndCall()
				return false
			}
			if how = c.unblocking(); how == 0 {
				if c.sendAside(); !c.quit {
					continue
				}
			}
		}
		if how == command.UnblockError {
			c.w.Error("UNBLOCKED client unblocked via CLIENT UNBLOCK")
		} else {
			c.w.NullArray()
		}
		c.w.EndCall()
		return false
	}
}

// timeoutOf is a channel that tells the end of so many milliseconds; 0: never.
func timeoutOf(millis int64) (over <-chan time.Time, stop func()) {
	if millis == 0 {
		return nil, func() {}
	}
	t := time.NewTimer(time.Duration(millis) * time.Millisecond)
	return t.C, func() { t.Stop() }
}

func keysOf(call *command.Call) (keys [][]byte) {
	refs, err := call.Spec.FindKeys(call.Args)
	if err != nil {
		return nil // malformed: the executor says so
	}
	for _, ref := range refs {
		keys = append(keys, call.Args[ref.Pos])
	}
	return keys
}
