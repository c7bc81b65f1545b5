package storage

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/segment"
)

func TestLogLeavesTheCallersEntriesAlone(t *testing.T) {
	forKinds(t, func(t *testing.T, kind string) {
		d := mustOpen(t, testOptions(t.TempDir(), kind))
		setTerm(t, d, 1)
		plain, own, sealed := entry(1, 1), entry(2, 1), entry(3, 1)
		own.Extensions = []byte("of another layer")
		sealed.Extensions = appendRecord(nil, sealed, nil) // as from a leader that left its record on
		record := bytes.Clone(sealed.Extensions)
		must(t, d.Log().StoreLogs([]*raft.Log{plain, own, sealed}))
		if plain.Extensions != nil || string(own.Extensions) != "of another layer" || !bytes.Equal(sealed.Extensions, record) {
			t.Fatal("the caller's entries were changed")
		}
		sealed.Extensions = nil
		for _, want := range []*raft.Log{plain, own, sealed} {
			got := raft.Log{Data: []byte("stale"), Extensions: []byte("stale")}
			must(t, d.Log().GetLog(want.Index, &got))
			must(t, same(&got, want))
		}
		var l raft.Log
		if err := d.Log().GetLog(4, &l); err != raft.ErrLogNotFound { // raft compares it so
			t.Fatalf("got %v", err)
		}
		must(t, d.Err())

		bad := entry(4, 1)
		bad.Extensions = appendRecord(nil, bad, nil)
		bad.Data = append(bad.Data, 1)
		wantIs(t, d.Log().StoreLog(bad), ErrDamaged)
	})
}

func TestEntryTooBig(t *testing.T) {
	d := mustOpen(t, testOptions(t.TempDir(), LogWAL))
	setTerm(t, d, 1)
	big := &raft.Log{Index: 1, Term: 1, Data: make([]byte, EntryBytesMax+1)}
	wantIs(t, d.Log().StoreLog(big), ErrEntryTooBig)
	must(t, d.Err())
	big.Data = big.Data[:EntryBytesMax]
	must(t, d.Log().StoreLog(big))
	var l raft.Log
	must(t, d.Log().GetLog(1, &l))
	if len(l.Data) != EntryBytesMax {
		t.Fatal(len(l.Data))
	}
}

func TestBatchLen(t *testing.T) {
	big := &raft.Log{Data: make([]byte, EntryBytesMax)}
	for n, want := range []int{0, 1, 2, 2, 2} {
		logs := make([]*raft.Log, n)
		for i := range logs {
			logs[i] = big
		}
		if got := batchLen(logs); got != want {
			t.Errorf("%d entries: %d, want %d", n, got, want)
		}
	}
}

func TestTruncate(t *testing.T) {
	forKinds(t, func(t *testing.T, kind string) {
		o := testOptions(t.TempDir(), kind)
		d := mustOpen(t, o)
		if m := d.Log().(raft.MonotonicLogStore).IsMonotonic(); m != (kind == LogWAL) {
			t.Fatalf("monotonic: %v", m)
		}
		fill(t, d, 1, 100, 1)
		snapshot(t, d, 40, 1, []byte("state"))
		must(t, d.Log().DeleteRange(1, 40))
		must(t, d.Log().DeleteRange(81, 100))
		wantEntries(t, d, 41, 80, 1)
		mustClose(t, d)
		d = mustOpen(t, o)
		wantEntries(t, d, 41, 80, 1)
		must(t, d.Log().DeleteRange(1, 200))
		wantEntries(t, d, 0, 0, 1)
		mustClose(t, d)
		d = mustOpen(t, o)
		wantEntries(t, d, 0, 0, 1)
		fill(t, d, 41, 50, 1)
		mustClose(t, d)
		wantEntries(t, mustOpen(t, o), 41, 50, 1)
	})
}

// A crash after the mark was lowered and before the entries went.
func TestCrashInTruncate(t *testing.T) {
	o := testOptions(t.TempDir(), LogWAL)
	d := mustOpen(t, o)
	fill(t, d, 1, 20, 1)
	must(t, d.log.mark.lower(10))
	o.Path = copyTree(t, o.Path)
	wantEntries(t, mustOpen(t, o), 1, 20, 1)
}

