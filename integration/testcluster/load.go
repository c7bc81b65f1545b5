package testcluster

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	loadTimeout = 8 * time.Second // of one write; nodes answer within write-timeout-ms, 5 s
	loadRotate  = 5 * time.Millisecond
)

// Client sends commands to one address. *respclient.Conn is one.
type Client interface {
	Do(args ...string) (respclient.Value, error)
	Close() error
}

// ErrNotSent is what a Client's Do returns (wrapped) when it is certain that nothing was sent.
var ErrNotSent = errors.New("not sent")

// LoadOptions are what writes.
type LoadOptions struct {
	Writers int
	// Dial connects to an address; nil: respclient. An error means that nothing was sent.
	Dial func(addr string) (Client, error)
	// Pause is how long a writer rests between two writes; 0: not at all.
	Pause time.Duration
	// ValueBytes pads the values of SET.
	ValueBytes int
}

// Fate is what a client knows of a write.
type Fate byte

// The fates. Unknown answers and answers that never came (the connection ended, or nothing came in time) leave open
// whether the write was applied.
const (
	Acked Fate = iota
	Refused
	Unknown
	Closed
)

// Load is a set of writers, each with a counter of its own that it increments and keys that it sets once each. They do
// what a plain client with a list of addresses does: stay where writes are taken, else try the next address. Stop ends
// them; the methods may be called from any goroutine.
type Load struct {
	c       *Cluster
	o       LoadOptions
	prefix  string
	writers []*writer
	stop    chan struct{}
	wg      sync.WaitGroup
	once    sync.Once

	mu   sync.Mutex
	acks []ack // in the order of time
	bad  []string
}

type ack struct {
	at   time.Time
	addr string
}

// StartLoad starts writers. They end with Load.Stop, or with the test.
func (c *Cluster) StartLoad(o LoadOptions) *Load {
	l := &Load{c: c, o: o, prefix: fmt.Sprintf("load%d", time.Now().UnixNano()), stop: make(chan struct{})}
	if l.o.Dial == nil {
		l.o.Dial = func(addr string) (Client, error) {
			conn, err := dialAs(addr, c.o.Password)
			if err != nil {
				return nil, err
			}
			conn.Timeout = loadTimeout
			return conn, nil
		}
	}
	addrs := c.Addrs()
	for i := range o.Writers {
		w := &writer{l: l, name: fmt.Sprintf("%s:%d", l.prefix, i), addrs: addrs}
		l.writers = append(l.writers, w)
		l.wg.Go(w.run)
	}
	c.t.Cleanup(l.halt)
	return l
}

func (l *Load) halt() {
	l.once.Do(func() { close(l.stop) })
	l.wg.Wait()
}

func (l *Load) acked(addr string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acks = append(l.acks, ack{time.Now(), addr})
}

func (l *Load) violated(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bad = append(l.bad, fmt.Sprintf(format, args...))
}

// Acks counts the acknowledged writes so far.
func (l *Load) Acks() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acks)
}

// AwaitAcks waits until so many more writes are acknowledged.
func (l *Load) AwaitAcks(more int) {
	l.c.t.Helper()
	want := l.Acks() + more
	l.c.Await(fmt.Sprintf("%d writes", want), func() bool { return l.Acks() >= want })
}

// AwaitAckAfter waits for the first write that is acknowledged after a moment, by another address than one, and returns
// how long after that moment it was.
func (l *Load) AwaitAckAfter(moment time.Time, but string) time.Duration {
	l.c.t.Helper()
	var took time.Duration
	l.c.Await("a write is acknowledged", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		from, _ := slices.BinarySearchFunc(l.acks, moment, func(a ack, at time.Time) int { return a.at.Compare(at) })
		for _, a := range l.acks[from:] {
			if a.addr != but {
				took = a.at.Sub(moment)
				return true
			}
		}
		return false
	})
	return took
}

// LongestPause is the longest time between two moments in which no write was acknowledged.
func (l *Load) LongestPause(from, to time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	longest, last := time.Duration(0), from
	for _, a := range l.acks {
		if a.at.Before(from) {
			continue
		}
		if a.at.After(to) {
			break
		}
		longest, last = max(longest, a.at.Sub(last)), a.at
	}
	return max(longest, to.Sub(last))
}

// writer is one goroutine's client.
type writer struct {
	l     *Load
	name  string
	addrs []string
	at    int
	conn  Client

	counter, open int64 // acknowledged increments; those whose end is not known
	last          int64 // the counter's last reply
	openSince     int64 // increments with an open end since then
	sets          []Fate
	counts        [Closed + 1]int
}

func (w *writer) run() {
	defer func() {
		if w.conn != nil {
			_ = w.conn.Close()
		}
	}()
	for i := 0; ; i++ {
		select {
		case <-w.l.stop:
			return
		default:
		}
		if !w.connect() {
			w.rest(loadRotate)
			continue
		}
		if i%2 == 0 {
			w.incr()
		} else {
			w.set()
		}
		if w.l.o.Pause > 0 {
			w.rest(w.l.o.Pause)
		}
	}
}

func (w *writer) rest(d time.Duration) {
	select {
	case <-w.l.stop:
	case <-time.After(d):
	}
}

// connect makes sure of a connection, at the present address or else at the next one in the following round.
func (w *writer) connect() bool {
	if w.conn != nil {
		return true
	}
	conn, err := w.l.o.Dial(w.addrs[w.at])
	if err != nil {
		w.at = (w.at + 1) % len(w.addrs)
		return false
	}
	w.conn = conn
	return true
}

// turn leaves an address that did not take a write.
func (w *writer) turn() {
	_ = w.conn.Close()
	w.conn = nil
	w.at = (w.at + 1) % len(w.addrs)
	if w.at == 0 {
		w.rest(loadRotate)
	}
}

func (w *writer) send(args ...string) (respclient.Value, Fate) {
	addr := w.addrs[w.at]
	v, err := w.conn.Do(args...)
	fate := Acked
	switch {
	case errors.Is(err, ErrNotSent):
		fate = Refused
	case err != nil:
		fate = Closed
	case v.IsError():
		fate = fateOf(v.Str)
	}
	w.counts[fate]++
	if fate == Acked {
		w.l.acked(addr)
	} else {
		w.turn()
	}
	return v, fate
}

func (w *writer) incr() {
	v, fate := w.send("INCR", w.name+":n")
	switch fate {
	case Acked:
		w.counter++
		if v.Int <= w.last || v.Int > w.last+1+w.openSince {
			w.l.violated("%s: INCR answered %d after %d, with %d of unknown end between", w.name, v.Int, w.last, w.openSince)
		}
		w.last, w.openSince = v.Int, 0
	case Unknown, Closed:
		w.open++
		w.openSince++
	}
}

func (w *writer) set() {
	i := len(w.sets)
	_, fate := w.send("SET", w.key(i), w.value(i))
	w.sets = append(w.sets, fate)
}

func (w *writer) key(i int) string { return fmt.Sprintf("%s:k%d", w.name, i) }

func (w *writer) value(i int) string {
	return fmt.Sprintf("%s=%0*d", w.name, max(w.l.o.ValueBytes-len(w.name)-1, 1), i)
}
