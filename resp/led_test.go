package resp

import (
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// TestLedIsRemembered: a client that this node was the leader for, by an acknowledged write or by its word, is not served
// as by a follower in the moment between the loss of leadership and the close of its connection.
func TestLedIsRemembered(t *testing.T) {
	for name, ask := range map[string][]string{
		"write":       {"SET", "k", "v"},
		"role":        {"ROLE"},
		"nothing yet": nil,
	} {
		f := fakeFollower()
		c := loneConn(t, f)
		f.set(func(f *fakeRoles) { f.leading = true })
		if ask != nil {
			args := make([][]byte, len(ask))
			for i, a := range ask {
				args[i] = []byte(a)
			}
			c.dispatch(args)
			c.flush()
		}
		f.set(func(f *fakeRoles) { f.leading = false })
		_, _, err := c.readMode()
		if want := ask != nil; (err == command.ErrNotLeader) != want {
			t.Errorf("after %s: %v", name, err)
		}
	}
}
