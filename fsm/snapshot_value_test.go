package fsm

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// TestOldSnapshotIsRead: version 1, whose bytes lie in testdata, gives the same state as its entries.
func TestOldSnapshotIsRead(t *testing.T) {
	f, err := os.Open("testdata/snapshot-v1.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	old, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if old[len(snapshotMagic)] != 1 || !bytes.Contains(old, make([]byte, 40000)) {
		t.Fatal("testdata/snapshot-v1.gz is not what it was")
	}
	r := New()
	if err := r.Restore(bytes.NewReader(old)); err != nil {
		t.Fatal(err)
	}
	want := oldSample(t)
	if r.Digest() != want.Digest() || r.Index() != want.Index() {
		t.Error("a snapshot of version 1 gives another state than its entries")
	}
	if now := written(t, r); now[len(snapshotMagic)] != snapshotVersion || len(now) > len(old)/4 {
		t.Errorf("written anew it has version %d and %d bytes", now[len(snapshotMagic)], len(now))
	}
}

// oldSample is the machine whose snapshot testdata/snapshot-v1.gz is, written by a build of version 1. The entries and
// the file stay as they are for ever.
func oldSample(t testing.TB) *Machine {
	m := New()
	mustApply(t, m, 1, append(AppendEntryHeader(nil, EntryHeader{Kind: EntryInit, Time: testTime}),
		`{"cluster_id":"old","hash_key_0":3,"hash_key_1":4,"databases":16}`...))
	mustApply(t, m, 2, append(AppendEntryHeader(nil, EntryHeader{Kind: EntryMember, Time: testTime}),
		`{"id":"n1","raft_addr":"a:1","resp_addr":"a:2","instance":"i","version":"v"}`...))
	mustApply(t, m, 3, append(AppendEntryHeader(nil, EntryHeader{Kind: EntryLead, Time: testTime}), `{"term":3,"node_id":"n1"}`...))
	mustApply(t, m, 4, entryOf(testTime, 0, []string{"SET", "int", "12"}, []string{"SET", "embstr", "text"},
		[]string{"SET", "", "", "PX", "5000"}, []string{"APPEND", "raw", "a"}, []string{"APPEND", "raw", "b"},
		[]string{"SET", "gone", "x"}, []string{"DEL", "gone"}))
	mustApply(t, m, 5, entryOf(testTime+1, 7, []string{"SETRANGE", "holes", "40000", "x"}, []string{"SET", "k\x00\r\n", "\x00\xff"}))
	return m
}

// holedTexts are strings with zeros in places where holes begin and end.
func holedTexts() map[string]string {
	zero := func(n int) string { return strings.Repeat("\x00", n) }
	full := strings.Repeat("x", chunkBytes)
	return map[string]string{
		"short zeros":         zero(blobBytesMin),
		"all zeros":           zero(4 * chunkBytes),
		"zeros and a bit":     zero(3*chunkBytes + 1),
		"no hole":             full + full + full,
		"zeros across chunks": full[1:] + zero(chunkBytes) + full + full,
		"a hole first":        zero(chunkBytes) + full + full,
		"a hole last":         full + full + zero(chunkBytes),
		"a short hole last":   full + full + full + zero(5),
		"holes between":       full + zero(2*chunkBytes) + full + full + zero(chunkBytes) + full[:7],
		"one byte at the end": zero(5*chunkBytes-1) + "x",
	}
}

