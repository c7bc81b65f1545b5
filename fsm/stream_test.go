package fsm

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/script"
)

// streamLog runs commands on replicas whose time is the test's.
type streamLog struct {
	t *testing.T
	r *replicas
}

func newStreamLog(t *testing.T) streamLog { return streamLog{t, newReplicas(t)} }

// do runs a command at a time, counted in milliseconds from the beginning of the test.
func (l streamLog) do(at int64, line string) string {
	l.t.Helper()
	l.r.now = testTime + at - 1
	v, err := l.r.do(0, 2, strings.Fields(line))
	if err != nil {
		l.t.Fatal(err)
	}
	return script.Render(v)
}

// TestStreamTimes: what is idle for how long follows from log time.
func TestStreamTimes(t *testing.T) {
	l := newStreamLog(t)
	for _, c := range []struct {
		at         int64
		line, want string
	}{
		{10, "XADD s * a 1", `"1700000000010-0"`},
		{10, "XADD s * a 1", `"1700000000010-1"`},
		{5, "XADD s * a 1", `"1700000000010-2"`},
		{20, "XADD s * a 1", `"1700000000020-0"`},
		{20, "XADD s 1700000000030-7 a 1", `"1700000000030-7"`},
		{25, "XADD s * a 1", `"1700000000030-8"`},
		{30, "XGROUP CREATE s g 1700000000020-0", `OK`},
		{40, "XREADGROUP GROUP g bob COUNT 1 STREAMS s >", `[["s", [["1700000000030-7", ["a", "1"]]]]]`},
		{50, "XGROUP CREATECONSUMER s g eve", `(integer) 1`},
		{60, "XPENDING s g - + 10", `[["1700000000030-7", "bob", 20, 1]]`},
		{60, "XPENDING s g IDLE 20 - + 10", `[["1700000000030-7", "bob", 20, 1]]`},
		{60, "XPENDING s g IDLE 21 - + 10", `[]`},
		{60, "XINFO CONSUMERS s g", `[["name", "bob", "pending", 1, "idle", 20], ["name", "eve", "pending", 0, "idle", 10]]`},
		{70, "XCLAIM s g eve 31 1700000000030-7 JUSTID", `[]`},
		{70, "XINFO CONSUMERS s g", `[["name", "bob", "pending", 1, "idle", 30], ["name", "eve", "pending", 0, "idle", 20]]`},
		{70, "XCLAIM s g eve 30 1700000000030-7 JUSTID", `["1700000000030-7"]`},
		{80, "XPENDING s g - + 10", `[["1700000000030-7", "eve", 10, 1]]`},
		{80, "XAUTOCLAIM s g bob 11 0", `["0-0", [], []]`},
		{80, "XAUTOCLAIM s g bob 10 0", `["0-0", [["1700000000030-7", ["a", "1"]]], []]`},
		{90, "XPENDING s g - + 10 bob", `[["1700000000030-7", "bob", 10, 2]]`},
		{90, "XCLAIM s g eve 0 1700000000030-7 IDLE 1000", `[["1700000000030-7", ["a", "1"]]]`},
		{90, "XPENDING s g - + 10", `[["1700000000030-7", "eve", 1000, 3]]`},
		{90, "XCLAIM s g eve 0 1700000000030-7 TIME 1700000000000 RETRYCOUNT 9", `[["1700000000030-7", ["a", "1"]]]`},
		{90, "XPENDING s g - + 10", `[["1700000000030-7", "eve", 90, 9]]`},
		{90, "XCLAIM s g eve 0 1700000000030-7 TIME 1700000000091 JUSTID", `["1700000000030-7"]`},
		{90, "XPENDING s g - + 10", `[["1700000000030-7", "eve", 0, 9]]`},
		{95, "XREADGROUP GROUP g eve STREAMS s 0", `[["s", [["1700000000030-7", ["a", "1"]]]]]`},
		{96, "XPENDING s g - + 10", `[["1700000000030-7", "eve", 1, 10]]`},
		{97, "XREADGROUP GROUP g bob STREAMS s >", `[["s", [["1700000000030-8", ["a", "1"]]]]]`},
		{98, "XINFO STREAM s FULL COUNT 1", `["length", 6, "radix-tree-keys", 1, "radix-tree-nodes", 2, ` +
			`"last-generated-id", "1700000000030-8", "max-deleted-entry-id", "0-0", "entries-added", 6, ` +
			`"recorded-first-entry-id", "1700000000010-0", "entries", [["1700000000010-0", ["a", "1"]]], ` +
			`"groups", [["name", "g", "last-delivered-id", "1700000000030-8", "entries-read", 6, "lag", 0, "pel-count", 2, ` +
			`"pending", [["1700000000030-7", "eve", 1700000000095, 10]], "consumers", [` +
			`["name", "bob", "seen-time", 1700000000097, "pel-count", 1, "pending", [["1700000000030-8", 1700000000097, 1]]], ` +
			`["name", "eve", "seen-time", 1700000000095, "pel-count", 1, "pending", [["1700000000030-7", 1700000000095, 10]]]]]]]`},
	} {
		if got := l.do(c.at, c.line); got != c.want {
			t.Errorf("%d %s:\n%s, want\n%s", c.at, c.line, got, c.want)
		}
	}
	if err := l.r.agree(); err != nil {
		t.Error(err)
	}
}

