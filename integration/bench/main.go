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
	"syscall"

	"github.com/redoubtdb/redoubt/integration/internal/child"
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

// bench is a run of the program: what every mode needs.
type bench struct {
	o        options
	tools    tools
	work     string // directory of this run
	m        machine
	progress io.Writer
}

// modes measure and write a report. What could not be measured is in the report and also an error.
var modes = map[string]func(*bench, context.Context) (string, error){
	modeMatrix:   (*bench).matrix,
	modeGrowth:   (*bench).grow,
	modeSnapshot: (*bench).snapshots,
	modeMemory:   (*bench).memory,
	modeRestart:  (*bench).restarts,
	modeFailover: (*bench).failovers,
}

func run(ctx context.Context, args []string, out, errOut io.Writer) (err error) {
	o, err := parseOptions(args, errOut)
	if err != nil {
		return err
	}
	b := &bench{o: o, progress: errOut}
	root, err := child.ModuleRoot(ctx)
	if err != nil {
		return err
	}
	disk, err := b.workDir(root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.work)) }()
	if err := b.prepare(ctx, root, disk); err != nil {
		return err
	}
	text, failed := modes[o.mode](b, ctx)
	if text == "" {
		return failed
	}
	return errors.Join(b.publish(text, out), failed)
}

// prepare finds the programs, builds what has to be built and looks at the machine.
func (b *bench) prepare(ctx context.Context, root, disk string) error {
	var err error
	if b.tools, err = findTools(); err != nil {
		return err
	}
	if b.m, err = describe(ctx, b.o, root, b.work, disk, b.tools); err != nil {
		return err
	}
	if b.o.binary == "" {
		fmt.Fprintln(b.progress, "building redoubt ...")
		b.o.binary = filepath.Join(b.work, "redoubt")
		if err := child.Build(ctx, root, "./cmd/redoubt", b.o.binary); err != nil {
			return err
		}
	}
	if b.o.mode != modeMatrix {
		return nil
	}
	if b.tools.etcd == "" {
		fmt.Fprintln(b.progress, etcdMissing)
		return nil
	}
	fmt.Fprintln(b.progress, "building the load generator for etcd ...")
	b.tools.etcdLoad = filepath.Join(b.work, "etcd-load")
	return child.Build(ctx, filepath.Join(root, "integration", "bench", "etcd"), ".", b.tools.etcdLoad)
}

func (b *bench) publish(text string, out io.Writer) error {
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	if b.o.out == "" {
		return nil
	}
	return os.WriteFile(b.o.out, []byte(text), 0o644)
}

// launcher starts servers with their data in the directory of this run.
func (b *bench) launcher(dir string) (*launcher, error) {
	l := &launcher{
		tools: b.tools, redoubt: b.o.binary, args: b.o.serverArgs, dir: filepath.Join(b.work, dir), taken: map[string]bool{},
	}
	return l, os.MkdirAll(l.dir, 0o755)
}

// fill fills a system and says so if its leader changed meanwhile.
func (b *bench) fill(ctx context.Context, s *system, f fill) error {
	n, err := fillSystem(ctx, s, f)
	if n > 0 {
		fmt.Fprintf(b.progress, leaderLost, s.id, n)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.id, err)
	}
	return nil
}

// matrix measures every cell of the comparison with other systems.
func (b *bench) matrix(ctx context.Context) (string, error) {
	l, err := b.launcher("matrix")
	if err != nil {
		return "", err
	}
	fmt.Fprintln(b.progress, "starting the systems ...")
	f, err := startFleet(ctx, l)
	if err != nil {
		return "", err
	}
	defer f.stop()
	r := &runner{o: b.o, tools: b.tools, fleet: f, progress: b.progress, rates: make(map[cell]float64)}
	res, err := r.run(ctx)
	if err != nil {
		return "", err
	}
	text := report(b.o, b.m, res)
	if n := res.failures(); n > 0 {
		return text, fmt.Errorf("%d measurements failed; the report names them", n)
	}
	return text, nil
}

// tools are the programs of others that the harness runs. etcd is empty where there is none; etcdLoad is built.
type tools struct{ server, benchmark, etcd, etcdLoad string }

const etcdMissing = "etcd is not in PATH (Debian's package is etcd-server; make bench-deps installs it): " +
	"its columns stay empty"

func findTools() (tools, error) {
	var t tools
	for name, path := range map[string]*string{"redis-server": &t.server, "redis-benchmark": &t.benchmark} {
		p, err := exec.LookPath(name)
		if err != nil {
			return t, fmt.Errorf("%s is needed and not in PATH: install redis-server and redis-tools, version 7.0 (%w)", name, err)
		}
		*path = p
	}
	if p, err := exec.LookPath("etcd"); err == nil {
		t.etcd = p
	}
	return t, nil
}

// workDir makes the directory of this run and names its file system; one that lives in memory is refused.
func (b *bench) workDir(root string) (disk string, err error) {
	base := b.o.dir
	if base == "" {
		base = filepath.Join(root, "data", "bench")
	}
	if base, err = filepath.Abs(base); err != nil {
		return "", err
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	disk, volatile, err := fileSystem(base)
	if err != nil {
		return "", fmt.Errorf("file system of %s: %w", base, err)
	}
	if volatile {
		return "", fmt.Errorf("%s is on %s, where an fsync costs nothing: name a directory on a real disk with -dir", base, disk)
	}
	b.work, err = os.MkdirTemp(base, "run-")
	return disk, err
}
