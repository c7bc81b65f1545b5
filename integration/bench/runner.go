package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// shape is a row of the report.
type shape struct{ size, conns, pipeline int }

type cell struct {
	measure measure
	shape   shape
}

// outcome is what the rounds brought for a cell.
type outcome struct {
	samples []sample
	errs    []error
}

type results struct {
	shapes []shape
	cells  map[cell]*outcome
	took   time.Duration
}

func (r *results) failures() int {
	n := 0
	for _, o := range r.cells {
		n += len(o.errs)
	}
	return n
}

const (
	pilotShare    = 6 // the pilot takes this part of a cell's time
	requestBlocks = 4 // pipelines that each connection of redis-benchmark sends at least
	requestsMax   = 100_000_000
	overrun       = 10 // a cell may take this many times its time, and overrunGrace, before it is given up
	overrunGrace  = 10 * time.Second
)

// runner measures the matrix, one cell after the other.
type runner struct {
	o        options
	tools    tools
	fleet    *fleet
	progress io.Writer
	rates    map[cell]float64 // of the last round, from which the next takes its number of requests
}

// run measures all cells round by round, so that the samples of a cell lie far apart in time. An error of one cell is
// kept in the results; a process that has ended, or ctx, ends the run.
func (r *runner) run(ctx context.Context) (*results, error) {
	begin := time.Now()
	res := &results{cells: make(map[cell]*outcome)}
	for _, size := range r.o.sizes {
		for _, conns := range r.o.conns {
			for _, pipeline := range r.o.pipelines {
				res.shapes = append(res.shapes, shape{size, conns, pipeline})
			}
		}
	}
	columns := 0
	for _, m := range measures {
		if r.fleet.systems[m.system] != nil {
			columns++
		}
	}
	fmt.Fprintf(r.progress, "%d measurements of about %s\n", r.o.rounds*len(res.shapes)*columns, r.o.cell)
	for round := range r.o.rounds {
		if err := r.round(ctx, round, res); err != nil {
			return nil, err
		}
		fmt.Fprintf(r.progress, "round %d of %d done after %s\n", round+1, r.o.rounds, time.Since(begin).Round(time.Second))
	}
	res.took = time.Since(begin)
	return res, nil
}

func (r *runner) round(ctx context.Context, round int, res *results) error {
	size := 0
	for _, sh := range res.shapes {
		if sh.size != size { // GETs find values of the size that is measured
			size = sh.size
			if err := r.fill(ctx, size); err != nil {
				return err
			}
		}
		for _, m := range measures {
			if r.fleet.systems[m.system] == nil {
				continue // etcd is not installed
			}
			c := cell{m, sh}
			if res.cells[c] == nil {
				res.cells[c] = &outcome{}
			}
			s, err := r.sample(ctx, c)
			if err == nil {
				res.cells[c].samples = append(res.cells[c].samples, s)
				continue
			}
			if fatal := r.alive(ctx); fatal != nil {
				return fatal
			}
			fmt.Fprintf(r.progress, "%s, %d connections, pipeline %d, %d bytes: %v\n", m, sh.conns, sh.pipeline, sh.size, err)
			res.cells[c].errs = append(res.cells[c].errs, fmt.Errorf("round %d: %w", round+1, err))
		}
	}
	return nil
}

func (r *runner) alive(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	for _, s := range r.fleet.systems {
		if s == nil {
			continue
		}
		if err := s.check(); err != nil {
			return err
		}
	}
	return nil
}

// fill gives every key of every system a value of the size.
func (r *runner) fill(ctx context.Context, size int) error {
	for _, s := range r.fleet.systems {
		if s == nil {
			continue
		}
		if s.id == etcd {
			if err := r.fillEtcd(ctx, s, size); err != nil {
				return err
			}
			continue
		}
		n, err := fillSystem(ctx, s, setKeys(size, 0, r.o.keys))
		if err != nil {
			return fmt.Errorf("fill %s: %w", s.id, err)
		}
		if n > 0 {
			fmt.Fprintf(r.progress, leaderLost, s.id, n)
		}
	}
	return nil
}

// leaderLost is said of a filling, since it is worth knowing.
const leaderLost = "%s: leadership was lost %d times while it was filled\n"

