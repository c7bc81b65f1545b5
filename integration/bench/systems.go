package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	readyTimeout = time.Minute
	readyPoll    = 100 * time.Millisecond
	settleMax    = 20 * time.Second // that replicas may lag behind at the end of a load
	nodes        = 3                // of ours, and of the primary with its replicas
)

// systemID is one of the systems that are compared.
type systemID int

const (
	redoubt systemID = iota
	single           // one redis-server
	trio             // a primary and two replicas
	systemCount
)

func (id systemID) String() string {
	return [systemCount]string{"redoubt", "one Redis", "Redis trio"}[id]
}

// system is a group of processes that hold the same data.
type system struct {
	id    systemID
	procs []*process
}

// fleet is all the systems.
type fleet struct{ systems [systemCount]*system }

// startFleet starts every system with its data under dir and waits until all of them take writes on every node.
func startFleet(ctx context.Context, redoubtBin, redisBin, dir string) (_ *fleet, err error) {
	f := &fleet{}
	for id := range f.systems {
		f.systems[id] = &system{id: systemID(id)}
	}
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	addrs, err := freeAddrs(2*nodes + 1 + nodes)
	if err != nil {
		return nil, err
	}
	if err := f.startRedoubt(redoubtBin, dir, addrs[:2*nodes]); err != nil {
		return nil, err
	}
	if err := f.startRedis(single, redisBin, dir, addrs[2*nodes:2*nodes+1]); err != nil {
		return nil, err
	}
	if err := f.startRedis(trio, redisBin, dir, addrs[2*nodes+1:]); err != nil {
		return nil, err
	}
	for _, s := range f.systems {
		if err := s.awaitReady(ctx); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// startRedoubt starts three nodes: the first makes the cluster, the others join it.
func (f *fleet) startRedoubt(bin, dir string, addrs []string) error {
	for i := range nodes {
		id := "n" + strconv.Itoa(i+1)
		data := filepath.Join(dir, "redoubt-"+id)
		args := []string{"server", "--node-id", id, "--data-dir", data, "--resp-addr", addrs[i], "--raft-addr", addrs[nodes+i]}
		if i == 0 {
			args = append(args, "--bootstrap")
		} else {
			args = append(args, "--join", addrs[0])
		}
		if err := f.start(redoubt, "redoubt "+id, addrs[i], data+".log", bin, args...); err != nil {
			return err
		}
	}
	return nil
}

// startRedis starts a primary at the first address and replicas at the others, each with an append-only file that is
// fsynced before a command is answered.
func (f *fleet) startRedis(id systemID, bin, dir string, addrs []string) error {
	for i, addr := range addrs {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return err
		}
		data := filepath.Join(dir, "redis-"+port)
		if err := os.Mkdir(data, 0o755); err != nil {
			return err
		}
		args := []string{"--port", port, "--bind", host, "--dir", data, "--daemonize", "no", "--save", "",
			"--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"}
		if i > 0 {
			primaryHost, primaryPort, _ := net.SplitHostPort(addrs[0]) // checked when i was 0
			args = append(args, "--replicaof", primaryHost, primaryPort)
		}
		if err := f.start(id, fmt.Sprintf("%s %d", id, i+1), addr, data+".log", bin, args...); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) start(id systemID, name, addr, log, bin string, args ...string) error {
	p, err := startProcess(name, addr, log, bin, args...)
	if err == nil {
		f.systems[id].procs = append(f.systems[id].procs, p)
	}
	return err
}

// stop ends all processes and waits for them.
func (f *fleet) stop() {
	for _, s := range f.systems {
		for _, p := range s.procs {
			p.terminate()
		}
	}
	for _, s := range f.systems {
		for _, p := range s.procs {
			p.await()
		}
	}
}

// freeAddrs finds n loopback addresses that nobody listens on.
func freeAddrs(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all of them at the end, so that no port comes twice
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

func (s *system) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		err := s.ready()
		if err == nil {
			return nil
		}
		if err := s.check(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", s.id, errors.Join(ctx.Err(), err))
		}
	}
}

// ready checks that all nodes are voters, if the system has voters, and that every node gets the writes.
func (s *system) ready() error {
	if s.id == redoubt {
		leader, err := s.leader()
		if err != nil {
			return err
		}
		info, err := ask(leader.addr, "INFO", "raft")
		if err != nil {
			return err
		}
		if voters := infoField(info.Text(), "raft_voters"); voters != strconv.Itoa(nodes) {
			return fmt.Errorf("%q of %d nodes are voters", voters, nodes)
		}
	}
	return s.settle()
}

// infoField finds a field in the text of INFO; "" if it is not there.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// check returns an error if a process of the system has ended.
func (s *system) check() error {
	for _, p := range s.procs {
		if err := p.check(); err != nil {
			return err
		}
	}
	return nil
}

// leader finds the process that takes the writes.
func (s *system) leader() (*process, error) {
	var errs []error
	for _, p := range s.procs {
		role, err := ask(p.addr, "ROLE")
		if err == nil && len(role.Elems) > 0 && role.Elems[0].Text() == "master" {
			return p, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(append(errs, fmt.Errorf("no process of %s is the master", s.id))...)
}

// settle waits until every node has every write, so that none of them works on while another system is measured.
func (s *system) settle() error {
	leader, err := s.leader()
	if err != nil {
		return err
	}
	c, err := respclient.Dial(leader.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.Timeout = settleMax + respclient.TimeoutDefault
	if err := failed(c.Do("SET", "bench:settle", "1")); err != nil {
		return err
	}
	want := len(s.procs) - 1
	got, err := c.Do("WAIT", strconv.Itoa(want), strconv.FormatInt(settleMax.Milliseconds(), 10))
	if err := failed(got, err); err != nil {
		return err
	}
	if int(got.Int) < want {
		return fmt.Errorf("%d of %d replicas of %s have the last write", got.Int, want, s.id)
	}
	return nil
}

func ask(addr string, args ...string) (respclient.Value, error) {
	c, err := respclient.Dial(addr)
	if err != nil {
		return respclient.Value{}, err
	}
	defer c.Close()
	v, err := c.Do(args...)
	return v, failed(v, err)
}

// failed makes an error of an error reply.
func failed(v respclient.Value, err error) error {
	if err == nil && v.IsError() {
		return fmt.Errorf("%w: %s", errReply, v.Text())
	}
	return err
}
