package fsm

import (
	"math"
	"runtime"
	"strings"
	"testing"
)

// itemValues are values of every form, and around the lengths where the form changes for a key of keyBytes.
func itemValues(keyBytes int) []value {
	vs := []value{
		intValue(0), intValue(-1), intValue(math.MaxInt64), intValue(math.MinInt64), rawValue(""), textValue("short"),
		rawValue("12"), {obj: text("a text of its own"), enc: encRaw}, {obj: newBlob(strings.Repeat("b", blobBytesMin+1), 1)},
	}
	for _, n := range []int{100, inlineBytesMax - keyBytes - 1, inlineBytesMax - keyBytes, inlineBytesMax - keyBytes + 1, math.MaxUint16 + 1} {
		vs = append(vs, rawValue(strings.Repeat("v", max(0, n))))
	}
	return vs
}

// TestItemsHoldWhatTheyWereMadeOf puts every form of value under keys of every length, with and without a deadline, and
// compares the item, its copies and what becomes of it by changes in place.
func TestItemsHoldWhatTheyWereMadeOf(t *testing.T) {
	for _, keyBytes := range []int{0, 1, 2, 16, 100, inlineBytesMax - 1, inlineBytesMax, inlineBytesMax + 1, math.MaxUint16 + 1} {
		key := strings.Repeat("k", keyBytes)
		for _, v := range itemValues(keyBytes) {
			for _, at := range []int64{0, 1, math.MaxInt64} {
				it := newItem(key, v, at, 7)
				it.version = 99
				it.access.Store(5)
				check := func(what string, got *item, at int64, gen uint32) {
					t.Helper()
					w := got.value()
					if got.key() != key || w.Text() != v.Text() || w.Len() != v.Len() || w.enc != v.enc || got.enc != v.enc ||
						got.expireAt() != at || got.gen != gen || got.version != 99 || got.access.Load() != 5 || got.kind() != kindString {
						t.Fatalf("%s of a key of %d bytes, a value of %d (%v) and deadline %d is another", what, keyBytes, v.Len(), v.enc, at)
					}
				}
				check("the item", it, at, 7)
				check("a copy", it.clone(8), at, 8)
				check("a copy with a deadline", it.remade(3, 8), 3, 8)
				check("a copy without one", it.remade(0, 8), 0, 8)
				neighbour := newItem("n", v, 0, 7)
				linked := it.linked(neighbour)
				check("a linked item", linked, at, 7)
				check("its copy", linked.clone(8), at, 8)
				if linked.next() != neighbour || linked.clone(8).next() != nil || it.linked(nil).next() != nil {
					t.Fatal("a neighbour is lost or kept")
				}
				if it.setDeadline(77) {
					check("the item with its deadline changed", it, 77, 7)
				} else if at != 0 || it.big() != nil {
					t.Fatal("no room for a deadline")
				}
			}
		}
	}
}

// TestIntegersAreCountedInPlace: a counter needs no memory but its item.
func TestIntegersAreCountedInPlace(t *testing.T) {
	it := newItem("counter", intValue(1), 0, 1)
	if !it.setValue(intValue(math.MinInt64)) || it.value().Text() != "-9223372036854775808" {
		t.Errorf("%q after a change in place", it.value().Text())
	}
	if it.setValue(rawValue("x")) || newItem("k", rawValue("x"), 0, 1).setValue(intValue(1)) {
		t.Error("the bytes of a string were changed in place")
	}
}

// TestAnItemIsOnePieceOfMemory: with a short string there is nothing beside it, and it is as long as its parts.
func TestAnItemIsOnePieceOfMemory(t *testing.T) {
	key, v := "key:000000000001", rawValue(strings.Repeat("v", 100))
	items := make([]*item, 0, 1000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range cap(items) {
		items = append(items, newItem(key, v, 0, 1))
	}
	runtime.ReadMemStats(&after)
	n := uint64(len(items))
	if got := (after.TotalAlloc - before.TotalAlloc) / n; got > 160 {
		t.Errorf("a key of 16 bytes and a value of 100 take %d bytes", got)
	}
	if got := float64(after.Mallocs-before.Mallocs) / float64(n); got > 1.1 {
		t.Errorf("%.1f pieces an item", got)
	}
	runtime.KeepAlive(items)
}

// TestReadsSurviveTheirItem: what a reader has taken from an item stays as it is when the item is replaced and collected.
func TestReadsSurviveTheirItem(t *testing.T) {
	m := New()
	key, old := []byte("key"), strings.Repeat("old", 30)
	mustApply(t, m, 1, entryOf(testTime, 0, []string{"SET", "key", old}))
	it := m.dbs[0].get(m.cluster.hash.sum(key), key)
	name, read := it.key(), it.value().Text()
	for i := range uint64(50) {
		mustApply(t, m, i+2, entryOf(testTime, 0, []string{"SET", "key", strings.Repeat("new", 30)}))
		runtime.GC()
	}
	if name != "key" || read != old {
		t.Errorf("%q: %q", name, read)
	}
}
