package workload

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/integration/chaos/workload/check"
)

const (
	clientsDefault = 8
	// violationsMax is how many violations a report holds. The others are counted.
	violationsMax = 200
	// ackEvery is how close together acknowledgements are kept for the longest gap.
	ackEvery = time.Millisecond
)

// run is what the clients of one workload share.
type run struct {
	o    Options
	name string
	// prefix begins all keys of this run, so that runs on one cluster don't meet.
	prefix string
	pace   pace

	judging chan func() // histories to be judged while the clients go on; drive owns it

	mu     sync.Mutex // guards what follows
	report Report
	more   int // violations that are not kept
	acks   []time.Time
}

func newRun(name string, o Options) *run {
	if o.Clients == 0 {
		o.Clients = clientsDefault
	}
	if o.Started.IsZero() {
		o.Started = time.Now()
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		}
	}
	prefix := fmt.Sprintf("%s:%x:", name, uint64(o.Started.UnixNano())^o.Seed)
	r := &run{o: o, name: name, prefix: prefix, report: Report{Workload: name}}
	if o.Rate > 0 {
		r.pace.interval = time.Second / time.Duration(o.Rate)
	}
	return r
}

// Name is the workload's name.
func (r *run) Name() string { return r.name }

// now is the time of the run.
func (r *run) now() int64 { return int64(time.Since(r.o.Started)) }

// rng is chance for one goroutine.
func (r *run) rng(id int) *rand.Rand { return rand.New(rand.NewPCG(r.o.Seed, uint64(id))) }

// judgingMax is how many histories may wait for the judge before clients do.
const judgingMax = 16

// drive runs the clients until ctx ends and each has finished what it was doing, and the judge of their histories.
func (r *run) drive(ctx context.Context, body func(*client)) {
	r.judging = make(chan func(), judgingMax)
	judged := make(chan struct{})
	go func() {
		defer close(judged)
		for judge := range r.judging {
			judge()
		}
	}()
	defer func() {
		close(r.judging)
		<-judged
	}()
	var wg sync.WaitGroup
	for id := range r.o.Clients {
		wg.Go(func() {
			c := newClient(ctx, r, id)
			defer c.close()
			body(c)
		})
	}
	wg.Wait()
}

// violated notes violations.
func (r *run) violated(what ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range what {
		if len(r.report.Violations) == violationsMax {
			r.more++
			continue
		}
		r.report.Violations = append(r.report.Violations, v)
	}
}

func (r *run) undecided() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Undecided++
}

// wrote counts a write.
func (r *run) wrote(o check.Outcome) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Operations++
	switch o {
	case check.Acked:
		r.report.Acked++
		if n := len(r.acks); n == 0 || now.Sub(r.acks[n-1]) >= ackEvery {
			r.acks = append(r.acks, now)
		}
	case check.Refused:
		r.report.Refused++
	default:
		r.report.Unknown++
	}
}

// read counts a read.
func (r *run) read(answered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Operations++
	if answered {
		r.report.Reads++
	}
}

// result is the report so far.
func (r *run) result() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.report
	out.Violations = slices.Clone(out.Violations)
	if r.more > 0 {
		out.Violations = append(out.Violations, fmt.Sprintf("and %d more", r.more))
	}
	out.Acks = slices.Clone(r.acks)
	slices.SortFunc(out.Acks, func(a, b time.Time) int { return cmp.Compare(a.UnixNano(), b.UnixNano()) })
	return out
}

// pace spreads operations over time.
type pace struct {
	interval time.Duration // 0: no limit

	mu   sync.Mutex
	next time.Time
}

// wait waits for the next operation's turn; false if ctx ends first. Turns that nobody took in time are lost: after an
// outage there is no rush.
func (p *pace) wait(ctx context.Context) bool {
	if p.interval == 0 {
		return ctx.Err() == nil
	}
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	turn := p.next
	p.next = turn.Add(p.interval)
	p.mu.Unlock()
	return rest(ctx, turn.Sub(now))
}

// rest waits; false if ctx ends first.
func rest(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