func TestGapIsDamage(t *testing.T) {
	forKinds(t, func(t *testing.T, kind string) {
		o := testOptions(t.TempDir(), kind)
		d := mustOpen(t, o)
		fill(t, d, 1, 60, 1)
		snapshot(t, d, 30, 1, []byte("older"))
		id := snapshot(t, d, 50, 1, []byte("newer"))
		must(t, d.Log().DeleteRange(1, 45))
		mustClose(t, d)
		mustClose(t, mustOpen(t, o))
		mutate(t, filepath.Join(o.Path, snapshotsName, id, snapshotStateName), func(b []byte) []byte {
			b[0] ^= 1
			return b
		})
		wantRefused(t, o, ErrDamaged) // raft would fall to the older snapshot and panic at entry 31
	})
}

// Logs that are of no use under the snapshot are emptied: hashicorp/raft #697.
func TestLogUnderSnapshot(t *testing.T) {
	forKinds(t, func(t *testing.T, kind string) {
		o := testOptions(t.TempDir(), kind)
		d := mustOpen(t, o)
		fill(t, d, 1, 60, 1)
		setTerm(t, d, 2)
		snapshot(t, d, 50, 2, []byte("conflicts"))
		mustClose(t, d)
		d = mustOpen(t, o)
		wantEntries(t, d, 0, 0, 1)
		fill(t, d, 51, 60, 2)
		snapshot(t, d, 80, 2, []byte("ahead"))
		mustClose(t, d)
		d = mustOpen(t, o)
		if kind == LogBoltDB {
			wantEntries(t, d, 51, 60, 2) // it bears the gap that follows
		} else {
			wantEntries(t, d, 0, 0, 2)
		}
		fill(t, d, 81, 90, 2)
		mustClose(t, d)
		mustClose(t, mustOpen(t, o))
	})
}

// tailSegment is the newest segment of a raft-wal.
func tailSegment(t *testing.T, path string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(path, logName, "*.wal"))
	must(t, err)
	return names[len(names)-1]
}

// An append that a power cut tears was not acknowledged: the log ends before it. One that the mark knows of was: damage.
func TestTornTailWAL(t *testing.T) {
	o := testOptions(t.TempDir(), LogWAL)
	d := mustOpen(t, o)
	fill(t, d, 1, 5, 1)
	before := copyTree(t, o.Path)
	fill(t, d, 6, 6, 1)
	after := copyTree(t, o.Path)

	whole, err := os.ReadFile(tailSegment(t, after))
	must(t, err)
	old, err := os.ReadFile(tailSegment(t, before))
	must(t, err)
	end := len(whole)
	for whole[end-1] == 0 {
		end--
	}
	start := 0
	for whole[start] == old[start] {
		start++
	}
	for _, cut := range []int{start, start + 1, start + 7, start + 8, (start + end) / 2, end - 9, end - 4, end - 1} {
		torn := bytes.Clone(whole)
		clear(torn[cut:])
		for base, acked := range map[string]bool{before: false, after: true} {
			to := o
			to.Path = copyTree(t, base)
			must(t, os.WriteFile(tailSegment(t, to.Path), torn, 0o600))
			if acked {
				wantRefused(t, to, ErrDamaged)
				continue
			}
			d := mustOpen(t, to)
			wantEntries(t, d, 1, 5, 1)
			fill(t, d, 6, 9, 1)
			mustClose(t, d)
			wantEntries(t, mustOpen(t, to), 1, 9, 1)
		}
	}
}

