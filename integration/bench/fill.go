package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	fillConns      = 16
	fillBatchMax   = 200       // commands that a connection sends at once
	fillBatchBytes = 256 << 10 // and bytes, about
	fillTimeMax    = 30 * time.Minute
	// fillInterruptionsMax is how many changes of the leader a filling survives.
	fillInterruptionsMax = 20
)

// fill sends one command for each number from first to last-1, many at once over several connections. It is how servers
// get their data before a measurement.
type fill struct {
	addr        string
	first, last int
	commandSize int                              // bytes of a command, about
	command     func(dst []byte, key int) []byte // appends the command for a key
}

// setKeys sets the keys with the numbers from first to last-1.
func setKeys(size, first, last int) fill {
	value := filler(size)
	return fill{first: first, last: last, commandSize: size, command: func(dst []byte, key int) []byte {
		return respclient.AppendCommand(dst, "SET", keyName(key), value)
	}}
}

// filler is text of a size that can't be compressed: Redis would write a run of equal letters to its files as next to
// nothing, and load that faster than any real data.
func filler(size int) string {
	rng := rand.New(rand.NewPCG(1, 2)) // the same in every run
	b := make([]byte, size)
	for i := range b {
		b[i] = byte('0' + rng.IntN(75))
	}
	return string(b)
}

// keyName is the name that redis-benchmark gives the key with this number.
func keyName(n int) string { return fmt.Sprintf("key:%0*d", keyDigits, n) }

func (f fill) run(ctx context.Context) error {
	_, err := f.from(ctx, f.first)
	return err
}

// from sends the commands from a key on. After an error it returns the first key whose command may be missing.
func (f fill) from(ctx context.Context, first int) (resume int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	next.Store(int64(first))
	batch := min(max(fillBatchBytes/max(f.commandSize, 1), 1), fillBatchMax)
	take := func() (from, to int) {
		from = int(next.Add(int64(batch))) - batch
		return from, min(from+batch, f.last)
	}
	var missing [fillConns]int // the batch that each connection did not finish
	var group sync.WaitGroup
	for i := range missing {
		group.Go(func() {
			var err error
			if missing[i], err = f.send(ctx, take); err != nil {
				cancel(fmt.Errorf("fill: %w", err))
			}
		})
	}
	group.Wait()
	return slices.Min(append(missing[:], int(next.Load()))), context.Cause(ctx)
}

// fillSystem fills a system through its leader. Where that loses its leadership the rest goes to the next one: filling a
// key twice does no harm. It returns how often that happened.
func fillSystem(ctx context.Context, s *system, f fill) (interruptions int, err error) {
	for at := f.first; ; interruptions++ {
		leader, err := s.leader()
		if err != nil {
			return interruptions, err
		}
		f.addr = leader.addr
		if at, err = f.from(ctx, at); err == nil {
			return interruptions, s.settle()
		}
		if ctx.Err() != nil || s.check() != nil || interruptions == fillInterruptionsMax || !errors.Is(err, errLeaderLost) {
			return interruptions, errors.Join(err, s.check())
		}
		if err := s.awaitReady(ctx); err != nil {
			return interruptions, err
		}
	}
}

// errLeaderLost is a failure that another node may be free of.
var errLeaderLost = errors.New("the node leads no more")

// send is one connection: it sends batches until there are no more keys, and returns where the one that failed begins.
func (f fill) send(ctx context.Context, take func() (from, to int)) (missing int, err error) {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", f.addr)
	if err != nil {
		return math.MaxInt, err // nothing was taken
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(fillTimeMax)); err != nil {
		return math.MaxInt, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	rd := bufio.NewReaderSize(conn, replyLineMax)
	var request []byte
	for from, to := take(); from < to; from, to = take() {
		request = request[:0]
		for key := from; key < to; key++ {
			request = f.command(request, key)
		}
		if _, err := conn.Write(request); err != nil {
			return from, fmt.Errorf("%w: %w", errLeaderLost, err)
		}
		for range to - from {
			if err := successReply(rd); err != nil {
				return from, err
			}
		}
	}
	return math.MaxInt, nil
}

// successReply reads a reply of one line, +OK or a number, as writes have them.
func successReply(rd *bufio.Reader) error {
	line, err := rd.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("%w: %w", errLeaderLost, err)
	}
	text := strings.TrimSuffix(string(line), "\r\n")
	if _, err := strconv.Atoi(strings.TrimPrefix(text, ":")); text == "+OK" || err == nil && line[0] == ':' {
		return nil
	}
	for _, code := range []string{"-UNKNOWN ", "-READONLY ", "-CLUSTERDOWN ", "-NOREPLICAS ", "-TRYAGAIN "} {
		if strings.HasPrefix(text, code) {
			return fmt.Errorf("%w: %w: %.200q", errLeaderLost, errReply, line)
		}
	}
	return fmt.Errorf("%w to a command that fills: %.200q", errReply, line)
}
