package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	opPut  = "put"
	opGet  = "get"
	opFill = "fill"

	dialTimeout    = 10 * time.Second
	requestTimeout = 15 * time.Second
	fillBatch      = 100 // puts in a transaction; etcd takes 128
)

// errMissing is a get that found no key.
var errMissing = errors.New("no such key")

// load is what the flags say.
type load struct {
	endpoint, op                string
	conns, pipeline, size, keys int
	timeLimit                   time.Duration
}

// report is what is printed. Latencies are from the call of the client to its return.
type report struct {
	Requests int           `json:"requests"`
	Wall     time.Duration `json:"wall_ns"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	P999     time.Duration `json:"p999_ns"`
	CPU      time.Duration `json:"cpu_ns"`
}

func (l load) run(ctx context.Context) (report, error) {
	clients := make([]*clientv3.Client, 0, l.conns)
	defer func() {
		for _, c := range clients {
			_ = c.Close() // the load is over; what a close says changes nothing
		}
	}()
	for range l.conns {
		c, err := l.dial(ctx)
		if err != nil {
			return report{}, err
		}
		clients = append(clients, c)
	}
	cpu, begin := cpuTime(), time.Now()
	took, err := l.drive(ctx, clients)
	if err != nil {
		return report{}, err
	}
	return summarize(took, time.Since(begin), cpuTime()-cpu), nil
}

// dial opens a client and makes it connect: etcd's client connects with its first request otherwise.
func (l load) dial(ctx context.Context) (*clientv3.Client, error) {
	c, err := clientv3.New(clientv3.Config{Context: ctx, Endpoints: []string{l.endpoint}, DialTimeout: dialTimeout})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", l.endpoint, err)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if _, err := c.Get(ctx, key(0), clientv3.WithSerializable()); err != nil {
		return nil, errors.Join(fmt.Errorf("first request to %s: %w", l.endpoint, err), c.Close())
	}
	return c, nil
}

// drive lets pipeline goroutines of every client work until the time is over, and returns the latencies. The first
// error ends them all.
func (l load) drive(ctx context.Context, clients []*clientv3.Client) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([][]time.Duration, len(clients)*l.pipeline)
	work := l.worker(time.Now().Add(l.timeLimit))
	var group sync.WaitGroup
	for i := range took {
		group.Go(func() {
			var err error
			if took[i], err = work(ctx, clients[i/l.pipeline], uint64(i)); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	return slices.Concat(took...), context.Cause(ctx)
}

// work makes requests until the load is done and returns how long each took.
type work func(ctx context.Context, c *clientv3.Client, id uint64) ([]time.Duration, error)

func (l load) worker(deadline time.Time) work {
	value := strings.Repeat("x", l.size)
	if l.op == opFill {
		return l.filler(value)
	}
	return func(ctx context.Context, c *clientv3.Client, id uint64) ([]time.Duration, error) {
		var took []time.Duration
		rng := rand.New(rand.NewPCG(id, uint64(deadline.UnixNano())))
		for begin := time.Now(); begin.Before(deadline); begin = time.Now() {
			if err := l.request(ctx, c, key(rng.IntN(l.keys)), value); err != nil {
				return nil, err
			}
			took = append(took, time.Since(begin))
		}
		return took, nil
	}
}

func (l load) request(ctx context.Context, c *clientv3.Client, key, value string) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if l.op == opPut {
		_, err := c.Put(ctx, key, value)
		return err
	}
	r, err := c.Get(ctx, key)
	if err == nil && len(r.Kvs) != 1 {
		return fmt.Errorf("%w: %s", errMissing, key)
	}
	return err
}

// filler sets every key once; the workers share the keys out among themselves.
func (l load) filler(value string) work {
	var next atomic.Int64
	return func(ctx context.Context, c *clientv3.Client, _ uint64) ([]time.Duration, error) {
		var took []time.Duration
		for {
			from := int(next.Add(fillBatch)) - fillBatch
			if from >= l.keys {
				return took, nil
			}
			puts := make([]clientv3.Op, 0, fillBatch)
			for i := from; i < min(from+fillBatch, l.keys); i++ {
				puts = append(puts, clientv3.OpPut(key(i), value))
			}
			begin := time.Now()
			if err := commit(ctx, c, puts); err != nil {
				return nil, err
			}
			took = append(took, time.Since(begin))
		}
	}
}

func commit(ctx context.Context, c *clientv3.Client, puts []clientv3.Op) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := c.Txn(ctx).Then(puts...).Commit()
	return err
}

// key is the name that redis-benchmark gives the key with this number.
func key(n int) string { return fmt.Sprintf("key:%012d", n) }

func summarize(took []time.Duration, wall, cpu time.Duration) report {
	slices.Sort(took)
	return report{
		Requests: len(took), Wall: wall, CPU: cpu,
		P50: quantile(took, 0.50), P99: quantile(took, 0.99), P999: quantile(took, 0.999),
	}
}

// quantile is the smallest of the sorted durations that the q-th part (0 to 1) does not exceed; 0 without durations.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	at := int(q * float64(len(sorted)))
	return sorted[min(at, len(sorted)-1)]
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
