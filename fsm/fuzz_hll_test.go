package fsm

import (
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/internal/script"
)

// hllSeeds are strings that begin as HyperLogLogs do, behind the header.
var hllSeeds = []string{
	"\x7f\xff", "\x7f\xf5\x84\x08", "a\x84\x80X\xcd\x88E\xa0\x84\x08", "\x7f\xfe\x00", "\x3f\x7f\xbf",
	strings.Repeat("\x83", 2984) + "\x52\x5f", strings.Repeat("\x40\x00", 16384), strings.Repeat("\x00", 16384),
	strings.Repeat("\x80\x00", 1480) + "\x74\x6f",
	"", "\x00", "\x7f\xfe", "\x7f\xfe\x40", "\x7f\xff\x00", "\x7f\xff\x7f\xff", "\x7f", "\x80", "\x7f\xff\x80",
}

// FuzzHLL gives the commands of HyperLogLogs any string: they may refuse it by Redis's two errors, and nothing else may
// happen. What PFADD, PFMERGE and PFDEBUG make of it is one that they accept again.
func FuzzHLL(f *testing.F) {
	for _, runs := range hllSeeds {
		f.Add("HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"+runs, "a b c x y z")
		f.Add("HYLL\x01abc\x07\x00\x00\x00\x00\x00\x00\x00"+runs, strings.Repeat("a b c d e f ", 5)+"x1 x2 x3 x4")
	}
	f.Add("HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"+strings.Repeat("\xff", 12288), "x")
	f.Add("HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"+strings.Repeat("\x01", 12288), "x y z")
	f.Add("HYLL\x00", "x")
	f.Add("12", "x")
	m := New()
	f.Fuzz(func(t *testing.T, s, elements string) {
		defer watchdog()()
		call(t, m, "DEL", "to")
		call(t, m, "SET", "k", s)
		corrupt := hllCall(t, m, "PFCOUNT", "k", "k").IsError()
		for _, args := range [][]string{
			append([]string{"PFADD", "k"}, strings.Fields(elements)...),
			{"PFCOUNT", "k"}, {"PFDEBUG", "DECODE", "k"}, {"PFDEBUG", "ENCODING", "k"},
			{"PFMERGE", "to", "k"}, {"PFADD", "to", "one", "more"}, {"PFCOUNT", "to", "k"},
			{"PFMERGE", "k"}, {"PFDEBUG", "GETREG", "k"}, {"PFDEBUG", "TODENSE", "to"}, {"PFCOUNT", "to"},
		} {
			v := hllCall(t, m, args...)
			if v.IsError() && !corrupt && args[1] != "DECODE" {
				t.Fatalf("%q: %q after the string was accepted", args, v.Str)
			}
		}
		if what := m.TakePanic(); what != "" {
			t.Fatal(what)
		}
	})
}

// hllCall runs a call, which may fail only in the ways that it is allowed to.
func hllCall(t *testing.T, m *Machine, args ...string) respclient.Value {
	t.Helper()
	v := call(t, m, args...)
	known := map[string]bool{
		errNotHLL: true, errCorruptHLL: true, "ERR HLL encoding is not sparse": true, "ERR The specified key does not exist": true,
	}
	if v.IsError() && !known[v.Str] {
		t.Fatalf("%.100q: %q", args, v.Str)
	}
	return v
}

// call runs one command of a machine's database 0 through the log.
func call(t testing.TB, m *Machine, args ...string) respclient.Value {
	t.Helper()
	rec := &script.Recorder{}
	if err := m.Apply(m.Index()+1, entryOf(max(m.Now(), testTime), 0, args), []Target{{Units: 1, Reply: rec}}); err != nil {
		t.Fatal(err)
	}
	got, ok := rec.Take()
	if !ok || len(got) != 1 {
		t.Fatalf("%.100q: %d replies", args, len(got))
	}
	return got[0]
}
