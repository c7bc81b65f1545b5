package resp

import (
	"hash/fnv"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
)

// buildInfo is what the binary knows of its making.
var buildInfo = sync.OnceValue(func() (b struct {
	revision string // 8 hex digits of the commit, zeros where unknown
	dirty    int
	id       string
}) {
	b.revision = "00000000"
	bi, ok := debug.ReadBuildInfo()
	if !ok {
		b.id = "0"
		return b
	}
	for _, s := range bi.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 8:
			b.revision = s.Value[:8]
		case s.Key == "vcs.modified" && s.Value == "true":
			b.dirty = 1
		}
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(bi.String()))
	b.id = strconv.FormatUint(h.Sum64(), 16)
	return b
})

// multiplexer is what the Go runtime waits for sockets with.
func multiplexer() string {
	switch runtime.GOOS {
	case "linux":
		return "epoll"
	case "windows":
		return "iocp"
	}
	return "kqueue"
}

const lruClockMax = 1<<24 - 1 // Redis's LRU clock has 24 bits of seconds

func infoServer(s *Server, t *infoText) {
	now, b := s.now(), buildInfo()
	up := int64(now.Sub(s.started) / time.Second)
	port := s.cfg.Int("port")
	if port == 0 {
		port = s.cfg.Int("tls-port")
	}
	executable, _ := os.Executable()
	t.field("redis_version", RedisVersion)
	t.field("redoubt_version", s.backend.NodeInfo().Version)
	t.field("redis_git_sha1", b.revision)
	t.field("redis_git_dirty", b.dirty)
	t.field("redis_build_id", b.id)
	t.field("redis_mode", "standalone")
	t.field("os", osName())
	t.field("arch_bits", strconv.IntSize)
	t.field("monotonic_clock", "Go runtime")
	t.field("multiplexing_api", multiplexer())
	t.field("atomicvar_api", "sync/atomic")
	t.field("go_version", runtime.Version())
	t.field("process_id", os.Getpid())
	t.field("process_supervised", "no")
	t.field("run_id", s.runID)
	t.field("tcp_port", port)
	t.field("server_time_usec", now.UnixMicro())
	t.field("uptime_in_seconds", up)
	t.field("uptime_in_days", up/(24*3600))
	t.field("hz", s.cfg.Int("hz"))
	t.field("configured_hz", s.cfg.Int("hz"))
	t.field("lru_clock", now.Unix()&lruClockMax)
	t.field("executable", executable)
	t.field("config_file", s.cfg.File())
	t.zeros("io_threads_active")
}

func infoClients(s *Server, t *infoText) {
	connected, blocked, timed, queryMax, replyMax := 0, 0, 0, int64(0), int64(0)
	s.each(func(c *conn) {
		if c.shared.killed.Load() {
			return // it may take a moment to go; CLIENT LIST does not show it either
		}
		connected++
		if c.shared.blocked.Load() {
			blocked++
		}
		if c.shared.timed.Load() {
			timed++
		}
		queryMax = max(queryMax, c.shared.queryBuffer.Load())
		replyMax = max(replyMax, c.shared.writerPeak.Load())
	})
	t.field("connected_clients", connected)
	t.zeros("cluster_connections")
	t.field("maxclients", s.live.maxclients.Int())
	t.field("client_recent_max_input_buffer", queryMax)
	t.field("client_recent_max_output_buffer", replyMax)
	t.field("blocked_clients", blocked+int(s.pauses.held.Load()))
	t.field("tracking_clients", s.tracker.figures().clients)
	t.field("clients_in_timeout_table", timed)
}

// clientBytes is about what the connections take.
func (s *Server) clientBytes() int64 {
	total := int64(0)
	s.each(func(c *conn) {
		sh := &c.shared
		total += connBaseBytes + sh.queryBuffer.Load() + sh.argBytes.Load() + sh.queuedBytes.Load() + max(sh.writerBytes.Load(), sh.replyBytes.Load())
		_, pushes := c.inbox.figures()
		total += pushes
	})
	return total
}

func infoCPU(_ *Server, t *infoText) {
	u := resourceUsage()
	seconds := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }
	t.field("used_cpu_sys", seconds(u.sys))
	t.field("used_cpu_user", seconds(u.user))
	t.field("used_cpu_sys_children", seconds(u.sysChildren))
	t.field("used_cpu_user_children", seconds(u.userChildren))
}

// cpuTimes are processor times since the process started.
type cpuTimes struct{ sys, user, sysChildren, userChildren time.Duration }

func infoCluster(_ *Server, t *infoText) { t.zeros("cluster_enabled") }

func infoKeyspace(s *Server, t *infoText) {
	for _, k := range s.backend.KeyspaceInfo() {
		t.field("db"+strconv.Itoa(k.DB), "keys="+strconv.Itoa(k.Keys)+",expires="+strconv.Itoa(k.Expires)+",avg_ttl="+strconv.FormatInt(k.AvgTTLMillis, 10))
	}
}

// processRSS is the resident set in bytes, 0 where the system does not tell.
func processRSS() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
