package cluster

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// Node is one member of a cluster.
type Node struct {
	cfg     Config
	log     *slog.Logger
	raft    *raft.Raft
	machine *fsm.Machine
	applier *applier
	inbound *inbound
	logs    *parallelLog // what raft has for its log

	proposer  *proposer
	parking   *parking
	reader    *reader
	book      *AddressBook
	peersSeen *peersSeen
	space     *space
	hints     chan string // raft addresses where members may be, for tendMembership

	// origin marks this process's entries, so that the answers find their way back.
	origin uint64
	// notify receives raft's gains and losses of leadership.
	notify chan bool
	// lead is set while this node serves as the leader. servingMu orders its changes with OnLeadership.
	lead      atomic.Pointer[lead]
	servingMu sync.Mutex

	activeExpire atomic.Bool
	advanceMu    sync.Mutex
	advance      *advance

	// transferring: a hand-over of ours is under way. transferSuspect: one has failed, see checkTransferStuck, whose
	// goroutine owns transferStuckSince.
	transferring       atomic.Bool
	transferSuspect    atomic.Bool
	transferStuckSince time.Time
	membership         chan struct{} // one element while a membership operation is under way: one at a time

	// removed: this node knows that it is no member any more; removalHint: somebody said so, which is to be verified.
	removed, removalHint atomic.Bool

	lastSnapshot atomic.Pointer[time.Time]
	lastAsked    atomic.Int64 // when a WAIT last asked the followers where they are, unix nanoseconds

	// failing is closed by fatal, closing by Close, broken by the first failed write to the log, before raft hears of it.
	failing    chan struct{}
	broken     chan struct{}
	brokenOnce sync.Once
	logEndOff  int // of checkLogEnd, whose goroutine owns it
	closing    chan struct{}
	closeOnce  sync.Once
	wg         sync.WaitGroup
	goMu       sync.Mutex // orders wg.Add with closed
	closed     bool
	fatalOnce  sync.Once
	stopOnce   sync.Once
	stopping   chan struct{} // closed when raft's shutdown begins
	stopped    raft.Future   // of raft.Shutdown; set by stopOnce
	failed     atomic.Pointer[error]
	started    time.Time
}

// Open starts a node on its storage. It returns once the node's log and snapshot are loaded; joining and electing come
// after.
func Open(cfg Config) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, log: cfg.Logger.With("node", cfg.NodeID), machine: fsm.New(), origin: cfg.Entropy() | 1,
		notify: make(chan bool, 1), failing: make(chan struct{}), broken: make(chan struct{}), closing: make(chan struct{}), stopping: make(chan struct{}), membership: make(chan struct{}, 1), started: cfg.Clock.Now(),
	}
	n.applier = newApplier(n, n.machine)
	n.proposer = newProposer(n)
	n.parking = newParking(n)
	n.machine.OnWaiting(n.parking)
	n.reader = newReader(n)
	n.book = cfg.Book
	n.peersSeen = newPeersSeen()
	n.space = newSpace(n)
	n.hints = make(chan string, hintsMax)
	n.activeExpire.Store(true)

	if err := n.startRaft(); err != nil {
		return nil, err
	}
	n.handleCalls()
	n.inbound.start()
	n.goOwned(n.logs.run)
	n.goOwned(n.proposer.run)
	n.goOwned(n.parking.run)
	n.goOwned(n.watchLeadership)
	n.goOwned(n.keep)
	n.goOwned(n.tendLog)
	n.goOwned(n.tendMembership)
	n.goOwned(n.watchLogSize)
	n.goOwned(n.space.run)
	if n.cfg.SaveBook != nil {
		n.goOwned(n.keepBook)
	}
	return n, nil
}

