package fsm

import (
	"fmt"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// TestListEvents: the names are redis-server's, and so is their order. Every line is run on the same machine.
func TestListEvents(t *testing.T) {
	testEvents(t, command.EventList|command.EventGeneric, []toldBy{
		{"LPUSH l a b c", "lpush l"},
		{"LPUSHX l d", "lpush l"},
		{"RPUSHX l d", "rpush l"},
		{"RPUSHX none d", ""},
		{"LPOP l 0", ""},
		{"LPOP l 2", "lpop l"},
		{"RPOP l 100", "rpop l, del l"},
		{"LPOP l", ""},
		{"RPUSH l a b c d e", "rpush l"},
		{"LSET l 0 a", "lset l"},
		{"LSET l 9 a", ""},
		{"LTRIM l 0 -1", "ltrim l"},
		{"LTRIM none 0 -1", ""},
		{"LREM l 0 a", "lrem l"},
		{"LREM l 0 a", ""},
		{"LINSERT l BEFORE b z", "linsert l"},
		{"LINSERT l BEFORE none z", ""},
		{"LTRIM l 5 1", "ltrim l, del l"},
		{"RPUSH l a", "rpush l"},
		{"LREM l 0 a", "lrem l, del l"},
		{"RPUSH l a", "rpush l"},
		{"LMOVE l l LEFT RIGHT", "rpush l, lpop l"},
		{"LMOVE l m LEFT RIGHT", "rpush m, lpop l, del l"},
		{"LMOVE m m LEFT LEFT", "lpush m, lpop m"},
		{"RPUSH m b c", "rpush m"},
		{"RPOPLPUSH m l", "lpush l, rpop m"},
		{"RPOPLPUSH m m", "lpush m, rpop m"},
		{"RPOPLPUSH none m", ""},
		{"LMPOP 3 none m l RIGHT", "rpop m"},
		{"LMPOP 3 none m l LEFT COUNT 10", "lpop m, del m"},
		{"LMPOP 2 none m LEFT", ""},
	})
}

// TestWatchSeesWhatListCommandsDo counts as Redis does what is a change of the key k.
func TestWatchSeesWhatListCommandsDo(t *testing.T) {
	for line, changes := range map[string]bool{
		"LPUSH k x": true, "RPUSHX k x": true, "LPOP k": true, "RPOP k 9": true, "LPOP k 0": false, "LRANGE k 0 -1": false,
		"LSET k 0 a": true, "LSET k 9 a": false, "LTRIM k 0 -1": true, "LREM k 0 none": false, "LREM k 0 a": true,
		"LINSERT k BEFORE none x": false, "LINSERT k BEFORE a x": true, "LMOVE k k LEFT LEFT": true,
		"LMOVE k other LEFT LEFT": true, "LMOVE other k LEFT LEFT": false, "RPOPLPUSH x k": true, "RPUSHX other x": false,
		"LMPOP 2 other k LEFT": true, "LMPOP 2 x k LEFT": false,
	} {
		m := New()
		execute(t, m, "RPUSH k a b")
		execute(t, m, "RPUSH x a b")
		w := m.Watch(0, [][]byte{[]byte("k")})
		execute(t, m, line)
		if held := m.watchesHold(w); held == changes {
			t.Errorf("%s: a WATCH of k holds: %t", line, held)
		}
	}
}

// TestAListSaysNothingOfItsHistory: lists of equal elements are the same to a snapshot and to MEMORY USAGE, however they came
// to be.
func TestAListSaysNothingOfItsHistory(t *testing.T) {
	const n = 2000
	pushed, inserted := New(), New()
	for i := range n {
		execute(t, pushed, fmt.Sprint("RPUSH l ", n-i))
	}
	execute(t, inserted, "RPUSH l 1")
	execute(t, inserted, fmt.Sprint("LPUSH l ", n))
	for i := 2; i < n; i++ { // each before the last but one, so that chunks are split
		execute(t, inserted, fmt.Sprint("LINSERT l BEFORE ", i-1, " ", i))
	}
	encoded := func(m *Machine) string {
		it := m.dbs[0].get(m.cluster.hash.sum([]byte("l")), []byte("l"))
		return string(it.value().obj.(*list).appendTo(nil))
	}
	if encoded(pushed) != encoded(inserted) {
		t.Error("the encodings differ")
	}
	for _, line := range []string{"MEMORY USAGE l", "MEMORY USAGE l SAMPLES 0"} {
		if a, b := execute(t, pushed, line), execute(t, inserted, line); a != b {
			t.Errorf("%s: %s and %s", line, a, b)
		}
	}
}

// TestMalformedLists: what no writer makes is refused.
func TestMalformedLists(t *testing.T) {
	for name, tail := range map[string]string{
		"empty":           "\x01\x00\x00\x00\x00",
		"an unknown form": "\x01\x01\x00\x00\x01\x01a",
		"cut off":         "\x01\x00\x00\x00\x02\x01a",
		"a cut element":   "\x01\x00\x00\x00\x01\x02a",
		"a huge count":    "\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01a",
	} {
		d := decoder{rest: []byte("\x01k" + tail)}
		if d.item(); !d.bad {
			t.Errorf("%s: it is taken", name)
		}
	}
	d := decoder{rest: []byte("\x01k\x01\x00\x00\x00\x02\x01a\x00")}
	if it := d.item(); d.bad || it.value().obj.(*list).size() != 2 {
		t.Error("a list of two elements is refused")
	}
}
