package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/redoubtdb/redoubt/integration/chaos/fault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := start(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		code = 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		code = 1
	}
	os.Exit(code)
}

// start makes the place for a run and has it done there: by this program again, inside namespaces, where that is possible.
func start(ctx context.Context, args []string) (int, error) {
	o, err := parseOptions(args, os.Stderr)
	if err != nil {
		return 1, err
	}
	if fault.Inside() {
		if err := fault.Enter(); err != nil {
			return 1, err
		}
		return execute(ctx, o, os.Stdout)
	}
	named := o.dir != ""
	if err := prepare(ctx, &o); err != nil {
		return 1, err
	}
	code, err := place(ctx, o)
	well := code == 0 && err == nil
	if well && !named {
		return 0, os.RemoveAll(o.dir)
	}
	fmt.Println("logs and histories are in", o.dir)
	if well {
		err = removeData(o.dir)
	}
	return code, err
}

// place runs inside namespaces if it can be, else on loopback.
func place(ctx context.Context, o options) (int, error) {
	if err := fault.Isolation(); err != nil {
		fmt.Printf("no namespaces here (%v): the nodes run on loopback, without partitions and small disks\n", err)
		return execute(ctx, o, os.Stdout)
	}
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	cmd := exec.Command(self, o.args()...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return fault.Isolated(ctx, cmd)
}

const programName = "redoubt"

// prepare builds the program under test and makes the directory of the run.
func prepare(ctx context.Context, o *options) error {
	var err error
	if o.dir == "" {
		o.dir, err = os.MkdirTemp("", "redoubt-chaos-")
	} else if err = os.MkdirAll(o.dir, 0o700); err == nil {
		o.dir, err = filepath.Abs(o.dir)
	}
	if err != nil {
		return err
	}
	if o.binary != "" {
		o.binary, err = filepath.Abs(o.binary)
		return err
	}
	o.binary = filepath.Join(o.dir, programName)
	build := exec.CommandContext(ctx, "go", "build", "-o", o.binary, "github.com/redoubtdb/redoubt/cmd/redoubt")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// removeData removes what is large and of no more use when all is well: the nodes' data, the images of their disks and the
// program. Otherwise it stays, as evidence.
func removeData(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	errs := []error{os.RemoveAll(filepath.Join(dir, programName))}
	for _, e := range entries {
		if e.IsDir() || filepath.Ext(e.Name()) == fault.ImageSuffix {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
