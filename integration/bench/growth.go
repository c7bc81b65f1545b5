package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/integration/bench/svg"
)

// growth is a quantity that the cost may grow with.
type growth struct {
	title  string
	axis   svg.Axis
	points []int // where it is measured, unless told otherwise
	most   int   // that a point may be
	notes  string
}

const (
	growNodes  = "nodes"
	growValues = "values"
	growConns  = "conns"
	growKeys   = "keys"

	nodesMax = 9
	// growthFillBytes bounds what the keys of a growth of values hold together: large values get fewer keys.
	growthFillBytes = 128 << 20
)

var growths = map[string]growth{
	growNodes: {
		title: "Cost by nodes", axis: svg.Axis{Label: "nodes"}, points: []int{3, 5, 7}, most: nodesMax,
		notes: "Redis is a primary with one replica fewer than nodes, appendfsync always, and each SET is followed by a WAIT\n" +
			"for as many replicas as make a majority with the primary; its GETs go to the primary.",
	},
	growValues: {
		title: "Cost by size of the values", most: sizeMax,
		axis:   svg.Axis{Label: "bytes of a value", Log: true, Format: svg.Bytes},
		points: []int{3, 16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20},
		notes:  "Redis is one redis-server, appendfsync always. Larger values get fewer keys, so that all hold 128 MiB at\nmost.",
	},
	growConns: {
		title: "Cost by connections", axis: svg.Axis{Label: "connections", Log: true}, most: connsMax,
		points: []int{1, 3, 10, 30, 100, 300, 1000, 3000, 10_000},
		notes:  "Redis is one redis-server, appendfsync always.",
	},
	growKeys: {
		title: "Cost by number of keys", axis: svg.Axis{Label: "keys", Log: true}, most: keysMax,
		points: []int{10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000},
		notes: "Redis is one redis-server, appendfsync always. Resident memory is that of one node, the leader, after the\n" +
			"load; it contains what the Go runtime has not given back.",
	},
}

// series is a line of a growth's picture.
type series struct {
	system systemID
	op     operation
}

// allSeries stand in the order in which a round measures them.
var allSeries = []series{{redoubt, opSet}, {single, opSet}, {redoubt, opGet}, {single, opGet}}

func (s series) String() string {
	if s.system == redoubt {
		return "redoubt " + string(s.op)
	}
	return "Redis " + string(s.op)
}

// growthRow is what was measured at one point.
type growthRow struct {
	point int
	cells map[series]*outcome
	rss   map[systemID]int64 // bytes; of the leader or primary, after the load
}

// growthSetup is what stands ready at a point.
type growthSetup struct {
	systems [2]*system // redoubt, and single in Redis's place
	load    load       // address and operation are missing
	wait    int        // for Redis's SETs
	filled  int        // keys that are there
}

func (g *growthSetup) stop() { stopAll(g.systems[:]...) }

// grow measures all points of a growth.
func (b *bench) grow(ctx context.Context) (string, error) {
	var rows []*growthRow
	var setup *growthSetup
	defer func() {
		if setup != nil {
			setup.stop()
		}
	}()
	for _, point := range b.o.points {
		if setup == nil || b.o.growth == growNodes {
			if setup != nil {
				setup.stop()
			}
			var err error
			if setup, err = b.growthStart(ctx, point); err != nil {
				return "", err
			}
		}
		if err := b.growthFill(ctx, setup, point); err != nil {
			return "", err
		}
		row, err := b.growthPoint(ctx, setup, point)
		if err != nil {
			return "", err
		}
		rows = append(rows, row)
		fmt.Fprintf(b.progress, "%s %d done\n", b.o.growth, point)
	}
	if b.o.svg != "" {
		if err := b.writePicture(rows); err != nil {
			return "", err
		}
	}
	return b.growthReport(rows), growthFailures(rows)
}

