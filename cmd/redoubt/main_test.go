package main

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

// runMainEnv makes the test binary behave as the program, so that tests run real processes of what was just compiled.
const runMainEnv = "REDOUBT_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMainEnv) != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

const (
	processTimeout = time.Minute
	awaitTimeout   = 30 * time.Second
	awaitPause     = 20 * time.Millisecond
)

func program(ctx context.Context, t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, exe, args...)
	// The race detector's runtime would sleep for a second at each end of a process.
	cmd.Env = append(os.Environ(), runMainEnv+"=1", passwordEnv+"=", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	return cmd
}

// run runs the program to its end.
func run(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), processTimeout)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := program(ctx, t, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		t.Fatalf("%q: %v, %v\n%s%s", args, err, ctx.Err(), &out, &errs)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// text collects what a process prints.
type text struct {
	mu sync.Mutex
	b  strings.Builder
}

func (o *text) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *text) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// process is a program that runs until it is stopped or the test ends.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  *text
	done chan struct{}
}

func launch(t testing.TB, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: program(context.Background(), t, args...), out: new(text), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("output of %q:\n%s", args, p.out)
		}
	})
	return p
}

// stop ends the process as an operator would, and waits.
func (p *process) stop() { p.signal(syscall.SIGTERM) }

func (p *process) signal(s os.Signal) {
	_ = p.cmd.Process.Signal(s)
	select {
	case <-p.done:
	case <-time.After(processTimeout):
		_ = p.cmd.Process.Kill()
		<-p.done
		p.t.Errorf("the process did not stop at %v", s)
	}
}

// await polls until what is true, or until the process has ended.
func (p *process) await(what string, ok func() bool) {
	p.t.Helper()
	tick := time.NewTicker(awaitPause)
	defer tick.Stop()
	limit := time.After(awaitTimeout)
	for !ok() {
		select {
		case <-tick.C:
		case <-p.done:
			p.t.Fatalf("waiting until %s: the process has ended\n%s", what, p.out)
		case <-limit:
			p.t.Fatalf("not in time: %s\n%s", what, p.out)
		}
	}
}

// The ports that tests listen on lie below those that Linux gives to outgoing connections: a node that is started again
// must find its port free.
const portMin, portMax = 12000, 32000

var ports struct {
	mu   sync.Mutex
	next int // 0 before the first call
}

// freePorts finds n loopback ports in a row that nobody listens on and that no other call has returned lately.
func freePorts(t testing.TB, n int) int {
	t.Helper()
	ports.mu.Lock()
	defer ports.mu.Unlock()
	if ports.next == 0 {
		ports.next = portMin + rand.IntN(portMax-portMin)
	}
	for range 100 {
		first := ports.next
		if first+n > portMax {
			first = portMin
		}
		ports.next = first + n
		free := true
		for i := 0; i < n && free; i++ {
			l, err := net.Listen("tcp", devAddr(first+i))
			if free = err == nil; free {
				_ = l.Close()
			}
		}
		if free {
			return first
		}
	}
	t.Fatal("no free ports")
	return 0
}

// node is a server process.
type node struct {
	*process
	id, dir, resp, raft string
}

func newNode(t testing.TB, id string) *node {
	port := freePorts(t, 2)
	return &node{id: id, dir: t.TempDir(), resp: devAddr(port), raft: devAddr(port + 1)}
}

func (n *node) args(more ...string) []string {
	return append([]string{"server", "--node-id", n.id, "--data-dir", n.dir, "--resp-addr", n.resp, "--raft-addr", n.raft}, more...)
}

// start starts the process and waits until it answers.
func (n *node) start(t testing.TB, more ...string) *node {
	t.Helper()
	n.process = launch(t, n.args(more...)...)
	n.await(n.id+" answers", func() bool {
		c, err := respclient.Dial(n.resp)
		if err != nil {
			return false
		}
		defer c.Close()
		v, err := c.Do("PING")
		return err == nil && v.Str == "PONG"
	})
	return n
}

// admin is a client of the node, as the command line's.
func (n *node) admin() *adminClient { return &adminClient{addr: n.resp, output: outputTable} }

// awaitCluster waits until there is a leader and ok holds.
func (n *node) awaitCluster(what string, ok func(*cluster.ClusterStatus) bool) (st *cluster.ClusterStatus) {
	n.t.Helper()
	n.await(what, func() bool {
		var err error
		if st, err = n.admin().status(context.Background(), n.resp); err != nil {
			return false
		}
		_, led := leading(st)
		return led && ok(st)
	})
	return st
}

func voters(st *cluster.ClusterStatus) int {
	n := 0
	for _, m := range st.Members {
		if m.Voter {
			n++
		}
	}
	return n
}

// startCluster starts n nodes and waits until each sees that all vote. Their timings are the patient ones: a busy machine
// must not make them elect another leader in the middle of a test.
func startCluster(t testing.TB, n int) []*node {
	t.Helper()
	nodes := []*node{newNode(t, "n1").start(t, "--bootstrap", "--raft-profile", "wan")}
	for i := 2; i <= n; i++ {
		nodes = append(nodes, newNode(t, "n"+strconv.Itoa(i)).start(t, "--join", nodes[0].resp, "--raft-profile", "wan"))
	}
	for _, node := range nodes {
		node.awaitCluster("all nodes vote", func(st *cluster.ClusterStatus) bool { return voters(st) == n })
	}
	return nodes
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
