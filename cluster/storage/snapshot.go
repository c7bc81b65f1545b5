package storage

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/raft"
)

const (
	snapshotsName       = "snapshots"
	snapshotMetaName    = "meta"
	snapshotStateName   = "state"
	snapshotMetaKind    = "snapshot"
	snapshotMetaVersion = 1
)

// snapshotID is the form of a name: index, term, sequence, padded so that names sort as snapshots do.
var snapshotID = regexp.MustCompile(`^[0-9]{20}-[0-9]{20}-[0-9]{6}$`)

// snapshotMeta is the sealed file beside the state.
type snapshotMeta struct {
	Raft     raft.SnapshotMeta `json:"raft"`
	StateSum uint32            `json:"state_crc32c"`
}

// snapshotPoint is where a snapshot stands in the log; the zero value is no snapshot.
type snapshotPoint struct{ index, term uint64 }

// DamagedSnapshot is a snapshot that List leaves out.
type DamagedSnapshot struct {
	ID   string
	Path string
	Err  error // wraps ErrDamaged or ErrVersion
}

// snapshotStore implements raft.SnapshotStore. A damaged snapshot is reported once in the log, shows in damaged, and is
// passed over for the one before it; it is removed only when enough good ones are newer.
type snapshotStore struct {
	guard  *guard
	dir    string
	retain int
	floor  uint64 // bytes of room that a snapshot leaves
	logger *slog.Logger

	mu  sync.Mutex // guards bad, and orders renames and removals
	bad map[string]error
}

// openSnapshots removes what a crash left unfinished and finds the newest snapshot whose state is whole.
func openSnapshots(o Options, g *guard) (*snapshotStore, snapshotPoint, error) {
	s := &snapshotStore{
		guard: g, dir: filepath.Join(o.Path, snapshotsName), retain: o.SnapshotsRetain, floor: o.SnapshotRoom, logger: o.Logger,
		bad: make(map[string]error),
	}
	g.opening.at(s.dir)
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, snapshotPoint{}, err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, snapshotPoint{}, err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), tmpSuffix) {
			s.logger.Info("snapshot: removed one that a crash left unfinished", "name", e.Name())
			if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
				return nil, snapshotPoint{}, err
			}
		}
	}
	if err := syncPath(s.dir); err != nil {
		return nil, snapshotPoint{}, err
	}
	p, err := s.newest()
	return s, p, err
}

// newest verifies states from the newest on until one is whole: raft restores that one, and where the log does not go on
// from it, Open must say so instead of raft's panic.
func (s *snapshotStore) newest() (snapshotPoint, error) {
	metas, err := s.List()
	if err != nil {
		return snapshotPoint{}, err
	}
	for _, m := range metas {
		s.guard.opening.at(filepath.Join(s.dir, m.ID))
		_, f, err := s.openState(m.ID)
		if err == nil {
			return snapshotPoint{index: m.Index, term: m.Term}, f.Close()
		}
		if !errors.Is(err, ErrDamaged) {
			return snapshotPoint{}, err
		}
	}
	return snapshotPoint{}, nil
}

// checkRoom is asked before so many bytes of a snapshot are written: the room that is kept is the log's.
func (s *snapshotStore) checkRoom(bytes int) error {
	if s.floor == 0 {
		return nil
	}
	free, err := FreeBytes(s.dir)
	if err != nil || free >= s.floor+uint64(bytes) {
		return nil // where the room is not known the write finds out
	}
	return fmt.Errorf("%w: %d bytes, %d are kept for the log", ErrNoRoom, free, s.floor)
}

// List returns the snapshots whose meta is whole and whose state is not known to be damaged, newest first.
func (s *snapshotStore) List() ([]*raft.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names, err := s.namesLocked()
	if err != nil {
		return nil, err
	}
	var out []*raft.SnapshotMeta
	for _, name := range names {
		if s.bad[name] != nil {
			continue
		}
		m, err := s.readMeta(name)
		if errors.Is(err, ErrDamaged) || errors.Is(err, ErrVersion) {
			s.reportLocked(name, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, &m.Raft)
	}
	return out, nil
}

// namesLocked lists the snapshots on disk, newest first.
func (s *snapshotStore) namesLocked() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && snapshotID.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(b, a) })
	return names, nil
}

