package resp

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

func lines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

func TestInfoReplication(t *testing.T) {
	tail := `master_replid:aa
master_replid2:bb
master_repl_offset:100
second_repl_offset:7
repl_backlog_active:1
repl_backlog_size:32768
repl_backlog_first_byte_offset:11
repl_backlog_histlen:90
`
	behind := fakeLeader()
	behind.replicas[0].Offset = 9
	behind.replicas[1].Online = false
	down := fakeFollower()
	down.linkUp, down.leader = false, ""
	joining := newFakeRoles()
	joining.node = NodeInfo{ID: "n4", State: stateJoining, ReplOffset2: -1}
	for name, c := range map[string]struct {
		f    *fakeRoles
		want string
	}{
		"leader": {fakeLeader(), `# Replication
role:master
connected_slaves:2
min_slaves_good_slaves:1
slave0:ip=127.0.0.1,port=2,state=online,offset=100,lag=1
slave1:ip=127.0.0.1,port=3,state=online,offset=99,lag=0
master_failover_state:no-failover
` + tail},
		"a follower restores, another is away": {behind, `# Replication
role:master
connected_slaves:1
min_slaves_good_slaves:0
slave0:ip=127.0.0.1,port=2,state=send_bulk,offset=9,lag=1
master_failover_state:no-failover
` + tail},
		"follower": {fakeFollower(), `# Replication
role:slave
master_host:127.0.0.1
master_port:1
master_link_status:up
master_last_io_seconds_ago:2
master_sync_in_progress:0
slave_read_repl_offset:100
slave_repl_offset:100
slave_priority:100
slave_read_only:1
replica_announced:1
connected_slaves:0
master_failover_state:no-failover
` + tail},
		"no leader": {down, `# Replication
role:slave
master_host:
master_port:0
master_link_status:down
master_last_io_seconds_ago:-1
master_sync_in_progress:0
slave_read_repl_offset:100
slave_repl_offset:100
master_link_down_since_seconds:2
slave_priority:100
slave_read_only:1
replica_announced:1
connected_slaves:0
master_failover_state:no-failover
` + tail},
		"joining": {joining, `# Replication
role:slave
master_host:
master_port:0
master_link_status:down
master_last_io_seconds_ago:-1
master_sync_in_progress:0
slave_read_repl_offset:0
slave_repl_offset:0
master_link_down_since_seconds:0
slave_priority:100
slave_read_only:1
replica_announced:1
connected_slaves:0
master_failover_state:no-failover
master_replid:
master_replid2:
master_repl_offset:0
second_repl_offset:-1
repl_backlog_active:1
repl_backlog_size:32768
repl_backlog_first_byte_offset:0
repl_backlog_histlen:0
`},
	} {
		s := newRoleServer(t, c.f, [2]string{"min-replicas-to-write", "1"}, [2]string{"min-replicas-max-lag", "1"})
		if got := lines(s.infoText([]string{"replication"})); got != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, c.want)
		}
	}
}

func TestInfoRaft(t *testing.T) {
	want := `# Raft
raft_node_id:n2
raft_cluster_id:c
raft_state:follower
raft_term:3
raft_leader_id:n1
raft_leader_addr:127.0.0.1:1
raft_commit_index:100
raft_applied_index:100
raft_last_index:100
raft_first_index:11
raft_snapshot_index:50
raft_voters:2
raft_nonvoters:1
raft_addr:127.0.0.1:11
raft_log_store:wal
raft_clock_skew_ms:0
raft_log_time_ms:5
raft_disk_free_bytes:77
raft_disk_short:1
`
	f := fakeFollower()
	f.node.DiskFreeBytes, f.node.DiskShort = 77, true
	s := newRoleServer(t, f)
	if got := lines(s.infoText([]string{"raft"})); got != want {
		t.Error(got)
	}
	if got := lines(s.infoText([]string{"persistence"})); !strings.Contains(got, "aof_last_write_status:err\n") {
		t.Error(got)
	}
}

// titles are the sections of an INFO.
func titles(text string) string {
	var out []string
	for _, l := range strings.Split(text, "\r\n") {
		if title, ok := strings.CutPrefix(l, "# "); ok {
			out = append(out, title)
		}
	}
	return strings.Join(out, " ")
}

func TestInfoSections(t *testing.T) {
	c := newRoleServer(t, fakeLeader()).dial()
	basic := "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace Raft"
	full := "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Latencystats Cluster Keyspace Raft"
	for args, want := range map[string]string{
		"":                          basic,
		"default":                   basic,
		"ALL":                       full,
		"everything":                full,
		"nonsense":                  "",
		"keyspace Server nonsense":  "Server Keyspace",
		"server server":             "Server",
		"default commandstats":      strings.Replace(basic, "Errorstats", "Commandstats Errorstats", 1),
		"replication raft cpu":      "Replication CPU Raft",
		"modules cluster keyspace ": "Modules Cluster Keyspace",
	} {
		text := do(t, c, append([]string{"INFO"}, strings.Fields(args)...)...)
		if got := titles(text); got != want {
			t.Errorf("INFO %s: %s, want %s", args, got, want)
		}
		for _, l := range strings.Split(text, "\r\n") {
			if l != "" && !strings.HasPrefix(l, "# ") && !strings.Contains(l, ":") {
				t.Errorf("INFO %s: odd line %q", args, l)
			}
		}
	}
	if got := do(t, c, "INFO", "keyspace"); got != "# Keyspace\r\ndb0:keys=3,expires=2,avg_ttl=1234\r\ndb9:keys=1,expires=0,avg_ttl=0\r\n" {
		t.Errorf("%q", got)
	}
}

