package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"
)

// clusterKinds are what operators do.
var clusterKinds = []*Kind{
	{Name: "transfer", make: transfer},
	{Name: "membership", make: membership},
	{Name: "snapshot-storm", make: storm},
}

const (
	transfers   = 5 // in one fault
	transferGap = 500 * time.Millisecond
	stormTime   = 5 * time.Second
)

// transfer moves leadership about, by FAILOVER as Redis clients do and by the cluster's own operation. An attempt may
// be refused, for the moment or because nobody is near enough; that is no failure of the fault.
func transfer(c *Cluster, r *rand.Rand) *Fault {
	return &Fault{begin: func(ctx context.Context) (string, error) {
		done := 0
		for range transfers {
			lead, err := c.leaderOrAny(ctx, r)
			if err != nil {
				return "", err
			}
			if err := transferOnce(lead, others(c.Nodes(), lead), r); err != nil {
				c.o.Log("transfer: %v", err)
			} else {
				done++
			}
			if !pauseFor(ctx, transferGap) {
				break
			}
		}
		return fmt.Sprintf("%d of %d", done, transfers), nil
	}}
}

func transferOnce(lead *Node, rest []*Node, r *rand.Rand) error {
	var err error
	switch r.IntN(3) {
	case 0:
		_, err = lead.do(adminTimeout, "FAILOVER")
	case 1:
		host, port, splitErr := net.SplitHostPort(rest[r.IntN(len(rest))].RespAddr)
		if splitErr != nil {
			return splitErr
		}
		_, err = lead.do(adminTimeout, "FAILOVER", "TO", host, port, "TIMEOUT", strconv.Itoa(2000))
	default:
		_, err = lead.do(adminTimeout, "REDOUBT", "ADMIN", "transfer-leader", rest[r.IntN(len(rest))].ID)
	}
	return err
}

// pauseFor waits; false: ctx has ended.
func pauseFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// storm has all nodes take snapshots one after another.
func storm(c *Cluster, _ *rand.Rand) *Fault {
	return &Fault{begin: func(ctx context.Context) (string, error) {
		taken, refused := 0, 0
		for end := time.Now().Add(stormTime); time.Now().Before(end) && ctx.Err() == nil; {
			for _, n := range c.Up() {
				if _, err := n.Do("SAVE"); err != nil {
					refused++ // nothing new since the last one, or one is under way
				} else {
					taken++
				}
			}
			if !pauseFor(ctx, pollInterval) {
				break
			}
		}
		return fmt.Sprintf("%d snapshots (%d refused)", taken, refused), nil
	}}
}

// membership lets a node join, replaces one, or takes a node's vote for a while. Restore is its end.
func membership(c *Cluster, r *rand.Rand) *Fault {
	choice := r.IntN(3)
	return &Fault{begin: func(ctx context.Context) (string, error) {
		nodes := c.shuffled(r)
		switch choice {
		case 0:
			n, err := c.grow(ctx)
			if err != nil {
				return "grow", err
			}
			return n.ID + " joins", nil
		case 1:
			return c.replace(ctx, nodes[0])
		}
		return nodes[0].ID + " demoted", c.admin(ctx, "demote", nodes[0].ID)
	}}
}
