package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// options are the settings of a run.
type options struct {
	files           []string // empty: all
	quick, baseline bool
	limit           time.Duration // of one file
	floor           float64       // percent of Redis's checks
	port            int
	cache, binary   string
	out             string
	serverArgs      []string // that each node gets
}

const (
	limitDefault = 5 * time.Minute
	portDefault  = 21500
	// portsOfNodes is how many ports the nodes take from the first one on. The suite looks for one of its own among as
	// many that follow, and needs the one 10,000 above it as well.
	portsOfNodes = 32
	portMax      = 1<<16 - 1 - 10_000 - 2*portsOfNodes
)

// quickFiles take seconds each on a cluster of ours.
var quickFiles = []string{
	"unit/expire", "unit/info-command", "unit/keyspace", "unit/multi", "unit/protocol", "unit/quit", "unit/scan",
	"unit/type/hash", "unit/type/incr", "unit/type/string",
}

func parseOptions(args []string, errOut io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("conformance", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.BoolVar(&o.quick, "quick", false, "only the files that take seconds")
	fs.BoolVar(&o.baseline, "baseline", false, "test a plain redis-server and write down how many checks pass")
	fs.DurationVar(&o.limit, "limit", limitDefault, "time that one file may take")
	fs.Float64Var(&o.floor, "floor", 0, "fail below so many percent of the checks that pass on Redis")
	fs.IntVar(&o.port, "port", portDefault, "first of the 64 loopback ports that are used")
	fs.StringVar(&o.cache, "cache", "", "where the suite is kept (default .cache/conformance in the module)")
	fs.StringVar(&o.binary, "redoubt", "", "the redoubt program (default: built from the module)")
	fs.StringVar(&o.out, "o", "", "file that the report is written to as well")
	serverArgs := fs.String("server-args", "", "further flags for every node")
	fs.Usage = func() {
		fmt.Fprintln(errOut, "usage: conformance [flags] [file of the suite ...]")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	o.files, o.serverArgs = fs.Args(), strings.Fields(*serverArgs)
	switch {
	case o.quick && len(o.files) > 0:
		return o, fmt.Errorf("-quick chooses the files: name none")
	case o.limit <= 0:
		return o, fmt.Errorf("-limit must be above zero, got %s", o.limit)
	case !(o.floor >= 0 && o.floor <= 100):
		return o, fmt.Errorf("-floor is a percentage, got %v", o.floor)
	case o.port < 1024 || o.port > portMax:
		return o, fmt.Errorf("-port is from 1024 to %d, got %d", portMax, o.port)
	}
	return o, nil
}

// choose lists the files to run, in the suite's order. Files that pass nothing on Redis (they need servers of the suite's
// own) only run where they are named, or where there is no baseline.
func (o *options) choose(ctx context.Context, s *suite, base baseline) ([]string, error) {
	all, err := s.files(ctx)
	if err != nil {
		return nil, err
	}
	named := o.files
	if o.quick {
		named = quickFiles
	}
	for _, f := range named {
		if !slices.Contains(all, f) {
			return nil, fmt.Errorf("the suite has no file %q; it has: %s", f, strings.Join(all, " "))
		}
	}
	return slices.DeleteFunc(all, func(f string) bool {
		if len(named) > 0 {
			return !slices.Contains(named, f)
		}
		return base != nil && base[f] == 0
	}), nil
}