func (r *runner) fillEtcd(ctx context.Context, s *system, size int) error {
	leader, err := s.leader()
	if err != nil {
		return err
	}
	_, err = etcdRun{
		program: r.tools.etcdLoad, addr: leader.addr, op: "fill", conns: etcdFillConns, pipeline: 1, size: size,
		keys: r.o.keys, load: r.o.cell, timeLimit: fillTimeMax,
	}.run(ctx)
	if err != nil {
		return fmt.Errorf("fill %s: %w", s.id, err)
	}
	return s.settle()
}

// sample measures a cell once and leaves its system idle.
func (r *runner) sample(ctx context.Context, c cell) (_ sample, err error) {
	s := r.fleet.systems[c.measure.system]
	leader, err := s.leader()
	if err != nil {
		return sample{}, err
	}
	if c.measure.lease {
		if err := s.configure("read-consistency", "lease"); err != nil {
			return sample{}, err
		}
		defer func() { err = errors.Join(err, s.configure("read-consistency", "linearizable")) }()
	}
	if c.measure.by == byRedisBenchmark && r.rates[c] == 0 {
		pilot, err := r.load(c, leader.addr, r.o.cell/pilotShare).run(ctx)
		if err != nil {
			return sample{}, err
		}
		r.rates[c] = pilot.rate
	}
	out, err := s.metered(leader, func() (sample, error) { return r.measure(ctx, c, leader.addr) })
	if err != nil {
		return sample{}, err
	}
	r.rates[c] = out.rate
	return out, s.settle()
}

func (r *runner) measure(ctx context.Context, c cell, addr string) (sample, error) {
	limit := overrun*r.o.cell + overrunGrace
	switch c.measure.by {
	case byOwn:
		return r.load(c, addr, r.o.cell).run(ctx)
	case byEtcd:
		return etcdRun{
			program: r.tools.etcdLoad, addr: addr, op: map[operation]string{opSet: "put", opGet: "get"}[c.measure.op],
			conns: c.shape.conns, pipeline: c.shape.pipeline, size: c.shape.size, keys: r.o.keys, load: r.o.cell, timeLimit: limit,
		}.run(ctx)
	}
	return benchmarkRun{
		program: r.tools.benchmark, addr: addr, op: c.measure.op,
		conns: c.shape.conns, pipeline: c.shape.pipeline, size: c.shape.size, keys: r.o.keys,
		requests: requestsFor(r.rates[c], r.o.cell, c.shape), timeLimit: limit,
	}.run(ctx)
}

func (r *runner) load(c cell, addr string, limit time.Duration) load {
	replicas := 0
	if c.measure.wait {
		replicas = 1
	}
	return load{
		addr: addr, op: c.measure.op, wait: replicas, conns: c.shape.conns, pipeline: c.shape.pipeline,
		size: c.shape.size, keys: r.o.keys, timeLimit: limit,
	}
}

// requestsFor is how many requests take about the time limit at a rate, but no fewer than a few for each connection.
func requestsFor(rate float64, limit time.Duration, sh shape) int {
	least := requestBlocks * sh.conns * sh.pipeline
	return min(max(int(rate*limit.Seconds()), least), requestsMax)
}

// configure changes a setting of every process.
func (s *system) configure(name, value string) error {
	for _, p := range s.procs {
		if _, err := ask(p.addr, "CONFIG", "SET", name, value); err != nil {
			return fmt.Errorf("%s: CONFIG SET %s: %w", p.Name, name, err)
		}
	}
	return nil
}

// metered adds the CPU time that each process of the system used during a load.
func (s *system) metered(leader *process, load func() (sample, error)) (sample, error) {
	before, err := s.cpu(leader)
	if err != nil {
		return sample{}, err
	}
	out, err := load()
	if err != nil {
		return sample{}, err
	}
	after, err := s.cpu(leader)
	if err != nil {
		return sample{}, err
	}
	for i := range after {
		out.cpu = append(out.cpu, after[i]-before[i])
	}
	return out, nil
}

// cpu is what each process has used so far, the leader's first.
func (s *system) cpu(leader *process) ([]time.Duration, error) {
	own, err := cpuTime(leader.PID())
	out := []time.Duration{own}
	for _, p := range s.procs {
		if p == leader || err != nil {
			continue
		}
		own, err = cpuTime(p.PID())
		out = append(out, own)
	}
	return out, err
}
