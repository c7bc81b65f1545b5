package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// clockKinds are what happens to clocks.
var clockKinds = []*Kind{{Name: "clock-jump", Jumps: true, needs: needsClock, make: clockJump}}

// How far clocks jump: half of the time as far as a badly kept one does, else as far as an operator's mistake.
const (
	jumpSmall = 500 * time.Millisecond
	jumpLarge = 60 * time.Second
)

// clockJump sets the clock of the leader, of any node, or of each node differently. A node that starts again has its true
// clock again.
func clockJump(c *Cluster, r *rand.Rand) *Fault {
	whom := oneOf(theLeader, anyOne, all)
	return &Fault{
		begin: func(ctx context.Context) (string, error) {
			victims, err := whom(ctx, c, r)
			if err != nil {
				return "", err
			}
			what := ""
			for _, n := range victims {
				by := jump(r)
				what += fmt.Sprintf(" %s by %s", n.ID, by)
				if err := n.setClock(by); err != nil {
					return what, err
				}
			}
			return what[1:], nil
		},
		end: func(context.Context) error {
			var errs []error
			for _, n := range c.Up() {
				errs = append(errs, n.setClock(0))
			}
			return errors.Join(errs...)
		},
	}
}

func jump(r *rand.Rand) time.Duration {
	most := jumpSmall
	if r.IntN(2) == 0 {
		most = jumpLarge
	}
	return (time.Duration(r.Int64N(2*int64(most))) - most).Round(time.Millisecond)
}

func (n *Node) setClock(by time.Duration) error {
	_, err := n.Do("DEBUG", "CLOCK-OFFSET", strconv.FormatInt(by.Milliseconds(), 10))
	return err
}
