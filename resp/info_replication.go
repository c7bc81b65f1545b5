package resp

import (
	"fmt"
	"strconv"
	"time"
)

// infoReplication prints Raft's state in Redis's words: offsets are log indexes, the backlog is the log.
func infoReplication(s *Server, t *infoText) {
	v := s.role()
	if v.master {
		t.field("role", "master")
	} else {
		s.infoMaster(t, &v)
	}
	t.field("connected_slaves", len(v.replicas))
	minGood, lagMax := s.live.minReplicas.Int(), time.Duration(s.live.minReplicasLag.Int())*time.Second
	if v.master && minGood > 0 && lagMax > 0 {
		good := 0
		for _, r := range v.replicas {
			if r.lag <= lagMax {
				good++
			}
		}
		t.field("min_slaves_good_slaves", good)
	}
	for i, r := range v.replicas {
		state := "online"
		if !r.online {
			state = "send_bulk"
		}
		t.field("slave"+strconv.Itoa(i), fmt.Sprintf("ip=%s,port=%d,state=%s,offset=%d,lag=%d", r.host, r.port, state, r.offset, int64(r.lag/time.Second)))
	}
	n := &v.node
	t.field("master_failover_state", s.failoverPhase())
	t.field("master_replid", n.ReplID)
	t.field("master_replid2", n.ReplID2)
	t.field("master_repl_offset", n.AppliedIndex)
	t.field("second_repl_offset", n.ReplOffset2)
	kept := uint64(0)
	if n.FirstIndex > 0 && n.LastIndex >= n.FirstIndex {
		kept = n.LastIndex - n.FirstIndex + 1
	}
	t.field("repl_backlog_active", 1)
	t.field("repl_backlog_size", s.cfg.Int("trailing-logs"))
	t.field("repl_backlog_first_byte_offset", n.FirstIndex)
	t.field("repl_backlog_histlen", kept)
}

// infoMaster is what a replica says of its master.
func (s *Server) infoMaster(t *infoText, v *roleView) {
	link, ago, syncing := "down", int64(-1), 0
	if v.linkUp {
		link, ago = "up", int64(v.heard/time.Second)
	}
	if v.syncing {
		syncing = 1
	}
	t.field("role", "slave")
	t.field("master_host", v.host)
	t.field("master_port", v.port)
	t.field("master_link_status", link)
	t.field("master_last_io_seconds_ago", ago)
	t.field("master_sync_in_progress", syncing)
	t.field("slave_read_repl_offset", v.node.AppliedIndex)
	t.field("slave_repl_offset", v.node.AppliedIndex)
	if !v.linkUp {
		t.field("master_link_down_since_seconds", int64(v.heard/time.Second))
	}
	t.field("slave_priority", s.cfg.Int("replica-priority"))
	t.field("slave_read_only", 1)
	t.field("replica_announced", 1)
}

// infoRaft is ours: what Redis has no words for.
func infoRaft(s *Server, t *infoText) {
	n := s.backend.NodeInfo()
	t.field("raft_node_id", n.ID)
	t.field("raft_cluster_id", n.ClusterID)
	t.field("raft_state", n.State)
	t.field("raft_term", n.Term)
	t.field("raft_leader_id", n.LeaderID)
	t.field("raft_leader_addr", s.backend.LeaderAddr())
	t.field("raft_commit_index", n.CommitIndex)
	t.field("raft_applied_index", n.AppliedIndex)
	t.field("raft_last_index", n.LastIndex)
	t.field("raft_first_index", n.FirstIndex)
	t.field("raft_snapshot_index", n.SnapshotIndex)
	t.field("raft_voters", n.Voters)
	t.field("raft_nonvoters", n.NonVoters)
	t.field("raft_addr", n.RaftAddr)
	t.field("raft_log_store", n.LogStore)
	t.field("raft_clock_skew_ms", n.ClockSkewMillis)
	t.field("raft_log_time_ms", n.LogTimeMillis)
	t.field("raft_disk_free_bytes", n.DiskFreeBytes)
	short := 0
	if n.DiskShort {
		short = 1
	}
	t.field("raft_disk_short", short)
}
