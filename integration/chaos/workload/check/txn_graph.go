package check

import (
	"fmt"
	"slices"
	"strings"
)

// edgeKind says why one transaction comes before another.
type edgeKind uint8

const (
	ww edgeKind = 1 << iota // the other one appended right after it
	wr                      // the other one read what it appended
	rw                      // the other one appended what it had not seen
	rt                      // the other one began after it had ended
)

func (k edgeKind) String() string {
	switch k {
	case ww:
		return "ww"
	case wr:
		return "wr"
	case rw:
		return "rw"
	}
	return "real time"
}

type edge struct {
	to   int
	kind edgeKind
	key  int
}

// graph has the transactions as its nodes.
type graph struct{ out [][]edge }

func (g *graph) add(from, to int, kind edgeKind, key int) {
	if from != to {
		g.out[from] = append(g.out[from], edge{to, kind, key})
	}
}

// cycles builds the graph of dependencies and names the anomaly of every knot in it.
func (c *appends) cycles() {
	g := &graph{out: make([][]edge, len(c.txns))}
	for k, v := range c.keys {
		last := unknownElement
		for _, e := range v.order {
			w, ok := c.writer[e]
			if !ok {
				continue
			}
			if last != unknownElement {
				g.add(c.writer[last].txn, w.txn, ww, k)
			}
			last = e
		}
	}
	for i := range c.txns {
		if t := &c.txns[i]; t.Outcome == Acked {
			for _, r := range externalReads(t) {
				c.readEdges(g, i, r)
			}
		}
	}
	c.realTime(g)
	for _, knot := range g.knots(nil, ww|wr|rw|rt) {
		c.violation("%s", c.anomaly(g, knot))
	}
}

func (c *appends) readEdges(g *graph, txn int, r externalRead) {
	order := c.key(r.key).order
	if r.length > len(order) {
		return // of an order that was found incompatible
	}
	if r.length > 0 {
		if w, ok := c.writer[order[r.length-1]]; ok {
			g.add(w.txn, txn, wr, r.key)
		}
	}
	for _, e := range order[r.length:] {
		if w, ok := c.writer[e]; ok {
			g.add(txn, w.txn, rw, r.key)
			return
		}
	}
}

// realTime adds an edge from each transaction to those that began after it had ended, leaving out what follows from
// others: at any moment only the last ended ones matter, those of which no successor has ended yet.
func (c *appends) realTime(g *graph) {
	type event struct {
		at  int64
		end bool
		txn int
	}
	var events []event
	for i := range c.txns {
		if t := &c.txns[i]; t.Outcome == Acked {
			events = append(events, event{t.Call, false, i}, event{t.Return, true, i})
		}
	}
	slices.SortFunc(events, func(a, b event) int {
		if a.at == b.at {
			return boolInt(a.end) - boolInt(b.end) // at one moment: concurrent
		}
		return compare(a.at, b.at)
	})
	ended := make(map[int]bool)
	before := make(map[int][]int)
	for _, e := range events {
		if e.end {
			for _, p := range before[e.txn] {
				delete(ended, p)
			}
			delete(before, e.txn)
			ended[e.txn] = true
			continue
		}
		for p := range ended {
			before[e.txn] = append(before[e.txn], p)
			g.add(p, e.txn, rt, 0)
		}
	}
}

// anomalies are the kinds of cycles, the worst first. A cycle of the kind has edges of path, and one of through, if
// any.
var anomalies = []struct {
	name          string
	path, through edgeKind
}{
	{"G0, write cycle", ww, 0},
	{"G1c, circular information flow", ww | wr, 0},
	{"G-single, read skew", ww | wr, rw},
	{"G2, anti-dependency cycle", ww | wr | rw, 0},
	{"G0-realtime", ww | rt, 0},
	{"G1c-realtime", ww | wr | rt, 0},
	{"G-single-realtime, stale read", ww | wr | rt, rw},
	{"G2-realtime", ww | wr | rw | rt, 0},
}

// anomaly names the worst anomaly among nodes that all reach each other, by a short cycle.
func (c *appends) anomaly(g *graph, knot []int) string {
	for _, a := range anomalies {
		if cycle := g.cycle(knot, a.path, a.through); cycle != nil {
			return a.name + ": " + c.describe(cycle)
		}
	}
	return fmt.Sprintf("a cycle among %d transactions", len(knot))
}

// describe tells a cycle, whose steps lead from each transaction to the next.
func (c *appends) describe(cycle []step) string {
	var b strings.Builder
	for _, s := range cycle {
		fmt.Fprintf(&b, "\n  %s\n    before (%s", &c.txns[s.from], s.kind)
		if s.kind != rt {
			fmt.Fprintf(&b, " on k%d", s.key)
		}
		b.WriteString(")")
	}
	fmt.Fprintf(&b, "\n  %s", &c.txns[cycle[0].from])
	return b.String()
}
