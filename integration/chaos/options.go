package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/integration/chaos/fault"
	"github.com/redoubtdb/redoubt/integration/chaos/workload"
)

// options are the settings of a run.
type options struct {
	minutes           float64
	nodes             int
	faults, workloads []string
	seed              uint64
	rate, clients     int
	dir, binary       string
	control           string
	flags             []string // of the server
}

// Limits of what the flags take.
const (
	minutesMax = 24 * 60
	nodesMin   = 3
	nodesMax   = 7
)

func parseOptions(args []string, errOut io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("chaos", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.Float64Var(&o.minutes, "minutes", 10, "how long faults come and go")
	fs.IntVar(&o.nodes, "nodes", 3, "number of nodes")
	faults := fs.String("faults", "", "kinds of faults, with commas: all, "+strings.Join(fault.Kinds(), ", ")+" (default all)")
	workloads := fs.String("workloads", "", "workloads, with commas: all, "+strings.Join(workload.Names(), ", ")+" (default all)")
	fs.Uint64Var(&o.seed, "seed", 0, "repeats the choices of another run, not its timing; 0: a new one")
	fs.IntVar(&o.rate, "rate", 0, "operations a second of each workload; 0: as fast as they go")
	fs.IntVar(&o.clients, "clients", 0, "concurrent clients of each workload; 0: the workload's default")
	fs.StringVar(&o.dir, "o", "", "`directory` for logs and histories (default: a temporary one, kept if something is wrong)")
	fs.StringVar(&o.binary, "binary", "", "program to test, in place of a fresh build")
	fs.StringVar(&o.control, "control", "", "a negative control: "+strings.Join(controlNames(), ", "))
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	set := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	o.faults, o.workloads = list(*faults, "all"), list(*workloads, "all")
	if err := o.applyControl(set); err != nil {
		return o, err
	}
	return o, o.complete()
}

func list(text, otherwise string) []string {
	if text == "" {
		text = otherwise
	}
	return strings.Split(text, ",")
}

func (o *options) complete() error {
	if slices.Contains(o.workloads, "all") {
		o.workloads = workload.Names()
	}
	for o.seed == 0 {
		o.seed = rand.Uint64() >> 32 // short enough to be typed
	}
	switch {
	case o.minutes <= 0 || o.minutes > minutesMax:
		return fmt.Errorf("-minutes is more than 0 and at most %d", minutesMax)
	case o.nodes < nodesMin || o.nodes > nodesMax:
		return fmt.Errorf("-nodes is %d to %d", nodesMin, nodesMax)
	case o.rate < 0 || o.clients < 0:
		return errors.New("-rate and -clients are not negative")
	}
	for _, w := range o.workloads {
		if !slices.Contains(workload.Names(), w) {
			return fmt.Errorf("no workload is called %q; there are: all, %s", w, strings.Join(workload.Names(), ", "))
		}
	}
	_, _, err := fault.Choose(o.faults)
	return err
}

// args are the options as flags, complete, so that the program inside the namespaces does what this one was asked to.
func (o *options) args() []string {
	return append(o.words(), "-o", o.dir, "-binary", o.binary)
}

// words are those that matter to whoever wants the same run again.
func (o *options) words() []string {
	out := []string{"-minutes", strconv.FormatFloat(o.minutes, 'g', -1, 64), "-nodes", strconv.Itoa(o.nodes),
		"-faults", strings.Join(o.faults, ","), "-workloads", strings.Join(o.workloads, ","),
		"-seed", strconv.FormatUint(o.seed, 10)}
	if o.rate > 0 {
		out = append(out, "-rate", strconv.Itoa(o.rate))
	}
	if o.clients > 0 {
		out = append(out, "-clients", strconv.Itoa(o.clients))
	}
	if o.control != "" {
		out = append(out, "-control", o.control)
	}
	return out
}

// command is what does the same again.
func (o *options) command() string {
	return "go run ./integration/chaos " + strings.Join(o.words(), " ")
}

func (o *options) duration() time.Duration { return time.Duration(o.minutes * float64(time.Minute)) }
