package simtest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"time"
)

// errNotFound has the text that raft compares with.
var errNotFound = errors.New("not found")

// diskStable is raft.StableStore. Raft panics when its term can't be written. Where it does so while it starts, the
// node catches it; later such a write waits here until the process has been killed, so that one node's end does not
// take the test with it.
type diskStable struct{ d *Disk }

func (s diskStable) Set(key, val []byte) error {
	if changes := s.d.together(string(key), bytes.Clone(val)); changes != nil {
		return s.d.setStable(changes)
	}
	return nil
}

// The keys of a vote, which raft writes by two calls (its issue #661). As in package storage the first waits for the
// second, and both are written in one.
const (
	voteTerm      = "LastVoteTerm"
	voteCandidate = "LastVoteCand"
)

// together returns what a Set has to write; nil: nothing yet.
func (d *Disk) together(key string, val []byte) map[string][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if key == voteTerm {
		d.held = val
		return nil
	}
	changes := map[string][]byte{key: val}
	if key == voteCandidate && d.held != nil {
		changes[voteTerm], d.held = d.held, nil
	}
	return changes
}

func (d *Disk) setStable(changes map[string][]byte) error {
	err := d.write("a vote", func(d *Disk) error { maps.Copy(d.stable, changes); return nil })
	if err != nil && d.starting.Load() {
		return err
	}
	for err != nil && !d.isOrphan() {
		time.Sleep(orphanPoll)
	}
	return nil
}

const orphanPoll = 10 * time.Millisecond

func (d *Disk) isOrphan() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.orphan
}

func (s diskStable) Get(key []byte) ([]byte, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	v, ok := s.d.stable[string(key)]
	if string(key) == voteTerm && s.d.held != nil {
		v, ok = s.d.held, true
	}
	if !ok {
		return nil, errNotFound
	}
	return bytes.Clone(v), nil
}

func (s diskStable) SetUint64(key []byte, val uint64) error {
	return s.Set(key, fmt.Appendf(nil, "%d", val))
}

func (s diskStable) GetUint64(key []byte) (uint64, error) {
	v, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	var n uint64
	_, err = fmt.Sscanf(string(v), "%d", &n)
	return n, err
}
