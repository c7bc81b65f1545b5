package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/hashicorp/raft"
)

// Both log stores hand flipped bits out without an error, so every entry carries a record of 8 bytes at the end of
// raft.Log.Extensions, put there on the way in and taken off on the way out:
//
//	0    1   2   3          4
//	0xC5 'R' 'D' version=1  CRC32C, big endian
//
// The sum covers index, term, type, the length of the data, the data and the extensions before the record. AppendedAt is
// left out: it is only informative, and a codec may round it.
const (
	recordBytes   = 8
	recordVersion = 1
)

var recordMagic = []byte{0xC5, 'R', 'D'}

// recordSum is the checksum of an entry whose extensions, without a record, are ext.
func recordSum(l *raft.Log, ext []byte) uint32 {
	var h [25]byte
	binary.BigEndian.PutUint64(h[:], l.Index)
	binary.BigEndian.PutUint64(h[8:], l.Term)
	h[16] = byte(l.Type)
	binary.BigEndian.PutUint64(h[17:], uint64(len(l.Data)))
	sum := crc32.Checksum(h[:], castagnoli)
	sum = crc32.Update(sum, castagnoli, l.Data)
	return crc32.Update(sum, castagnoli, ext)
}

func appendRecord(dst []byte, l *raft.Log, ext []byte) []byte {
	dst = append(dst, recordMagic...)
	dst = append(dst, recordVersion)
	return binary.BigEndian.AppendUint32(dst, recordSum(l, ext))
}

// hasRecord tells whether an entry carries a record: whether the log store of a leader left it on.
func hasRecord(l *raft.Log) bool {
	n := len(l.Extensions) - recordBytes
	return n >= 0 && bytes.HasPrefix(l.Extensions[n:], recordMagic)
}

// takeRecord checks an entry that was asked for by index and takes its record off.
func takeRecord(index uint64, l *raft.Log) error {
	if l.Index != index {
		return fmt.Errorf("entry %d: found entry %d in its place", index, l.Index)
	}
	if !hasRecord(l) {
		return fmt.Errorf("entry %d: no checksum", index)
	}
	n := len(l.Extensions) - recordBytes
	record, ext := l.Extensions[n:], l.Extensions[:n:n]
	if v := record[3]; v != recordVersion {
		// The version is not under the sum: the whole directory is refused alike, whichever of the two it is.
		return fmt.Errorf("entry %d: checksum of version %d, this one reads %d: damage, or a newer version of redoubt wrote it",
			index, v, recordVersion)
	}
	if binary.BigEndian.Uint32(record[4:]) != recordSum(l, ext) {
		return fmt.Errorf("entry %d: checksum does not match", index)
	}
	if l.Extensions = ext; n == 0 {
		l.Extensions = nil
	}
	return nil
}

// logStore is raft's log: the raw store with checksums, guard and mark. It implements raft.LogStore and
// raft.MonotonicLogStore.
type logStore struct {
	guard     *guard
	raw       raft.LogStore // behind WrapLog
	closeRaw  func() error
	flush     func() error // syncs what lazy appends left
	place     string       // for messages
	monotonic bool
	weak      bool // appends do not sync
	mark      *mark

	mu   sync.Mutex // orders writes; guards what follows
	last uint64     // of the newest append, 0 before the first
	// Copies of the entries of one append. The stores encode entries before they return, so that these are used again.
	logs []raft.Log
	ptrs []*raft.Log
	exts []byte
}

// IsMonotonic says whether gaps are refused: raft then empties the log after it has installed a snapshot.
func (s *logStore) IsMonotonic() bool { return s.monotonic }

// FirstIndex is 0 for an empty log.
func (s *logStore) FirstIndex() (uint64, error) { return s.bound(s.raw.FirstIndex) }

// LastIndex is 0 for an empty log.
func (s *logStore) LastIndex() (uint64, error) { return s.bound(s.raw.LastIndex) }

func (s *logStore) bound(get func() (uint64, error)) (index uint64, err error) {
	err = contain(func() error {
		index, err = get()
		return err
	})
	return index, s.readError(err)
}

// GetLog reads an entry: whole as it was stored, raft.ErrLogNotFound, or an error that wraps ErrDamaged.
func (s *logStore) GetLog(index uint64, out *raft.Log) error {
	l, err := s.read(index)
	if err != nil {
		return s.readError(err)
	}
	*out = l
	return nil
}

// read returns an entry without taking an error for the end of the store.
func (s *logStore) read(index uint64) (l raft.Log, err error) {
	err = contain(func() error { return s.raw.GetLog(index, &l) })
	if err == nil {
		err = takeRecord(index, &l)
	} else if !errors.Is(err, raft.ErrLogNotFound) {
		err = fmt.Errorf("entry %d: %w", index, err)
	}
	return l, err
}

// readError fails the directory on an error that is more than "not there". Raft compares ErrLogNotFound itself.
func (s *logStore) readError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrLogNotFound):
		return raft.ErrLogNotFound
	case s.guard.closed.Load():
		return ErrClosed
	}
	err = classify(s.place, err)
	_ = s.guard.fail(opLogRead, err)
	return err
}

