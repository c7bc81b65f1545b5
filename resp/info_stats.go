package resp

import (
	"strconv"
	"strings"
	"time"
)

// infoPersistence tells of the Raft log and its snapshots in Redis's words: an RDB is a snapshot, a change an entry. The
// log is not Redis's AOF, so aof_enabled stays 0.
func infoPersistence(s *Server, t *infoText) {
	n, last := s.backend.NodeInfo(), s.backend.LastSnapshot()
	status := "ok"
	if n.State == stateFailed || n.DiskShort {
		status = "err"
	}
	saved := status
	if s.saveFailed.Load() {
		saved = "err"
	}
	if last.IsZero() {
		last = s.started // as in Redis
	}
	loading := 0
	if s.backend.Loading() {
		loading = 1
	}
	t.field("loading", loading)
	t.zeros("async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age")
	t.field("current_fork_perc", "0.00")
	t.zeros("current_save_keys_processed", "current_save_keys_total")
	t.field("rdb_changes_since_last_save", n.AppliedIndex-min(n.SnapshotIndex, n.AppliedIndex))
	saving := 0
	if s.saving.Load() {
		saving = 1
	}
	t.field("rdb_bgsave_in_progress", saving)
	t.field("rdb_last_save_time", last.Unix())
	t.field("rdb_last_bgsave_status", saved)
	t.field("rdb_last_bgsave_time_sec", -1)
	t.field("rdb_current_bgsave_time_sec", -1)
	t.zeros("rdb_last_cow_size", "aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled")
	t.field("aof_last_rewrite_time_sec", -1)
	t.field("aof_current_rewrite_time_sec", -1)
	t.field("aof_last_bgrewrite_status", status)
	t.zeros("aof_rewrites", "aof_rewrites_consecutive_failures")
	t.field("aof_last_write_status", status)
	t.zeros("aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size")
}

func infoStats(s *Server, t *infoText) {
	st, keys := s.stats, s.stats.keyCounters()
	ops, in, out := s.samples.rates()
	kbps := func(bytes float64) string { return strconv.FormatFloat(bytes/1024, 'f', 2, 64) }
	t.field("total_connections_received", st.connections.Load())
	t.field("total_commands_processed", st.commands.Load())
	t.field("instantaneous_ops_per_sec", int64(ops))
	t.field("total_net_input_bytes", st.bytesIn.Load())
	t.field("total_net_output_bytes", st.bytesOut.Load())
	t.field("instantaneous_input_kbps", kbps(in))
	t.field("instantaneous_output_kbps", kbps(out))
	t.field("rejected_connections", st.rejected.Load())
	t.field("expired_keys", keys.Expired)
	// Nothing is evicted, forked or migrated here.
	t.zeros("evicted_keys", "evicted_clients", "total_eviction_exceeded_time", "current_eviction_exceeded_time")
	t.field("keyspace_hits", keys.Hits)
	t.field("keyspace_misses", keys.Misses)
	t.field("pubsub_channels", s.hub.len(ofChannels))
	t.field("pubsub_patterns", s.hub.len(ofPatterns))
	t.field("pubsubshard_channels", s.hub.len(ofShards))
	t.zeros("latest_fork_usec", "total_forks",
		"migrate_cached_sockets", "slave_expires_tracked_keys", "active_defrag_hits", "active_defrag_misses",
		"active_defrag_key_hits", "active_defrag_key_misses", "total_active_defrag_time", "current_active_defrag_time")
	tracked := s.tracker.figures()
	t.field("tracking_total_keys", tracked.keys)
	t.field("tracking_total_items", tracked.items)
	t.field("tracking_total_prefixes", tracked.prefixes)
	t.zeros("unexpected_error_replies")
	t.field("total_error_replies", st.errors.Load())
	t.zeros("dump_payload_sanitizations")
	t.field("total_reads_processed", st.reads.Load())
	t.field("total_writes_processed", st.writes.Load())
	t.zeros("io_threaded_reads_processed", "io_threaded_writes_processed")
	// Ours: connections that were closed for a limit or for bytes that are no RESP.
	t.field("protocol_errors", st.protocolErrors.Load())
	t.field("client_query_buffer_limit_disconnections", st.queryLimit.Load())
	t.field("client_output_buffer_limit_disconnections", st.outputLimit.Load())
}

func infoCommandStats(s *Server, t *infoText) {
	for _, l := range s.stats.cmdLines() {
		perCall := 0.0
		if l.calls > 0 {
			perCall = float64(l.micros) / float64(l.calls)
		}
		t.field("cmdstat_"+l.name, "calls="+strconv.FormatInt(l.calls, 10)+",usec="+strconv.FormatInt(l.micros, 10)+
			",usec_per_call="+strconv.FormatFloat(perCall, 'f', 2, 64)+",rejected_calls="+strconv.FormatInt(l.rejected, 10)+
			",failed_calls="+strconv.FormatInt(l.failed, 10))
	}
}

func infoErrorStats(s *Server, t *infoText) {
	for _, l := range s.stats.errorLines() {
		t.field("errorstat_"+l.code, "count="+strconv.FormatInt(l.count, 10))
	}
}

func infoLatencyStats(s *Server, t *infoText) {
	percentages := latencyPercentiles(s.cfg.String("latency-tracking-info-percentiles"))
	for _, l := range s.stats.cmdLines() {
		p := l.latency.percentiles(percentages)
		if len(p) == 0 {
			continue
		}
		parts := make([]string, len(p))
		for i, d := range p {
			parts[i] = "p" + strconv.FormatFloat(percentages[i], 'f', -1, 64) + "=" +
				strconv.FormatFloat(float64(d)/float64(time.Microsecond), 'f', 3, 64)
		}
		t.field("latency_percentiles_usec_"+l.name, strings.Join(parts, ","))
	}
}

// latencyPercentiles reads the setting, which was checked when it was set.
func latencyPercentiles(setting string) (percentages []float64) {
	for _, w := range strings.Fields(setting) {
		if f, err := strconv.ParseFloat(w, 64); err == nil {
			percentages = append(percentages, f)
		}
	}
	return percentages
}
