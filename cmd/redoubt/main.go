// Command redoubt is the one binary: the server and the tools that operate a cluster. It parses flags and wires the
// packages together; it decides nothing of what they do.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// version is set by the release build.
var version = "0.1.0-dev"

func main() {
	if err := root().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "redoubt:", err)
		var code exitCode
		if errors.As(err, &code) {
			os.Exit(int(code))
		}
		os.Exit(1)
	}
}

// exitCode is an error that asks for a particular exit status.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "redoubt",
		Short:         "Redis, but it never loses a write",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(serverCommand(), clusterCommand(), devCommand())
	return cmd
}
