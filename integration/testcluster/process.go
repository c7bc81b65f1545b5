package testcluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	exitTimeout  = 20 * time.Second // an orderly stop: hand-over and shutdown have 5 s and 10 s by default
	logBytesShow = 16 << 10         // of each node's log, when a test fails
)

// process is one run of a node. Its goroutine waits for the end of the run.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
}

// Launch starts the node's process, which must not run, and does not wait for anything. extra are flags for this run.
func (n *Node) Launch(extra ...string) {
	n.c.t.Helper()
	if n.Running() {
		n.c.t.Fatalf("%s runs already", n.ID)
	}
	f, err := os.OpenFile(n.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		n.c.t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(Binary(n.c.t), append(n.args(), extra...)...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = sysProcAttr()
	if err := cmd.Start(); err != nil {
		n.c.t.Fatalf("start %s: %v", n.ID, err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	n.proc, n.paused = p, false
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.exited)
	}()
}

func (n *Node) args() []string {
	args := []string{"server", "--node-id", n.ID, "--data-dir", n.Dir, "--resp-addr", n.RespAddr, "--raft-addr", n.RaftAddr}
	if n.c.o.Password != "" {
		args = append(args, "--requirepass", n.c.o.Password, "--masterauth", n.c.o.Password)
	}
	return append(append(args, n.c.o.Flags...), n.Flags...)
}

// Running reports whether the node's process is there, paused or not.
func (n *Node) Running() bool {
	if n.proc == nil {
		return false
	}
	select {
	case <-n.proc.exited:
		return false
	default:
		return true
	}
}

// Pid is the id of the node's process, running or not.
func (n *Node) Pid() int { return n.proc.cmd.Process.Pid }

// Exit is how a process ended.
type Exit struct {
	Code int // -1: by a signal
	Took time.Duration
}

// Kill9 ends the node without a warning and waits until it is gone.
func (n *Node) Kill9() {
	n.c.t.Helper()
	n.signal(syscall.SIGKILL)
	n.Wait()
}

// Term asks the node to stop and waits until it has.
func (n *Node) Term() Exit {
	n.c.t.Helper()
	start := time.Now()
	n.signal(syscall.SIGTERM)
	e := n.Wait()
	e.Took = time.Since(start)
	return e
}

// Wait waits until the node's process has ended by itself or by a signal.
func (n *Node) Wait() Exit {
	n.c.t.Helper()
	start := time.Now()
	select {
	case <-n.proc.exited:
	case <-time.After(exitTimeout):
		_ = n.proc.cmd.Process.Kill()
		n.c.t.Fatalf("%s did not end within %s", n.ID, exitTimeout)
	}
	return Exit{n.proc.cmd.ProcessState.ExitCode(), time.Since(start)}
}

// Pause stops the process as a whole, as a hypervisor or a swapping machine does; Continue lets it go on.
func (n *Node) Pause() {
	n.c.t.Helper()
	n.signal(syscall.SIGSTOP)
	n.paused = true
	n.c.Await(n.ID+" has stopped", func() bool { return stopped(n.Pid()) })
}

// stopped reports whether all threads of a process have stopped, which they do only some time after the signal was sent.
// Where there is no /proc it believes so.
func stopped(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		return true
	}
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if i := bytes.LastIndexByte(b, ')'); err == nil && i+2 < len(b) && b[i+2] != 'T' {
			return false
		}
	}
	return true
}

// Continue is the end of a Pause.
func (n *Node) Continue() {
	n.c.t.Helper()
	n.signal(syscall.SIGCONT)
	n.paused = false
}

func (n *Node) signal(s syscall.Signal) {
	n.c.t.Helper()
	if err := n.proc.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.c.t.Fatalf("%s: %s: %v", n.ID, s, err)
	}
}

// Restart starts the node again and waits until it answers. extra are flags for this run.
func (n *Node) Restart(extra ...string) {
	n.c.t.Helper()
	n.Launch(extra...)
	n.AwaitUp()
}

func (n *Node) logPath() string { return filepath.Join(n.c.dir, n.ID+".log") }

// Log is everything that the node has printed, in all its runs.
func (n *Node) Log() string {
	b, err := os.ReadFile(n.logPath())
	if errors.Is(err, os.ErrNotExist) {
		return "" // it has never run
	}
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	return string(b)
}

func (n *Node) logTail() string {
	text := n.Log()
	return text[max(0, len(text)-logBytesShow):]
}