func (n *Node) startRaft() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = startPanic(p)
		}
	}()
	rc := n.cfg.raftConfig()
	rc.NotifyCh = n.notify
	s := n.cfg.Storage
	has, err := raft.HasExistingState(s.Log(), s.Stable(), s.Snapshots())
	if err != nil {
		return fmt.Errorf("read the storage: %w", err)
	}
	if n.cfg.Bootstrap && !has {
		first := raft.Configuration{Servers: []raft.Server{{
			Suffrage: raft.Voter, ID: rc.LocalID, Address: raft.ServerAddress(n.cfg.RaftAddr),
		}}}
		if err := raft.BootstrapCluster(rc, s.Log(), s.Stable(), s.Snapshots(), n.cfg.Transport, first); err != nil {
			return fmt.Errorf("bootstrap: %w", err)
		}
	}
	if has {
		// The process before this one may have promised a leader not to elect another for so long (read.go, extendLease).
		// Raft remembers its vote across a restart, but not that it knew a leader.
		time.Sleep(n.cfg.Profile.Heartbeat)
	}
	var started atomic.Pointer[raft.Raft] // raft's main loop asks before NewRaft has returned
	leads := func() bool { r := started.Load(); return r != nil && r.State() == raft.Leader }
	n.logs = newParallelLog(s.Log(), leads, n.logFailed)
	guarded := guardedTransport{logs: n.logs, peerTransport: n.cfg.Transport.(peerTransport), transferLimit: n.cfg.Profile.Election, run: n.goOwned}
	n.inbound = n.newInbound(guarded.peerTransport.Consumer())
	guarded.inbound = n.inbound
	logs := newLogCache(n.logs)
	logs.onError = n.breakOff
	n.raft, err = raft.NewRaft(rc, n.applier, logs, s.Stable(), s.Snapshots(), guarded)
	if err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	started.Store(n.raft)
	return nil
}

// startPanic is the error for what hashicorp/raft panics with while it starts: a log that does not follow its snapshot
// (#697), or a read or write that failed, as that of its first term.
func startPanic(p any) error {
	if cause, ok := p.(error); ok && errors.Is(cause, raft.ErrLogNotFound) {
		return fmt.Errorf("%w: log and snapshot do not fit together (%w); remove the node from the cluster, empty its data directory and join again", ErrFailed, cause)
	}
	return fmt.Errorf("%w: raft can't start: %v", ErrFailed, p)
}

func (n *Node) handleCalls() {
	p := n.cfg.Peers
	p.HandleFast(methodProbe, n.answerProbe)
	p.Handle(methodReadIndex, n.answerReadIndex)
	p.Handle(methodStatus, n.answerStatus)
	p.Handle(methodAnnounce, n.answerAnnounce)
	p.Handle(methodAdmin, n.answerAdmin)
	p.Handle(methodRemoved, n.answerRemoved)
	p.Handle(methodPropose, n.answerPropose)
}

// goOwned runs f on a goroutine that Close waits for.
func (n *Node) goOwned(f func()) {
	n.goMu.Lock()
	if n.closed {
		n.goMu.Unlock()
		f() // raft has stopped: what f waits for has ended
		return
	}
	n.wg.Add(1)
	n.goMu.Unlock()
	go func() {
		defer n.wg.Done()
		f()
	}()
}

// Close stops the node: what waits is refused, what is in flight ends as Raft says or as unknown. It does not hand
// leadership over; Shutdown does.
func (n *Node) Close() error {
	n.closeOnce.Do(func() {
		n.proposer.close(ErrClosed)
		n.reader.close()
		n.leaveRaft() // raft waits for its exchanges with other nodes; those to unreachable ones would take their time outs
		err := n.stopRaft().Error()
		n.logs.stop()
		close(n.closing)
		if err != nil {
			n.log.Error("raft did not stop cleanly", "err", err)
		}
		n.proposer.overdue(n.cfg.Clock.Now().Add(time.Hour), ErrClosed)
		n.parking.abandon(ErrClosed, nil)
		n.goMu.Lock()
		n.closed = true
		n.goMu.Unlock()
	})
	n.wg.Wait()
	return nil
}

// Shutdown is the orderly end: leadership goes to another node first, if there is one; then Close.
func (n *Node) Shutdown(ctx context.Context) error {
	if n.Leading() {
		if err := n.TransferLeadership(ctx, ""); err != nil && !errors.Is(err, ErrNoSuchNode) {
			n.log.Warn("leadership could not be handed over before the stop", "err", err)
		}
	}
	return n.Close()
}

