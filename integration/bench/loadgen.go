package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

// Limits of the generator.
const (
	dialTimeout   = 5 * time.Second
	loadGrace     = 15 * time.Second // that the replies to the last batch may take
	replyLineMax  = 64 << 10         // bytes of a reply's line, and the largest read buffer
	waitTimeout   = 10 * time.Second // of WAIT
	keyDigits     = 12               // redis-benchmark's keys: "key:" and the number with this many digits
	readBufferMin = 4 << 10
)

// errReply is a reply that is no success: an error, a missing key, a WAIT that nobody answered.
var errReply = errors.New("unexpected reply")

// operation is what the load consists of.
type operation string

const (
	opSet operation = "SET"
	opGet operation = "GET"
)

// load is a load of our own generator.
type load struct {
	addr      string
	op        operation
	wait      int // replicas that WAIT after each batch of SETs waits for; 0: no WAIT
	conns     int
	pipeline  int // commands in a batch, WAIT not counted
	size      int // bytes of a value
	keys      int
	timeLimit time.Duration // for all of it; loadGrace comes on top
	// pace is the commands a second that all connections together try to send; 0: as many as they can. The latency of a
	// batch then counts from when it was due, so that a server that stalls is charged for what it kept waiting.
	pace float64
	// begin, if set, is called when all connections are open. until, if set, ends the load when it is closed.
	begin func() error
	until <-chan struct{}
}

// sample is one measurement. Operations are SETs or GETs; a WAIT counts for none.
type sample struct {
	ops            int
	rate           float64       // operations a second
	p50, p99, p999 time.Duration // p999 is 0 where the generator does not tell it
	wall           time.Duration
	cpu            []time.Duration // of each process of the system, the leader or primary first
	loadCPU        time.Duration   // of the generator
}

// source fills the key numbers of the next batch, or returns false when the load is done. A source belongs to one
// connection.
type source func(batch []int) bool

// run loads the server with random keys for the time limit.
func (l load) run(ctx context.Context) (sample, error) {
	return l.drive(ctx, func(conn int, deadline time.Time) source {
		rng := rand.New(rand.NewPCG(uint64(conn), uint64(deadline.UnixNano())))
		return func(batch []int) bool {
			for i := range batch {
				batch[i] = rng.IntN(l.keys)
			}
			return !l.ended() && time.Now().Before(deadline)
		}
	})
}

// ended: what the load was for is over.
func (l load) ended() bool {
	select {
	case <-l.until: // a nil channel is never ready
		return true
	default:
		return false
	}
}