func (s *snapshotStore) readMeta(name string) (snapshotMeta, error) {
	path := filepath.Join(s.dir, name, snapshotMetaName)
	var m snapshotMeta
	err := readSealed(path, snapshotMetaKind, snapshotMetaVersion, &m)
	if errors.Is(err, fs.ErrNotExist) {
		err = damagedf(path, "is missing")
	}
	if err == nil && (m.Raft.ID != name || m.Raft.Version < raft.SnapshotVersionMin || m.Raft.Version > raft.SnapshotVersionMax) {
		err = damagedf(path, "is that of snapshot %q, version %d", m.Raft.ID, m.Raft.Version)
	}
	return m, err
}

func (s *snapshotStore) reportLocked(name string, err error) {
	s.bad[name] = err
	s.logger.Error("snapshot: damaged, passed over", "id", name, "path", filepath.Join(s.dir, name), "err", err)
}

// damaged lists what List leaves out, newest first.
func (s *snapshotStore) damaged() []DamagedSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []DamagedSnapshot
	for name, err := range s.bad {
		out = append(out, DamagedSnapshot{ID: name, Path: filepath.Join(s.dir, name), Err: err})
	}
	slices.SortFunc(out, func(a, b DamagedSnapshot) int { return cmp.Compare(b.ID, a.ID) })
	return out
}

// stateReader is an open state, verified.
type stateReader struct {
	*bufio.Reader
	f *os.File
}

// Close closes the file.
func (r *stateReader) Close() error { return r.f.Close() }

// Open verifies the whole state and then returns it. A damaged one is ErrDamaged, an id of none fs.ErrNotExist.
func (s *snapshotStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	m, f, err := s.openState(id)
	if err != nil {
		return nil, nil, err
	}
	return &m.Raft, &stateReader{Reader: bufio.NewReaderSize(f, snapshotBufferBytes), f: f}, nil
}

// openState returns the state file, verified and at its beginning.
func (s *snapshotStore) openState(id string) (snapshotMeta, *os.File, error) {
	if !snapshotID.MatchString(id) {
		return snapshotMeta{}, nil, fmt.Errorf("snapshot %q: %w", id, fs.ErrNotExist)
	}
	if _, err := os.Stat(filepath.Join(s.dir, id)); err != nil {
		return snapshotMeta{}, nil, err
	}
	m, err := s.readMeta(id)
	var f *os.File
	if err == nil {
		f, err = openVerified(filepath.Join(s.dir, id, snapshotStateName), m)
	}
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrVersion) {
		s.mu.Lock()
		if s.bad[id] == nil {
			s.reportLocked(id, err)
		}
		s.mu.Unlock()
	}
	return m, f, err
}

func openVerified(path string, m snapshotMeta) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, classify(path, err)
	}
	sum := crc32.New(castagnoli)
	n, err := io.CopyBuffer(sum, struct{ io.Reader }{f}, make([]byte, snapshotBufferBytes))
	switch {
	case err != nil:
	case n != m.Raft.Size:
		err = damagedf(path, "has %d bytes, not %d", n, m.Raft.Size)
	case sum.Sum32() != m.StateSum:
		err = damagedf(path, "checksum does not match")
	default:
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// reapLocked removes what is older than the newest retain good snapshots, good or damaged. A state that nobody has read
// since it was written counts as good.
func (s *snapshotStore) reapLocked() error {
	names, err := s.namesLocked()
	if err != nil {
		return err
	}
	good := 0
	for _, name := range names {
		if good >= s.retain {
			if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
				return err
			}
			delete(s.bad, name)
			continue
		}
		if s.bad[name] != nil {
			continue
		}
		if _, err := s.readMeta(name); err == nil {
			good++
		}
	}
	return nil
}
