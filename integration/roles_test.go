package integration

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/integration/testcluster"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

// follows waits until n is a replica of lead with its link up, by INFO and ROLE, and is at the leader's offset.
func follows(c *testcluster.Cluster, n, lead *testcluster.Node) {
	host, port, _ := net.SplitHostPort(lead.RespAddr)
	c.Await(n.ID+" follows "+lead.ID, func() bool {
		master, f := lead.Fields("replication"), n.Fields("replication")
		role, err := n.Try("ROLE")
		return err == nil && f["role"] == "slave" && f["master_host"] == host && f["master_port"] == port &&
			f["master_link_status"] == "up" && f["slave_repl_offset"] == master["master_repl_offset"] &&
			f["master_replid"] == master["master_replid"] &&
			slices.Equal(role.Strings(), []string{"slave", host, port, "connected", f["slave_repl_offset"]})
	})
}

// leads waits until n leads, and the other nodes that run follow it.
func leads(c *testcluster.Cluster, n *testcluster.Node) {
	c.Await(n.ID+" leads", func() bool { return n.Info("replication", "role") == "master" })
	for _, other := range c.Up() {
		if other != n {
			follows(c, other, n)
		}
	}
}

func split(t *testing.T, addr string) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// TestRoles is a day of an operator who knows Redis.
func TestRoles(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: patient})
	lead, followers := c.Leader(), c.Followers()
	leads(c, lead)
	c.Await("it counts two replicas", func() bool { return lead.Info("replication", "connected_slaves") == "2" })

	t.Log("WAIT counts the followers that have the write")
	conn := lead.Dial()
	for _, step := range [][2]string{{"SET a 1", "OK"}, {"WAIT 2 10000", "2"}, {"WAIT 0 0", "2"}, {"WAIT 3 50", "2"}} {
		v, err := conn.Do(strings.Fields(step[0])...)
		if err != nil || v.Text() != step[1] {
			t.Fatalf("%s: %q, %v; want %q", step[0], v.Text(), err, step[1])
		}
	}

	t.Log("REPLICAOF NO ONE answers once the node leads")
	second := followers[0]
	second.Do("REPLICAOF", "NO", "ONE")
	second.Do("SET", "b", "2")
	leads(c, second)

	t.Log("REPLICAOF of a member, on a follower: that member leads")
	host, port := split(t, lead.RespAddr)
	followers[1].Do("REPLICAOF", host, port)
	leads(c, lead)
	if v := followers[1].Do("SLAVEOF", host, port); v.Str != "OK Already connected to specified master" {
		t.Errorf("SLAVEOF the leader: %q", v.Str)
	}

	t.Log("FAILOVER TO")
	host, port = split(t, followers[1].RespAddr)
	lead.Do("FAILOVER", "TO", host, port, "TIMEOUT", "20000")
	leads(c, followers[1])
	c.Await("the failover is over", func() bool {
		return lead.Info("replication", "master_failover_state") == "no-failover"
	})

	t.Log("the leader dies, and an operator says who leads")
	followers[1].Kill9()
	c.Leader() // an election is over
	lead.Do("REPLICAOF", "NO", "ONE")
	leads(c, lead)
	c.Await("one replica is left", func() bool { return lead.Info("replication", "connected_slaves") == "1" })
	if v := lead.Do("WAIT", "2", "100"); v.Int != 1 {
		t.Errorf("WAIT counts %d followers, one is there", v.Int)
	}
	followers[1].Restart()
	leads(c, lead)
}

// TestFailoverAbort: a FAILOVER that cannot end lets writes go on, and can be called off.
func TestFailoverAbort(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: patient})
	lead, paused := c.Leader(), c.Followers()[0]
	paused.Pause()
	lead.Do("SET", "a", "1") // the target lacks it
	host, port := split(t, paused.RespAddr)
	lead.Do("FAILOVER", "TO", host, port)
	if got := lead.Info("replication", "master_failover_state"); got != "waiting-for-sync" {
		t.Errorf("master_failover_state:%s", got)
	}
	lead.Do("SET", "a", "2")
	if _, err := lead.Try("REPLICAOF", "NO", "ONE"); err == nil || !strings.Contains(err.Error(), "ERR REPLICAOF not allowed while failing over.") {
		t.Errorf("REPLICAOF: %v", err)
	}
	lead.Do("FAILOVER", "ABORT")
	if got := lead.Info("replication", "master_failover_state"); got != "no-failover" {
		t.Errorf("after ABORT master_failover_state:%s", got)
	}
	paused.Continue()
	leads(c, lead)
}

