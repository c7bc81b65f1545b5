package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/cluster"
)

func statusCommand(a *adminClient) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the nodes, who leads and how far each one is",
		Long: `Show the cluster as the node at --addr sees it: every node, who leads, who votes and how far each one is.

ROLE is leader or follower. VOTER says whether the node counts for majorities: a node that joins votes once it has caught
up. STATE is the node's own word (leader, follower, candidate, joining, removed, failed), "unreachable" where it gave none,
with "drained" (it will not lead) or "standby" (it will not vote) where an operator has decided so, and "disk full" where
it refuses writes until there is room. CONTACT is how long ago
it heard of the leader, APPLIED the log entries that it has applied, LAG how many entries it is behind the foremost node.
Of a node that does not answer within 300 ms APPLIED is what it last told, and how long ago.

The exit status is 0 whenever the node has answered, even if the cluster has no leader.`,
		Example: `  redoubt cluster status --addr 127.0.0.1:6380
  redoubt cluster status --output json | jq -r .leader_id`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := a.status(cmd.Context(), a.addr)
			if err != nil {
				return fmt.Errorf("status: %w", err)
			}
			if a.output == outputJSON {
				return printJSON(a.out, st)
			}
			return printStatus(a.out, st)
		},
	}
}

func printJSON(w io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}

func printStatus(w io.Writer, st *cluster.ClusterStatus) error {
	if len(st.Members) == 0 {
		_, err := fmt.Fprintf(w, "node %s is in no cluster yet\n", st.NodeID)
		return err
	}
	voters := 0
	for _, m := range st.Members {
		if m.Voter {
			voters++
		}
	}
	_, err := fmt.Fprintf(w, "cluster %s, leader %s, term %d, majority %d of %d voters\n\n",
		orElse(st.ClusterID, "?"), orElse(st.LeaderID, "none"), st.Term, st.Quorum, voters)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tRESP\tRAFT\tROLE\tVOTER\tSTATE\tCONTACT\tAPPLIED\tLAG\tVERSION")
	for _, m := range st.Members {
		contact, applied, lag := progress(m)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.ID, orElse(m.RespAddr, "?"), m.RaftAddr, m.Role,
			yesNo(m.Voter), stateText(m), contact, applied, lag, orElse(m.Version, "?"))
	}
	return t.Flush()
}

// progress is how far a node is. Of one that does not answer it is what was last known, with its age.
func progress(m cluster.MemberStatus) (contact, applied, lag string) {
	applied, lag = strconv.FormatUint(m.AppliedIndex, 10), strconv.FormatUint(m.Lag, 10)
	switch {
	case m.State != "unreachable":
		return since(m), applied, lag
	case m.StaleMillis == 0:
		return "-", "-", "-"
	}
	age := (time.Duration(m.StaleMillis) * time.Millisecond).Round(100 * time.Millisecond)
	return "-", fmt.Sprintf("%s (%s ago)", applied, age), lag
}

func since(m cluster.MemberStatus) string {
	if m.LastContactMillis < 0 {
		return "never"
	}
	return (time.Duration(m.LastContactMillis) * time.Millisecond).String()
}

func stateText(m cluster.MemberStatus) string {
	s := m.State
	if m.Drained {
		s += ",drained"
	}
	if m.Standby {
		s += ",standby"
	}
	if m.DiskShort {
		s += ",disk full"
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
