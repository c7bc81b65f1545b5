package simtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/transport"
)

// Member is one machine: a disk, a clock, and most of the time a process. Its methods may be called from any goroutine;
// Start, Stop and Crash from one at a time.
type Member struct {
	ID    string
	Clock *Clock
	// Bootstrap makes the next Start begin a cluster.
	Bootstrap bool

	sim                *Sim
	hold               chan struct{} // one element while somebody starts, ends or wipes it on purpose
	mu                 sync.Mutex
	raftAddr, respAddr string
	disk               *Disk
	proc               *process // nil while it is down
	fatal              error    // why the last process ended by itself
	book               cluster.BookState
}

// process is one run of a node.
type process struct {
	m    *Member
	disk *Disk
	ep   *endpoint
	book *cluster.AddressBook
	gone chan struct{} // closed when the process was killed: nothing that it says counts any more

	ready chan struct{} // closed when node is set
	node  *cluster.Node
}

// Node returns the running node; nil while the member is down.
func (m *Member) Node() *cluster.Node {
	if p := m.process(); p != nil {
		return p.node
	}
	return nil
}

func (m *Member) process() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.proc
}

// Disk returns the member's disk, which a crash replaces.
func (m *Member) Disk() *Disk {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.disk
}

// Fatal returns why the last process ended by itself; nil if it did not.
func (m *Member) Fatal() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fatal
}

// Self is what the member tells a cluster that it wants to join.
func (m *Member) Self() fsm.Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fsm.Member{ID: m.ID, RaftAddr: m.raftAddr, RespAddr: m.respAddr, Instance: m.disk.Instance(), Version: "sim"}
}

// Move gives the member other addresses for its next start.
func (m *Member) Move(suffix string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.raftAddr, m.respAddr = m.ID+":raft-"+suffix, m.ID+":resp-"+suffix
}

// Wipe replaces the disk by an empty one with another instance, and forgets Bootstrap: it would begin a second cluster.
// The member must be down.
func (m *Member) Wipe() {
	m.sim.checkApplied()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Bootstrap = false
	m.disk = m.sim.newDisk(m.ID)
	m.book = cluster.BookState{}
	m.sim.trace.add("%s has an empty disk", m.ID)
}

// Start starts the process and fails the test if it can't.
func (m *Member) Start() {
	m.sim.T.Helper()
	if err := m.TryStart(); err != nil {
		m.sim.T.Fatalf("start of %s: %v", m.ID, err)
	}
}

// TryStart starts the process.
func (m *Member) TryStart() error {
	p := &process{m: m, gone: make(chan struct{}), ready: make(chan struct{}), book: cluster.NewAddressBook()}
	if err := p.listen(); err != nil {
		return err
	}
	p.disk.starting.Store(true)
	node, err := cluster.Open(p.config()) // takes time: m.mu must not be held, waiting for a mutex stops the bubble
	p.disk.starting.Store(false)
	if err == nil && p.disk.hasFailed() {
		_ = node.Close()
		err = ErrDisk
	}
	if err != nil {
		p.ep.stop()
		m.mu.Lock()
		defer m.mu.Unlock()
		m.disk = m.disk.fork() // the process has ended
		return err
	}
	p.node = node
	close(p.ready)
	m.mu.Lock()
	m.proc = p
	m.mu.Unlock()
	m.sim.trace.add("%s has started", m.ID)
	return nil
}

// listen puts the process on the network.
func (p *process) listen() error {
	m := p.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fatal = nil
	disk := m.disk
	p.disk = disk
	disk.open()
	if m.Bootstrap && disk.blank() && !m.sim.begins(m) {
		disk.ledger = newLedger(m.sim.trace.violation) // a cluster of its own
	}
	p.ep = &endpoint{
		ledger: disk.ledger, disk: disk, id: m.ID, addr: m.raftAddr, timeout: m.sim.opts.RaftTimeout, book: p.book, verify: p.verify, clock: m.Clock,
		identity: func() transport.Identity {
			return transport.Identity{NodeID: m.ID, ClusterID: disk.ClusterID(), Instance: disk.Instance()}
		},
	}
	disk.mu.Lock()
	disk.onFailure = p.storageFailed
	disk.mu.Unlock()
	return m.sim.Net.listen(p.ep)
}

func (p *process) config() cluster.Config {
	m, s := p.m, p.m.sim
	log, raftLog := s.logger()
	c := cluster.Config{
		NodeID: m.ID, RaftAddr: p.ep.addr, RespAddr: m.Self().RespAddr, Version: "sim", Bootstrap: m.Bootstrap,
		Transport: raftTransport{e: p.ep, fast: s.opts.FastHeartbeats}, Peers: peers{p.ep},
		Storage: p.disk, Clock: m.Clock, Book: p.book,
		Entropy: s.entropy, OnFatal: p.onFatal, Logger: log, RaftLogger: raftLog(m.ID),
		OnLeadership: func(leading bool) { s.trace.add("%s leads: %v", m.ID, leading) },
	}
	if s.opts.KeepBooks {
		m.keepBook(p, &c)
	}
	if s.opts.Tune != nil {
		s.opts.Tune(m.ID, &c)
	}
	return c
}

