package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/integration/internal/child"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	loopback     = "127.0.0.1"
	nodeCount    = 3
	awaitTimeout = 30 * time.Second // for what must come about; whatever takes longer is stuck
	pollInterval = 20 * time.Millisecond
	askTimeout   = 3 * time.Second
)

// debugFlags let the suite use DEBUG and set every setting, as the suite does with the servers that it starts itself.
var debugFlags = []string{"--enable-debug-command", "yes", "--enable-protected-configs", "yes"}

// nodeFlags: leadership should stay in place on a busy machine, for the suite knows one address; and since replies are
// what is tested, the writes, a hundred thousand of them one by one, need not wait for a disk.
var nodeFlags = []string{"--raft-profile", "wan", "--appendfsync", "no", "--save", ""}

// cluster is three nodes of ours.
type cluster struct {
	binary, dir string
	port        int
	flags       []string
	nodes       []*node
	starts      int
}

type node struct {
	id, addr string
	*child.Process
}

func (c *cluster) start(ctx context.Context) error {
	c.stop()
	c.starts++
	data := filepath.Join(c.dir, "data")
	at := func(i int) string { return net.JoinHostPort(loopback, strconv.Itoa(c.port+i)) }
	for i := range nodeCount {
		id := "n" + strconv.Itoa(i+1)
		args := []string{"server", "--node-id", id, "--data-dir", filepath.Join(data, id), "--resp-addr", at(i),
			"--raft-addr", at(nodeCount + i)}
		if i == 0 {
			args = append(args, "--bootstrap")
		} else {
			args = append(args, "--join", at(0))
		}
		log := filepath.Join(c.dir, fmt.Sprintf("start%d-%s.log", c.starts, id))
		p, err := child.Start(id, log, c.binary, slices.Concat(args, debugFlags, nodeFlags, c.flags)...)
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, &node{id, at(i), p})
		if i == 0 { // the others need not ask twice
			if _, err := c.addr(ctx); err != nil {
				return err
			}
		}
	}
	return c.awaitAll(ctx)
}

// awaitAll waits until all nodes vote and follow one leader.
func (c *cluster) awaitAll(ctx context.Context) error {
	return await(ctx, "three nodes vote", func() error {
		if err := c.ended(); err != nil {
			return err
		}
		for _, n := range c.nodes {
			f, err := n.raft()
			if err != nil {
				return err
			}
			if f["raft_leader_id"] == "" || f["raft_voters"] != strconv.Itoa(nodeCount) {
				return fmt.Errorf("%s has leader %q and %s voters", n.id, f["raft_leader_id"], f["raft_voters"])
			}
		}
		return nil
	})
}

// addr waits for the leader.
func (c *cluster) addr(ctx context.Context) (addr string, err error) {
	err = await(ctx, "a node leads", func() error {
		for _, n := range c.nodes {
			f, err := n.raft()
			if err == nil && f["raft_state"] == "leader" && f["raft_leader_id"] == n.id {
				addr = n.addr
				return nil
			}
		}
		return errors.New("none does")
	})
	return addr, err
}

// ended is a fault if a node's process has ended.
func (c *cluster) ended() error {
	for _, n := range c.nodes {
		if err := n.Check(); err != nil {
			return fmt.Errorf("%w: %w", errFault, err)
		}
	}
	return nil
}

// check waits until all nodes are at one index, and compares their digests.
func (c *cluster) check(ctx context.Context) error {
	return await(ctx, "the nodes are at one index", func() error {
		if err := c.ended(); err != nil {
			return err
		}
		var at [nodeCount]int64
		var sums [nodeCount]string
		for i, n := range c.nodes {
			v, err := ask(n.addr, "REDOUBT", "DIGEST")
			if err != nil {
				return fmt.Errorf("%s: %w", n.id, err)
			}
			if len(v.Elems) != 2 {
				return fmt.Errorf("%s: REDOUBT DIGEST answered %+v", n.id, v)
			}
			at[i], sums[i] = v.Elems[0].Int, v.Elems[1].Str
		}
		for i := range at {
			switch {
			case at[i] != at[0]:
				return fmt.Errorf("the nodes are at indexes %d", at)
			case sums[i] != sums[0]:
				return fmt.Errorf("%w: the nodes' digests differ at index %d: %s", errFault, at[0], sums)
			}
		}
		return nil
	})
}

// stop ends the nodes. Their logs stay, their data go.
func (c *cluster) stop() {
	for _, n := range c.nodes {
		n.Kill()
		n.Await()
	}
	c.nodes = nil
	_ = os.RemoveAll(filepath.Join(c.dir, "data"))
}

func (n *node) raft() (map[string]string, error) {
	v, err := ask(n.addr, "INFO", "raft")
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string)
	for line := range strings.Lines(v.Str) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok {
			fields[name] = value
		}
	}
	return fields, nil
}

// ask sends one command over a connection of its own. An error reply is an error.
func ask(addr string, args ...string) (respclient.Value, error) {
	conn, err := respclient.Dial(addr)
	if err != nil {
		return respclient.Value{}, err
	}
	defer conn.Close()
	conn.Timeout = askTimeout
	v, err := conn.Do(args...)
	if err == nil && v.IsError() {
		err = errors.New(v.Str)
	}
	return v, err
}

// await tries until there is no error. A fault, the end of ctx and awaitTimeout end it.
func await(ctx context.Context, what string, try func() error) error {
	deadline := time.Now().Add(awaitTimeout)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := try()
		switch {
		case err == nil || errors.Is(err, errFault):
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("not within %s: %s: %w", awaitTimeout, what, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