func (b *bench) writePicture(rows []*growthRow) error {
	if err := os.MkdirAll(b.o.svg, 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.picture(), []byte(growthChart(b.o.growth, rows).String()), 0o644)
}

func (b *bench) picture() string { return filepath.Join(b.o.svg, "growth-"+b.o.growth+".svg") }

// growthStart starts the systems for a point; for all growths but that of nodes they serve every point.
func (b *bench) growthStart(ctx context.Context, point int) (*growthSetup, error) {
	g := &growthSetup{load: load{
		conns: b.o.conns[0], pipeline: b.o.pipelines[0], size: b.o.sizes[0], keys: b.o.keys, timeLimit: b.o.cell,
	}}
	ours, theirs := nodes, 1
	if b.o.growth == growNodes {
		ours, theirs, g.wait = point, point, point/2
	}
	l, err := b.launcher("growth-" + strconv.Itoa(point))
	if err != nil {
		return nil, err
	}
	if g.systems[redoubt], err = l.startRedoubt(ctx, ours); err != nil {
		return nil, err
	}
	if g.systems[single], err = l.startRedis(ctx, single, theirs); err != nil {
		g.stop()
		return nil, err
	}
	return g, nil
}

// growthFill gives the servers what a point needs and sets the load for it.
func (b *bench) growthFill(ctx context.Context, g *growthSetup, point int) error {
	first := 0
	switch b.o.growth {
	case growConns:
		g.load.conns = point
		first = g.filled
	case growValues:
		g.load.size, g.load.keys = point, min(b.o.keys, max(growthFillBytes/point, 1))
	case growKeys:
		g.load.keys = point
		first = g.filled
	}
	for _, s := range g.systems {
		if err := b.fill(ctx, s, setKeys(g.load.size, first, g.load.keys)); err != nil {
			return err
		}
	}
	g.filled = g.load.keys
	return nil
}

// growthPoint takes all samples at a point. A cell that fails is noted in the row; a system that has ended is an error.
func (b *bench) growthPoint(ctx context.Context, g *growthSetup, point int) (*growthRow, error) {
	row := &growthRow{point: point, cells: make(map[series]*outcome), rss: make(map[systemID]int64)}
	for round := range b.o.rounds {
		for _, s := range allSeries {
			if row.cells[s] == nil {
				row.cells[s] = &outcome{}
			}
			got, err := g.sample(ctx, s)
			if err == nil {
				row.cells[s].samples = append(row.cells[s].samples, got)
				continue
			}
			if fatal := errors.Join(ctx.Err(), g.systems[s.system].check()); fatal != nil {
				return nil, fatal
			}
			fmt.Fprintf(b.progress, "%s %d, %s: %v\n", b.o.growth, point, s, err)
			row.cells[s].errs = append(row.cells[s].errs, fmt.Errorf("round %d: %w", round+1, err))
		}
	}
	for _, s := range g.systems {
		leader, err := s.leader()
		if err != nil {
			return nil, err
		}
		mem, err := memoryOf(leader.PID())
		if err != nil {
			return nil, err
		}
		row.rss[s.id] = mem.resident
	}
	return row, nil
}

func (g *growthSetup) sample(ctx context.Context, s series) (sample, error) {
	sys := g.systems[s.system]
	leader, err := sys.leader()
	if err != nil {
		return sample{}, err
	}
	l := g.load
	l.addr, l.op = leader.addr, s.op
	if s == (series{single, opSet}) {
		l.wait = g.wait
	}
	out, err := sys.metered(leader, func() (sample, error) { return l.run(ctx) })
	if err != nil {
		return sample{}, err
	}
	return out, sys.settle()
}

func growthFailures(rows []*growthRow) error {
	n := 0
	for _, r := range rows {
		for _, o := range r.cells {
			n += len(o.errs)
		}
	}
	if n > 0 {
		return fmt.Errorf("%d measurements failed; the report names them", n)
	}
	return nil
}

// errLine is an error on one line.
func errLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
