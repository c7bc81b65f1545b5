//go:build !linux

package main

import (
	"errors"
	"os"
	"time"
)

// errLinuxOnly is what every other system gets: CPU times come from /proc and file systems from Linux's statfs.
var errLinuxOnly = errors.New("the benchmark harness runs on Linux only")

func fileSystem(string) (string, bool, error) { return "", false, errLinuxOnly }

func dataSync(*os.File) error { return errLinuxOnly }

func ownCPUTime() time.Duration { return 0 }

func flushDisks() {}
