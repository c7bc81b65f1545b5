package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
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
	fresh    bool // the target has been started and nothing went wrong since
}

func (r *runner) run(ctx context.Context, files []string) ([]result, error) {
	defer r.target.stop()
	var results []result
	for i, file := range files {
		res, err := r.try(ctx, file)
		if err != nil {
			return nil, err
		}
		if res.broken != "" {
			first := res
			fmt.Fprintf(r.progress, "%s: %s: once more\n", file, cell(res.remark()))
			if res, err = r.try(ctx, file); err != nil {
				return nil, err
			}
			res.after(first)
		}
		fmt.Fprintf(r.progress, "%d/%d %s: %d ok, %d failed in %.1f s%s\n", i+1, len(files), file, res.ok, res.failed(),
			res.took.Seconds(), cell(res.remark()))
		results = append(results, res)
	}
	return results, nil
}

// try runs a file on servers that nothing has gone wrong with.
func (r *runner) try(ctx context.Context, file string) (result, error) {
	if !r.fresh {
		if err := r.target.start(ctx); err != nil {
			return result{}, err
		}
	}
	res, err := r.one(ctx, file)
	r.fresh = res.remark() == ""
	return res, err
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

// after notes on a second try what came of the first. The suite sends over several connections at a time and relies on the
// order in which Redis, with its one thread, happens to serve them: where ours is another a check may wait for ever.
func (r *result) after(first result) {
	if r.fault == "" {
		r.fault = first.fault
	}
	r.note = strings.TrimPrefix(r.note+"; first try: "+first.broken, "; ")
}

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
