package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
)

// networkKinds are what happens between nodes. Clients reach all nodes meanwhile, which is the harder case: a node that has
// been cut off is asked on. In partition-clients alone it is they who are cut off.
var networkKinds = []*Kind{
	{Name: "partition-leader", needs: needsNetwork, make: disturb(leaderAlone)},
	{Name: "partition-majority", needs: needsNetwork, make: disturb(halves)},
	{Name: "partition-ring", needs: needsNetwork, make: disturb(ring)},
	{Name: "partition-oneway", needs: needsNetwork, make: disturb(oneWay)},
	{Name: "partition-clients", needs: needsNetwork, make: disturb(clientsAlone)},
	{Name: "loss", needs: needsNetwork, make: disturb(lossy)},
}

// edge is a direction in which packets are lost.
type edge struct {
	at, from *Node
	percent  int
}

const cut = 100 // percent

// both cuts two sets of nodes from one another.
func both(as, bs []*Node) []edge {
	var out []edge
	for _, a := range as {
		for _, b := range bs {
			out = append(out, edge{a, b, cut}, edge{b, a, cut})
		}
	}
	return out
}

// shape is what a disturbance of the network looks like; it says it in a few words.
type shape func(ctx context.Context, c *Cluster, r *rand.Rand) (string, []edge, error)

func leaderAlone(ctx context.Context, c *Cluster, r *rand.Rand) (string, []edge, error) {
	lead, err := c.leaderOrAny(ctx, r)
	if err != nil {
		return "", nil, err
	}
	return lead.ID + " alone", both([]*Node{lead}, others(c.Nodes(), lead)), nil
}

func halves(_ context.Context, c *Cluster, r *rand.Rand) (string, []edge, error) {
	nodes := c.shuffled(r)
	half := len(nodes)/2 + 1
	return ids(nodes[:half]) + " from " + ids(nodes[half:]), both(nodes[:half], nodes[half:]), nil
}

// ring puts the nodes in a circle in which each sees its neighbours only, as many as make a majority with itself; no two
// see the same majority. With three nodes that is one link cut: one node sees both others, who don't see one another.
func ring(_ context.Context, c *Cluster, r *rand.Rand) (string, []edge, error) {
	nodes := c.shuffled(r)
	count := len(nodes)
	if count <= 3 {
		return "no link between " + ids(nodes[1:]), both(nodes[1:2], nodes[2:]), nil
	}
	reach := (count/2 + 1) / 2 // neighbours on each side: with the node itself they make a majority
	var out []edge
	for i, a := range nodes {
		for j, b := range nodes {
			if d := (j - i + count) % count; d > reach && d < count-reach {
				out = append(out, edge{a, b, cut})
			}
		}
	}
	return fmt.Sprintf("each of %s sees %d others", ids(nodes), 2*reach), out, nil
}

// oneWay has the leader heard but deaf, or deaf ears turned to it, or the same between any two nodes.
func oneWay(ctx context.Context, c *Cluster, r *rand.Rand) (string, []edge, error) {
	lead, err := c.leaderOrAny(ctx, r)
	if err != nil {
		return "", nil, err
	}
	var out []edge
	rest := others(c.shuffled(r), lead)
	choice := r.IntN(3)
	for i, n := range rest {
		switch {
		case choice == 0:
			out = append(out, edge{lead, n, cut})
		case choice == 1:
			out = append(out, edge{n, lead, cut})
		case i > 0:
			out = append(out, edge{rest[i], rest[i-1], cut})
		}
	}
	return []string{lead.ID + " hears nobody", "nobody hears " + lead.ID, "followers don't hear one another"}[choice], out, nil
}

// clientsAlone has clients not hear the leader, whose writes go on unseen, or the leader not hear them.
func clientsAlone(ctx context.Context, c *Cluster, r *rand.Rand) (string, []edge, error) {
	lead, err := c.leaderOrAny(ctx, r)
	if err != nil {
		return "", nil, err
	}
	if r.IntN(4) == 0 {
		return lead.ID + " does not hear clients", []edge{{lead, c.net.clients(), cut}}, nil
	}
	return "clients don't hear " + lead.ID, []edge{{c.net.clients(), lead, cut}}, nil
}

// lossPercentMin and lossPercentMax bound the share of packets that is lost. TCP crawls at the upper end.
const (
	lossPercentMin = 5
	lossPercentMax = 40
)

func lossy(_ context.Context, c *Cluster, r *rand.Rand) (string, []edge, error) {
	percent := lossPercentMin + r.IntN(lossPercentMax-lossPercentMin+1)
	var out []edge
	for _, a := range c.Nodes() {
		for _, b := range others(c.Nodes(), a) {
			out = append(out, edge{a, b, percent})
		}
	}
	return fmt.Sprintf("%d%% everywhere", percent), out, nil
}

func disturb(s shape) func(*Cluster, *rand.Rand) *Fault {
	return func(c *Cluster, r *rand.Rand) *Fault {
		return &Fault{
			begin: func(ctx context.Context) (string, error) {
				what, edges, err := s(ctx, c, r)
				if err != nil {
					return "", err
				}
				for _, e := range edges {
					if err := c.net.drop(e.at, e.from, e.percent); err != nil {
						return what, err
					}
				}
				return what, nil
			},
			end: func(context.Context) error { return c.net.heal(c.Nodes()) },
		}
	}
}
