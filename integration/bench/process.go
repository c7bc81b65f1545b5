package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	stopTimeout = 15 * time.Second // between SIGTERM and SIGKILL
	logTailMax  = 2 << 10          // bytes of a process's log that go into an error
)

// process is a server that this program started. Its goroutine, which waits for the end, ends with await. It belongs to
// one goroutine at a time.
type process struct {
	name, addr string
	data       string // directory of its data; its output goes to data.log
	program    string
	args       []string
	cmd        *exec.Cmd
	exited     chan struct{} // closed when the process has ended
}

// startProcess starts a server that answers at addr. It is in a process group of its own, so that a Ctrl-C in the
// terminal reaches only this program, which then ends the servers itself.
func startProcess(name, addr, data, program string, args ...string) (*process, error) {
	p := &process{name: name, addr: addr, data: data, program: program, args: args}
	return p, p.launch()
}

// launch starts the program, for the first time or again after its end.
func (p *process) launch() error {
	f, err := os.OpenFile(p.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(p.program, p.args...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	exited := make(chan struct{})
	p.cmd, p.exited = cmd, exited
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended is in ProcessState, and why in its log
	}()
	return nil
}

func (p *process) log() string { return p.data + ".log" }

func (p *process) pid() int { return p.cmd.Process.Pid }

// check returns an error if the process has ended.
func (p *process) check() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s has ended (%s): %s", p.name, p.cmd.ProcessState, p.logTail())
	default:
		return nil
	}
}

func (p *process) logTail() string {
	text, err := os.ReadFile(p.log())
	if err != nil {
		return err.Error()
	}
	return string(text[max(len(text)-logTailMax, 0):])
}

// terminate asks the process to end.
func (p *process) terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

// kill ends the process at once, as kill -9 does, without waiting.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// await waits for the end, and forces it after stopTimeout.
func (p *process) await() {
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.kill()
		<-p.exited
	}
}
