package fsm

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// What a command costs the state machine, by entries of benchCalls calls on a machine of benchKeys keys. A nanosecond an
// operation is a nanosecond a call.
const (
	benchKeys  = 200_000
	benchCalls = 100
)

// benchEntries makes entries of calls, one for each key; args names the command and its arguments.
func benchEntries(args func(key string) []string) [][]byte {
	var entries [][]byte
	for first := 0; first < benchKeys; first += benchCalls {
		calls := make([][]string, benchCalls)
		for i := range calls {
			calls[i] = args(fmt.Sprintf("key:%012d", (first+i)*7919%benchKeys))
		}
		entries = append(entries, entryOf(testTime, 0, calls...))
	}
	return entries
}

func benchValue(size int) string { return string(bytes.Repeat([]byte("v"), size)) }

// filled is a machine with all keys, made by the commands that args names.
func filled(b *testing.B, args func(key string) []string) *Machine {
	m := New()
	for i, e := range benchEntries(args) {
		mustApply(b, m, uint64(i+1), e)
	}
	return m
}

// benchApply applies entries again and again to a machine that has all keys.
func benchApply(b *testing.B, fill, args func(key string) []string) {
	m, entries := filled(b, fill), benchEntries(args)
	index := m.Index()
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += benchCalls {
		index++
		mustApply(b, m, index, entries[n/benchCalls%len(entries)])
	}
}

func setOf(size int) func(key string) []string {
	value := benchValue(size)
	return func(key string) []string { return []string{"SET", key, value} }
}

func BenchmarkSet(b *testing.B) {
	for _, size := range []int{3, 100, 256, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { benchApply(b, setOf(size), setOf(size)) })
	}
}

// BenchmarkSetNew sets keys that are not there yet: a machine is made anew when it has all.
func BenchmarkSetNew(b *testing.B) {
	entries := benchEntries(setOf(100))
	b.ReportAllocs()
	m := New()
	for n := 0; n < b.N; n += benchCalls {
		at := n / benchCalls % len(entries)
		if at == 0 {
			m = New()
		}
		mustApply(b, m, uint64(at+1), entries[at])
	}
}

// BenchmarkSetWithDeadline moves the deadlines of half of the keys in each pass.
func BenchmarkSetWithDeadline(b *testing.B) {
	value, n := benchValue(100), 0
	set := func(key string) []string {
		n++
		return []string{"SET", key, value, "PX", fmt.Sprint(100_000 + n%benchKeys%3*n/benchKeys)}
	}
	benchApply(b, set, set)
}

func BenchmarkSetKeepTTL(b *testing.B) {
	value := benchValue(100)
	benchApply(b, func(key string) []string { return []string{"SET", key, value, "PX", "100000"} },
		func(key string) []string { return []string{"SET", key, value, "KEEPTTL"} })
}

func BenchmarkExpire(b *testing.B) {
	benchApply(b, setOf(100), func(key string) []string { return []string{"PEXPIRE", key, "100000"} })
}

func BenchmarkIncr(b *testing.B) {
	benchApply(b, func(key string) []string { return []string{"SET", key, "1000"} },
		func(key string) []string { return []string{"INCR", key} })
}

func BenchmarkAppend(b *testing.B) {
	m, entries := filled(b, setOf(100)), benchEntries(func(key string) []string { return []string{"APPEND", key, "0123456789"} })
	reset := benchEntries(setOf(100))
	index := m.Index()
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += benchCalls {
		at := n / benchCalls % len(entries)
		if at == 0 && n > 0 {
			b.StopTimer()
			for _, e := range reset {
				index++
				mustApply(b, m, index, e)
			}
			b.StartTimer()
		}
		index++
		mustApply(b, m, index, entries[at])
	}
}

// lengthReply is a Reply that looks at what it is given and drops it.
type lengthReply struct {
	command.Reply
	n int
}

func (r *lengthReply) Bulk(b []byte)       { r.n += len(b) }
func (r *lengthReply) BulkString(s string) { r.n += len(s) }

func benchGet(b *testing.B, value string) {
	m := filled(b, func(key string) []string { return []string{"SET", key, value} })
	var views [][]command.Call
	for first := 0; first < benchKeys; first += benchCalls {
		calls := make([]command.Call, benchCalls)
		for i := range calls {
			calls[i] = callOf("GET", fmt.Sprintf("key:%012d", (first+i)*7919%benchKeys))
		}
		views = append(views, calls)
	}
	r := &lengthReply{Reply: command.Discard}
	b.ReportAllocs()
	b.ResetTimer()
	done := 0
	for ; done < b.N; done += benchCalls {
		m.View(views[done/benchCalls%len(views)], command.ReadOptions{}, r)
	}
	if r.n != done*len(value) {
		b.Fatalf("%d bytes were replied, want %d", r.n, done*len(value))
	}
}

func BenchmarkGet(b *testing.B) {
	b.Run("100", func(b *testing.B) { benchGet(b, benchValue(100)) })
	b.Run("4096", func(b *testing.B) { benchGet(b, benchValue(4096)) })
	b.Run("integer", func(b *testing.B) { benchGet(b, "123456") })
}

// BenchmarkRestore measures how long a key of a snapshot takes.
func BenchmarkRestore(b *testing.B) {
	data := written(b, filled(b, setOf(100)))
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += benchKeys {
		if err := New().Restore(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}
