package main

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/cluster"
)

// passwordEnv keeps the password out of the process list and of the shell's history.
const passwordEnv = "REDOUBT_PASSWORD"

const (
	outputTable = "table"
	outputJSON  = "json"
)

func clusterCommand() *cobra.Command {
	a := &adminClient{}
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Look at a running cluster and operate it",
		Long: `Look at a running cluster and operate it, as a client of any of its nodes: what changes the cluster is carried out by the
leader, wherever that is. Each command answers when the cluster has agreed, with one line. If it fails it says why in one
line and exits with status 1. A connection that breaks on the way (a leader that steps down closes its clients) is no
failure: the command looks whether the change has happened and tries again if it has not.

The password is that of a client (requirepass, or that of an ACL user given by --user). It can come from the environment
variable ` + passwordEnv + `, which keeps it out of the process list.`,
		Example: `  redoubt cluster status
  redoubt cluster status --addr 10.0.0.2:6379 --output json
  redoubt cluster transfer-leader --to n2
  redoubt cluster drain n1          # before maintenance of n1
  redoubt cluster undrain n1        # after it
  redoubt cluster remove n3         # n3 is gone for good`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.out = cmd.OutOrStdout()
			return a.check()
		},
	}
	f := cmd.PersistentFlags()
	f.StringVar(&a.addr, "addr", "127.0.0.1:6379", "RESP address of a node, `host:port`")
	f.StringVar(&a.opts.user, "user", "", "ACL user (default: the default user)")
	f.StringVar(&a.opts.password, "password", "", "password (default: the environment variable "+passwordEnv+")")
	f.BoolVar(&a.opts.tls, "tls", false, "connect with TLS")
	f.StringVar(&a.opts.caFile, "cacert", "", "PEM `file` of the authority that signed the nodes' certificates (default: the system's)")
	f.StringVar(&a.opts.certFile, "cert", "", "PEM `file` of a client certificate")
	f.StringVar(&a.opts.keyFile, "key", "", "PEM `file` of the client certificate's key")
	f.StringVar(&a.output, "output", outputTable, "`format` of what is printed: table (text) or json")
	cmd.AddCommand(
		statusCommand(a), joinCommand(a), removeCommand(a), promoteCommand(a), demoteCommand(a),
		transferCommand(a), drainCommand(a, cluster.OpDrain), drainCommand(a, cluster.OpUndrain), snapshotCommand(a),
	)
	return cmd
}

// check refuses flags that contradict each other, and reads the environment.
func (a *adminClient) check() error {
	if _, _, err := net.SplitHostPort(a.addr); err != nil {
		return fmt.Errorf("--addr takes host:port: %w", err)
	}
	if a.output != outputTable && a.output != outputJSON {
		return fmt.Errorf("--output takes %s or %s, not %q", outputTable, outputJSON, a.output)
	}
	if (a.opts.certFile == "") != (a.opts.keyFile == "") {
		return errors.New("--cert and --key belong together")
	}
	if !a.opts.tls && (a.opts.certFile != "" || a.opts.caFile != "") {
		return errors.New("--cacert, --cert and --key need --tls")
	}
	if a.opts.password == "" {
		a.opts.password = os.Getenv(passwordEnv)
	}
	if a.opts.user != "" && a.opts.password == "" {
		return errors.New("--user needs a password: --password or the environment variable " + passwordEnv)
	}
	return nil
}