// StoreLog stores one entry.
func (s *logStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs appends entries. The entries given are only read: raft caches and replicates them meanwhile. A crash may
// leave a prefix of them. An entry above EntryBytesMax is refused before anything is written.
func (s *logStore) StoreLogs(logs []*raft.Log) error {
	for _, l := range logs {
		if n := len(l.Data) + len(l.Extensions); n > EntryBytesMax {
			return fmt.Errorf("%w: entry %d of %d bytes: at most %d", ErrEntryTooBig, l.Index, n, EntryBytesMax)
		}
	}
	if len(logs) == 0 {
		return s.guard.err()
	}
	return s.guard.write(opLogAppend, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for rest := logs; len(rest) > 0; {
			n := batchLen(rest)
			if err := s.appendLocked(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	})
}

// batchLen is how many entries, at least one, go into one append of the raw store.
func batchLen(logs []*raft.Log) int {
	size := 0
	for i, l := range logs {
		if size += len(l.Data) + len(l.Extensions); size > batchBytesMax && i > 0 {
			return i
		}
	}
	return len(logs)
}

func (s *logStore) appendLocked(logs []*raft.Log) error {
	if err := s.copyLocked(logs); err != nil {
		return err
	}
	err := s.raw.StoreLogs(s.ptrs)
	clear(s.logs) // do not keep the data alive
	if err != nil {
		return fmt.Errorf("%s: %w", s.place, err) // bbolt's errors name no file
	}
	s.last = logs[len(logs)-1].Index
	if s.weak {
		if !slices.ContainsFunc(logs, isConfiguration) {
			return nil // the mark follows the sync
		}
		if err := s.flush(); err != nil {
			return err
		}
	}
	_, gen := s.mark.get()
	return s.mark.raise(s.last, gen)
}

// isConfiguration tells the entries that are synced in every mode, and with them what came before. They are few, and a
// power cut that took them from all nodes would leave none that knows who votes: no leader, for ever.
func isConfiguration(l *raft.Log) bool { return l.Type == raft.LogConfiguration }

// copyLocked fills logs and ptrs with copies that carry a record.
func (s *logStore) copyLocked(logs []*raft.Log) error {
	need := 0
	for _, l := range logs {
		need += len(l.Extensions) + recordBytes
	}
	if cap(s.exts) < need {
		s.exts = make([]byte, 0, need)
	}
	s.exts, s.logs, s.ptrs = s.exts[:0], s.logs[:0], s.ptrs[:0]
	for _, l := range logs {
		c := *l
		if hasRecord(l) {
			// A leader's store left its record on: what came over the network must be what it stored.
			if err := takeRecord(l.Index, &c); err != nil {
				return damaged("entry from the leader", err)
			}
		}
		from := len(s.exts)
		s.exts = append(s.exts, c.Extensions...)
		s.exts = appendRecord(s.exts, &c, c.Extensions)
		c.Extensions = s.exts[from:len(s.exts):len(s.exts)]
		s.logs = append(s.logs, c)
	}
	for i := range s.logs {
		s.ptrs = append(s.ptrs, &s.logs[i])
	}
	return nil
}

// DeleteRange deletes the entries from lo to hi inclusive: a prefix or a suffix of the log.
func (s *logStore) DeleteRange(lo, hi uint64) error {
	return s.guard.write(opLogTruncate, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.deleteLocked(lo, hi)
	})
}

func (s *logStore) deleteLocked(lo, hi uint64) error {
	first, err := s.raw.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.raw.LastIndex()
	if err != nil {
		return err
	}
	if first == 0 || lo > hi || hi < first || lo > last {
		return nil
	}
	if hi >= last {
		// First the mark, durably: a crash between the two must not look like a lost tail.
		end := uint64(0)
		if lo > first {
			end = lo - 1
		}
		if err := s.mark.lower(end); err != nil {
			return err
		}
		s.last = end
	}
	if err := s.raw.DeleteRange(lo, hi); err != nil {
		return fmt.Errorf("%s: %w", s.place, err)
	}
	return nil
}

// syncTick makes lazy appends durable and lets the mark follow.
func (s *logStore) syncTick() error {
	if s.weak {
		s.mu.Lock()
		last := s.last
		_, gen := s.mark.get()
		s.mu.Unlock()
		if err := s.flush(); err != nil {
			return err
		}
		if err := s.mark.raise(last, gen); err != nil {
			return err
		}
	}
	return s.mark.sync()
}

// close makes everything durable, unless the directory has failed, and closes the files.
func (s *logStore) close(failed bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if !failed {
		if err = s.flush(); err == nil && s.last > 0 {
			_, gen := s.mark.get()
			err = s.mark.raise(s.last, gen)
		}
		if err == nil {
			err = s.mark.sync()
		}
	}
	return errors.Join(err, contain(s.closeRaw), s.mark.close())
}
