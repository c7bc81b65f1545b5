package fault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const (
	toolTimeout  = 20 * time.Second // of a call of ip, nft, mount...
	pollInterval = 20 * time.Millisecond
)

// tool runs a program of the system. What it prints is part of the error.
func tool(name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), toolTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// missing names the first of the programs that is not installed, "" if all are.
func missing(tools ...string) string {
	for _, t := range tools {
		if _, err := exec.LookPath(t); err != nil {
			return t
		}
	}
	return ""
}

// errAwait is returned by await when its condition did not come about.
var errAwait = errors.New("not in time")

// await polls a condition across a process border until it holds or the limit has passed.
func await(ctx context.Context, limit time.Duration, what string, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w (%s): %s", errAwait, limit, what)
		}
	}
	return nil
}
