package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/cluster"
)

// outcome is what an operation prints.
type outcome struct {
	Operation string `json:"operation"`
	Node      string `json:"node,omitempty"`
	Result    string `json:"result"`
}

func (a *adminClient) report(op, node, format string, args ...any) error {
	o := outcome{op, node, fmt.Sprintf(format, args...)}
	if a.output == outputJSON {
		return printJSON(a.out, o)
	}
	_, err := fmt.Fprintln(a.out, o.Result)
	return err
}

func removeCommand(a *adminClient) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ID",
		Short: "Take a node out of the cluster for good",
		Long: `Take a node out of the cluster for good, whether it runs or not. Its data is not touched, but it serves the cluster no more;
to let it in again empty its data directory first. If it leads it hands leadership over before. Refused where the
remaining voters that can be reached would be no majority.`,
		Example: "  redoubt cluster remove n3 --addr 127.0.0.1:6379",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.perform(cmd.Context(), operation{cluster.OpRemove, args[0], func(_, now *cluster.ClusterStatus) bool {
				_, in := memberOf(now, args[0])
				return !in
			}})
			if err != nil {
				return err
			}
			return a.report(cluster.OpRemove, args[0], "%s is no longer in the cluster", args[0])
		},
	}
}

func promoteCommand(a *adminClient) *cobra.Command {
	return &cobra.Command{
		Use:   "promote ID",
		Short: "Make a node a voter",
		Long: `Make a node a voter at once. A node that joins becomes one by itself when it has caught up; this is for a node that was
demoted. Refused where the node has not caught up yet: it will then be promoted by itself as soon as it has.`,
		Example: "  redoubt cluster promote n3",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.perform(cmd.Context(), operation{cluster.OpPromote, args[0], func(_, now *cluster.ClusterStatus) bool {
				m, in := memberOf(now, args[0])
				return in && m.Voter && !m.Standby
			}})
			if err != nil {
				return err
			}
			return a.report(cluster.OpPromote, args[0], "%s is a voter", args[0])
		},
	}
}

func demoteCommand(a *adminClient) *cobra.Command {
	return &cobra.Command{
		Use:   "demote ID",
		Short: "Make a node a non-voter",
		Long: `Make a node a non-voter: it has all data and serves reads, but counts for no majority, until it is promoted. If it leads it
hands leadership over before. Refused where the remaining voters that can be reached would be no majority.`,
		Example: "  redoubt cluster demote n3",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.perform(cmd.Context(), operation{cluster.OpDemote, args[0], func(_, now *cluster.ClusterStatus) bool {
				m, in := memberOf(now, args[0])
				return in && !m.Voter
			}})
			if err != nil {
				return err
			}
			return a.report(cluster.OpDemote, args[0], "%s is a non-voter until it is promoted", args[0])
		},
	}
}

func transferCommand(a *adminClient) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "transfer-leader",
		Short: "Hand leadership over to another node",
		Long: `Hand leadership over: to the voter named by --to, or else to the one that is reachable and least behind. Writes that come
meanwhile wait; as a rule this takes a few milliseconds. Clients of the old leader are disconnected.`,
		Example: "  redoubt cluster transfer-leader\n  redoubt cluster transfer-leader --to n2",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			moved := func(before, now *cluster.ClusterStatus) bool {
				return now.LeaderID == to || to == "" && now.LeaderID != before.LeaderID
			}
			if err := a.perform(cmd.Context(), operation{cluster.OpTransfer, to, moved}); err != nil {
				return err
			}
			now, err := a.view(cmd.Context(), nil, leaderPatience, anyView)
			if err != nil {
				return fmt.Errorf("leadership was handed over, but the new leader is not seen: %w", err)
			}
			return a.report(cluster.OpTransfer, now.LeaderID, "%s leads", now.LeaderID)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "`ID` of the node that shall lead (default: the cluster chooses)")
	return cmd
}

// drainCommand is drain and undrain.
func drainCommand(a *adminClient, op string) *cobra.Command {
	on := op == cluster.OpDrain
	cmd := &cobra.Command{
		Use:   op + " [ID]",
		Short: "Keep a node from leading, before maintenance",
		Long: `Keep a node from leading, before it is stopped for maintenance: it hands leadership over if it leads, and takes it no more
until undrain. It goes on voting, and serving as a follower. Without an ID it is the node at --addr.`,
		Example: "  redoubt cluster drain n1\n  redoubt cluster drain --addr 10.0.0.1:6379",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := a.nodeOrAsked(cmd.Context(), args)
			if err != nil {
				return fmt.Errorf("%s: %w", op, err)
			}
			done := func(_, now *cluster.ClusterStatus) bool {
				m, in := memberOf(now, id)
				return in && m.Drained == on && (!on || now.LeaderID != id)
			}
			if err := a.perform(cmd.Context(), operation{op, id, done}); err != nil {
				return err
			}
			if on {
				return a.report(op, id, "%s is drained: it will not lead until undrain", id)
			}
			return a.report(op, id, "%s may lead again", id)
		},
	}
	if !on {
		cmd.Short = "Let a drained node lead again"
		cmd.Long = "Let a node lead again that was drained. Leadership does not move by that. Without an ID it is the node at --addr."
		cmd.Example = "  redoubt cluster undrain n1"
	}
	return cmd
}

