package resp

import (
	"context"
	"errors"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// The role commands of Redis 7.0's server and generic groups, on Raft: the leader is the master, and to become the
// master is to be given leadership.
var replicationCommands = []entry{
	{Spec: command.Spec{
		Name: "role", Arity: 1, Flags: command.NoScript | command.Loading | command.Stale | command.Fast, Group: "server", Since: "2.8.12",
		Categories: []string{"admin", "dangerous"}, Summary: "Tells whether the node is the master, and of its counterparts.", Complexity: "O(1)",
	}, run: role},
	{Spec: command.Spec{
		Name: "replicaof", Arity: 3, Flags: command.Admin | command.NoScript | command.Stale | command.NoAsyncLoading, Group: "server", Since: "5.0.0",
		Summary: "Joins a cluster, or says which member shall be the master.", Complexity: "O(1)",
	}, run: replicaOf},
	{Spec: command.Spec{
		Name: "slaveof", Arity: 3, Flags: command.Admin | command.NoScript | command.Stale | command.NoAsyncLoading, Group: "server", Since: "1.0.0",
		Deprecated: "5.0.0", ReplacedBy: "`REPLICAOF`",
		Summary: "Joins a cluster, or says which member shall be the master.", Complexity: "O(1)",
	}, run: replicaOf},
	{Spec: command.Spec{
		Name: "failover", Arity: -1, Flags: command.Admin | command.NoScript | command.Stale, Group: "server", Since: "6.2.0",
		Summary: "Hands leadership to another member.", Complexity: "O(1)",
	}, run: failover},
	{Spec: command.Spec{
		Name: "wait", Arity: 3, Flags: command.NoScript, Group: "generic", Since: "3.0.0", Categories: []string{"connection"},
		Tips:    []string{"request_policy:all_shards", "response_policy:agg_min"},
		Summary: "Waits until followers have the connection's writes, and counts them.", Complexity: "O(1)",
	}, run: wait},
}

func role(c *conn, _ [][]byte) {
	v := c.srv.role()
	if !v.master {
		c.w.Array(5)
		c.w.BulkString("slave")
		c.w.BulkString(v.host)
		c.w.Int(int64(v.port))
		c.w.BulkString(v.linkState())
		c.w.Int(v.offset())
		return
	}
	c.led = true
	online := 0
	for _, r := range v.replicas {
		if r.online {
			online++
		}
	}
	c.w.Array(3)
	c.w.BulkString("master")
	c.w.Int(v.offset())
	c.w.Array(online)
	for _, r := range v.replicas {
		if !r.online {
			continue
		}
		c.w.Array(3)
		c.w.BulkString(r.host)
		c.w.BulkString(strconv.Itoa(r.port))
		c.w.BulkString(strconv.FormatUint(r.offset, 10))
	}
}

const (
	portMax = 65535
	// takeoverRetry is the pause between attempts to become the leader: the present one may just have died, and the next
	// be under election.
	takeoverRetry = 250 * time.Millisecond
	// opTransfer is Backend.Admin's word for moving leadership to a node.
	opTransfer = "transfer-leader"
)

// replicaOf is REPLICAOF and SLAVEOF. "NO ONE" makes this node the master; a member's address makes that member the
// master, whichever node is asked; on a node that is in no cluster an address names the cluster to join.
func replicaOf(c *conn, args [][]byte) {
	s := c.srv
	if s.failoverPhase() != noFailover {
		c.w.Error("ERR REPLICAOF not allowed while failing over.")
		return
	}
	if word(args[1], "no") && word(args[2], "one") {
		c.replyDone("ERR leadership could not be moved to this node: ", s.takeover(c.ctx))
		return
	}
	port, ok := ParseInt64(args[2])
	if !ok || port < 0 || port > portMax {
		c.w.Error("ERR Invalid master port")
		return
	}
	// Joining dials the other node and waits for the cluster, under the backend's own limit.
	ctx, cancel := context.WithTimeout(c.ctx, adminTimeout)
	defer cancel()
	addr, member := s.nodeAddr(ctx, string(args[1]), int(port))
	switch n := s.backend.NodeInfo(); {
	case n.State == stateJoining:
		c.replyDone("ERR could not join the cluster of "+addr+": ", s.joinAt(ctx, n, addr))
	case n.State == stateRemoved:
		c.w.Error("ERR this node was removed from its cluster; empty its data directory and start it again before it joins one")
	case !s.backend.Leading() && member && addr == s.backend.LeaderAddr():
		c.w.Simple("OK Already connected to specified master")
	case !member:
		c.w.Error("ERR " + addr + " is not a member of this cluster. REPLICAOF makes a member the master; copying from a Redis outside the cluster is not supported yet")
	default:
		c.replyDone("ERR leadership could not be moved to "+addr+": ", s.makeMaster(c.ctx, n, addr))
	}
}

// word reports whether an argument is a word, in any case. The word is given in lower case.
func word(arg []byte, w string) bool { return strings.EqualFold(string(arg), w) }

// replyDone answers OK, or an error behind a text that says what failed.
func (c *conn) replyDone(text string, err error) {
	if err != nil {
		c.w.Error(text + err.Error())
		return
	}
	c.w.Simple("OK")
}

var errJoinSelf = errors.New("that is this node itself; name a member of the cluster")

func (s *Server) joinAt(ctx context.Context, n NodeInfo, addr string) error {
	if addr == n.RespAddr {
		return errJoinSelf
	}
	return s.backend.JoinCluster(ctx, addr)
}

// takeover makes this node the leader. Where no leader can be asked, because the last one has just died, it tries again
// once there is one, for as long as a hand-over may take.
func (s *Server) takeover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Duration("handover-timeout-ms"))
	defer cancel()
	var last error
	for {
		err := s.backend.Takeover(ctx)
		switch {
		case err == nil:
			return nil
		case last == nil || ctx.Err() == nil:
			last = err // an attempt that was cut short says less than the one before it
		}
		t := time.NewTimer(takeoverRetry)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return last
		}
	}
}