// TestHolesComeBack: every string comes back from a snapshot as it was, and the snapshot is the same whether a node holds
// the string in one piece, or in chunks that it wrote one by one, or has it from a snapshot.
func TestHolesComeBack(t *testing.T) {
	for name, text := range holedTexts() {
		whole, chunked := New(), New()
		mustApply(t, whole, 1, entryOf(testTime, 0, []string{"SET", "k", text}))
		mustApply(t, chunked, 1, entryOf(testTime, 0, []string{"SET", "k", text}))
		it := chunked.dbs[0].get(chunked.cluster.hash.sum([]byte("k")), []byte("k"))
		b := &blob{}
		b.grow(len(text))
		for at := 0; at < len(text); at += 1000 {
			b.writeAt(at, text[at:min(at+1000, len(text))], 0)
		}
		if len(text) > blobBytesMin {
			it.setValue(value{obj: b, enc: it.enc})
		}
		data := written(t, whole)
		if !bytes.Equal(data, written(t, chunked)) {
			t.Errorf("%s: the snapshot depends on how the string is held", name)
		}
		r := New()
		if err := r.Restore(bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		back := r.dbs[0].get(r.cluster.hash.sum([]byte("k")), []byte("k"))
		if back == nil || back.value().Text() != text || back.enc != encRaw {
			t.Errorf("%s: it came back as something else", name)
		}
		if !bytes.Equal(data, written(t, r)) {
			t.Errorf("%s: the restored machine writes another snapshot", name)
		}
	}
}

// TestASparseStringCostsASnapshotLittle: the longest string with one byte in it takes no more on disk, and no more when it
// is restored, than that byte's chunk and the list of chunks.
func TestASparseStringCostsASnapshotLittle(t *testing.T) {
	m := New()
	mustApply(t, m, 1, entryOf(testTime, 0, []string{"SETRANGE", "k", "536870911", "x"}))
	data := written(t, m)
	if len(data) > 2*chunkBytes {
		t.Fatalf("a snapshot of %d bytes", len(data))
	}
	r := New()
	if err := r.Restore(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	it := r.dbs[0].get(r.cluster.hash.sum([]byte("k")), []byte("k"))
	b, ok := it.value().obj.(*blob)
	if !ok || b.n != StringBytesMax {
		t.Fatalf("%T of %d bytes", it.value().obj, it.value().Len())
	}
	filled := 0
	for _, c := range b.chunks {
		if c.data != nil {
			filled++
		}
	}
	if filled != 1 {
		t.Errorf("%d chunks are filled, want 1", filled)
	}
	// Both go on alike.
	next := entryOf(testTime, 0, []string{"SETRANGE", "k", "5", "y"}, []string{"APPEND", "k", ""}, []string{"GETRANGE", "k", "0", "9"})
	mustApply(t, m, 2, next)
	mustApply(t, r, 2, next)
	if m.Digest() != r.Digest() {
		t.Error("the digests part after the next entry")
	}
}

// TestRandomHoles writes parts of long strings at random, on replicas that are restored now and then.
func TestRandomHoles(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	r := newReplicas(t)
	r.rarely = true
	for range 300 {
		off := rng.IntN(8) * chunkBytes
		if rng.IntN(2) == 0 {
			off += rng.IntN(chunkBytes)
		}
		part := bytes.Repeat([]byte{byte(rng.IntN(2))}, rng.IntN(2*chunkBytes))
		p := command.NewProposal(nil)
		p.AddCall(0, callOf("SETRANGE", string('a'+rune(rng.IntN(3))), formatInt(int64(off)), string(part)).Args)
		if rng.IntN(20) == 0 {
			p.AddCall(0, callOf("DEL", "a").Args)
		}
		if _, err := r.apply(EntryCalls, p.Body, []int{p.Units}); err != nil {
			t.Fatal(err)
		}
		if r.index%10 == 0 {
			if err := r.agree(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestMalformedHoles: what no writer makes is refused, not guessed.
func TestMalformedHoles(t *testing.T) {
	for name, tail := range map[string]string{
		"too short for holes":  "\x80\x00\x00\x10\x80\x20",
		"longer than a string": "\x80\x00\x00\x81\x80\x80\x80\x02\x00\x00",
		"no runs":              "\x80\x00\x00\x80\x80\x04\x00\x00",
		"a hole past the end":  "\x80\x00\x00\x80\x80\x04\x81\x80\x04\x00",
		"a run past the end":   "\x80\x00\x00\x80\x80\x04\xff\xff\x03\x02ab",
		"a run cut off":        "\x80\x00\x00\x80\x80\x04\x00\x05ab",
		"of an integer":        "\x81\x00\x00\x80\x80\x04\x80\x80\x04\x00",
		"unknown encoding":     "\x03\x00\x00\x01a",
	} {
		d := decoder{rest: []byte("\x01k\x00" + tail)}
		if d.item(); !d.bad {
			t.Errorf("%s: it is taken", name)
		}
	}
	d := decoder{rest: []byte("\x01k\x00\x80\x00\x00\x80\x80\x04\x80\x80\x04\x00")}
	if it := d.item(); d.bad || it.value().Len() != 1<<16 {
		t.Error("a string of nothing but a hole is refused")
	}
}

// TestLCSOfLongStringsIsRefusedAtOnce, before it makes a copy of either.
func TestLCSOfLongStringsIsRefusedAtOnce(t *testing.T) {
	m := New()
	mustApply(t, m, 1, entryOf(testTime, 0, []string{"SETRANGE", "k", "67108864", "x"}))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := execute(t, m, "LCS k k LEN")
	runtime.ReadMemStats(&after)
	if want := "(error) ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"; got != want {
		t.Errorf("%s", got)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("a refusal takes %d bytes", n)
	}
}
