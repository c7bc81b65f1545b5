package resp

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
)

var tipsMemory = []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}

// The subcommands of MEMORY that are about the process. The container and USAGE are the state machine's.
var memoryCommands = []entry{{
	Spec:   command.Spec{Name: "memory"},
	shared: true,
	subs: []entry{
		memoryEntry("doctor", 0, memoryDoctor, "Explains the use of memory.").tipped(tipsMemory...),
		memoryEntry("help", anyTime, help("MEMORY", memoryHelp...), "Lists the subcommands."),
		memoryEntry("malloc-stats", 0, memoryMallocStats, "Returns the Go runtime's figures.").tipped(tipsMemory...),
		memoryEntry("purge", 0, memoryPurge, "Collects garbage and gives memory back to the system.").
			tipped("request_policy:all_shards", "response_policy:all_succeeded"),
		memoryEntry("stats", 0, memoryStats, "Returns figures of the use of memory.").tipped(tipsMemory...),
	},
}}

func memoryEntry(sub string, f command.Flags, run handler, summary string) entry {
	return entry{Spec: command.Spec{
		Name: "memory|" + sub, Arity: 2, Flags: f, Group: "server", Since: "4.0.0", Summary: summary, Complexity: "O(1)",
	}, run: run}
}

var memoryHelp = []string{
	"DOCTOR",
	"    A report for people.",
	"MALLOC-STATS",
	"    Figures of the Go runtime.",
	"PURGE",
	"    Collects garbage now and gives free memory back to the system.",
	"STATS",
	"    Figures of this process.",
	"USAGE <key> [SAMPLES <count>]",
	"    About how many bytes a key and its value take.",
}

func (s *Server) keyCount() (n int64) {
	for _, k := range s.backend.KeyspaceInfo() {
		n += int64(k.Keys)
	}
	return n
}

// memoryStats is MEMORY STATS with Redis's names for the Go runtime's figures; see infoMemory. What Redis has and this
// server has not is 0.
func memoryStats(c *conn, _ [][]byte) {
	h, rss, clients, keys := c.srv.samples.heap(), processRSS(), c.srv.clientBytes(), c.srv.keyCount()
	overhead := h.startup + clients
	dataset := max(h.used-overhead, 0)
	fields := []struct {
		name  string
		value any
	}{
		{"peak.allocated", h.peak}, {"total.allocated", h.used}, {"startup.allocated", h.startup},
		{"replication.backlog", int64(0)}, {"clients.slaves", int64(0)}, {"clients.normal", clients},
		{"cluster.links", int64(0)}, {"aof.buffer", int64(0)}, {"lua.caches", int64(0)}, {"functions.caches", int64(0)},
		{"overhead.total", overhead}, {"keys.count", keys}, {"keys.bytes-per-key", dataset / max(keys, 1)},
		{"dataset.bytes", dataset}, {"dataset.percentage", 100 * quotient(dataset, max(h.used-h.startup, 0))},
		{"peak.percentage", 100 * quotient(h.used, h.peak)},
		{"allocator.allocated", h.used}, {"allocator.active", h.active}, {"allocator.resident", h.resident},
		{"allocator-fragmentation.ratio", quotient(h.active, h.used)}, {"allocator-fragmentation.bytes", h.active - h.used},
		{"allocator-rss.ratio", quotient(h.resident, h.active)}, {"allocator-rss.bytes", h.resident - h.active},
		{"rss-overhead.ratio", quotient(rss, h.resident)}, {"rss-overhead.bytes", rss - h.resident},
		{"fragmentation", quotient(rss, h.used)}, {"fragmentation.bytes", rss - h.used},
	}
	c.w.Map(len(fields))
	for _, f := range fields {
		c.w.BulkString(f.name)
		switch v := f.value.(type) {
		case int64:
			c.w.Int(v)
		case float64:
			c.w.Double(v)
		}
	}
}

// quotient is 0 where there is nothing to divide by.
func quotient(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Beyond these MEMORY DOCTOR has something to say.
const (
	doctorBytesMin    = 64 << 20 // below it nothing is worth a word
	doctorPeakRatio   = 1.5
	doctorRSSRatio    = 2.0
	doctorClientBytes = 256 << 10 // for a client in the mean
)

// memoryDoctor reports in our own words; only its being a text is Redis's.
func memoryDoctor(c *conn, _ [][]byte) {
	h, rss := c.srv.samples.heap(), processRSS()
	var b strings.Builder
	note := func(format string, args ...any) { fmt.Fprintf(&b, "- "+format+"\n", args...) }
	if quotient(h.peak, h.used) > doctorPeakRatio {
		note("At its peak the heap took %s, now it takes %s. The runtime gives memory back slowly; MEMORY PURGE does so at once.",
			humanBytes(h.peak), humanBytes(h.used))
	}
	if quotient(rss, h.used) > doctorRSSRatio {
		note("The process takes %s for %s of objects. Room for garbage is normal (GOGC); GOMEMLIMIT bounds it.",
			humanBytes(rss), humanBytes(h.used))
	}
	clients, count := c.srv.clientBytes(), int64(len(c.srv.sortedConns()))
	if count > 0 && clients/count > doctorClientBytes {
		note("A client takes %s in the mean: look for large queries, replies and transactions with CLIENT LIST.", humanBytes(clients/count))
	}
	if h.used < doctorBytesMin || b.Len() == 0 {
		c.w.Verbatim("txt", "Nothing stands out: "+humanBytes(h.used)+" of objects, "+humanBytes(rss)+" for the process.\n")
		return
	}
	c.w.Verbatim("txt", "What stands out in the use of memory:\n\n"+b.String())
}

func memoryMallocStats(c *conn, _ [][]byte) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.w.Verbatim("txt", fmt.Sprintf("Go runtime %s\nheap_alloc:%d\nheap_inuse:%d\nheap_idle:%d\nheap_released:%d\nheap_sys:%d\n"+
		"heap_objects:%d\nmallocs:%d\nfrees:%d\nstack_inuse:%d\nmetadata_sys:%d\ngc_sys:%d\nnext_gc:%d\nnum_gc:%d\n"+
		"gc_pause_total_ns:%d\ngc_cpu_fraction:%.6f\nsys:%d\ngoroutines:%d\n",
		runtime.Version(), m.HeapAlloc, m.HeapInuse, m.HeapIdle, m.HeapReleased, m.HeapSys, m.HeapObjects, m.Mallocs, m.Frees,
		m.StackInuse, m.MSpanSys+m.MCacheSys+m.BuckHashSys, m.GCSys, m.NextGC, m.NumGC, m.PauseTotalNs, m.GCCPUFraction,
		m.Sys, runtime.NumGoroutine()))
}

func memoryPurge(c *conn, _ [][]byte) {
	debug.FreeOSMemory()
	c.w.Simple("OK")
}
