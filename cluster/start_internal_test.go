package cluster

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// startStores is a storage in memory whose stable store can fail.
type startStores struct {
	logs, stable *raft.InmemStore
	snaps        *raft.InmemSnapshotStore
	clusterID    string
	failed       error
}

func newStartStores() *startStores {
	return &startStores{logs: raft.NewInmemStore(), stable: raft.NewInmemStore(), snaps: raft.NewInmemSnapshotStore()}
}

func (s *startStores) Log() raft.LogStore                     { return s.logs }
func (s *startStores) Stable() raft.StableStore               { return failingStable{s.stable, s.failed} }
func (s *startStores) Snapshots() raft.SnapshotStore          { return s.snaps }
func (s *startStores) Instance() string                       { return "i" }
func (s *startStores) SetClusterID(id string) error           { s.clusterID = id; return nil }
func (s *startStores) ClusterID() string                      { return s.clusterID }
func (s *startStores) Stalled() (string, time.Duration, bool) { return "", 0, false }

// failingStable fails every write where err is set. What is not there is 0, as in package storage.
type failingStable struct {
	*raft.InmemStore
	err error
}

func (s failingStable) GetUint64(key []byte) (uint64, error) {
	n, err := s.InmemStore.GetUint64(key)
	if err != nil {
		return 0, nil
	}
	return n, nil
}

func (s failingStable) SetUint64(key []byte, n uint64) error {
	if s.err != nil {
		return s.err
	}
	return s.InmemStore.SetUint64(key, n)
}

type noPeers struct{ Peers }

// openOn starts a node on stores, which is to fail.
func openOn(t *testing.T, s *startStores) error {
	t.Helper()
	_, tr := raft.NewInmemTransport("n1")
	n, err := Open(Config{
		NodeID: "n1", RaftAddr: "n1", RespAddr: "n1", Profile: Profile{
			Heartbeat: 10 * time.Millisecond, Election: 10 * time.Millisecond, LeaderLease: 10 * time.Millisecond, Commit: time.Millisecond, RPC: time.Second,
		},
		Transport: tr, Peers: noPeers{}, Storage: s,
	})
	if err == nil {
		_ = n.Close()
		t.Fatal("it started")
	}
	if !errors.Is(err, ErrFailed) {
		t.Errorf("%v", err)
	}
	return err
}

// TestFailedTermAtStart: a disk that takes no write at the first start is no reason to empty the data directory.
func TestFailedTermAtStart(t *testing.T) {
	s := newStartStores()
	s.failed = errors.New("stable write: stable.db: " + syscall.EIO.Error())
	text := openOn(t, s).Error()
	if !strings.Contains(text, "save current term: "+s.failed.Error()) || strings.Contains(text, "empty its data directory") {
		t.Error(text)
	}
}

// TestGapAtStart: where the log does not begin where the snapshot ends, the advice stands.
func TestGapAtStart(t *testing.T) {
	s := newStartStores()
	for index := uint64(5); index < 8; index++ {
		if err := s.logs.StoreLog(&raft.Log{Index: index, Term: 1, Type: raft.LogNoop}); err != nil {
			t.Fatal(err)
		}
	}
	if text := openOn(t, s).Error(); !strings.Contains(text, "empty its data directory") {
		t.Error(text)
	}
}

// TestGenesisKeepsItsName: a cluster whose log lost its first entry in a power cut goes on under the id that its nodes know.
func TestGenesisKeepsItsName(t *testing.T) {
	s := newStartStores()
	n := &Node{cfg: Config{Storage: s, Databases: 16, Entropy: systemEntropy}}
	if a, b := n.genesis().ClusterID, n.genesis().ClusterID; a == b || len(a) != 32 {
		t.Errorf("two clusters are called %q and %q", a, b)
	}
	s.clusterID = "known"
	if got := n.genesis(); got.ClusterID != "known" || got.Databases != 16 || got.HashKey0 == got.HashKey1 {
		t.Errorf("%+v", got)
	}
}
