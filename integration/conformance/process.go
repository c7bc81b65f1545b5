package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

const logTailMax = 1 << 10 // bytes of a process's log that go into an error

// process is a server that this program started. Its goroutine, which waits for the end, ends with stop. It belongs to
// one goroutine.
type process struct {
	name, log string
	cmd       *exec.Cmd
	exited    chan struct{} // closed when the process has ended
}

// startProcess starts a server in a process group of its own, so that a Ctrl-C in the terminal reaches only this program,
// which then ends the server itself.
func startProcess(name, log, program string, args ...string) (*process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, log: log, cmd: cmd, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // how it ended is in ProcessState, and why in its log
	}()
	return p, nil
}

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
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(len(text)-logTailMax, 0):])
}

// stop ends the process at once: nothing that it holds is needed any more.
func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}