// TestWatchSeesEntriesOnly: as in Redis, groups and the last ID are no change to a WATCH.
func TestWatchSeesEntriesOnly(t *testing.T) {
	before := []string{"XADD s 1-1 a 1", "XADD s 2-1 a 2", "XADD s 3-1 a 3", "XGROUP CREATE s g 0", "XGROUP CREATE s h 0",
		"XREADGROUP GROUP g c COUNT 2 STREAMS s >"}
	for line, holds := range map[string]bool{
		"XREADGROUP GROUP g c STREAMS s >": true, "XREADGROUP GROUP g c STREAMS s 0": true, "XACK s g 1-1": true,
		"XCLAIM s g d 0 1-1": true, "XAUTOCLAIM s g d 0 0": true, "XGROUP CREATE s new 0": true, "XGROUP SETID s g 0": true,
		"XGROUP DESTROY s h": true, "XGROUP CREATECONSUMER s g d": true, "XGROUP DELCONSUMER s g c": true, "XSETID s 9-9": true,
		"XDEL s 9-9": true, "XTRIM s MAXLEN 9": true, "XADD s 1-1 a 1": true, "XGROUP CREATE new g 0 MKSTREAM": true,
		"XADD s 4-1 a 1": false, "XDEL s 1-1": false, "XTRIM s MAXLEN 1": false, "XTRIM s MAXLEN 0": false, "DEL s": false,
	} {
		for _, snapshot := range []bool{false, true} {
			m := New()
			for _, b := range before {
				execute(t, m, b)
			}
			if snapshot {
				m.Snapshot()
			}
			w := m.Watch(0, [][]byte{[]byte("s")})
			execute(t, m, line)
			if m.Holds(w) != holds {
				t.Errorf("%s: the watch holds: %t (after a snapshot: %t)", line, !holds, snapshot)
			}
		}
	}
}

// TestStreamEvents: Redis's names, in its order.
func TestStreamEvents(t *testing.T) {
	testEvents(t, command.EventStream|command.EventGeneric, []toldBy{
		{"XADD e 1-1 a b", "xadd e"},
		{"XADD e 1-1 a b", ""},
		{"XADD e MAXLEN 1 2-1 a b", "xadd e, xtrim e"},
		{"XADD e MAXLEN 5 3-1 a b", "xadd e"},
		{"XADD e NOMKSTREAM MAXLEN 0 4-1 a b", "xadd e, xtrim e"},
		{"XADD no NOMKSTREAM 4-1 a b", ""},
		{"XADD e 5-1 a b", "xadd e"},
		{"XTRIM e MAXLEN 9", ""},
		{"XTRIM e MAXLEN 0", "xtrim e"},
		{"XADD e 6-1 a b", "xadd e"},
		{"XDEL e 6-1 7-7", "xdel e"},
		{"XDEL e 6-1", ""},
		{"XSETID e 10", "xsetid e"},
		{"XGROUP CREATE e g 0", "xgroup-create e"},
		{"XGROUP CREATE e2 g 0 MKSTREAM", "xgroup-create e2"},
		{"XGROUP CREATECONSUMER e g c", "xgroup-createconsumer e"},
		{"XGROUP CREATECONSUMER e g c", ""},
		{"XGROUP SETID e g 0", "xgroup-setid e"},
		{"XADD e 11-1 a b", "xadd e"},
		{"XREADGROUP GROUP g d STREAMS e >", "xgroup-createconsumer e"},
		{"XREADGROUP GROUP g d2 STREAMS e 0", "xgroup-createconsumer e"},
		{"XREADGROUP GROUP g d3 STREAMS e >", ""},
		{"XACK e g 11-1", ""},
		{"XADD e 12-1 a b", "xadd e"},
		{"XREADGROUP GROUP g d STREAMS e >", ""},
		{"XCLAIM e g z 0 12-1", "xgroup-createconsumer e"},
		{"XCLAIM e g z 0 12-1", ""},
		{"XAUTOCLAIM e g y 0 0", "xgroup-createconsumer e"},
		{"XCLAIM e g x 0 99-1", ""},
		{"XDEL e 12-1", "xdel e"},
		{"XAUTOCLAIM e g y 0 0", ""},
		{"XGROUP DELCONSUMER e g c", "xgroup-delconsumer e"},
		{"XGROUP DELCONSUMER e g nobody", ""},
		{"XGROUP DESTROY e g", "xgroup-destroy e"},
		{"XGROUP DESTROY e g", ""},
	})
}

