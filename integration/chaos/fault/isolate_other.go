//go:build !linux

package fault

import (
	"context"
	"errors"
	"os/exec"
)

var errLinuxOnly = errors.New("namespaces are Linux's")

// Inside reports whether this process runs in namespaces that Isolated made.
func Inside() bool { return false }

// Isolation says why this machine can't isolate a run, nil if it can.
func Isolation() error { return errLinuxOnly }

// Isolated runs a program in namespaces, where there are any.
func Isolated(context.Context, *exec.Cmd) (int, error) { return 0, errLinuxOnly }

// Enter has nothing to enter here.
func Enter() error { return errLinuxOnly }

func newNetwork(bool) (network, error) { return &loopback{}, nil }
