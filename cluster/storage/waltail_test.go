package storage

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/types"
)

// tornRecord is a log whose last record is about to be cut: dir holds the log before it, segment the bytes with it.
type tornRecord struct {
	o          Options
	last       uint64 // the entry that the record holds
	name       string // of the segment
	segment    []byte
	start, end int // of the record
	pristine   map[string][]byte
}

// storeSingly appends entries one by one.
func storeSingly(t *testing.T, o Options, to uint64) {
	t.Helper()
	d := mustOpen(t, o)
	setTerm(t, d, 1)
	for i := uint64(1); i <= to; i++ {
		must(t, d.Log().StoreLog(entry(i, 1)))
	}
	mustClose(t, d)
}

// newTornRecord makes the record of an entry, or of the first one that fills and seals a segment.
func newTornRecord(t *testing.T, seals bool) *tornRecord {
	t.Helper()
	base := memoryDir(t)
	r := &tornRecord{o: testOptions(filepath.Join(base, "before"), LogWAL), last: 6}
	whole := r.o
	whole.Path = filepath.Join(base, "whole")
	if seals {
		r.last = sealingEntry(t)
	}
	storeSingly(t, r.o, r.last-1)
	storeSingly(t, whole, r.last)
	r.name = tailSegment(t, r.o.Path)
	var err error
	r.segment, err = os.ReadFile(filepath.Join(whole.Path, logName, filepath.Base(r.name)))
	must(t, err)
	old, err := os.ReadFile(r.name)
	must(t, err)
	for r.segment[r.start] == old[r.start] {
		r.start++
	}
	r.end = len(trimZeros(r.segment))
	r.pristine = make(map[string][]byte)
	for _, p := range files(t, r.o.Path) {
		b, err := os.ReadFile(p)
		must(t, err)
		r.pristine[strings.TrimPrefix(p, r.o.Path)] = b
	}
	return r
}

// sealingEntry is the entry whose append fills the first segment.
func sealingEntry(t *testing.T) uint64 {
	t.Helper()
	o := testOptions(filepath.Join(memoryDir(t), "probe"), LogWAL)
	storeSingly(t, o, 60)
	d := mustOpen(t, o)
	defer mustClose(t, d)
	table := loadTable(t, o.Path)
	if len(table.Segments) < 2 {
		t.Fatal("60 entries do not fill a segment")
	}
	return table.Segments[0].MaxIndex
}

// restore puts the directory back as it was before the record, and gives the segment's bytes a new end.
func (r *tornRecord) restore(t *testing.T, tail []byte, acked bool) {
	t.Helper()
	restore(t, r.o.Path, r.pristine)
	must(t, os.WriteFile(r.name, tail, 0o600))
	if acked {
		raiseMark(t, r.o.Path, r.last)
	}
}

// raiseMark says that an entry was durable.
func raiseMark(t *testing.T, path string, index uint64) {
	t.Helper()
	m, err := openMark(filepath.Join(path, markName))
	must(t, err)
	_, gen := m.get()
	must(t, m.raise(index, gen))
	must(t, m.close())
}

// cuts are what a crash may leave of a record of which the first bytes up to cut were written: nothing behind them, and
// no end of the file; zeros; what was there by chance.
func (r *tornRecord) cuts(cut int, rnd *rand.Rand) map[string][]byte {
	zeroed, garbage := bytes.Clone(r.segment), bytes.Clone(r.segment)
	clear(zeroed[cut:])
	for i := cut; i < len(garbage) && i < r.end+512; i++ {
		garbage[i] = byte(rnd.Uint32())
	}
	// Behind it stands what looks like the frames of a batch that was cut short before: an index among them.
	frame := (cut + 2*walFrameBytes - 1) / walFrameBytes * walFrameBytes
	framed := append(bytes.Clone(zeroed), make([]byte, 4*walFrameBytes)...)
	copy(framed[frame:], []byte{walFrameEntry, 0, 0, 0, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, walFrameIndex, 0, 0, 0, 8, 0, 0, 0})
	return map[string][]byte{"cut off": r.segment[:cut], "zeroed": zeroed, "garbage": garbage, "old frames": framed}
}

// The last record of the log, cut at every byte: where it was never acknowledged it is a torn write, and the log goes on
// behind the entry before it; where it was acknowledged that is named, and nothing is changed.
func TestTornAtEveryByte(t *testing.T) {
	for name, seals := range map[string]bool{"a record": false, "a record that fills its segment": true} {
		t.Run(name, func(t *testing.T) {
			r := newTornRecord(t, seals)
			rnd := rand.New(rand.NewPCG(1, 2))
			for cut := r.start; cut < r.end; cut += tornStep() {
				for how, tail := range r.cuts(cut, rnd) {
					if err := r.checkTorn(t, tail); err != nil {
						t.Fatalf("%s at byte %d of %d: %v", how, cut-r.start, r.end-r.start, err)
					}
				}
			}
			t.Logf("entry %d: a record of %d bytes, cut at every %d", r.last, r.end-r.start, tornStep())
		})
	}
}

// checkTorn opens what was left twice, as unacknowledged and as acknowledged.
func (r *tornRecord) checkTorn(t *testing.T, tail []byte) error {
	r.restore(t, tail, false)
	d, err := Open(r.o)
	if err != nil {
		return err
	}
	wantEntries(t, d, 1, r.last-1, 1)
	// What follows is shorter and longer than what was torn, and must be there at the next start, too.
	must(t, d.Log().StoreLogs([]*raft.Log{{Index: r.last, Term: 1, Data: []byte("short")}}))
	must(t, d.Log().StoreLogs([]*raft.Log{entry(r.last+1, 1)}))
	mustClose(t, d)
	d = mustOpen(t, r.o)
	var l raft.Log
	must(t, d.Log().GetLog(r.last, &l))
	must(t, d.Log().GetLog(r.last+1, &l))
	must(t, same(&l, entry(r.last+1, 1)))
	mustClose(t, d)

	r.restore(t, tail, true)
	d, err = Open(r.o)
	if err == nil {
		_ = d.Close()
		return errors.New("acknowledged and torn, and it opened")
	}
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), filepath.Join(r.o.Path, logName)) {
		return err
	}
	if now, err := os.ReadFile(r.name); err != nil || !bytes.Equal(now, tail) {
		return errors.Join(errors.New("what is left of an acknowledged record was changed"), err)
	}
	return nil
}

// A crash, or a disk without room, between the end of a segment and the next one. raft-wal by itself would refuse every
// append from then on.
func TestCrashBetweenSegments(t *testing.T) {
	r := newTornRecord(t, true)
	for _, acked := range []bool{false, true} {
		r.restore(t, r.segment, acked)
		d := mustOpen(t, r.o)
		wantEntries(t, d, 1, r.last, 1)
		fill(t, d, r.last+1, r.last+60, 1)
		mustClose(t, d)
		d = mustOpen(t, r.o)
		wantEntries(t, d, 1, r.last+60, 1)
		mustClose(t, d)
	}
}

func loadTable(t *testing.T, path string) (table types.PersistentState) {
	t.Helper()
	must(t, readSealed(filepath.Join(path, logName, walMetaName), walMetaKind, walMetaVersion, &table))
	return table
}
