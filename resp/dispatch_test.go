package resp

import (
	"errors"
	"net"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/config"
)

// loneConn is a connection over a backend that no goroutine serves.
func loneConn(t *testing.T, b Backend) *conn {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { _ = errors.Join(here.Close(), there.Close()) })
	return newConn(NewServer(Options{Config: config.New(), Backend: b, Table: roleTable(), EntryBytesMax: 1 << 20}), here)
}

// restless is a leader on which some key expires between any two looks at the clock.
type restless struct {
	*fakeRoles
	clock, moved int64
}

func (r *restless) LogTime() int64     { r.clock += 10; return r.clock }
func (r *restless) AdvanceTime() error { r.moved = r.clock; return nil }

// TestReadWhileKeysExpire: the log moves once for a read, whatever expires after it has begun.
func TestReadWhileKeysExpire(t *testing.T) {
	b := &restless{fakeRoles: fakeLeader()}
	c := loneConn(t, b)
	looks := 0
	err := c.view(true, func(o command.ReadOptions) bool {
		looks++
		c.w.Int(int64(looks))
		return o.Clock <= b.moved || looks == 100
	})
	if err != nil || looks != 2 || string(c.w.Bytes()) != ":2\r\n" {
		t.Errorf("%d looks, %q, %v", looks, c.w.Bytes(), err)
	}
}

// halfway is a leader that fails while it applies an entry.
type halfway struct{ *fakeRoles }

func (h halfway) Propose(ps ...*command.Proposal) {
	p := ps[0]
	p.Reply.Array(2)
	p.Reply.Simple("OK")
	p.Reply.EndCall()
	p.Finish(command.Unknown, 0, command.ErrFailed)
}

// TestUnknownAfterHalfAReply: one error for each write, and nothing else.
func TestUnknownAfterHalfAReply(t *testing.T) {
	const unknown = "-UNKNOWN the write may or may not have been applied: this node has failed and stops\r\n"
	c := loneConn(t, halfway{fakeLeader()})
	set := [][]byte{[]byte("SET"), []byte("k"), []byte("v")}
	for range 2 {
		c.dispatch(set)
	}
	c.flush()
	if got := string(c.w.Bytes()); got != unknown+unknown {
		t.Errorf("two writes: %q", got)
	}
	c.w.Reset()
	for _, args := range [][][]byte{{[]byte("MULTI")}, set, {[]byte("EXEC")}} {
		c.dispatch(args)
	}
	c.flush()
	if got := string(c.w.Bytes()); got != "+OK\r\n+QUEUED\r\n"+unknown {
		t.Errorf("a transaction: %q", got)
	}
}
