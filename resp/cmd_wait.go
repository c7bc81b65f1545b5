package resp

import (
	"context"
	"math"
	"time"
)

// What CLIENT UNBLOCK asks of a blocked command, in shared.unblock.
const (
	unblockTimeout = 1 // end as if the time were over
	unblockError   = 2 // end with an error
)

// waitSlice is how often what waits looks whether something else ends it, or is to be sent meanwhile.
const waitSlice = 100 * time.Millisecond

func wait(c *conn, args [][]byte) {
	if !c.srv.backend.Leading() {
		c.w.Error("ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.")
		return
	}
	n, ok := ParseInt64(args[1])
	if !ok {
		c.w.Error(errNotAnInteger)
		return
	}
	ms, ok := ParseInt64(args[2])
	switch {
	case !ok:
		c.w.Error("ERR timeout is not an integer or out of range")
		return
	case ms < 0:
		c.w.Error("ERR timeout is negative")
		return
	}
	want := int(min(n, math.MaxInt32)) // no cluster has so many
	if c.executing {
		want = 0
	}
	got, errText := c.waitReplicas(want, millis(ms))
	if errText != "" {
		c.w.Error(errText)
		return
	}
	c.w.Int(int64(got))
}

// waitReplicas waits until want followers have the connection's last write and returns how many have it: want or more,
// or fewer where the patience (0: for ever) is over, the client is gone or the server closes. It ends with an error
// where leadership is lost, as Redis ends it on a master that becomes a replica.
func (c *conn) waitReplicas(want int, patience time.Duration) (got int, errText string) {
	c.shared.unblock.Store(0)
	c.shared.blocked.Store(true)
	defer c.shared.blocked.Store(false)
	forever, over := patience == 0, time.Now().Add(patience)
	c.shared.timed.Store(!forever)
	defer c.shared.timed.Store(false)
	for {
		slice := waitSlice
		if !forever {
			slice = min(slice, time.Until(over))
		}
		ctx, cancel := context.WithTimeout(c.ctx, slice)
		got = c.countReplicas(ctx, want)
		if got < want && c.srv.backend.Leading() && !c.shared.closing.Load() {
			<-ctx.Done() // it has come back early: the node closes
		}
		cancel()
		unblock := c.shared.unblock.Load()
		switch {
		case got >= want:
			return got, ""
		case !c.srv.backend.Leading():
			return 0, errUnblockedByRole
		case unblock == unblockError:
			return 0, "UNBLOCKED client unblocked via CLIENT UNBLOCK"
		case unblock == unblockTimeout, c.ctx.Err() != nil, c.shared.closing.Load(), !forever && !time.Now().Before(over):
			return got, ""
		case forever && peerGone(c.nc):
			c.quit = true
			return got, ""
		}
		if c.sendAside(); c.quit {
			return got, ""
		}
	}
}

// countReplicas waits for at most ctx. A connection that has written nothing counts the followers that are there, as
// in Redis.
func (c *conn) countReplicas(ctx context.Context, want int) int {
	b := c.srv.backend
	if c.lastIndex > 0 {
		return b.WaitReplicas(ctx, c.lastIndex, want)
	}
	online := 0
	for _, r := range b.Replicas() {
		if r.Online {
			online++
		}
	}
	return online
}
