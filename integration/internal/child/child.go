// Package child builds programs of the module and runs servers, for the programs beside it that are not tests: the benchmark and
// the conformance run. Tests have testcluster.
package child

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	stopTimeout = 15 * time.Second // between SIGTERM and SIGKILL
	logTailMax  = 2 << 10          // bytes of a process's log that go into an error
)

// Process is a server that this program started. Its goroutine, which waits for the end, ends with Await. It belongs to
// one goroutine at a time. The zero value has not ended and must not be stopped.
type Process struct {
	Name, Log string // Log is the file that gets the output
	program   string
	args      []string
	cmd       *exec.Cmd
	exited    chan struct{} // closed when the process has ended
}

// Start starts a server. It is in a process group of its own, so that a Ctrl-C in the terminal reaches only this program,
// which then ends the servers itself.
func Start(name, log, program string, args ...string) (*Process, error) {
	p := &Process{Name: name, Log: log, program: program, args: args}
	if err := p.Launch(); err != nil {
		return nil, err
	}
	return p, nil
}

// Launch starts the server again after its end.
func (p *Process) Launch() error {
	f, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(p.program, p.args...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	exited := make(chan struct{})
	p.cmd, p.exited = cmd, exited
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended is in ProcessState, and why in its log
	}()
	return nil
}

// PID is the id of the process, running or not.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Check returns an error if the process has ended.
func (p *Process) Check() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s has ended (%s): %s", p.Name, p.cmd.ProcessState, p.logTail())
	default:
		return nil
	}
}

func (p *Process) logTail() string {
	text, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(len(text)-logTailMax, 0):])
}

// Terminate asks the process to end.
func (p *Process) Terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

// Kill ends the process at once, as kill -9 does, without waiting.
func (p *Process) Kill() { _ = p.cmd.Process.Kill() }

// Await waits for the end, and forces it after stopTimeout.
func (p *Process) Await() {
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.Kill()
		<-p.exited
	}
}

// ModuleRoot is where the module's go.mod is, seen from the current directory.
func ModuleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	root := strings.TrimSpace(string(out))
	if err != nil || root == "" {
		return "", fmt.Errorf("run this inside the module: go list -m: %w", err)
	}
	return root, nil
}

// Build compiles a package of the module at root.
func Build(ctx context.Context, root, pkg, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", to, pkg)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s in %s: %w\n%s", pkg, root, err, out)
	}
	return nil
}