// nodeOrAsked is the node that an argument names, or else the one at --addr.
func (a *adminClient) nodeOrAsked(ctx context.Context, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	st, err := a.status(ctx, a.addr)
	if err != nil {
		return "", err
	}
	if st.NodeID == "" {
		return "", errors.New("the node does not tell its id; name one")
	}
	return st.NodeID, nil
}

func snapshotCommand(a *adminClient) *cobra.Command {
	return &cobra.Command{
		Use:   "snapshot",
		Short: "Take a snapshot of a node's state now",
		Long: `Take a snapshot on the node at --addr now, and wait until it is on the disk. Nodes take snapshots by themselves, so that
their logs stay short; this is for the moment before maintenance.`,
		Example: "  redoubt cluster snapshot --addr 127.0.0.1:6380",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := a.ask(cmd.Context(), a.addr, "BGSAVE"); err != nil {
				return fmt.Errorf("snapshot: %w", err)
			}
			if err := a.awaitSave(cmd.Context()); err != nil {
				return fmt.Errorf("snapshot: %w", err)
			}
			return a.report("snapshot", "", "the node at %s has taken a snapshot", a.addr)
		},
	}
}

// savePatience is how long a snapshot may take before the command stops waiting for it.
const savePatience = 10 * time.Minute

// awaitSave waits until the node's snapshot that is under way has ended.
func (a *adminClient) awaitSave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, savePatience)
	defer cancel()
	tick := time.NewTicker(askPause)
	defer tick.Stop()
	for {
		v, err := a.ask(ctx, a.addr, "INFO", "persistence")
		if err != nil {
			return err
		}
		if infoField(v.Str, "rdb_bgsave_in_progress") != "1" {
			if state := infoField(v.Str, "rdb_last_bgsave_status"); state == "err" {
				return errors.New("it failed; the node's log says why")
			}
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("still under way: %w", ctx.Err())
		}
	}
}

// infoField finds a field in the text of INFO; "" if it is not there.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if k, v, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok && k == name {
			return v
		}
	}
	return ""
}

func joinCommand(a *adminClient) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "join",
		Short: "Let a running node that is in no cluster join one",
		Long: `Let the node at --addr, which runs and is in no cluster, join the cluster of the node at --to. It takes part as a non-voter
until it has caught up, and votes from then on. If --to asks for a password the joining node shows its own requirepass, then its masteruser and masterauth.`,
		Example: "  redoubt cluster join --addr 10.0.0.4:6379 --to 10.0.0.1:6379",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := a.join(cmd.Context(), to)
			if err != nil {
				return fmt.Errorf("join: %w", err)
			}
			return a.report(cluster.OpJoin, id, "%s has joined the cluster; it votes once it has caught up", id)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "RESP address of any member, `host:port`")
	_ = cmd.MarkFlagRequired("to") // fails only for a flag that is not there
	return cmd
}

// join asks the node at addr to join. To a node that is a member REPLICAOF would mean something else, so that is refused.
func (a *adminClient) join(ctx context.Context, to string) (string, error) {
	host, port, err := net.SplitHostPort(to)
	if err != nil {
		return "", fmt.Errorf("--to takes host:port: %w", err)
	}
	st, err := a.status(ctx, a.addr)
	if err != nil {
		return "", err
	}
	if len(st.Members) > 0 {
		return "", fmt.Errorf("the node at %s (%s) is in a cluster already", a.addr, st.NodeID)
	}
	_, err = a.ask(ctx, a.addr, "REPLICAOF", host, port)
	var no *refusal
	if err == nil || errors.As(err, &no) {
		return st.NodeID, err
	}
	// The answer was lost: the cluster knows.
	member := *a
	member.addr = to
	_, viewErr := member.view(ctx, &cluster.ClusterStatus{}, settlePatience, func(now *cluster.ClusterStatus) bool {
		_, in := memberOf(now, st.NodeID)
		return in
	})
	if viewErr != nil {
		return "", err
	}
	return st.NodeID, nil
}