// bbolt commits by its meta page: what came before it does not matter, and after it the entry is there.
func TestTornTailBolt(t *testing.T) {
	o := testOptions(t.TempDir(), LogBoltDB)
	d := mustOpen(t, o)
	fill(t, d, 1, 5, 1)
	before := copyTree(t, o.Path)
	fill(t, d, 6, 6, 1)
	after := copyTree(t, o.Path)
	name := filepath.Join(logName, logBoltName)
	whole, err := os.ReadFile(filepath.Join(after, name))
	must(t, err)
	old, err := os.ReadFile(filepath.Join(before, name))
	must(t, err)
	page := os.Getpagesize()
	for cut := 2 * page; cut <= len(whole); cut += page {
		torn := bytes.Clone(old)
		if len(torn) < len(whole) {
			torn = append(torn, make([]byte, len(whole)-len(torn))...)
		}
		copy(torn[2*page:cut], whole[2*page:])
		to := o
		to.Path = copyTree(t, before)
		must(t, os.WriteFile(filepath.Join(to.Path, name), torn, 0o600))
		wantEntries(t, mustOpen(t, to), 1, 5, 1)
	}
	// The meta page comes last: torn at any byte the transaction has not happened, and an acknowledged one is missed.
	at := page * int(boltMetaOf(t, whole))
	differs := 0
	for cut := at + boltPageHead; cut < at+boltPageHead+boltMetaBytes; cut++ {
		torn := bytes.Clone(whole)
		copy(torn[cut:at+page], old[cut:at+page])
		if bytes.Equal(torn[:cut], old[:cut]) || bytes.Equal(torn, whole) {
			continue
		}
		differs++
		for base, acked := range map[string]bool{before: false, after: true} {
			to := o
			to.Path = copyTree(t, base)
			must(t, os.WriteFile(filepath.Join(to.Path, name), torn, 0o600))
			if acked {
				wantRefused(t, to, ErrDamaged)
				continue
			}
			d := mustOpen(t, to)
			wantEntries(t, d, 1, 5, 1)
			fill(t, d, 6, 9, 1)
			mustClose(t, d)
			wantEntries(t, mustOpen(t, to), 1, 9, 1)
		}
	}
	if differs == 0 {
		t.Error("no cut of the meta page was tried")
	}
	to := o
	to.Path = copyTree(t, after)
	must(t, os.WriteFile(filepath.Join(to.Path, name), old, 0o600)) // a lost write
	wantRefused(t, to, ErrDamaged)
}

// boltMetaOf is the meta page of the last transaction.
func boltMetaOf(t *testing.T, file []byte) uint64 {
	t.Helper()
	m0, err := readBoltMeta(bytes.NewReader(file), 0, 0)
	must(t, err)
	m1, err := readBoltMeta(bytes.NewReader(file), 1, int64(m0.pageSize))
	must(t, err)
	if m1.txid > m0.txid {
		return 1
	}
	return 0
}

func TestEverySec(t *testing.T) {
	for _, mode := range []FsyncMode{FsyncEverySec, FsyncNo} {
		t.Run(mode.String(), func(t *testing.T) {
			o := testOptions(t.TempDir(), LogWAL)
			o.Fsync = mode
			d := mustOpen(t, o)
			fill(t, d, 1, 90, 1)
			// The tick of a second moves the mark, of everysec only.
			must(t, d.log.syncTickFor(mode))
			fill(t, d, 91, 100, 1)
			slot, _ := d.log.mark.get()
			if mode == FsyncEverySec && slot.index < 90 || mode == FsyncNo && slot.index != 0 {
				t.Fatalf("mark %+v", slot)
			}
			killed := o
			killed.Path = copyTree(t, o.Path)
			wantEntries(t, mustOpen(t, killed), 1, 100, 1) // a killed process loses nothing

			cut := o
			cut.Path = copyTree(t, o.Path)
			flipEntry(t, cut.Path, 93) // not in the last batch, which raft-wal checks itself
			cut.Fsync = FsyncAlways    // the mode of the run that wrote counts
			d2 := mustOpen(t, cut)
			wantEntries(t, d2, 1, 92, 1)
			mustClose(t, d2)
			flipEntry(t, cut.Path, 92)
			wantRefused(t, cut, ErrDamaged)

			mustClose(t, d)
			d = mustOpen(t, o)
			if slot, _ := d.log.mark.get(); slot.index != 100 {
				t.Fatalf("mark %+v after Close", slot)
			}
			must(t, d.Log().DeleteRange(50, 100))
			must(t, d.log.syncTickFor(mode))
			mustClose(t, d)
			wantEntries(t, mustOpen(t, o), 1, 49, 1)
		})
	}
}

