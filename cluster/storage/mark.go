package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sync"
)

// The mark is the witness of the log's length. Both log stores take a damaged or lost tail for a torn last write and
// silently drop it, acknowledged entries and all; the mark remembers how far the log was durable, so that Open can tell.
// It is written after the log's sync and never syncs on an append: a process that dies leaves it exact, a power cut at
// most a second behind (never ahead). It is lowered, and that synced, before a suffix of the log is deleted.
//
// Two slots take turns, each in a sector of its own, so that a torn write leaves the one before. Little endian:
//
//	0      4         5       6        8      16      24      28   32
//	"RDMK" version=1 flags   reserved seq    index   CRC32C  zero
//
// Flags: bit 0, the log was written without a sync per append; entries above the index may then be torn.
const (
	markName      = "mark"
	markMagic     = "RDMK"
	markVersion   = 1
	markSlotBytes = 32
	markSlotStep  = 512
	markFileBytes = 2 * markSlotStep
	markWeakFlag  = 1
)

type markSlot struct {
	seq   uint64
	index uint64
	weak  bool
}

func (s markSlot) encode() []byte {
	b := make([]byte, markSlotBytes)
	copy(b, markMagic)
	b[4] = markVersion
	if s.weak {
		b[5] = markWeakFlag
	}
	binary.LittleEndian.PutUint64(b[8:], s.seq)
	binary.LittleEndian.PutUint64(b[16:], s.index)
	binary.LittleEndian.PutUint32(b[24:], crc32.Checksum(b[:24], castagnoli))
	return b
}

// decodeMarkSlot reads a slot. The error is ErrVersion for one that is whole and of a newer version.
func decodeMarkSlot(b []byte) (markSlot, error) {
	if len(b) < markSlotBytes || string(b[:4]) != markMagic ||
		binary.LittleEndian.Uint32(b[24:]) != crc32.Checksum(b[:24], castagnoli) {
		return markSlot{}, errMarkSlot
	}
	if b[4] > markVersion || b[5]&^markWeakFlag != 0 {
		return markSlot{}, fmt.Errorf("%w: mark of version %d with flags %#x, this one reads %d", ErrVersion, b[4], b[5], markVersion)
	}
	return markSlot{
		seq: binary.LittleEndian.Uint64(b[8:]), index: binary.LittleEndian.Uint64(b[16:]), weak: b[5] == markWeakFlag,
	}, nil
}

var errMarkSlot = errors.New("no slot has a matching checksum")

// decodeMark returns the newest whole slot. One slot of a newer version is enough to refuse: the other is older.
func decodeMark(b []byte) (markSlot, error) {
	if len(b) != markFileBytes {
		return markSlot{}, errors.New("wrong size")
	}
	s0, err0 := decodeMarkSlot(b)
	s1, err1 := decodeMarkSlot(b[markSlotStep:])
	switch {
	case errors.Is(err0, ErrVersion):
		return markSlot{}, err0
	case errors.Is(err1, ErrVersion):
		return markSlot{}, err1
	case err0 == nil && (err1 != nil || s0.seq > s1.seq):
		return s0, nil
	}
	return s1, err1
}

type mark struct {
	f *os.File

	mu    sync.Mutex // guards what follows
	cur   markSlot
	gen   uint64 // grows when the mark is lowered: a raise that was measured before is then void
	dirty bool   // written since the last sync
}

// openMark reads the file, or makes it where the node has no state yet.
func openMark(path string) (*mark, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		b := make([]byte, markFileBytes)
		copy(b, markSlot{seq: 2}.encode())
		copy(b[markSlotStep:], markSlot{seq: 1}.encode())
		if err := writeAtomic(path, b); err != nil {
			return nil, err
		}
	}
	b, err := readBounded(path, markFileBytes)
	if err != nil {
		return nil, err
	}
	cur, err := decodeMark(b)
	if errors.Is(err, ErrVersion) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err != nil {
		return nil, damaged(path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &mark{f: f, cur: cur}, nil
}

func (m *mark) get() (slot markSlot, gen uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cur, m.gen
}

// raise moves the mark up to index unless it has been lowered since gen was read. It does not sync.
func (m *mark) raise(index, gen uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if gen != m.gen || index <= m.cur.index {
		return nil
	}
	return m.putLocked(index, m.cur.weak)
}

// lower moves the mark down to index, durably.
func (m *mark) lower(index uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gen++
	if index >= m.cur.index {
		return nil
	}
	if err := m.putLocked(index, m.cur.weak); err != nil {
		return err
	}
	m.dirty = false
	return m.f.Sync()
}

// reset states index and mode anew, durably.
func (m *mark) reset(index uint64, weak bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gen++
	if m.cur.index == index && m.cur.weak == weak {
		return m.f.Sync()
	}
	if err := m.putLocked(index, weak); err != nil {
		return err
	}
	m.dirty = false
	return m.f.Sync()
}

func (m *mark) putLocked(index uint64, weak bool) error {
	next := markSlot{seq: m.cur.seq + 1, index: index, weak: weak}
	if _, err := m.f.WriteAt(next.encode(), int64(next.seq%2)*markSlotStep); err != nil {
		return err
	}
	m.cur, m.dirty = next, true
	return nil
}

// sync forces what has been written to disk. The lock is not held meanwhile: appends must not wait for it.
func (m *mark) sync() error {
	m.mu.Lock()
	dirty := m.dirty
	m.dirty = false
	m.mu.Unlock()
	if !dirty {
		return nil
	}
	return m.f.Sync()
}

func (m *mark) close() error { return m.f.Close() }