// breakOff keeps further messages from raft; see inbound.
func (n *Node) breakOff() {
	n.brokenOnce.Do(func() {
		close(n.broken)
		n.inbound.settle()
	})
}

// stopRaft begins raft's shutdown, or returns the one that was begun.
func (n *Node) stopRaft() raft.Future {
	n.stopOnce.Do(func() {
		close(n.stopping)
		n.stopped = n.raft.Shutdown()
		if t, ok := n.cfg.Transport.(interface{ Release() }); ok { // raft waits for its messages, also for those to dead nodes
			t.Release()
		}
	})
	return n.stopped
}

// leaveRaft takes this node out of the group without waiting for its disk: a main loop that hangs in a write would
// otherwise go on sending heartbeats, and no other node would be elected.
func (n *Node) leaveRaft() {
	_ = n.stopRaft()
	if t, ok := n.cfg.Transport.(raft.WithClose); ok {
		if err := t.Close(); err != nil {
			n.log.Error("raft's transport did not close", "err", err)
		}
	}
}

// fatal reports, once, why the node can't go on, and answers what is in flight. The leader watcher leaves the group.
func (n *Node) fatal(err error) {
	n.fatalOnce.Do(func() {
		n.failed.Store(&err)
		n.log.Error("this node stops", "err", err)
		n.logs.fail(err)
		n.proposer.close(ErrFailed)
		n.proposer.overdue(n.cfg.Clock.Now().Add(time.Hour), err)
		n.parking.abandon(err, nil)
		close(n.failing)
		n.cfg.OnFatal(err)
	})
}

// logFailed is what the log calls when a write has failed that raft did not wait for.
func (n *Node) logFailed(err error) {
	n.breakOff()
	n.fatal(fmt.Errorf("%w: the log: %w", ErrFailed, err))
}

// StorageFailed is what the storage calls on its first error: the node must not lead, vote or acknowledge on it.
func (n *Node) StorageFailed(err error) { n.fatal(fmt.Errorf("%w: storage: %w", ErrFailed, err)) }

// Failed returns why the node can't go on, nil while it can.
func (n *Node) Failed() error {
	if p := n.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// View executes read commands on the applied state, whatever the node's role: the caller has confirmed what its
// consistency asks for. See fsm.Machine.View.
func (n *Node) View(calls []command.Call, o command.ReadOptions, r command.Reply) bool {
	return n.machine.View(calls, o, r)
}

// Machine is the node's state machine, for reads and figures.
func (n *Node) Machine() *fsm.Machine { return n.machine }

// configuration is raft's latest, which quorums count by.
func (n *Node) configuration() raft.Configuration {
	f := n.raft.GetConfiguration()
	if f.Error() != nil {
		return raft.Configuration{}
	}
	return f.Configuration()
}

const (
	snapshotPatience = 2 * time.Second
	snapshotRetry    = 20 * time.Millisecond
)

// Snapshot takes a snapshot now and shortens the log. raft.ErrNothingNewToSnapshot is no error here, and neither is that
// raft takes none between the commit of a change of the membership and its application: that is waited for.
func (n *Node) Snapshot() error {
	end := n.cfg.Clock.Now().Add(snapshotPatience)
	for {
		applied := n.machine.Index()
		err := n.raft.Snapshot().Error()
		if err == nil || errors.Is(err, raft.ErrNothingNewToSnapshot) {
			return nil
		}
		if applied >= n.configurationIndex() || n.cfg.Clock.Now().After(end) {
			return err
		}
		select {
		case <-time.After(snapshotRetry):
		case <-n.closing:
			return ErrClosed
		}
	}
}

// configurationIndex is where in the log raft's latest configuration stands.
func (n *Node) configurationIndex() uint64 {
	f := n.raft.GetConfiguration()
	if f.Error() != nil {
		return 0
	}
	return f.Index()
}

func systemEntropy() uint64 {
	var b [8]byte
	_, _ = crand.Read(b[:]) // never fails since Go 1.24
	return binary.LittleEndian.Uint64(b[:])
}
