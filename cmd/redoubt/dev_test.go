package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

// do sends one command to a server and returns the reply's text, or the error's.
func do(t *testing.T, addr string, words ...string) string {
	t.Helper()
	c, err := respclient.Dial(addr)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	v, err := c.Do(words...)
	if err != nil {
		return err.Error()
	}
	return v.Text()
}

var (
	devLeads  = regexp.MustCompile(`Ready: 3 nodes, n(\d) leads`)
	devLeader = regexp.MustCompile(`(?m)^  n\d  leader .* pid (\d+)$`)
)

// startDev starts dev and waits until it is ready; it returns the number of the leading node and its pid.
func startDev(t *testing.T, args ...string) (p *process, leader, pid int) {
	t.Helper()
	p = launch(t, append([]string{"dev"}, args...)...)
	p.await("ready", func() bool { return strings.Contains(p.out.String(), "Ctrl-C stops") })
	out := p.out.String()
	l, pids := devLeads.FindStringSubmatch(out), devLeader.FindStringSubmatch(out)
	if l == nil || pids == nil {
		t.Fatalf("who leads?\n%s", out)
	}
	leader, _ = strconv.Atoi(l[1])
	pid, _ = strconv.Atoi(pids[1])
	return p, leader, pid
}

func (p *process) endsWell(t *testing.T) {
	t.Helper()
	p.signal(os.Interrupt)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 || !strings.Contains(p.out.String(), "All nodes have stopped.") {
		t.Fatalf("exit status %d\n%s", code, p.out)
	}
}

func TestDev(t *testing.T) {
	t.Parallel()
	dir, port := filepath.Join(t.TempDir(), "play ground"), freePorts(t, 6)
	p, leader, pid := startDev(t, "--dir", dir, "--port", strconv.Itoa(port), "--raft-port", strconv.Itoa(port+3))

	_, stderr, code := run(t, "dev", "--dir", filepath.Join(t.TempDir(), "x"), "--port", strconv.Itoa(port-1), "--raft-port", strconv.Itoa(port+3))
	if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "already in use") {
		t.Errorf("a port in use: %d, %s", code, stderr)
	}
	takesWrite := func(key, value string) bool {
		for i := range 3 {
			if do(t, devAddr(port+(leader-1+i)%3), "SET", key, value) == "OK" {
				return true
			}
		}
		return false
	}
	p.await("the leader takes writes", func() bool { return takesWrite("k", "v") })
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.await("the end is reported", func() bool { return strings.Contains(p.out.String(), "signal: killed") })
	p.await("how to start it again is said", func() bool {
		return strings.Contains(p.out.String(), "server --node-id n"+strconv.Itoa(leader)+" --data-dir '"+dir)
	})
	p.await("another node takes writes", func() bool { return takesWrite("k2", "v2") })
	p.endsWell(t)

	// The next run finds the ports and the data, and a node whose directory is gone joins again.
	lost := filepath.Join(dir, "n"+strconv.Itoa(leader))
	if err := os.RemoveAll(lost); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code = run(t, "dev", "--dir", dir, "--port", strconv.Itoa(port+10)); code != 1 || !strings.Contains(stderr, "leave the flag out") {
		t.Errorf("another port: %d, %s", code, stderr)
	}
	p, _, _ = startDev(t, "--dir", dir)
	if !strings.Contains(p.out.String(), "has lost its data") {
		t.Errorf("nothing said of the lost node:\n%s", p.out)
	}
	again := devAddr(port + leader - 1)
	p.await("the lost node has all data", func() bool {
		return do(t, again, "GET", "k") == "v" && do(t, again, "GET", "k2") == "v2"
	})
	p.endsWell(t)
}

func TestDevTellsWhyANodeDidNotStart(t *testing.T) {
	t.Parallel()
	dir, port := t.TempDir(), freePorts(t, 2)
	foreign := filepath.Join(dir, "n1")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(foreign, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := run(t, "dev", "--nodes", "1", "--dir", dir, "--port", strconv.Itoa(port), "--raft-port", strconv.Itoa(port+1))
	if code != 1 || !strings.Contains(stderr, "n1 did not start") || !strings.Contains(stderr, "thesis.tex") {
		t.Errorf("%d, %s", code, stderr)
	}
}

func TestDevOptions(t *testing.T) {
	none := func(string) bool { return false }
	for _, tc := range []struct {
		o    devOptions
		want string
	}{
		{devOptions{port: 6379, raftPort: 7379, nodes: 3}, ""},
		{devOptions{port: 6379, raftPort: 7379, nodes: 0}, "--nodes"},
		{devOptions{port: 6379, raftPort: 7379, nodes: 8}, "--nodes"},
		{devOptions{port: 65534, raftPort: 7379, nodes: 3}, "--port"},
		{devOptions{port: 6379, raftPort: 0, nodes: 3}, "--raft-port"},
		{devOptions{port: 7000, raftPort: 7002, nodes: 3}, "overlap"},
		{devOptions{port: 7003, raftPort: 7000, nodes: 3}, ""},
	} {
		tc.o.dir = t.TempDir()
		err := tc.o.settle(none)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v", tc.o, err)
		}
	}
}

func TestDevPlanDecides(t *testing.T) {
	d := &dev{o: devOptions{dir: t.TempDir(), port: 7000, raftPort: 8000, nodes: 3}}
	if err := d.writeDevPlan(); err != nil {
		t.Fatal(err)
	}
	o := devOptions{dir: d.o.dir, port: 6379, raftPort: 7379, nodes: 3}
	if err := o.settle(func(string) bool { return false }); err != nil || o != d.o {
		t.Errorf("%+v, %v", o, err)
	}
	o.nodes = 5
	if err := o.settle(func(f string) bool { return f == "nodes" }); err != nil || o.nodes != 5 {
		t.Errorf("more nodes: %+v, %v", o, err)
	}
	o.nodes = 1
	if err := o.settle(func(f string) bool { return f == "nodes" }); err == nil {
		t.Error("fewer nodes were taken")
	}
	if err := os.WriteFile(filepath.Join(d.o.dir, devPlanName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := o.settle(func(string) bool { return false }); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a torn plan: %v", err)
	}
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{"": "''", "a/b-c": "a/b-c", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'"} {
		if got := shellWord(in); got != want {
			t.Errorf("%q: %s", in, got)
		}
	}
}
