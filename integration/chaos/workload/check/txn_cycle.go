package check

import "slices"

// knots are the strongly connected components of more than one node, by Tarjan's algorithm without recursion: within
// nodes (nil: all) and edges of some kinds.
func (g *graph) knots(nodes []int, kinds edgeKind) [][]int {
	inside := g.inside(nodes)
	if nodes == nil {
		nodes = make([]int, len(g.out))
		for i := range nodes {
			nodes[i] = i
		}
	}
	t := tarjan{
		g: g, kinds: kinds, inside: inside,
		index: make(map[int]int), low: make(map[int]int), onStack: make(map[int]bool),
	}
	for _, n := range nodes {
		if _, seen := t.index[n]; !seen {
			t.visit(n)
		}
	}
	return t.found
}

// inside tells which nodes belong to a set (nil: all do).
func (g *graph) inside(nodes []int) func(int) bool {
	if nodes == nil {
		return func(int) bool { return true }
	}
	set := make(map[int]bool, len(nodes))
	for _, n := range nodes {
		set[n] = true
	}
	return func(n int) bool { return set[n] }
}

type tarjan struct {
	g          *graph
	kinds      edgeKind
	inside     func(int) bool
	index, low map[int]int
	stack      []int
	onStack    map[int]bool
	found      [][]int
}

func (t *tarjan) enter(n int) {
	t.index[n], t.low[n] = len(t.index), len(t.index)
	t.stack = append(t.stack, n)
	t.onStack[n] = true
}

// visit walks depth first from a node, with a stack of its own.
func (t *tarjan) visit(root int) {
	type frame struct{ node, next int }
	t.enter(root)
	walk := []frame{{root, 0}}
	for len(walk) > 0 {
		f := &walk[len(walk)-1]
		if f.next < len(t.g.out[f.node]) {
			e := t.g.out[f.node][f.next]
			f.next++
			if e.kind&t.kinds == 0 || !t.inside(e.to) {
				continue
			}
			if i, seen := t.index[e.to]; !seen {
				t.enter(e.to)
				walk = append(walk, frame{e.to, 0})
			} else if t.onStack[e.to] {
				t.low[f.node] = min(t.low[f.node], i)
			}
			continue
		}
		n := f.node
		walk = walk[:len(walk)-1]
		if len(walk) > 0 {
			up := walk[len(walk)-1].node
			t.low[up] = min(t.low[up], t.low[n])
		}
		if t.low[n] == t.index[n] {
			t.leave(n)
		}
	}
}

// leave takes a component off the stack.
func (t *tarjan) leave(root int) {
	from := len(t.stack) - 1
	for t.stack[from] != root {
		from--
	}
	component := slices.Clone(t.stack[from:])
	t.stack = t.stack[:from]
	for _, n := range component {
		t.onStack[n] = false
	}
	if len(component) > 1 {
		t.found = append(t.found, component)
	}
}

// step is an edge of a cycle.
type step struct {
	from int
	edge
}

// cycleTries bounds the searches in one knot.
const cycleTries = 2000

// cycle finds a short cycle within a knot that has edges of path and, if through is not 0, one edge of that kind.
func (g *graph) cycle(knot []int, path, through edgeKind) []step {
	if through == 0 {
		knots := g.knots(knot, path)
		if len(knots) == 0 {
			return nil
		}
		return g.walk(knots[0][0], knots[0][0], path, g.inside(knots[0]))
	}
	inside, tries := g.inside(knot), 0
	var best []step
	for _, n := range knot {
		for _, e := range g.out[n] {
			if e.kind&through == 0 || !inside(e.to) || tries == cycleTries {
				continue
			}
			tries++
			if back := g.walk(e.to, n, path, inside); back != nil && (best == nil || len(back)+1 < len(best)) {
				best = append([]step{{n, e}}, back...)
			}
		}
	}
	return best
}

// walk is the shortest way from one node to another one (or around to itself) along edges of some kinds.
func (g *graph) walk(from, to int, kinds edgeKind, inside func(int) bool) []step {
	came := map[int]step{}
	for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
		n := queue[0]
		for _, e := range g.out[n] {
			if _, seen := came[e.to]; seen || e.kind&kinds == 0 || !inside(e.to) {
				continue
			}
			came[e.to] = step{n, e}
			if e.to == to {
				return trace(came, from, to)
			}
			queue = append(queue, e.to)
		}
	}
	return nil
}

func trace(came map[int]step, from, to int) []step {
	var out []step
	for n := to; ; {
		s := came[n]
		out = append(out, s)
		if n = s.from; n == from {
			slices.Reverse(out)
			return out
		}
	}
}