// field finds a field of INFO.
func field(text, name string) string {
	for _, l := range strings.Split(text, "\r\n") {
		if v, ok := strings.CutPrefix(l, name+":"); ok {
			return v
		}
	}
	return "no " + name
}

func TestInfoCounters(t *testing.T) {
	f := fakeLeader()
	f.keys = KeyCounters{Hits: 5, Misses: 3, Expired: 2}
	s := newRoleServer(t, f)
	c := s.dial()
	do(t, c, "SET", "a", "b")
	do(t, c, "FAILOVER", "x")
	text := do(t, c, "INFO", "all")
	for name, want := range map[string]string{
		"total_connections_received": "1", "total_commands_processed": "2", "keyspace_hits": "5", "keyspace_misses": "3",
		"expired_keys": "2", "total_error_replies": "1", "errorstat_ERR": "count=1", "total_reads_processed": "3",
		"total_writes_processed": "2", "connected_clients": "1",
		// 27 bytes of SET, 25 of FAILOVER, 23 of INFO; OK and the error.
		"total_net_input_bytes": "75", "total_net_output_bytes": "24",
	} {
		if got := field(text, name); got != want {
			t.Errorf("%s:%s, want %s", name, got, want)
		}
	}
	if got := field(text, "cmdstat_failover"); !strings.HasPrefix(got, "calls=1,usec=") || !strings.HasSuffix(got, "rejected_calls=0,failed_calls=1") {
		t.Error(got)
	}
	if got := field(text, "latency_percentiles_usec_set"); !strings.HasPrefix(got, "p50=") || !strings.Contains(got, ",p99.9=") {
		t.Error(got)
	}
	s.stats.reset()
	f.set(func(f *fakeRoles) { f.keys.Hits = 6 })
	text = s.infoText([]string{"all"})
	for name, want := range map[string]string{
		"total_connections_received": "0", "total_commands_processed": "0", "keyspace_hits": "1", "keyspace_misses": "0",
		"expired_keys": "0", "errorstat_ERR": "no errorstat_ERR", "cmdstat_set": "no cmdstat_set",
	} {
		if got := field(text, name); got != want {
			t.Errorf("after a reset %s:%s, want %s", name, got, want)
		}
	}
}

func TestLatencyTrackingOff(t *testing.T) {
	s := newRoleServer(t, fakeLeader(), [2]string{"latency-tracking", "no"})
	do(t, s.dial(), "SET", "a", "b")
	if text := s.infoText([]string{"commandstats", "latencystats"}); !strings.Contains(text, "cmdstat_set") || strings.Contains(text, "latency_percentiles") {
		t.Error(text)
	}
}

func TestLatencyBuckets(t *testing.T) {
	for i := range histBuckets {
		upper := histUpper(i)
		if got := histBucket(upper); got != i {
			t.Fatalf("bucket %d ends at %d, which is in bucket %d", i, upper, got)
		}
		if i+1 < histBuckets {
			if got := histBucket(upper + 1); got != i+1 {
				t.Fatalf("after bucket %d (%d) comes %d", i, upper, got)
			}
		}
	}
	for _, d := range []time.Duration{-1, 0, 1} {
		if got := histBucket(d); got != 0 {
			t.Errorf("%d is in bucket %d", d, got)
		}
	}
	if got := histBucket(1<<63 - 1); got != histBuckets-1 {
		t.Error(got)
	}
}

func TestPercentiles(t *testing.T) {
	var h latencyHist
	if p := h.percentiles([]float64{50}); p != nil {
		t.Error(p)
	}
	for i := range 1000 {
		h.record(time.Duration(i+1) * time.Microsecond)
	}
	for i, p := range h.percentiles([]float64{99, 50, 0, 100}) {
		want := []time.Duration{990, 500, 1, 1000}[i] * time.Microsecond
		if p < want || p > want+want/histSubs {
			t.Errorf("%d: %s, want about %s", i, p, want)
		}
	}
}

func TestRate(t *testing.T) {
	var r rate
	const step = int64(samplePeriod)
	for i := range int64(2 * rateSamples) {
		r.sample(i*10, 1+i*step)
	}
	if got := r.perSecond(); got != 100 {
		t.Error(got)
	}
	r.sample(0, 1+2*rateSamples*step) // the counter was reset
	if got := r.perSecond(); got <= 90 || got >= 100 {
		t.Error(got)
	}
}

func TestHumanBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1023: "1023B", 1024: "1.00K", 990520: "967.30K", 25276514304: "23.54G", 1 << 60: "1.00E"} {
		if got := humanBytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestMemoryFigures(t *testing.T) {
	s := newRoleServer(t, fakeLeader())
	h := s.samples.heap()
	if h.used <= 0 || h.active < h.used || h.resident < h.active || h.peak < h.used {
		t.Errorf("%+v", h)
	}
	if rss, total := processRSS(), totalMemory(); rss < h.resident/2 || total < rss {
		t.Errorf("resident %d of %d", rss, total)
	}
}

// REPLICAOF and the others know their Redis flags; the table check against redis-server is in integration.
func TestReplicationSpecs(t *testing.T) {
	for name, flags := range map[string]command.Flags{
		"info": command.Loading | command.Stale, "wait": command.NoScript,
		"failover": command.Admin | command.NoScript | command.Stale,
	} {
		if got := roleTable().Get(name).Flags; got != flags {
			t.Errorf("%s: %v", name, got.Names())
		}
	}
}

func TestCloseEndsTheSampler(t *testing.T) {
	s := newRoleServer(t, fakeLeader())
	s.Close(testPatience)
	s.wg.Wait()
	if s.ctx.Err() != context.Canceled {
		t.Error(s.ctx.Err())
	}
}
