package simtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/transport"
)

// Bare is a node of the Raft library alone, on the simulated network and disk and without any of package cluster's
// cures: it shows what they are for. Its state machine is a list of texts. One goroutine at a time may use it.
type Bare struct {
	ID   string
	Raft *raft.Raft // nil while it is down

	s      *Sim
	conf   BareConfig
	disk   *Disk
	ep     *endpoint
	stop   chan struct{} // closed when this process has ended
	texts  *texts
	member []raft.Server
}

// BareConfig says how bare nodes differ from the usual.
type BareConfig struct {
	Tune   func(c *raft.Config)
	Stable raft.StableStore // in place of the disk's
	Still  bool             // only b1 runs: the others are names
}

// StartBare starts a cluster of bare nodes called b1, b2...: first the voters, then those without a vote.
func (s *Sim) StartBare(conf BareConfig, voters, nonvoters int) []*Bare {
	s.T.Helper()
	var servers []raft.Server
	for i := range voters + nonvoters {
		id := fmt.Sprint("b", i+1)
		suffrage := raft.Voter
		if i >= voters {
			suffrage = raft.Nonvoter
		}
		servers = append(servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id), Suffrage: suffrage})
	}
	if conf.Still {
		return []*Bare{s.newBare(conf, "b1", servers)}
	}
	var all []*Bare
	for _, sv := range servers {
		all = append(all, s.newBare(conf, string(sv.ID), servers))
	}
	return all
}

func (s *Sim) newBare(conf BareConfig, id string, servers []raft.Server) *Bare {
	b := &Bare{ID: id, s: s, conf: conf, disk: s.newDisk(id), member: servers}
	s.OnClose(b.Crash)
	b.start(true)
	return b
}

// Start starts the process again on the disk as it is.
func (b *Bare) Start() { b.s.T.Helper(); b.start(false) }

func (b *Bare) start(first bool) {
	b.s.T.Helper()
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(b.ID)
	lan := cluster.ProfileLAN
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = lan.Heartbeat, lan.Election, lan.LeaderLease
	c.CommitTimeout, c.ShutdownOnRemove, c.Logger = 10*time.Millisecond, false, hclog.NewNullLogger()
	if b.conf.Tune != nil {
		b.conf.Tune(c)
	}
	b.ep = &endpoint{
		ledger: b.s.ledger, disk: b.disk, id: b.ID, addr: b.ID, timeout: b.s.opts.RaftTimeout, book: cluster.NewAddressBook(), clock: &Clock{},
		verify:   func(transport.Identity) error { return nil },
		identity: func() transport.Identity { return transport.Identity{NodeID: b.ID} },
	}
	if err := b.s.Net.listen(b.ep); err != nil {
		b.s.T.Fatal(err)
	}
	b.texts, b.stop = &texts{}, make(chan struct{})
	b.disk.open()
	log, stable, snaps := b.disk.Log(), b.Stable(), b.disk.Snapshots()
	trans := raftTransport{e: b.ep, fast: b.s.opts.FastHeartbeats}
	if first {
		if err := raft.BootstrapCluster(c, log, stable, snaps, trans, raft.Configuration{Servers: b.member}); err != nil {
			b.s.T.Fatal(err)
		}
	}
	var err error
	if b.Raft, err = raft.NewRaft(c, b.texts, log, stable, snaps, trans); err != nil {
		b.s.T.Fatal(err)
	}
}

// Stable is the store of terms and votes.
func (b *Bare) Stable() raft.StableStore {
	if b.conf.Stable != nil {
		return b.conf.Stable
	}
	return b.disk.Stable()
}

// SetStable replaces the store of terms and votes for the next start.
func (b *Bare) SetStable(st raft.StableStore) { b.conf.Stable = st }

// Disk is the node's disk, which a crash replaces.
func (b *Bare) Disk() *Disk { return b.disk }

// Crash kills the process, if one runs.
func (b *Bare) Crash() {
	if b.Raft == nil {
		return
	}
	b.ep.stop()
	b.disk = b.disk.fork()
	_ = b.Raft.Shutdown().Error()
	close(b.stop)
	b.Raft = nil
}

