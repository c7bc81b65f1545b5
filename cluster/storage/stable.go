package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

const (
	stableName    = "stable.db"
	stableKind    = "stable"
	stableVersion = 1
)

// stableKey is the one key in raft-boltdb's bucket.
var stableKey = []byte("redoubt")

// The keys under which hashicorp/raft v1.7.3 keeps its term and vote.
const (
	keyCurrentTerm  = "CurrentTerm"
	keyLastVoteTerm = "LastVoteTerm"
	keyLastVoteCand = "LastVoteCand"
)

// stableValue is one pair in the record. Keys are bytes: JSON strings would bend those that are not UTF-8.
type stableValue struct {
	Key   []byte `json:"k"`
	Value []byte `json:"v"`
}

// stableStore is raft's stable store. raft-boltdb has no transaction over several keys, and its pages no checksum; so all
// pairs are kept as one sealed value under one key: each Set is one transaction, and what is read back is what was
// written. It is read once, at Open, and served from memory.
//
// Raft writes a vote by two calls, LastVoteTerm and then LastVoteCand (its issue #661). A crash between the two would pair
// the new term with the old candidate; so the term waits in memory for the candidate and both go in one transaction. The
// vote is not given before the second call returns.
type stableStore struct {
	guard   *guard
	path    string
	onState func() error // makes the has-state flag durable; called before a term above 0 is acknowledged
	db      *raftboltdb.BoltStore

	mu     sync.Mutex // guards what follows
	values map[string][]byte
	held   []byte // LastVoteTerm that waits for its LastVoteCand; nil: none
	marked bool   // onState has succeeded
}

func openStable(dir string, g *guard) (*stableStore, error) {
	path := filepath.Join(dir, stableName)
	// Without a free list on disk bbolt finds the free pages anew at each open: nothing to be damaged, and cheap here.
	db, err := openBolt(path, bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType}, false)
	if err != nil {
		return nil, err
	}
	s := &stableStore{guard: g, path: path, db: db, values: make(map[string][]byte)}
	if err := s.load(); err != nil {
		if errors.Is(err, ErrVersion) {
			err = fmt.Errorf("%s: %w", path, err)
		}
		return nil, errors.Join(classify(path, err), contain(db.Close))
	}
	return s, nil
}

func (s *stableStore) load() error {
	var data []byte
	err := contain(func() (err error) {
		data, err = s.db.Get(stableKey)
		return err
	})
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var list []stableValue
	if err := unseal(data, stableKind, stableVersion, &list); err != nil {
		return err
	}
	for _, v := range list {
		s.values[string(v.Key)] = v.Value
	}
	return nil
}

// term is the current term, 0 for a node that has none yet.
func (s *stableStore) term() uint64 {
	v, _ := s.GetUint64([]byte(keyCurrentTerm))
	return v
}

// Get returns a copy of the value, or nil for a key that is not there.
func (s *stableStore) Get(key []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if string(key) == keyLastVoteTerm && s.held != nil {
		return bytes.Clone(s.held), nil
	}
	return bytes.Clone(s.values[string(key)]), nil
}

// GetUint64 returns 0 for a key that is not there.
func (s *stableStore) GetUint64(key []byte) (uint64, error) {
	v, err := s.Get(key)
	if err != nil || v == nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, fmt.Errorf("stable key %q: %d bytes, not a number", key, len(v))
	}
	return binary.BigEndian.Uint64(v), nil
}

// SetUint64 is Set of 8 bytes.
func (s *stableStore) SetUint64(key []byte, val uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, val))
}

// Set makes a pair durable, whatever the log's fsync mode; LastVoteTerm together with the next LastVoteCand. At most 64
// keys of 256 bytes, values of 4 KiB.
func (s *stableStore) Set(key, val []byte) error {
	if len(key) == 0 || len(key) > stableKeyBytesMax || len(val) > stableValueBytesMax {
		return fmt.Errorf("stable key of %d bytes, value of %d: at most %d and %d",
			len(key), len(val), stableKeyBytesMax, stableValueBytesMax)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.guard.err(); err != nil {
		return err
	}
	if string(key) == keyLastVoteTerm {
		s.held = bytes.Clone(val)
		return nil
	}
	next := map[string][]byte{string(key): bytes.Clone(val)}
	if string(key) == keyLastVoteCand && s.held != nil {
		next[keyLastVoteTerm] = s.held
		s.held = nil
	}
	return s.putLocked(next)
}

// putLocked writes the record with changes, unless they change nothing: raft sets its term again at each start.
func (s *stableStore) putLocked(changes map[string][]byte) error {
	all := make(map[string][]byte, len(s.values)+len(changes))
	for k, v := range s.values {
		all[k] = v
	}
	same := true
	for k, v := range changes {
		old, ok := all[k]
		same = same && ok && bytes.Equal(old, v)
		all[k] = v
	}
	if len(all) > stableKeysMax {
		return fmt.Errorf("stable store: %d keys: at most %d", len(all), stableKeysMax)
	}
	if same {
		return nil
	}
	data, err := sealStable(all)
	if err != nil {
		return err
	}
	err = s.guard.write(opStable, func() error {
		if err := s.db.Set(stableKey, data); err != nil {
			return fmt.Errorf("%s: %w", s.path, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.values = all
	return s.markLocked()
}

func (s *stableStore) markLocked() error {
	term := s.values[keyCurrentTerm]
	if s.marked || len(bytes.Trim(term, "\x00")) == 0 {
		return nil
	}
	if err := s.onState(); err != nil {
		return err
	}
	s.marked = true
	return nil
}

func sealStable(values map[string][]byte) ([]byte, error) {
	list := make([]stableValue, 0, len(values))
	for k, v := range values {
		list = append(list, stableValue{Key: []byte(k), Value: v})
	}
	slices.SortFunc(list, func(a, b stableValue) int { return bytes.Compare(a.Key, b.Key) })
	return seal(stableKind, stableVersion, list)
}

func (s *stableStore) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return contain(s.db.Close)
}
