package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/redoubtdb/redoubt/integration/internal/child"
)

// oracle is a plain redis-server.
type oracle struct {
	dir  string
	port int
	proc *child.Process
}

func (o *oracle) start(ctx context.Context) error {
	o.stop()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return err
	}
	args := []string{"--port", strconv.Itoa(o.port), "--bind", loopback, "--dir", o.dir, "--daemonize", "no", "--save", ""}
	o.proc, err = child.Start("redis-server", filepath.Join(o.dir, "redis-server.log"), program, append(args, debugFlags...)...)
	if err != nil {
		return err
	}
	return await(ctx, "redis-server answers", func() error {
		if err := o.proc.Check(); err != nil {
			return fmt.Errorf("%w: %w", errFault, err)
		}
		_, err := ask(o.at(), "PING")
		return err
	})
}

func (o *oracle) at() string { return net.JoinHostPort(loopback, strconv.Itoa(o.port)) }

func (o *oracle) addr(context.Context) (string, error) { return o.at(), nil }

func (o *oracle) check(context.Context) error {
	if err := o.proc.Check(); err != nil {
		return fmt.Errorf("%w: %w", errFault, err)
	}
	_, err := ask(o.at(), "PING")
	return err
}

func (o *oracle) stop() {
	if o.proc != nil {
		o.proc.Kill()
		o.proc.Await()
		o.proc = nil
	}
}
