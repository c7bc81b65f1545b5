package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/integration/internal/child"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	readyTimeout = time.Minute
	readyPoll    = 100 * time.Millisecond
	settleMax    = 20 * time.Second // that replicas may lag behind at the end of a load
)

// systemID is one of the systems that are compared.
type systemID int

const (
	redoubt systemID = iota
	single           // one redis-server
	trio             // a primary and its replicas: two, but for the growth of nodes
	etcd
	systemCount
)

func (id systemID) String() string {
	return [systemCount]string{"redoubt", "one Redis", "Redis trio", "etcd"}[id]
}

// system is a group of processes that hold the same data.
type system struct {
	id    systemID
	procs []*process
}

// process is a server of a system.
type process struct {
	addr, data string // where it answers, and the directory of its data
	*child.Process
}

// start starts a process of the system. data is its directory; its log stands beside that.
func (s *system) start(name, addr, data, program string, args ...string) error {
	p, err := child.Start(name, data+".log", program, args...)
	if err == nil {
		s.procs = append(s.procs, &process{addr, data, p})
	}
	return err
}

// started waits until the system is ready, and stops it if it does not become so.
func (s *system) started(ctx context.Context) (*system, error) {
	if err := s.awaitReady(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *system) stop() { stopAll(s) }

// stopAll ends all processes of the systems at the same time and waits for them. A system may be nil.
func stopAll(systems ...*system) {
	systems = slices.DeleteFunc(slices.Clone(systems), func(s *system) bool { return s == nil })
	for _, s := range systems {
		for _, p := range s.procs {
			p.Terminate()
		}
	}
	for _, s := range systems {
		for _, p := range s.procs {
			p.Await()
		}
	}
}

func (s *system) awaitReady(ctx context.Context) error {
	if err := s.poll(ctx, readyTimeout, readyPoll, s.ready); err != nil {
		return fmt.Errorf("%s is not ready: %w", s.id, err)
	}
	return nil
}

// poll asks until it gets no error. It gives up after the time limit, with the last error, and when a process has
// ended.
func (s *system) poll(ctx context.Context, limit, every time.Duration, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if err := s.check(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
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
		if voters := infoField(info.Text(), "raft_voters"); voters != strconv.Itoa(len(s.procs)) {
			return fmt.Errorf("%q of %d nodes are voters", voters, len(s.procs))
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
		if err := p.Check(); err != nil {
			return err
		}
	}
	return nil
}

// leader finds the process that takes the writes.
func (s *system) leader() (*process, error) {
	if s.id == etcd {
		return s.etcdLeader()
	}
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
	if s.id == etcd {
		return s.etcdSettle()
	}
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
	if err := failed(c.Do("SET", settleKey, "1")); err != nil {
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

// settleKey is the one key that the harness itself writes, beside those of the load.
const settleKey = "bench:settle"

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