// makeMaster has the member at a RESP address lead.
func (s *Server) makeMaster(ctx context.Context, n NodeInfo, addr string) error {
	if addr == n.RespAddr {
		return s.takeover(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Duration("handover-timeout-ms"))
	defer cancel()
	if s.backend.Leading() {
		return s.backend.Handover(ctx, addr)
	}
	id, err := s.memberID(addr)
	if err != nil {
		return err
	}
	return s.backend.Admin(ctx, opTransfer, []string{id})
}

// failoverOptions are FAILOVER's arguments.
type failoverOptions struct {
	abort, force bool
	target       string // host:port, "" for any
	patience     time.Duration
}

const errNotAnInteger = "ERR value is not an integer or out of range"

// parseFailover reads the arguments by Redis 7.0's rules: each option once, ABORT alone.
func parseFailover(args [][]byte) (o failoverOptions, errText string) {
	if len(args) == 2 && word(args[1], "abort") {
		return failoverOptions{abort: true}, ""
	}
	for i := 1; i < len(args); i++ {
		left := len(args) - 1 - i
		switch {
		case word(args[i], "timeout") && left >= 1 && o.patience == 0:
			ms, ok := ParseInt64(args[i+1])
			if !ok {
				return o, errNotAnInteger
			}
			if ms <= 0 {
				return o, "ERR FAILOVER timeout must be greater than 0"
			}
			o.patience = millis(ms)
			i++
		case word(args[i], "to") && left >= 2 && o.target == "":
			port, ok := ParseInt64(args[i+2])
			if !ok {
				return o, errNotAnInteger
			}
			o.target = net.JoinHostPort(string(args[i+1]), strconv.FormatInt(port, 10))
			i += 2
		case word(args[i], "force") && !o.force:
			o.force = true
		default:
			return o, command.ErrSyntax
		}
	}
	return o, ""
}

// millis is a number of milliseconds, at most the longest duration there is.
func millis(ms int64) time.Duration {
	if ms > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}

func failover(c *conn, args [][]byte) {
	o, errText := parseFailover(args)
	switch {
	case errText != "":
	case o.abort:
		errText = c.abortFailover()
	default:
		errText = c.srv.failoverTo(o)
	}
	if errText != "" {
		c.w.Error(errText)
		return
	}
	c.w.Simple("OK")
}

// abortTimeout is how long FAILOVER ABORT waits for a hand-over to end that can no longer be stopped at once.
const abortTimeout = time.Second

func (c *conn) abortFailover() (errText string) {
	ctx, cancel := context.WithTimeout(c.ctx, abortTimeout)
	defer cancel()
	wasLeading := c.srv.backend.Leading()
	found, err := c.srv.abortFailover(ctx)
	switch {
	case !found:
		return "ERR No failover in progress."
	case err != nil:
		return "ERR the failover has gone too far to be stopped at once; see master_failover_state"
	case wasLeading && !c.srv.backend.Leading():
		return "ERR the failover could not be stopped: leadership has moved"
	}
	return ""
}

// failoverTo checks in Redis's order and begins.
func (s *Server) failoverTo(o failoverOptions) (errText string) {
	if s.failoverPhase() != noFailover {
		return "ERR FAILOVER already in progress."
	}
	v := s.role()
	if !v.master {
		return "ERR FAILOVER is not valid when server is a replica."
	}
	if len(v.replicas) == 0 {
		return "ERR FAILOVER requires connected replicas."
	}
	if o.force && (o.patience == 0 || o.target == "") {
		return "ERR FAILOVER with force option requires both a timeout and target HOST and IP."
	}
	if errText := s.checkTarget(v.replicas, o.target); errText != "" {
		return errText
	}
	if o.force {
		return "ERR FAILOVER with the FORCE option is not supported: it could lose acknowledged writes"
	}
	if !s.startFailover(o.target, o.patience) {
		return "ERR FAILOVER already in progress."
	}
	return ""
}

// checkTarget refuses a target that can't lead, and, without one, a cluster where nobody can.
func (s *Server) checkTarget(replicas []replicaView, target string) (errText string) {
	for _, r := range replicas {
		switch here := net.JoinHostPort(r.host, strconv.Itoa(r.port)) == target; {
		case target == "" && r.voter:
			return ""
		case !here:
		case !r.online:
			return "ERR FAILOVER target replica is not online."
		case !r.voter:
			return "ERR FAILOVER target replica has no vote, so it cannot lead: it is still catching up, or was demoted."
		default:
			return ""
		}
	}
	if target == "" {
		return "ERR FAILOVER requires connected replicas."
	}
	if s.backend.Member(target) && target != s.backend.NodeInfo().RespAddr {
		return "ERR FAILOVER target replica is not online."
	}
	return "ERR FAILOVER target HOST and PORT is not a replica."
}
