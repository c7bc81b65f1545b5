package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
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
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parseOptions(args, progress)
	if err != nil {
		return err
	}
	root, err := child.ModuleRoot(ctx)
	if err != nil {
		return err
	}
	s, err := fetchSuite(ctx, root, o.cache, progress)
	if err != nil {
		return err
	}
	s.limit, s.port = o.limit, o.port+portsOfNodes
	work, err := os.MkdirTemp(filepath.Dir(s.dir), "run-")
	if err != nil {
		return err
	}
	s.output = work
	defer fmt.Fprintln(progress, "what the suite printed, and the servers' logs, are in", work)
	counted := filepath.Join(root, "integration", "conformance", baselineFile)
	if o.baseline {
		return count(ctx, o, s, work, counted, progress)
	}
	base, err := readBaseline(counted)
	if err != nil {
		return err
	}
	return compare(ctx, o, s, work, root, base, out, progress)
}

// count runs the suite against a plain redis-server and keeps the number of checks that pass.
func count(ctx context.Context, o options, s *suite, work, to string, progress io.Writer) error {
	files, err := o.choose(ctx, s, nil)
	if err != nil {
		return err
	}
	r := &runner{suite: s, target: &oracle{dir: work, port: o.port}, progress: progress}
	results, err := r.run(ctx, files)
	if err != nil {
		return err
	}
	base := make(baseline)
	if len(o.files) > 0 || o.quick { // the others keep their counts
		if base, err = readBaseline(to); err != nil {
			return err
		}
	}
	for _, res := range results {
		base[res.file] = res.ok
	}
	return base.write(to)
}

// compare runs the suite against a cluster of ours and reports.
func compare(ctx context.Context, o options, s *suite, work, root string, base baseline, out, progress io.Writer) error {
	files, err := o.choose(ctx, s, base)
	if err != nil {
		return err
	}
	binary := o.binary
	if binary == "" {
		fmt.Fprintln(progress, "building redoubt ...")
		binary = filepath.Join(work, "redoubt")
		if err := child.Build(ctx, root, "./cmd/redoubt", binary); err != nil {
			return err
		}
		defer os.Remove(binary)
	}
	c := &cluster{binary: binary, dir: work, port: o.port, flags: o.serverArgs}
	r := &runner{suite: s, target: c, progress: progress}
	results, err := r.run(ctx, files)
	if err != nil {
		return err
	}
	rep := report{results: results, base: base}
	text := rep.markdown()
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	if o.out != "" {
		if err := os.WriteFile(o.out, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return rep.judge(o.floor)
}