// keepBook is what the data directory's book is to a real node. A killed process saves no more.
func (m *Member) keepBook(p *process, c *cluster.Config) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.book.Load(m.ID, m.book)
	c.SaveBook = func(s cluster.BookState) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		select {
		case <-p.gone:
		default:
			m.book = s
		}
		return nil
	}
}

// verify is what the transport asks the node, as soon as there is one.
func (p *process) verify(peer transport.Identity) error {
	select {
	case <-p.ready:
		return p.node.VerifyPeer(peer)
	default:
		return nil
	}
}

func (p *process) storageFailed(err error) {
	if !p.disk.starting.Load() {
		<-p.ready
		p.node.StorageFailed(err)
	}
}

// onFatal is the process's own end.
func (p *process) onFatal(err error) {
	s := p.m.sim
	s.trace.add("%s can't go on: %v", p.m.ID, err)
	s.ledger.count(func(c *Counts) { c.Fatal++ })
	s.Net.run(func() {
		<-p.ready
		if p.end(err) && s.opts.Supervised {
			s.supervise(p.m)
		}
	})
}

// end ends a process that can't go on, unless it was killed before.
func (p *process) end(err error) bool {
	m := p.m
	m.sim.checkApplied()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fatal = err
	if m.sim.opts.KeepFailed || m.proc != p {
		return false
	}
	m.crashLocked()
	return true
}

// Crash kills the process, if one runs.
func (m *Member) Crash() {
	m.sim.checkApplied()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.proc != nil {
		m.crashLocked()
	}
}

func (m *Member) crashLocked() {
	p := m.proc
	m.proc = nil
	m.sim.trace.add("%s is killed", m.ID)
	m.sim.ledger.count(func(c *Counts) { c.Crashes++ })
	close(p.gone) // before the fork: what a client was told before is on disk
	p.ep.stop()
	m.disk = m.disk.fork()
	m.sim.Net.run(func() {
		// Raft, shut down, may drop what it has committed in the same instant, with no word to who waits for it (onEnd).
		time.Sleep(time.Millisecond)
		_ = p.node.Close()
	})
}

// Restart is Crash, a pause and Start.
func (m *Member) Restart(pause time.Duration) {
	m.sim.T.Helper()
	m.Crash()
	time.Sleep(pause)
	m.Start()
}

// Stop ends the process in order: leadership is handed over first.
func (m *Member) Stop(ctx context.Context) error {
	p := m.process()
	if p == nil {
		return nil
	}
	err := p.node.Shutdown(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.proc == p {
		m.proc = nil
		close(p.gone)
		p.ep.stop()
	}
	return err
}

// SendSnapshot sends the member's newest snapshot to another one, as a leader would that believes it to be behind, and
// returns why the other did not take it.
func (m *Member) SendSnapshot(to *Member) error {
	p := m.process()
	return sendSnapshot(p.ep, m.Disk(), p.node.Status().Term, to.ID, to.process().ep.addr)
}

var errRejected = errors.New("the snapshot was not accepted")

func sendSnapshot(from *endpoint, d *Disk, term uint64, id, addr string) error {
	list, err := d.Snapshots().List()
	if err != nil || len(list) == 0 {
		return fmt.Errorf("%s has no snapshot (%w)", from.id, err)
	}
	meta, data, err := d.Snapshots().Open(list[0].ID)
	if err != nil {
		return err
	}
	defer data.Close()
	var resp raft.InstallSnapshotResponse
	req := &raft.InstallSnapshotRequest{
		RPCHeader: header(from.id, from.addr), SnapshotVersion: meta.Version, Term: term,
		LastLogIndex: meta.Index, LastLogTerm: meta.Term, Size: meta.Size,
		Configuration: raft.EncodeConfiguration(meta.Configuration), ConfigurationIndex: meta.ConfigurationIndex,
	}
	err = raftTransport{e: from}.InstallSnapshot(raft.ServerID(id), raft.ServerAddress(addr), req, &resp, data)
	if err == nil && !resp.Success {
		err = errRejected
	}
	return err
}

// SendCommit tells another member, cuts or not, that everything up to commit is committed, in a message without entries
// that follows the place (prev, prevTerm).
func (m *Member) SendCommit(to *Member, prev, prevTerm, commit uint64) (accepted bool, err error) {
	p, o := m.process(), to.process()
	req := commitRequest(p.ep, p.node.Status().Term, prev, prevTerm, commit)
	answers, err := p.ep.hand(o.ep, req, nil, nil)
	if err != nil {
		return false, err
	}
	a := <-answers
	if a.Error != nil {
		return false, a.Error
	}
	return a.Response.(*raft.AppendEntriesResponse).Success, nil
}

func header(id, addr string) raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id), Addr: []byte(addr)}
}

func commitRequest(from *endpoint, term, prev, prevTerm, commit uint64) *raft.AppendEntriesRequest {
	return &raft.AppendEntriesRequest{
		RPCHeader: header(from.id, from.addr), Term: term,
		PrevLogEntry: prev, PrevLogTerm: prevTerm, LeaderCommitIndex: commit,
	}
}
