package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const suiteVersion = "7.0.15"

// suiteFlags run the suite on a server that it did not start. Left out are checks of encodings and digests, which are each
// server's own, checks with DEBUG's inner commands, replication, saving and maxmemory, and what is slow or large.
var suiteFlags = []string{
	"--durable", "--no-latency", "--dont-clean", "--ignore-encoding", "--ignore-digest",
	"--tags", "-needs:debug -needs:pfdebug -needs:repl -needs:save -needs:config-maxmemory -slow -large-memory",
}

// suite is Redis's test suite on this machine. It belongs to one goroutine.
type suite struct {
	dir    string
	output string        // directory for what it prints
	limit  time.Duration // of one file
	port   int           // it takes one of portsOfNodes ports from here on
}

// fetchSuite unpacks the suite into the cache, unless it is there.
func fetchSuite(ctx context.Context, root, cache string, progress io.Writer) (*suite, error) {
	if cache == "" {
		cache = filepath.Join(root, ".cache", "conformance")
	}
	dir, err := filepath.Abs(filepath.Join(cache, "redis-"+suiteVersion))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "runtest")); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(progress, "fetching the source of Redis", suiteVersion, "...")
		cmd := exec.CommandContext(ctx, filepath.Join(root, "integration", "conformance", "fetch.sh"), dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("fetch the suite: %w\n%s", err, out)
		}
	} else if err != nil {
		return nil, err
	}
	return &suite{dir: dir}, nil
}

// files lists the files of checks in the suite's order.
func (s *suite) files(ctx context.Context) ([]string, error) {
	cmd := exec.CommandContext(ctx, "./runtest", "--list-tests")
	cmd.Dir = s.dir
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the suite's files: %w", err)
	}
	return strings.Fields(string(out)), nil
}

// run runs one file on the server at addr. Failing checks are no error.
func (s *suite) run(ctx context.Context, file, addr string) (result, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return result{}, err
	}
	limited, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	args := append([]string{"--host", host, "--port", port, "--single", file,
		"--baseport", strconv.Itoa(s.port + portsOfNodes), "--portcount", strconv.Itoa(portsOfNodes)}, suiteFlags...)
	cmd := exec.CommandContext(limited, "./runtest", args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "TERM=dumb")
	// The suite runs a process of its own for the checks, which must end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	err = cmd.Run()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what an exception leaves behind
	if ctx.Err() != nil {
		return result{}, ctx.Err()
	}
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return result{}, fmt.Errorf("runtest: %w", err)
	}
	res := parseOutput(out.String())
	res.file, res.took = file, time.Since(begin)
	if limited.Err() != nil {
		res.broken = fmt.Sprintf("not done after %s", s.limit)
	}
	return res, os.WriteFile(s.outputOf(file), out.Bytes(), 0o644)
}

func (s *suite) outputOf(file string) string {
	return filepath.Join(s.output, strings.ReplaceAll(file, "/", "-")+".txt")
}
