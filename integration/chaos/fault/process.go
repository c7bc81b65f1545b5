package fault

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const exitTimeout = 20 * time.Second // of an orderly stop

// process is one run of a node.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
	asked  bool          // it was told to end; guarded by the cluster's lock
	paused bool          // guarded by the cluster's lock
}

// Exit is a run of a node that ended although nobody had asked it to.
type Exit struct {
	Node string
	At   time.Time
	Code int    // -1: by a signal
	Said string // the last line of its log
}

func (e Exit) String() string {
	return fmt.Sprintf("%s %s ended by itself with status %d: %s", e.At.Format(time.TimeOnly), e.Node, e.Code, e.Said)
}

// Launch starts the node's process, unless it runs, and waits for nothing.
func (n *Node) Launch() error {
	c := n.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if n.proc.running() {
		return nil
	}
	f, err := os.OpenFile(n.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	args := c.net.enter(n, append([]string{c.o.Binary}, n.args()...))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = sysProcAttr()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.ID, err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	n.proc = p
	c.wg.Go(func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		n.ended(p)
		close(p.exited)
	})
	return nil
}

// ended notes the end of a run that nobody asked for.
func (n *Node) ended(p *process) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if p.asked {
		return
	}
	e := Exit{Node: n.ID, At: time.Now(), Code: p.cmd.ProcessState.ExitCode(), Said: n.lastLine()}
	n.c.exits = append(n.c.exits, e)
	n.c.o.Log("%s", e)
}

func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// run returns the node's present run, nil if it does not run.
func (n *Node) run() *process {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if !n.proc.running() {
		return nil
	}
	return n.proc
}

// Running reports whether the node's process is there, paused or not.
func (n *Node) Running() bool { return n.run() != nil }

// paused reports whether the node is stopped by Pause.
func (n *Node) paused() bool {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return n.proc.running() && n.proc.paused
}

// Kill9 ends the node without a warning and waits until it is gone. A node that does not run is left alone.
func (n *Node) Kill9() { _ = n.end(syscall.SIGKILL) } // which no process survives

// Term asks the node to stop in good order. It is an error if the node does not, and must be killed.
func (n *Node) Term() error { return n.end(syscall.SIGTERM) }

func (n *Node) end(s syscall.Signal) error {
	p := n.run()
	if p == nil {
		return nil
	}
	n.c.mu.Lock()
	p.asked = true
	n.c.mu.Unlock()
	_ = p.cmd.Process.Signal(s) // it may have ended by itself just now
	select {
	case <-p.exited:
	case <-time.After(exitTimeout):
		_ = p.cmd.Process.Kill()
		<-p.exited
		return fmt.Errorf("%s did not end within %s of %s", n.ID, exitTimeout, s)
	}
	if code := p.cmd.ProcessState.ExitCode(); s == syscall.SIGTERM && code != 0 {
		return fmt.Errorf("%s stopped with exit status %d on %s: %s", n.ID, code, s, n.lastLine())
	}
	return nil
}

// Pause stops the process as a whole, as a hypervisor or a swapping machine does; Continue lets it go on.
func (n *Node) Pause() error {
	p := n.run()
	if p == nil {
		return nil
	}
	n.setPaused(p, true)
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("pause %s: %w", n.ID, err)
	}
	return await(n.c.ctx, toolTimeout, n.ID+" has stopped", func() bool { return stopped(p.cmd.Process.Pid) || !p.running() })
}

// Continue is the end of a Pause.
func (n *Node) Continue() error {
	p := n.run()
	if p == nil {
		return nil
	}
	n.setPaused(p, false)
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		return fmt.Errorf("continue %s: %w", n.ID, err)
	}
	return nil
}

func (n *Node) setPaused(p *process, paused bool) {
	n.c.mu.Lock()
	p.paused = paused
	n.c.mu.Unlock()
}

// threads reports whether a predicate holds for the stat or status file of every thread of a process.
func threads(pid int, file string, holds func([]byte) bool) bool {
	paths, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", file))
	if err != nil || len(paths) == 0 {
		return false
	}
	for _, path := range paths {
		if b, err := os.ReadFile(path); err == nil && !holds(b) { // a thread may end between the two looks
			return false
		}
	}
	return true
}

// stopped reports whether all threads of a process have stopped, which they do only some time after the signal. Where
// there is no /proc it believes so.
func stopped(pid int) bool {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return true
	}
	return threads(pid, "stat", func(b []byte) bool {
		i := bytes.LastIndexByte(b, ')')
		return i >= 0 && i+2 < len(b) && (b[i+2] == 'T' || b[i+2] == 't')
	})
}

// lastLine is the last line of the node's log.
func (n *Node) lastLine() string {
	b, err := os.ReadFile(n.logPath())
	if err != nil {
		return err.Error()
	}
	b = bytes.TrimSpace(b)
	return string(b[bytes.LastIndexByte(b, '\n')+1:])
}
