package simtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
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
	mu                 sync.Mutex
	raftAddr, respAddr string
	disk               *Disk
	proc               *process // nil while it is down
	fatal              error    // why the last process ended by itself
}

// process is one run of a node.
type process struct {
	m    *Member
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
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Bootstrap = false
	m.disk = m.sim.newDisk()
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
	disk, err := p.listen()
	if err != nil {
		return err
	}
	node, err := cluster.Open(p.config(disk)) // takes time: m.mu must not be held, waiting for a mutex stops the bubble
	if err != nil {
		p.ep.stop()
		return err
	}
	p.node = node
	close(p.ready)
	m.mu.Lock()
	m.proc = p
	m.mu.Unlock()
	return nil
}

// listen puts the process on the network.
func (p *process) listen() (*Disk, error) {
	m := p.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fatal = nil
	disk := m.disk
	p.ep = &endpoint{
		id: m.ID, addr: m.raftAddr, timeout: m.sim.opts.RaftTimeout, book: p.book, verify: p.verify, clock: m.Clock,
		identity: func() transport.Identity {
			return transport.Identity{NodeID: m.ID, ClusterID: disk.ClusterID(), Instance: disk.Instance()}
		},
	}
	disk.mu.Lock()
	disk.onFailure = p.storageFailed
	disk.mu.Unlock()
	return disk, m.sim.Net.listen(p.ep)
}

func (p *process) config(disk *Disk) cluster.Config {
	m, s := p.m, p.m.sim
	log, raftLog := s.logger()
	c := cluster.Config{
		NodeID: m.ID, RaftAddr: p.ep.addr, RespAddr: m.Self().RespAddr, Version: "sim", Bootstrap: m.Bootstrap,
		Transport: raftTransport{p.ep}, Peers: peers{p.ep}, Storage: disk, Clock: m.Clock, Book: p.book,
		Entropy: s.entropy, OnFatal: p.onFatal, Logger: log, RaftLogger: raftLog(m.ID),
	}
	if s.opts.Tune != nil {
		s.opts.Tune(m.ID, &c)
	}
	return c
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
	<-p.ready
	p.node.StorageFailed(err) // Open may not have returned
}

// onFatal is the process's own end.
func (p *process) onFatal(err error) {
	p.m.sim.Net.run(func() {
		<-p.ready
		p.m.mu.Lock()
		defer p.m.mu.Unlock()
		p.m.fatal = err
		if !p.m.sim.opts.KeepFailed && p.m.proc == p {
			p.m.crashLocked()
		}
	})
}

// Crash kills the process, if one runs.
func (m *Member) Crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.proc != nil {
		m.crashLocked()
	}
}

func (m *Member) crashLocked() {
	p := m.proc
	m.proc = nil
	close(p.gone) // before the fork: what a client was told before is on disk
	p.ep.stop()
	m.disk = m.disk.fork()
	m.sim.Net.run(func() { _ = p.node.Close() })
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
// returns what the other answers.
func (m *Member) SendSnapshot(to *Member) (accepted bool, err error) {
	p, snaps := m.process(), m.Disk().Snapshots()
	list, err := snaps.List()
	if err != nil || len(list) == 0 {
		return false, fmt.Errorf("%s has no snapshot (%w)", m.ID, err)
	}
	meta, data, err := snaps.Open(list[0].ID)
	if err != nil {
		return false, err
	}
	defer data.Close()
	all, err := io.ReadAll(data)
	if err != nil {
		return false, err
	}
	var resp raft.InstallSnapshotResponse
	err = raftTransport{p.ep}.InstallSnapshot(raft.ServerID(to.ID), raft.ServerAddress(to.process().ep.addr), &raft.InstallSnapshotRequest{
		RPCHeader:       raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(m.ID), Addr: []byte(p.ep.addr)},
		SnapshotVersion: meta.Version, Term: p.node.Status().Term, LastLogIndex: meta.Index, LastLogTerm: meta.Term,
		Configuration: raft.EncodeConfiguration(meta.Configuration), ConfigurationIndex: meta.ConfigurationIndex, Size: int64(len(all)),
	}, &resp, bytes.NewReader(all))
	return resp.Success, err
}
