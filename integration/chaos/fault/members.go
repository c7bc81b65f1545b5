package fault

import (
	"context"
	"errors"
	"fmt"
)

// grow starts another node and waits until it votes.
func (c *Cluster) grow(ctx context.Context) (*Node, error) {
	n, err := c.add()
	if err != nil {
		return nil, err
	}
	return n, await(ctx, AwaitTimeout, n.ID+" votes", func() bool {
		st, err := n.status()
		if err != nil {
			return false
		}
		m, ok := st.member(n.ID)
		return ok && m.Voter
	})
}

func (c *Cluster) replace(ctx context.Context, old *Node) (string, error) {
	n, err := c.grow(ctx)
	if err != nil {
		return "replace", err
	}
	what := old.ID + " replaced by " + n.ID
	if err := c.admin(ctx, "remove", old.ID); err != nil {
		return what, err
	}
	return what, c.retire(old)
}

// admin carries out an operation through any node that takes it, again where leadership moves meanwhile.
func (c *Cluster) admin(ctx context.Context, op, id string) error {
	var last error
	err := await(ctx, AwaitTimeout, op+" "+id, func() bool {
		last = errNobody
		for _, n := range c.Up() {
			if _, last = n.do(adminTimeout, "REDOUBT", "ADMIN", op, id); last == nil {
				return true
			}
		}
		return false
	})
	if err != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return nil
}

// Restore brings the membership back to the number of nodes that the cluster was started with, all of them voters.
func (c *Cluster) Restore(ctx context.Context) error {
	var last error
	err := await(ctx, AwaitTimeout, "the membership is as it was", func() bool {
		done, err := c.restoreStep(ctx)
		last = err
		return done
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

// restoreStep does one thing that is still to be done. It is called until there is none.
func (c *Cluster) restoreStep(ctx context.Context) (done bool, err error) {
	lead := c.Leader(ctx)
	if lead == nil {
		return false, errors.New("no leader")
	}
	st, err := lead.status()
	if err != nil {
		return false, err
	}
	nodes := c.Nodes()
	for _, n := range nodes {
		if _, ok := st.member(n.ID); ok {
			continue
		}
		if r, err := n.raftInfo(); err == nil && r.state == "removed" {
			return false, c.retire(n)
		}
		return false, fmt.Errorf("%s is no member yet", n.ID)
	}
	for _, m := range st.Members {
		switch n := c.byID(m.ID); {
		case n == nil:
			return false, c.admin(ctx, "remove", m.ID)
		case m.Standby:
			return false, c.admin(ctx, "promote", m.ID)
		case !m.Voter:
			return false, fmt.Errorf("%s does not vote yet", m.ID)
		}
	}
	switch {
	case len(nodes) < c.o.Nodes:
		_, err = c.grow(ctx)
		return false, err
	case len(nodes) > c.o.Nodes:
		n := nodes[len(nodes)-1]
		return false, errors.Join(c.admin(ctx, "remove", n.ID), c.retire(n))
	}
	return true, nil
}

func (c *Cluster) byID(id string) *Node {
	for _, n := range c.Nodes() {
		if n.ID == id {
			return n
		}
	}
	return nil
}

func (st *status) member(id string) (member, bool) {
	for _, m := range st.Members {
		if m.ID == id {
			return m, true
		}
	}
	return member{}, false
}