// syncTickFor is what a second brings in a mode.
func (s *logStore) syncTickFor(mode FsyncMode) error {
	if mode == FsyncNo {
		return nil
	}
	return s.syncTick()
}

// flipEntry damages the data of an entry where it stands in the segments.
func flipEntry(t *testing.T, path string, index uint64) {
	t.Helper()
	want := entry(index, 1).Data
	names, err := filepath.Glob(filepath.Join(path, logName, "*.wal"))
	must(t, err)
	for _, name := range names {
		b, err := os.ReadFile(name)
		must(t, err)
		if at := bytes.Index(b, want); at >= 0 {
			b[at+len(want)/2] ^= 4
			must(t, os.WriteFile(name, b, 0o600))
			return
		}
	}
	t.Fatalf("entry %d not found", index)
}

// A lower sync in between voids what a tick has measured.
func TestMarkRaiseAfterLower(t *testing.T) {
	m, err := openMark(filepath.Join(t.TempDir(), "m"))
	must(t, err)
	defer m.close()
	_, gen := m.get()
	must(t, m.raise(10, gen))
	must(t, m.lower(5))
	must(t, m.raise(10, gen))
	if s, _ := m.get(); s.index != 5 {
		t.Fatalf("mark %+v", s)
	}
}

func TestDamagedEntryFailsTheDirectory(t *testing.T) {
	failures := make(chan error, 2)
	o := testOptions(t.TempDir(), LogWAL)
	o.OnFailure = func(err error) { failures <- err }
	d := mustOpen(t, o)
	fill(t, d, 1, 5, 1)
	flipEntry(t, o.Path, 3)
	var l raft.Log
	wantIs(t, d.Log().GetLog(3, &l), ErrDamaged)
	wantIs(t, <-failures, ErrDamaged)
	wantIs(t, d.Log().StoreLog(entry(6, 1)), ErrFailed)
	must(t, d.Log().GetLog(2, &l)) // reads go on
}

// Segment sizes of raft-wal do not bound an entry.
func TestWALLimits(t *testing.T) {
	if EntryBytesMax+1<<10 > segment.MaxEntrySize || batchBytesMax+EntryBytesMax > 1<<31 {
		t.Fatal("raft-wal could not read back what we accept")
	}
}

func FuzzRecord(f *testing.F) {
	l := entry(7, 2)
	f.Add(appendRecord(nil, l, nil), l.Data)
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, ext, data []byte) {
		got := raft.Log{Index: 7, Term: 2, Data: data, Extensions: ext}
		if takeRecord(7, &got) != nil {
			return
		}
		again := appendRecord(bytes.Clone(got.Extensions), &got, got.Extensions)
		if !bytes.Equal(again, ext) {
			t.Fatal("accepted another record than it writes")
		}
	})
}

func FuzzMark(f *testing.F) {
	b := make([]byte, markFileBytes)
	copy(b, markSlot{seq: 2, index: 9}.encode())
	copy(b[markSlotStep:], markSlot{seq: 1, weak: true}.encode())
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeMark(b)
		if err == nil && !bytes.Contains(b, s.encode()[:28]) {
			t.Fatal("read what is not there")
		}
	})
}

func FuzzBoltPages(f *testing.F) {
	path := filepath.Join(f.TempDir(), stableName)
	g := newGuard(testOptions("x", LogBoltDB))
	s, err := openStable(filepath.Dir(path), g)
	must(f, err)
	s.onState = func() error { return nil }
	must(f, s.SetUint64([]byte(keyCurrentTerm), 4))
	must(f, s.close())
	b, err := os.ReadFile(path)
	must(f, err)
	f.Add(b, uint32(0), uint16(0))
	f.Add(b, uint32(4*4096+10), uint16(0xFFFF))
	f.Fuzz(func(t *testing.T, b []byte, at uint32, v uint16) {
		if len(b) > 1<<20 {
			return
		}
		if int(at)+2 <= len(b) {
			b = bytes.Clone(b)
			binary.LittleEndian.PutUint16(b[at:], v)
		}
		_ = checkBoltPages(bytes.NewReader(b), int64(len(b)), len(b)%2 == 0) // it must end, and not panic
	})
}
