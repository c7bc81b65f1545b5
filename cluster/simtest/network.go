package simtest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/transport"
)

// Errors of messages.
var (
	errTimeout = fmt.Errorf("simulated network: %w", transport.ErrTimeout)
	errRefused = fmt.Errorf("simulated network: %w", transport.ErrDial)
	errLost    = fmt.Errorf("simulated network: %w", transport.ErrLost)
	errStopped = fmt.Errorf("simulated network: %w", transport.ErrClosed)
)

// Network carries the messages of one Sim. Safe for concurrent use.
type Network struct {
	mu                 sync.Mutex
	rng                *rand.Rand
	at                 map[string]*endpoint // the process that listens at an address
	cuts               map[link]bool
	delayMin, delayMax time.Duration
	slow               map[link]time.Duration // added to the delay
	loss, duplicates   float64

	ledger *ledger
	wg     sync.WaitGroup
}

// link is one direction between two nodes, by their ids.
type link struct{ from, to string }

func newNetwork(seed uint64, l *ledger) *Network {
	w := &Network{
		ledger: l, slow: make(map[link]time.Duration),
		rng: rand.New(rand.NewPCG(seed, 1)), at: make(map[string]*endpoint), cuts: make(map[link]bool),
		delayMin: 200 * time.Microsecond, delayMax: 2 * time.Millisecond,
	}
	w.wg.Add(1) // for close, so that nobody counts up from zero beside its wait
	return w
}

// SetDelay sets the range of every message's delay.
func (w *Network) SetDelay(least, most time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delayMin, w.delayMax = least, most
}

// SetLoss sets the share of messages that get lost (0 to 1).
func (w *Network) SetLoss(share float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loss = share
}

// SetLinkDelay adds to the delay of every message from one node to another.
func (w *Network) SetLinkDelay(from, to string, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slow[link{from, to}] = d
}

// SetDuplicates sets the share of requests that arrive a second time, at most lateMax after the first (0 to 1).
func (w *Network) SetDuplicates(share float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.duplicates = share
}

// lateMax is how late the second copy of a request may be: as one that waited in the socket of a process that hung.
const lateMax = 3 * time.Second

// twice decides whether a request arrives a second time, and how long after the first.
func (w *Network) twice() (late time.Duration, yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.duplicates == 0 || w.rng.Float64() >= w.duplicates {
		return 0, false
	}
	late = time.Duration(w.rng.Int64N(int64(lateMax)))
	if w.rng.IntN(2) == 0 {
		late /= 1000 // at the same time, or nearly
	}
	return late, true
}

// again calls f, which brings the second copy of a request.
func (w *Network) again(to *endpoint, late time.Duration, f func()) {
	w.ledger.count(func(c *Counts) { c.Duplicates++ })
	w.run(func() {
		if sleep(late, nil, to.stopped) == nil {
			f()
		}
	})
}

// CutOneWay loses every message from one node to another.
func (w *Network) CutOneWay(from, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts[link{from, to}] = true
}

// Cut loses every message between two nodes.
func (w *Network) Cut(a, b string) {
	w.CutOneWay(a, b)
	w.CutOneWay(b, a)
}

// Partition cuts the links between groups of nodes. Links within a group, and of nodes in none, stay as they are.
func (w *Network) Partition(groups ...[]string) {
	for i, g := range groups {
		for _, h := range groups[i+1:] {
			for _, a := range g {
				for _, b := range h {
					w.Cut(a, b)
				}
			}
		}
	}
}

// Heal removes all cuts and the delays of single links.
func (w *Network) Heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.cuts)
	clear(w.slow)
}

// run starts a goroutine that close waits for.
func (w *Network) run(f func()) { w.wg.Go(f) }

func (w *Network) close() {
	w.wg.Done()
	w.wg.Wait()
}

func (w *Network) chance(on link) (delay time.Duration, lost bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delay = w.delayMin + w.slow[on]
	if spread := int64(w.delayMax - w.delayMin); spread > 0 {
		delay += time.Duration(w.rng.Int64N(spread))
	}
	return delay, w.loss > 0 && w.rng.Float64() < w.loss
}

func (w *Network) isCut(from, to string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cuts[link{from, to}]
}

func (w *Network) listener(addr string) *endpoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at[addr]
}

// travel takes one message along a link: nil once it has arrived.
func (w *Network) travel(from, to *endpoint, limit <-chan time.Time) error {
	delay, lost := w.chance(link{from.id, to.id})
	if !lost && !w.isCut(from.id, to.id) {
		if err := sleep(delay, limit, from.stopped); err != nil {
			return err
		}
		if !w.isCut(from.id, to.id) {
			return nil
		}
	}
	return sleep(-1, limit, from.stopped)
}

// sleep waits for d (for ever if negative), unless limit or stop comes first.
func sleep(d time.Duration, limit <-chan time.Time, stop <-chan struct{}) error {
	var over <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-over:
		return nil
	case <-limit:
		return errTimeout
	case <-stop:
		return errStopped
	}
}

// endpoint is one process on the network.
type endpoint struct {
	net      *Network
	ledger   *ledger // of its cluster
	disk     *Disk
	id, addr string
	identity func() transport.Identity
	verify   func(peer transport.Identity) error
	book     raft.ServerAddressProvider
	timeout  time.Duration
	clock    *Clock
	// installing counts the snapshots that its raft is at work on, while its log is of no meaning; heartbeats, if set,
	// is raft's fast path for heartbeats, which the real transport does not have.
	installing atomic.Int32
	heartbeats atomic.Pointer[func(raft.RPC)]

	consumer    chan raft.RPC
	stopped     chan struct{} // closed when the process ends
	stopOnce    sync.Once
	raftStopped chan struct{} // closed when its raft ends
	raftOnce    sync.Once

	handlersMu sync.Mutex
	handlers   map[byte]handler
}

type handler func(peer transport.Identity, req []byte) ([]byte, error)

func (w *Network) listen(e *endpoint) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at[e.addr] != nil {
		return fmt.Errorf("simulated network: address %s is in use", e.addr)
	}
	e.net, e.consumer = w, make(chan raft.RPC)
	e.stopped, e.raftStopped = make(chan struct{}), make(chan struct{})
	e.handlers = make(map[byte]handler)
	w.at[e.addr] = e
	return nil
}

// stop takes the process off the network at once.
func (e *endpoint) stop() {
	e.stopOnce.Do(func() {
		e.net.mu.Lock()
		if e.net.at[e.addr] == e {
			delete(e.net.at, e.addr)
		}
		e.net.mu.Unlock()
		close(e.stopped)
	})
}

func (e *endpoint) isStopped() bool {
	select {
	case <-e.stopped:
		return true
	default:
		return false
	}
}

// dial finds the process at addr, as a connection's handshake does, after the request's way there.
func (e *endpoint) dial(addr string, limit <-chan time.Time) (*endpoint, error) {
	if e.isStopped() {
		return nil, errStopped
	}
	to := e.net.listener(addr)
	if to == nil {
		delay, _ := e.net.chance(link{})
		if err := sleep(delay, limit, e.stopped); err != nil {
			return nil, err
		}
		return nil, errRefused
	}
	if err := e.net.travel(e, to, limit); err != nil {
		return nil, err
	}
	if to.isStopped() {
		return nil, errRefused
	}
	if err := to.verify(e.identity()); err != nil {
		return nil, fmt.Errorf("%w: %w", errRefused, err)
	}
	if err := e.verify(to.identity()); err != nil {
		return nil, fmt.Errorf("%w: %w", errRefused, err)
	}
	return to, nil
}