// TestCopiedStreamsPart: a copy made in the generation of its first shares nothing that either of them changes.
func TestCopiedStreamsPart(t *testing.T) {
	for _, snapshot := range []bool{false, true} {
		m := New()
		for _, line := range []string{"XADD s 1-1 a 1", "XADD s 2-1 a 2", "XGROUP CREATE s g 0", "XGROUP CREATE s h 0",
			"XREADGROUP GROUP g c STREAMS s >"} {
			execute(t, m, line)
		}
		if snapshot {
			m.Snapshot()
		}
		for _, line := range []string{"COPY s t", "XADD s 3-1 b 3", "XADD t 3-1 c 3", "XACK s g 1-1", "XCLAIM t g d 0 2-1",
			"XDEL t 1-1", "XGROUP DESTROY s h", "XREADGROUP GROUP h e STREAMS t >"} {
			execute(t, m, line)
		}
		for line, want := range map[string]string{
			"XRANGE s - +":   `[["1-1", ["a", "1"]], ["2-1", ["a", "2"]], ["3-1", ["b", "3"]]]`,
			"XRANGE t - +":   `[["2-1", ["a", "2"]], ["3-1", ["c", "3"]]]`,
			"XPENDING s g":   `[1, "2-1", "2-1", [["c", "1"]]]`,
			"XPENDING t g":   `[2, "1-1", "2-1", [["c", "1"], ["d", "1"]]]`,
			"XPENDING t h":   `[2, "2-1", "3-1", [["e", "2"]]]`,
			"XINFO GROUPS s": `[["name", "g", "consumers", 1, "pending", 1, "last-delivered-id", "2-1", "entries-read", 2, "lag", 1]]`,
		} {
			if got := execute(t, m, line); got != want {
				t.Errorf("%s: %s, want %s", line, got, want)
			}
		}
	}
}

// TestDamagedStreams: whatever bytes a stream is decoded from, reading what comes of it does not panic.
func TestDamagedStreams(t *testing.T) {
	m := New()
	for _, line := range []string{"XADD s 1-1 a 1", "XADD s 1-2 a 2", "XADD s 2-1 b 2 c 3", "XGROUP CREATE s g 0", "XGROUP CREATE s h 0",
		"XREADGROUP GROUP g c COUNT 2 STREAMS s >", "XREADGROUP GROUP g d STREAMS s >", "XDEL s 1-2"} {
		execute(t, m, line)
	}
	whole := m.dbs[0].get(m.cluster.hash.sum([]byte("s")), []byte("s")).value().obj.(*stream).appendTo(nil)
	if d := (decoder{rest: whole}); string(decodeStream(&d, 0).appendTo(nil)) != string(whole) || d.bad || len(d.rest) > 0 {
		t.Fatal("a stream does not come back")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		bad := append([]byte(nil), whole...)
		for range 1 + rng.IntN(2) {
			bad[rng.IntN(len(bad))] = byte(rng.IntN(256))
		}
		if rng.IntN(4) == 0 {
			bad = bad[:rng.IntN(len(bad))]
		}
		d := decoder{rest: bad}
		if s := decodeStream(&d, 0); !d.bad {
			m := New()
			tx := &m.writeTx
			tx.begin(m, 1)
			tx.selectDB(0)
			tx.set([]byte("s"), value{obj: s}, 0)
			for _, line := range []string{"XINFO STREAM s FULL COUNT 0", "XREVRANGE s + -", "XADD s * a 1", "XTRIM s MAXLEN 1",
				"XAUTOCLAIM s g x 0 0", "XREADGROUP GROUP g c STREAMS s >", "XGROUP DELCONSUMER s g c"} {
				execute(t, m, line)
			}
			if p := m.TakePanic(); p != "" {
				t.Fatalf("%x: %s", bad, p)
			}
		}
	}
}
