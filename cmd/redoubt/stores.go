package main

import (
	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/cluster/storage"
)

// stores adapts the data directory to what the node needs.
type stores struct{ *storage.Dir }

func (s stores) Instance() string  { return s.Identity().Instance }
func (s stores) ClusterID() string { return s.Identity().ClusterID }

// Stable is raft's stable store for a process that ends once a write has failed.
func (s stores) Stable() raft.StableStore { return holdingStable{s.Dir.Stable()} }

// LogBytes is the log's size on disk; 0 where it can't be told.
func (s stores) LogBytes() int64 {
	st, err := s.LogStats()
	if err != nil {
		return 0
	}
	return st.DiskBytes
}

// holdingStable never returns from a write that has failed. Raft would panic, in the middle of what the node does to say
// why and to answer its clients (raft.go, setCurrentTerm), or go on without its own vote. By then the directory has
// reported the failure to the server, whose orderly stop does not wait for raft.
type holdingStable struct{ raft.StableStore }

func (h holdingStable) Set(key, val []byte) error { return hold(h.StableStore.Set(key, val)) }

func (h holdingStable) SetUint64(key []byte, val uint64) error {
	return hold(h.StableStore.SetUint64(key, val))
}

func hold(err error) error {
	if err != nil {
		select {}
	}
	return nil
}
