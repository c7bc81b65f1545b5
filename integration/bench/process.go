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

// process is a server that this program started. Its goroutine, which waits for the end, ends with stop.
type process struct {
	name, addr string
	cmd        *exec.Cmd
	log        string        // path of the file with its output
	exited     chan struct{} // closed when the process has ended
}

// startProcess starts a program that answers RESP at addr. It is in a process group of its own, so that a Ctrl-C in the
// terminal reaches only this program, which then ends the servers itself.
func startProcess(name, addr, log, program string, args ...string) (*process, error) {
	f, err := os.Create(log)
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
	p := &process{name: name, addr: addr, cmd: cmd, log: log, exited: make(chan struct{})}
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

// terminate asks the process to end.
func (p *process) terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

// await waits for the end, and forces it after stopTimeout.
func (p *process) await() {
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}
