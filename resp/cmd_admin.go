package resp

import (
	"context"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// REDOUBT is the container of everything that operates the cluster, so that any Redis client can.
var adminCommands = []entry{{
	Spec: command.Spec{
		Name: "redoubt", Arity: -2, Group: "cluster", Since: "0.1.0", Summary: "Operates the cluster.", Complexity: "Depends on subcommand.",
	},
	subs: []entry{
		{Spec: command.Spec{
			Name: "redoubt|admin", Arity: -3, Flags: command.Admin | command.NoScript | command.Loading | command.Stale | command.NoMulti,
			Group: "cluster", Since: "0.1.0", Summary: "Carries out an operation on the membership, on the leader wherever it is.", Complexity: "O(N) for N nodes",
		}, run: admin},
		{Spec: command.Spec{
			Name: "redoubt|status", Arity: 2, Flags: command.Admin | command.NoScript | command.Loading | command.Stale,
			Group: "cluster", Since: "0.1.0", Summary: "Returns the state of all nodes as JSON.", Complexity: "O(N) for N nodes",
		}, run: clusterStatus},
		{Spec: command.Spec{
			Name: "redoubt|digest", Arity: 2, Flags: command.Admin | command.NoScript,
			Group: "cluster", Since: "0.1.0", Summary: "Returns a fingerprint of the applied state and the log index it is of.", Complexity: "O(N) for N keys",
		}, run: digest},
		{Spec: command.Spec{
			Name: "redoubt|consistency", Arity: -2, Flags: command.NoScript | command.Loading | command.Stale | command.Fast,
			Group: "cluster", Since: "0.1.0", Summary: "Reads or sets the read consistency of this connection: linearizable, lease, stale or default.", Complexity: "O(1)",
		}, run: consistency},
	},
}}

// digest answers two elements: the log index, and the fingerprint. Nodes at one index have one fingerprint.
func digest(c *conn, _ [][]byte) {
	index, sum := c.srv.backend.Digest()
	c.w.Array(2)
	c.w.Int(int64(index))
	c.w.BulkString(sum)
}

// consistency overrides the setting read-consistency for one connection; RESET and "default" end that.
func consistency(c *conn, args [][]byte) {
	if len(args) == 2 {
		c.w.BulkString(c.readConsistency())
		return
	}
	mode := strings.ToLower(string(args[2]))
	switch {
	case len(args) > 3:
		c.w.Error(command.ErrSyntax)
		return
	case mode == "default":
		mode = ""
	case mode != "linearizable" && mode != "lease" && mode != "stale":
		c.w.Error("ERR the consistency of reads is linearizable, lease, stale or default")
		return
	}
	c.consistency = mode
	c.w.Simple("OK")
}

const (
	adminTimeout  = 15 * time.Second
	statusTimeout = 2 * time.Second
)

func admin(c *conn, args [][]byte) {
	words := make([]string, 0, len(args)-3)
	for _, a := range args[3:] {
		words = append(words, string(a))
	}
	ctx, cancel := context.WithTimeout(c.ctx, adminTimeout)
	defer cancel()
	if err := c.srv.backend.Admin(ctx, string(args[2]), words); err != nil {
		c.w.Error("ERR " + err.Error())
		return
	}
	c.w.Simple("OK")
}

func clusterStatus(c *conn, _ [][]byte) {
	ctx, cancel := context.WithTimeout(c.ctx, statusTimeout)
	defer cancel()
	b, err := c.srv.backend.ClusterStatus(ctx)
	if err != nil {
		c.w.Error("ERR " + err.Error())
		return
	}
	c.w.Bulk(b)
}
