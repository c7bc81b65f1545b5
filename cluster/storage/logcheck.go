package storage

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/hashicorp/raft"
)

// checkLog verifies the log at Open against the mark, the newest usable snapshot and the stored term.
//
// Every entry above the snapshot is read: raft reads just these when it starts and panics on the first that is missing
// or bad, while Open can say what is wrong and what to do (and leaves them in the page cache for raft). The entries
// below the snapshot only serve followers that lag; they are verified when they are read.
func checkLog(s *logStore, snap snapshotPoint, term uint64, logger *slog.Logger) error {
	slot, _ := s.mark.get()
	first, last, err := s.checkBounds(slot)
	if err != nil || last == 0 {
		return err
	}
	last, lastTerm, err := s.checkEntries(slot, snap, first, last, logger)
	if err != nil {
		return err
	}
	if lastTerm > term || snap.term > term {
		// A term is made durable before anything of it: the stable store went back in time and may vote twice.
		return damagedf(stableName, "holds term %d, but the log or a snapshot reaches term %d", term, max(lastTerm, snap.term))
	}
	return s.dropCovered(snap, first, last, logger)
}

func (s *logStore) checkBounds(slot markSlot) (first, last uint64, err error) {
	err = contain(func() error {
		if first, err = s.raw.FirstIndex(); err == nil {
			last, err = s.raw.LastIndex()
		}
		return err
	})
	if err != nil {
		return 0, 0, classify(s.place, err)
	}
	if last < slot.index {
		return 0, 0, damagedf(s.place, "ends at entry %d, but entry %d was durable", last, slot.index)
	}
	if (first == 0) != (last == 0) || first > last {
		return 0, 0, damagedf(s.place, "says that it reaches from entry %d to %d", first, last)
	}
	return first, last, nil
}

// checkEntries verifies the entries that raft will read and returns the last index and its term. Entries that were
// never made durable may be torn after a power cut: the log is cut before the first such one.
func (s *logStore) checkEntries(slot markSlot, snap snapshotPoint, first, last uint64, logger *slog.Logger) (end, term uint64, err error) {
	if first > snap.index+1 {
		return 0, 0, damagedf(s.place, "begins at entry %d, but the newest usable snapshot ends at %d", first, snap.index)
	}
	from := max(first, snap.index+1)
	if slot.weak {
		from = max(first, min(from, slot.index+1))
	}
	// The newest entry comes first: where its number itself is damaged, the loop would not end.
	newest, err := s.read(last)
	if err != nil && !(slot.weak && last > slot.index) {
		return 0, 0, s.entryDamage(last, err)
	}
	for index := from; index <= last; index++ {
		l, err := s.read(index)
		if err == nil && l.Term < term {
			err = fmt.Errorf("entry %d: term %d after term %d", index, l.Term, term)
		}
		if err != nil && slot.weak && index > slot.index {
			return s.cutTail(index, first, last, term, err, logger)
		}
		if err != nil {
			return 0, 0, s.entryDamage(index, err)
		}
		term = l.Term
	}
	return last, newest.Term, nil
}

func (s *logStore) entryDamage(index uint64, err error) error {
	if errors.Is(err, raft.ErrLogNotFound) {
		err = fmt.Errorf("entry %d is missing", index)
	}
	return classify(s.place, err)
}

// cutTail drops what a run with lazy syncs lost in a power cut, as its mode allows.
func (s *logStore) cutTail(index, first, last, term uint64, cause error, logger *slog.Logger) (uint64, uint64, error) {
	logger.Warn("log: entries that were not synced before a power cut are torn; they are dropped, as the fsync mode allows",
		"from", index, "to", last, "err", cause)
	if err := contain(func() error { return s.deleteLocked(index, last) }); err != nil {
		return 0, 0, err
	}
	if index == first {
		return 0, 0, nil
	}
	return index - 1, term, nil
}

// dropCovered empties a log that is of no more use under the snapshot, as section 7 of the Raft paper has it: one that
// ends before the snapshot (a crash between the two steps of an install; a monotonic store would refuse the next append
// for ever), and one that disagrees with it at its last entry (hashicorp/raft #697).
func (s *logStore) dropCovered(snap snapshotPoint, first, last uint64, logger *slog.Logger) error {
	if last == 0 || snap.index == 0 {
		return nil
	}
	why := ""
	if last < snap.index && s.monotonic {
		why = "it ends before the newest snapshot"
	}
	if snap.index >= first && snap.index <= last {
		l, err := s.read(snap.index)
		switch {
		case errors.Is(err, raft.ErrLogNotFound) && !s.monotonic:
		case err != nil:
			return s.entryDamage(snap.index, err)
		case l.Term != snap.term:
			why = fmt.Sprintf("its entry %d is of term %d, the snapshot's of term %d", snap.index, l.Term, snap.term)
		}
	}
	if why == "" {
		return nil
	}
	logger.Warn("log: emptied under the newest snapshot", "why", why, "first", first, "last", last, "snapshot", snap.index)
	return contain(func() error { return s.deleteLocked(first, last) })
}