// Wipe replaces the disk by an empty one. The process must be down.
func (b *Bare) Wipe() { b.disk = b.s.newDisk(b.ID) }

// errNoAnswer is the end of a future that was not answered.
var errNoAnswer = errors.New("raft does not answer")

// Wait waits for one of raft's futures, for so long at most.
func (b *Bare) Wait(f raft.Future, most time.Duration) error {
	// Raft leaves futures unanswered when it is shut down; those with a ShutdownCh know how to end. It is exported, its
	// struct is not.
	if ch := reflect.ValueOf(f).Elem().FieldByName("ShutdownCh"); ch.IsValid() && ch.CanSet() && ch.IsNil() {
		ch.Set(reflect.ValueOf(b.stop))
	}
	done := make(chan error, 1)
	b.s.Net.run(func() { done <- f.Error() })
	select {
	case err := <-done:
		return err
	case <-time.After(most):
		return errNoAnswer
	}
}

// Unanswered reports whether Wait gave up.
func Unanswered(err error) bool { return errors.Is(err, errNoAnswer) }

// Apply adds a text.
func (b *Bare) Apply(text string, most time.Duration) error {
	return b.Wait(b.Raft.Apply([]byte(text), 0), most)
}

// Begin begins to add a text and does not wait.
func (b *Bare) Begin(text string) { b.Raft.Apply([]byte(text), 0) }

// SnapshotIndex is the last index of the newest snapshot on disk; 0: there is none.
func (b *Bare) SnapshotIndex() uint64 {
	list, _ := b.disk.Snapshots().List()
	if len(list) == 0 {
		return 0
	}
	return list[0].Index
}

// Has reports whether a text has been applied.
func (b *Bare) Has(text string) bool { return b.texts.has(text) }

// Leads reports whether raft believes that this node leads.
func (b *Bare) Leads() bool { return b.Raft != nil && b.Raft.State() == raft.Leader }

// AskVote asks a bare node for its vote, in the name of a candidate without a process, whose log ends at a place.
func (s *Sim) AskVote(b *Bare, candidate string, term, lastIndex, lastTerm uint64) bool {
	s.T.Helper()
	resp := b.answer(s, &raft.RequestVoteRequest{
		RPCHeader: header(candidate, candidate), Term: term, LastLogIndex: lastIndex, LastLogTerm: lastTerm,
	})
	return resp.(*raft.RequestVoteResponse).Granted
}

func (b *Bare) answer(s *Sim, cmd any) any {
	s.T.Helper()
	answers := make(chan raft.RPCResponse, 1)
	b.ep.consumer <- raft.RPC{Command: cmd, RespChan: answers}
	a := <-answers
	if a.Error != nil {
		s.T.Fatal(a.Error)
	}
	return a.Response
}

// InstallFrom sends another bare node's newest snapshot to b, late or for no reason.
func (b *Bare) InstallFrom(l *Bare) error {
	b.s.T.Helper()
	return sendSnapshot(l.ep, l.disk, l.Raft.CurrentTerm(), b.ID, b.ep.addr)
}

// SendCommit is Member.SendCommit.
func (b *Bare) SendCommit(to *Bare, prev, prevTerm, commit uint64) bool {
	b.s.T.Helper()
	resp := to.answer(b.s, commitRequest(b.ep, b.Raft.CurrentTerm(), prev, prevTerm, commit))
	return resp.(*raft.AppendEntriesResponse).Success
}

// texts is a raft.FSM.
type texts struct {
	mu  sync.Mutex
	all []string
}

func (f *texts) has(text string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.all, text)
}

func (f *texts) Apply(l *raft.Log) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, string(l.Data))
	return nil
}

func (f *texts) Snapshot() (raft.FSMSnapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := json.Marshal(f.all)
	return textsAt(b), err
}

func (f *texts) Restore(r io.ReadCloser) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = nil
	return errors.Join(json.NewDecoder(r).Decode(&f.all), r.Close())
}

type textsAt []byte

func (t textsAt) Persist(sink raft.SnapshotSink) error {
	_, err := io.Copy(sink, bytes.NewReader(t))
	return errors.Join(err, sink.Close())
}

func (textsAt) Release() {}
