package fault

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// syncCalls are the system calls by which a node makes its data durable.
const syncCalls = "fsync,fdatasync"

const detachMax = 5 * time.Second

// injector is a strace that is attached to a node's process and meddles with its system calls.
type injector struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// inject attaches to a node. how is what strace's option inject says after the calls.
func (c *Cluster) inject(ctx context.Context, n *Node, how string) (*injector, error) {
	p := n.run()
	if p == nil {
		return nil, fmt.Errorf("%s does not run", n.ID)
	}
	pid := p.cmd.Process.Pid
	cmd := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-p", strconv.Itoa(pid),
		"-e", "trace="+syncCalls, "-e", "inject="+syncCalls+":"+how)
	cmd.SysProcAttr = sysProcAttr()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("strace %s: %w", n.ID, err)
	}
	i := &injector{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // detach ends it, or the end of the node does
		close(i.ended)
	}()
	err := await(ctx, toolTimeout, "strace is attached to "+n.ID, func() bool {
		return i.over() || !p.running() || threads(pid, "status", func(b []byte) bool { return !bytes.Contains(b, untraced) })
	})
	if err != nil {
		i.detach()
		return nil, err
	}
	return i, nil
}

var untraced = []byte("TracerPid:\t0\n")

func (i *injector) over() bool {
	select {
	case <-i.ended:
		return true
	default:
		return false
	}
}

// detach lets the process go on as it would without: what hangs goes on at once.
func (i *injector) detach() {
	if i == nil {
		return
	}
	_ = i.cmd.Process.Signal(os.Interrupt) // it may have ended with the node
	select {
	case <-i.ended:
	case <-time.After(detachMax):
		_ = i.cmd.Process.Kill()
		<-i.ended
	}
}