// drive opens all connections, then lets every one send batches until its source ends. The first error ends them all.
func (l load) drive(ctx context.Context, sources func(conn int, deadline time.Time) source) (sample, error) {
	workers := make([]*worker, 0, l.conns)
	defer func() {
		for _, w := range workers {
			_ = w.conn.Close()
		}
	}()
	for range l.conns {
		w, err := l.dial(ctx)
		if err != nil {
			return sample{}, err
		}
		workers = append(workers, w)
	}
	if l.begin != nil {
		if err := l.begin(); err != nil {
			return sample{}, err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cpu, begin := ownCPUTime(), time.Now()
	deadline := begin.Add(l.timeLimit)
	var group sync.WaitGroup
	for i, w := range workers {
		group.Go(func() {
			if err := w.work(ctx, sources(i, deadline), l.clock(i, begin), deadline.Add(loadGrace)); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return sample{}, err
	}
	return gather(workers, time.Since(begin), ownCPUTime()-cpu), nil
}

func gather(workers []*worker, wall, cpu time.Duration) sample {
	var all histogram
	for _, w := range workers {
		all.merge(&w.latency)
	}
	return sample{
		ops: int(all.samples), rate: float64(all.samples) / wall.Seconds(), wall: wall, loadCPU: cpu,
		p50: all.quantile(0.50), p99: all.quantile(0.99), p999: all.quantile(0.999),
	}
}

// worker is one connection. It belongs to one goroutine.
type worker struct {
	load    load
	conn    net.Conn
	rd      *bufio.Reader
	request []byte // a batch, encoded; only the digits of its keys change
	keyAt   []int  // where in request the digits of each key are
	batch   []int
	latency histogram
}

func (l load) dial(ctx context.Context) (*worker, error) {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", l.addr)
	if err != nil {
		return nil, err
	}
	w := &worker{load: l, conn: conn, rd: bufio.NewReaderSize(conn, l.readBuffer()), batch: make([]int, l.pipeline)}
	w.encode()
	return w, nil
}

// readBuffer holds the replies to a batch, within bounds: a load may have thousands of connections.
func (l load) readBuffer() int {
	reply := len("+OK\r\n")
	if l.op == opGet {
		reply = l.size + len("$1048576\r\n\r\n")
	}
	return min(max(l.pipeline*reply, readBufferMin), replyLineMax)
}

// encode lays out the batch that is sent again and again.
func (w *worker) encode() {
	value := make([]byte, w.load.size)
	for i := range value {
		value[i] = 'x'
	}
	for range w.load.pipeline {
		args := 3
		if w.load.op == opGet {
			args = 2
		}
		w.request = fmt.Appendf(w.request, "*%d\r\n$3\r\n%s\r\n$%d\r\nkey:", args, w.load.op, len("key:")+keyDigits)
		w.keyAt = append(w.keyAt, len(w.request))
		w.request = fmt.Appendf(w.request, "%0*d\r\n", keyDigits, 0)
		if w.load.op == opSet {
			w.request = fmt.Appendf(w.request, "$%d\r\n%s\r\n", len(value), value)
		}
	}
	if w.load.wait > 0 {
		ms := strconv.FormatInt(waitTimeout.Milliseconds(), 10)
		w.request = respclient.AppendCommand(w.request, "WAIT", strconv.Itoa(w.load.wait), ms)
	}
}

// work sends batches until next ends. No batch waits beyond the deadline, nor once ctx has ended.
func (w *worker) work(ctx context.Context, next source, due schedule, deadline time.Time) error {
	if err := w.conn.SetDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = w.conn.Close() })
	defer stop()
	for next(w.batch) {
		begin, err := due(ctx)
		if err != nil {
			return err
		}
		for i, key := range w.batch {
			putDigits(w.request[w.keyAt[i]:][:keyDigits], key)
		}
		if _, err := w.conn.Write(w.request); err != nil {
			return err
		}
		if err := w.replies(); err != nil {
			return err
		}
		w.latency.add(time.Since(begin), len(w.batch))
	}
	return nil
}

// putDigits writes a number into a field of decimal digits, with zeros before it.
func putDigits(field []byte, n int) {
	for i := len(field) - 1; i >= 0; i-- {
		field[i] = byte('0' + n%10)
		n /= 10
	}
}

func (w *worker) replies() error {
	for range w.load.pipeline {
		if err := w.reply(w.load.op); err != nil {
			return err
		}
	}
	if w.load.wait > 0 {
		return w.reply("WAIT")
	}
	return nil
}

// reply reads one reply and checks that it is the one that the command has when it succeeds.
func (w *worker) reply(to operation) error {
	line, err := w.rd.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the server closed the connection: %w", io.ErrUnexpectedEOF)
		}
		return err
	}
	good := false
	switch to {
	case opSet:
		good = string(line) == "+OK\r\n"
	case opGet:
		n, err := strconv.Atoi(string(line[min(1, len(line)):max(len(line)-2, 1)]))
		if line[0] == '$' && err == nil && n == w.load.size {
			_, err = w.rd.Discard(n + len("\r\n"))
			return err
		}
	default:
		n, err := strconv.Atoi(string(line[min(1, len(line)):max(len(line)-2, 1)]))
		good = line[0] == ':' && err == nil && n >= w.load.wait
	}
	if !good {
		return fmt.Errorf("%w to %s: %.200q", errReply, to, line)
	}
	return nil
}
