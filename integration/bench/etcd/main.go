package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Limits of what the flags take.
const (
	connsMax    = 10_000
	pipelineMax = 1000
	sizeMax     = 1 << 20 // bytes of a value; etcd's own limit of a request is 1.5 MiB
	keysMax     = 10_000_000
)

func parse(args []string) (load, error) {
	var l load
	fs := flag.NewFlagSet("etcd", flag.ContinueOnError)
	fs.StringVar(&l.endpoint, "endpoint", "", "host:port of the member that gets the load")
	fs.StringVar(&l.op, "op", opPut, "put, get (linearizable) or fill")
	fs.IntVar(&l.conns, "conns", 1, "clients, each with a connection of its own")
	fs.IntVar(&l.pipeline, "pipeline", 1, "requests in flight on each connection")
	fs.IntVar(&l.size, "size", 3, "bytes of a value")
	fs.IntVar(&l.keys, "keys", 100_000, "number of keys, chosen at random")
	fs.DurationVar(&l.timeLimit, "time", time.Second, "how long the load lasts")
	if err := fs.Parse(args); err != nil {
		return l, err
	}
	return l, l.validate(fs.NArg())
}

func (l *load) validate(surplus int) error {
	switch {
	case surplus > 0:
		return fmt.Errorf("%d unexpected arguments", surplus)
	case l.endpoint == "":
		return fmt.Errorf("-endpoint is missing")
	case l.op != opPut && l.op != opGet && l.op != opFill:
		return fmt.Errorf("-op is %s, %s or %s, got %q", opPut, opGet, opFill, l.op)
	case l.conns < 1 || l.conns > connsMax:
		return fmt.Errorf("-conns is 1 to %d", connsMax)
	case l.pipeline < 1 || l.pipeline > pipelineMax:
		return fmt.Errorf("-pipeline is 1 to %d", pipelineMax)
	case l.size < 1 || l.size > sizeMax:
		return fmt.Errorf("-size is 1 to %d", sizeMax)
	case l.keys < 1 || l.keys > keysMax:
		return fmt.Errorf("-keys is 1 to %d", keysMax)
	case l.timeLimit <= 0:
		return fmt.Errorf("-time is more than 0")
	}
	return nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	l, err := parse(args)
	if err != nil {
		return err
	}
	r, err := l.run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
}
