package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// AwaitTimeout is how long a healed cluster may take to settle. Whatever takes longer is stuck.
const AwaitTimeout = 60 * time.Second

// secret is what the nodes prove to one another. Clients need no password.
const secret = "the nodes of one chaos run"

// Options are how a cluster is started.
type Options struct {
	// Binary is the program under test, Dir the directory for data and logs.
	Binary, Dir string
	// Nodes is how many nodes there are, unless a fault adds or removes one.
	Nodes int
	// Flags are given to every node, in every run.
	Flags []string
	// Isolated says that the program runs inside Isolated: each node gets a network namespace of its own.
	Isolated bool
	// Disk is what the data directories lie on.
	Disk Disk
	// Log takes a line on what happens; nil for silence.
	Log func(format string, args ...any)
}

// Cluster is a set of nodes, of which some may not run.
type Cluster struct {
	o   Options
	ctx context.Context
	net network
	wg  sync.WaitGroup // the goroutines that wait for processes

	mu    sync.Mutex
	nodes []*Node // those that are meant to be members
	made  int     // how many there have ever been
	exits []Exit
}

// Node is one node. Its process comes and goes; its directory and id stay until it is removed for good.
type Node struct {
	ID, RespAddr, RaftAddr string

	c     *Cluster
	dir   string // of the data
	ip    string
	disk  *volume // nil: a directory like any other
	flags []string
	proc  *process // guarded by the cluster's lock
}

// Start starts a cluster and waits until all its nodes vote. The nodes live until Close, at most as long as the program;
// ctx bounds whatever the cluster waits for.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	c := &Cluster{o: o, ctx: ctx}
	var err error
	if c.net, err = newNetwork(o.Isolated); err != nil {
		return nil, err
	}
	for range o.Nodes {
		if _, err = c.add(); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	if err = c.AwaitSettled(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// add makes and starts a node. The first one begins the cluster, the others join it by the addresses of all that are there.
func (c *Cluster) add() (*Node, error) {
	c.mu.Lock()
	c.made++
	number := c.made
	c.mu.Unlock()
	n := &Node{ID: "n" + strconv.Itoa(number), c: c}
	var err error
	if n.ip, n.RespAddr, n.RaftAddr, err = c.net.add(n.ID, number); err != nil {
		return nil, err
	}
	mount := filepath.Join(c.o.Dir, n.ID)
	if n.disk, err = newVolume(c.o.Disk, mount); err != nil {
		return nil, errors.Join(err, c.net.remove(n.ID))
	}
	n.dir = filepath.Join(mount, "data")
	for _, addr := range c.Addrs() {
		n.flags = append(n.flags, "--join", addr)
	}
	if number == 1 {
		n.flags = []string{"--bootstrap"}
	}
	c.mu.Lock()
	c.nodes = append(c.nodes, n)
	c.mu.Unlock()
	return n, n.Launch()
}

// retire ends a node that is no member any more, and its data. Its log file stays.
func (c *Cluster) retire(n *Node) error {
	n.Kill9()
	c.mu.Lock()
	var keep []*Node
	for _, m := range c.nodes {
		if m != n {
			keep = append(keep, m)
		}
	}
	c.nodes = keep
	c.mu.Unlock()
	mount := filepath.Join(c.o.Dir, n.ID)
	return errors.Join(n.disk.close(), c.net.remove(n.ID), os.RemoveAll(mount), os.RemoveAll(mount+ImageSuffix))
}

// Nodes lists the nodes that are meant to be members, dead ones too.
func (c *Cluster) Nodes() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*Node(nil), c.nodes...)
}

// Addrs are the RESP addresses of Nodes.
func (c *Cluster) Addrs() []string {
	var out []string
	for _, n := range c.Nodes() {
		out = append(out, n.RespAddr)
	}
	return out
}

// Exits lists the runs of nodes that ended although nobody had asked them to.
func (c *Cluster) Exits() []Exit {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Exit(nil), c.exits...)
}

// Up lists the nodes that run and are not paused.
func (c *Cluster) Up() []*Node {
	var up []*Node
	for _, n := range c.Nodes() {
		if n.Running() && !n.paused() {
			up = append(up, n)
		}
	}
	return up
}

// Revive starts every node that does not run, again and again should it end, until all answer.
func (c *Cluster) Revive(ctx context.Context) error {
	return await(ctx, AwaitTimeout, "all nodes are back", func() bool {
		all := true
		for _, n := range c.Nodes() {
			if !n.Running() {
				if err := n.Launch(); err != nil {
					c.o.Log("%v", err)
				}
			}
			if _, err := n.Do("PING"); err != nil {
				all = false
			}
		}
		return all
	})
}

// Close ends all nodes, each of which must stop when it is asked to, and takes their disks and networks away. Logs and data
// stay.
func (c *Cluster) Close() error {
	var wg sync.WaitGroup
	nodes := c.Nodes()
	errs := make([]error, len(nodes))
	for i, n := range nodes {
		wg.Go(func() { errs[i] = errors.Join(n.Continue(), n.Term()) })
	}
	wg.Wait()
	c.wg.Wait()
	for _, n := range nodes {
		errs = append(errs, n.disk.close(), c.net.remove(n.ID))
	}
	return errors.Join(errs...)
}

// snapshotFlags have logs cut and snapshots installed within a run of minutes.
var snapshotFlags = []string{"--snapshot-threshold", "2000", "--snapshot-interval", "5", "--trailing-logs", "1000"}

func (n *Node) args() []string {
	args := []string{"server", "--node-id", n.ID, "--data-dir", n.dir, "--resp-addr", n.RespAddr, "--raft-addr", n.RaftAddr,
		"--masterauth", secret, "--protected-mode", "no", "--enable-debug-command", "yes"}
	args = append(args, snapshotFlags...)
	return append(append(args, n.c.o.Flags...), n.flags...)
}

func (n *Node) logPath() string { return filepath.Join(n.c.o.Dir, n.ID+".log") }

func (n *Node) String() string { return fmt.Sprintf("%s (%s)", n.ID, n.RespAddr) }
