package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// target is what the suite runs against. It belongs to one goroutine.
type target interface {
	// start starts it with nothing in it; what ran before is stopped.
	start(ctx context.Context) error
	// addr is where commands go, the leader's address.
	addr(ctx context.Context) (string, error)
	// check looks whether all is well. An error that is errFault breaks a promise of ours.
	check(ctx context.Context) error
	// stop ends all its processes.
	stop()
}

var errFault = errors.New("fault")

// runner runs files one after the other.
type runner struct {
	suite    *suite
	target   target
	progress io.Writer
}

func (r *runner) run(ctx context.Context, files []string) ([]result, error) {
	defer r.target.stop()
	var results []result
	fresh := true // the next file gets a fresh start
	for i, file := range files {
		if fresh {
			if err := r.target.start(ctx); err != nil {
				return nil, err
			}
		}
		res, err := r.one(ctx, file)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(r.progress, "%d/%d %s: %d ok, %d failed in %.1f s%s\n", i+1, len(files), file, res.ok, res.failed(),
			res.took.Seconds(), cell(res.remark()))
		results = append(results, res)
		fresh = res.remark() != ""
	}
	return results, nil
}

func (r *runner) one(ctx context.Context, file string) (result, error) {
	addr, err := r.target.addr(ctx)
	if err != nil {
		return result{}, err
	}
	res, err := r.suite.run(ctx, file, addr)
	if err != nil {
		return res, err
	}
	switch err := r.target.check(ctx); {
	case ctx.Err() != nil:
		return res, ctx.Err()
	case errors.Is(err, errFault):
		res.fault = err.Error()
	case err != nil:
		res.note = err.Error()
	}
	return res, nil
}

// failed counts the checks that failed.
func (r *result) failed() int { return len(r.errors) + r.unknown }

// remark is what was wrong beside failing checks.
func (r *result) remark() string {
	text := ""
	for _, s := range []string{r.broken, r.fault, r.note} {
		if s != "" {
			text += "; " + s
		}
	}
	return text
}
