package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// devNode is one node: a process of this binary.
type devNode struct {
	id, dir, logPath   string
	respAddr, raftAddr string
	hasData            bool // at the start of this run

	pid   int
	proc  *os.Process
	ended bool
	voter bool // said to be one
}

// devExit is the end of a node's process.
type devExit struct {
	node *devNode
	how  string
}

func (n *devNode) port() string {
	_, port, _ := net.SplitHostPort(n.respAddr)
	return port
}

// start starts all nodes. Without a cluster the first node begins one; otherwise whoever has no data joins it. A node
// that has state ignores both, so a run that was broken off is simply repeated.
func (d *dev) start() error {
	for _, n := range d.nodes {
		if err := d.launch(n); err != nil {
			return fmt.Errorf("start %s: %w", n.id, err)
		}
	}
	d.say("Starting %d nodes ...", len(d.nodes))
	return nil
}

// serverArgs are the arguments that every start of a node has.
func (n *devNode) serverArgs() []string {
	return []string{"server", "--node-id", n.id, "--data-dir", n.dir, "--resp-addr", n.respAddr, "--raft-addr", n.raftAddr}
}

func (d *dev) launch(n *devNode) error {
	args := n.serverArgs()
	if d.fresh && n == d.nodes[0] {
		args = append(args, "--bootstrap")
	} else {
		args = append(args, "--join", strings.Join(d.membersFor(n), " "))
	}
	log, err := os.OpenFile(n.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own descriptor
	cmd := exec.Command(d.exe, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttr()
	if err := cmd.Start(); err != nil {
		return err
	}
	n.proc, n.pid = cmd.Process, cmd.Process.Pid
	d.running++
	go func() { // ends with the process, which stop waits for; exits has room for every node
		err := cmd.Wait()
		how := cmd.ProcessState.String()
		if err == nil {
			how = "stopped"
		}
		d.exits <- devExit{n, how}
	}()
	return nil
}

// membersFor are the addresses that a node without data asks to be let in.
func (d *dev) membersFor(n *devNode) []string {
	if d.fresh {
		return []string{d.nodes[0].respAddr}
	}
	var out []string
	for _, m := range d.nodes {
		if m != n && m.hasData {
			out = append(out, m.respAddr)
		}
	}
	return out
}

func (d *dev) ended(e devExit) {
	e.node.ended = true
	d.running--
}

// commandLine starts a node again by hand.
func (d *dev) commandLine(n *devNode) string {
	words := []string{shellWord(os.Args[0])}
	for _, a := range n.serverArgs() {
		words = append(words, shellWord(a))
	}
	return strings.Join(words, " ")
}

// shellWord quotes what a shell would take apart.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@+,", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// stop ends all nodes: in an orderly way, and by force after devStopTimeout or at another signal.
func (d *dev) stop(signals <-chan os.Signal) error {
	if d.running == 0 {
		return nil
	}
	d.say("\nStopping %d nodes ...", d.running)
	d.signal(syscall.SIGTERM)
	limit := time.NewTimer(devStopTimeout)
	defer limit.Stop()
	killed := 0
	for d.running > 0 {
		select {
		case e := <-d.exits:
			d.ended(e)
			continue
		case <-limit.C:
		case <-signals:
		}
		killed += d.running
		d.signal(syscall.SIGKILL)
		for d.running > 0 {
			d.ended(<-d.exits)
		}
	}
	if killed > 0 {
		d.say("%d nodes did not stop in time and were killed. No acknowledged write is lost by that.", killed)
		return nil
	}
	d.say("All nodes have stopped.")
	return nil
}

// signal sends to the nodes that run. One that has just ended is reported through exits anyway.
func (d *dev) signal(s os.Signal) {
	for _, n := range d.nodes {
		if n.proc != nil && !n.ended {
			_ = n.proc.Signal(s)
		}
	}
}
