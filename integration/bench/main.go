package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the settings of a run.
type options struct {
	dir, binary, out string
	conns            []int
	pipelines        []int
	sizes            []int // bytes of a value
	rounds           int
	keys             int
	cell             time.Duration
	command          string // as it was typed, for the report
}

// Limits of what the flags take.
const (
	connsMax    = 5000
	pipelineMax = 1000    // commands in flight on one connection
	sizeMax     = 1 << 20 // bytes of a value
	roundsMax   = 99
	keysMax     = 10_000_000
	cellMin     = 100 * time.Millisecond
	cellMax     = 10 * time.Minute
)

func parseOptions(args []string, errOut io.Writer) (options, error) {
	o := options{command: strings.Join(append([]string{"go run ./integration/bench"}, args...), " ")}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(errOut)
	quick := fs.Bool("quick", false, "fewer and shorter cells: about ninety seconds")
	conns := fs.String("conns", "1,50,200", "numbers of connections")
	pipelines := fs.String("pipelines", "1,16", "commands in flight on each connection")
	sizes := fs.String("sizes", "", "bytes of a value (default 3,256; with -quick 3)")
	fs.IntVar(&o.rounds, "rounds", 3, "how often each cell is measured; the median counts")
	fs.IntVar(&o.keys, "keys", 100_000, "number of keys, chosen at random")
	fs.DurationVar(&o.cell, "cell", 0, "how long one measurement of a cell takes, about (default 1.8s; with -quick 400ms)")
	fs.StringVar(&o.dir, "dir", "", "where the data goes; a real disk (default data/bench in the module)")
	fs.StringVar(&o.binary, "redoubt", "", "the redoubt program (default: built from the module)")
	fs.StringVar(&o.out, "o", "", "file that the report is written to as well")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	o.defaults(*quick, sizes)
	return o, o.validate(*conns, *pipelines, *sizes)
}

func (o *options) defaults(quick bool, sizes *string) {
	if *sizes == "" {
		*sizes = "3,256"
		if quick {
			*sizes = "3"
		}
	}
	if o.cell == 0 {
		o.cell = 1800 * time.Millisecond
		if quick {
			o.cell = 400 * time.Millisecond
		}
	}
}

func (o *options) validate(conns, pipelines, sizes string) error {
	var errs [3]error
	o.conns, errs[0] = numbers("conns", conns, connsMax)
	o.pipelines, errs[1] = numbers("pipelines", pipelines, pipelineMax)
	o.sizes, errs[2] = numbers("sizes", sizes, sizeMax)
	switch err := errors.Join(errs[:]...); {
	case err != nil:
		return err
	case o.rounds < 1 || o.rounds > roundsMax:
		return fmt.Errorf("-rounds is 1 to %d", roundsMax)
	case o.keys < 1 || o.keys > keysMax:
		return fmt.Errorf("-keys is 1 to %d", keysMax)
	case o.cell < cellMin || o.cell > cellMax:
		return fmt.Errorf("-cell is %s to %s", cellMin, cellMax)
	}
	return nil
}

// numbers parses a list such as "1,50,200".
func numbers(name, list string, most int) ([]int, error) {
	var out []int
	for field := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 || n > most {
			return nil, fmt.Errorf("-%s takes numbers from 1 to %d with commas between them, got %q", name, most, list)
		}
		out = append(out, n)
	}
	return out, nil
}

func run(ctx context.Context, args []string, out, errOut io.Writer) (err error) {
	o, err := parseOptions(args, errOut)
	if err != nil {
		return err
	}
	tools, err := findTools()
	if err != nil {
		return err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	work, disk, err := workDir(o, root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	m, err := describe(ctx, o, root, work, disk, tools)
	if err != nil {
		return err
	}
	if o.binary == "" {
		fmt.Fprintln(errOut, "building redoubt ...")
		o.binary = filepath.Join(work, "redoubt")
		if err := build(ctx, root, o.binary); err != nil {
			return err
		}
	}
	res, err := measureAll(ctx, o, tools, work, errOut)
	if err != nil {
		return err
	}
	return publish(o, m, res, out)
}

// measureAll starts the systems, measures every cell and stops the systems.
func measureAll(ctx context.Context, o options, tools tools, work string, errOut io.Writer) (*results, error) {
	fmt.Fprintln(errOut, "starting three systems ...")
	f, err := startFleet(ctx, o.binary, tools.server, work)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	r := &runner{o: o, tools: tools, fleet: f, progress: errOut, rates: make(map[cell]float64)}
	return r.run(ctx)
}

func publish(o options, m machine, res *results, out io.Writer) error {
	text := report(o, m, res)
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	if o.out != "" {
		if err := os.WriteFile(o.out, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if n := res.failures(); n > 0 {
		return fmt.Errorf("%d measurements failed; the report names them", n)
	}
	return nil
}

// tools are the programs of Redis that the harness needs.
type tools struct{ server, benchmark string }

func findTools() (tools, error) {
	var t tools
	for name, path := range map[string]*string{"redis-server": &t.server, "redis-benchmark": &t.benchmark} {
		p, err := exec.LookPath(name)
		if err != nil {
			return t, fmt.Errorf("%s is needed and not in PATH: install redis-server and redis-tools, version 7.0 (%w)", name, err)
		}
		*path = p
	}
	return t, nil
}

// moduleRoot is where the module's go.mod is, seen from the current directory.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	root := strings.TrimSpace(string(out))
	if err != nil || root == "" {
		return "", fmt.Errorf("run this inside the module: go list -m: %w", err)
	}
	return root, nil
}

func build(ctx context.Context, root, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", to, "./cmd/redoubt")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./cmd/redoubt: %w\n%s", err, out)
	}
	return nil
}

// workDir makes the directory of this run and names its file system; one that lives in memory is refused.
func workDir(o options, root string) (dir, disk string, err error) {
	base := o.dir
	if base == "" {
		base = filepath.Join(root, "data", "bench")
	}
	if base, err = filepath.Abs(base); err != nil {
		return "", "", err
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", "", err
	}
	disk, volatile, err := fileSystem(base)
	if err != nil {
		return "", "", fmt.Errorf("file system of %s: %w", base, err)
	}
	if volatile {
		return "", "", fmt.Errorf("%s is on %s, where an fsync costs nothing: name a directory on a real disk with -dir", base, disk)
	}
	dir, err = os.MkdirTemp(base, "run-")
	return dir, disk, err
}
