package fault

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
)

var errNobody = errors.New("no node is left to strike")

// anyUp chooses a node that runs; nil if none does.
func (c *Cluster) anyUp(r *rand.Rand) *Node {
	up := c.Up()
	if len(up) == 0 {
		return nil
	}
	return up[r.IntN(len(up))]
}

// leaderOrAny is the leader; where there is none, any node.
func (c *Cluster) leaderOrAny(ctx context.Context, r *rand.Rand) (*Node, error) {
	n := c.Leader(ctx)
	if n == nil {
		n = c.anyUp(r)
	}
	if n == nil {
		return nil, errNobody
	}
	return n, nil
}

// shuffled is all nodes in random order.
func (c *Cluster) shuffled(r *rand.Rand) []*Node {
	nodes := c.Nodes()
	r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	return nodes
}

// majority is a random majority of the nodes.
func (c *Cluster) majority(r *rand.Rand) []*Node {
	nodes := c.shuffled(r)
	return nodes[:len(nodes)/2+1]
}

func others(nodes []*Node, than *Node) []*Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n *Node) bool { return n == than })
}

func ids(nodes []*Node) string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.ID)
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

// target chooses whom a kind strikes.
type target func(ctx context.Context, c *Cluster, r *rand.Rand) ([]*Node, error)

func theLeader(ctx context.Context, c *Cluster, r *rand.Rand) ([]*Node, error) {
	n, err := c.leaderOrAny(ctx, r)
	return []*Node{n}, err
}

func anyOne(_ context.Context, c *Cluster, r *rand.Rand) ([]*Node, error) {
	n := c.anyUp(r)
	if n == nil {
		return nil, errNobody
	}
	return []*Node{n}, nil
}

// leaderMostly strikes the leader three times of four.
func leaderMostly(ctx context.Context, c *Cluster, r *rand.Rand) ([]*Node, error) {
	if r.IntN(4) == 0 {
		return anyOne(ctx, c, r)
	}
	return theLeader(ctx, c, r)
}

func aMajority(_ context.Context, c *Cluster, r *rand.Rand) ([]*Node, error) {
	return c.majority(r), nil
}

func all(_ context.Context, c *Cluster, _ *rand.Rand) ([]*Node, error) { return c.Nodes(), nil }

// oneOf leaves the choice of a target to chance.
func oneOf(targets ...target) target {
	return func(ctx context.Context, c *Cluster, r *rand.Rand) ([]*Node, error) {
		return targets[r.IntN(len(targets))](ctx, c, r)
	}
}