// TestReplicaOfJoins: a node that is in no cluster looks for a master, and REPLICAOF has it join one.
func TestReplicaOfJoins(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 1})
	host, port := split(t, c.Nodes[0].RespAddr)
	n := c.Add()
	n.Launch()
	n.AwaitUp()
	if role := n.Do("ROLE").Strings(); !slices.Equal(role, []string{"slave", "", "0", "connect", "-1"}) {
		t.Errorf("ROLE of a node in no cluster: %q", role)
	}
	if _, err := n.Try("REPLICAOF", host, "1"); err == nil {
		t.Error("joined where nobody listens")
	}
	n.Do("REPLICAOF", host, port)
	c.AwaitVoters(2)
	follows(c, n, c.Nodes[0])
	if _, err := n.Try("REPLICAOF", host, "1"); err == nil || !strings.Contains(err.Error(), "is not a member of this cluster") {
		t.Errorf("REPLICAOF a stranger: %v", err)
	}
}

// TestWaitOfAClosedClient: WAIT without a time out does not outlive its client.
func TestWaitOfAClosedClient(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 1})
	lead := c.Nodes[0]
	conn := lead.Dial()
	if err := conn.Send("WAIT", "1", "0"); err != nil {
		t.Fatal(err)
	}
	c.Await("the client is blocked", func() bool { return lead.Info("clients", "blocked_clients") == "1" })
	_ = conn.Close()
	c.Await("the connection ends", func() bool { return lead.Info("clients", "blocked_clients") == "0" })
}

// notHere are Redis's fields that would say nothing true of this server: it counts neither what Raft's transport moves
// nor snapshots that it sends, it does not fork, and expiry is no cycle.
var notHere = map[string]bool{
	"gcc_version": true, "rdb_saves": true, "rdb_last_load_keys_expired": true, "rdb_last_load_keys_loaded": true,
	"total_net_repl_input_bytes": true, "total_net_repl_output_bytes": true, "instantaneous_input_repl_kbps": true,
	"instantaneous_output_repl_kbps": true, "sync_full": true, "sync_partial_ok": true, "sync_partial_err": true,
	"expired_stale_perc": true, "expired_time_cap_reached_count": true, "expire_cycle_cpu_milliseconds": true,
	"reply_buffer_shrinks": true, "reply_buffer_expands": true, "used_cpu_sys_main_thread": true, "used_cpu_user_main_thread": true,
}

// TestInfoFields holds INFO's sections and fields, and their order, to those of redis-server.
func TestInfoFields(t *testing.T) {
	infos := make(map[string]string)
	for name, addr := range map[string]string{"redis": startRedis(t), "redoubt": startRedoubt(t)} {
		conn, err := respclient.Dial(addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, cmd := range []string{"CONFIG RESETSTAT", "SET a 1", "GET a", "INCRBY a x", "INFO everything"} {
			v, err := conn.Do(strings.Fields(cmd)...)
			if err != nil {
				t.Fatal(err)
			}
			infos[name] = v.Str
		}
	}
	theirs, ours := infoFields(infos["redis"]), infoFields(infos["redoubt"])
	known := make(map[string]bool)
	for _, f := range ours {
		known[f] = true
	}
	common := make(map[string]bool)
	for _, f := range theirs {
		common[f] = known[f]
		if !known[f] && !notHere[f] {
			t.Errorf("INFO lacks %s", f)
		}
		if known[f] && notHere[f] {
			t.Errorf("%s is there now", f)
		}
	}
	keep := func(all []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(f string) bool { return !common[f] })
	}
	if a, b := keep(theirs), keep(ours); !slices.Equal(sortCommands(a), sortCommands(b)) {
		t.Errorf("the order differs: Redis has\n%q\nours is\n%q", a, b)
	}
}

// infoFields lists the titles and fields of an INFO.
func infoFields(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if name, _, ok := strings.Cut(line, ":"); ok || strings.HasPrefix(line, "# ") {
			out = append(out, name)
		}
	}
	return out
}

// sortCommands puts the lines of single commands in order, which Redis lists by chance.
func sortCommands(fields []string) []string {
	class := func(f string) string {
		for _, p := range []string{"cmdstat_", "latency_percentiles_usec_"} {
			if strings.HasPrefix(f, p) {
				return p
			}
		}
		return ""
	}
	for i := 0; i < len(fields); {
		j := i + 1
		for j < len(fields) && class(fields[i]) != "" && class(fields[j]) == class(fields[i]) {
			j++
		}
		slices.Sort(fields[i:j])
		i = j
	}
	return fields
}
