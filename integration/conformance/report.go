package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// report holds results against Redis's.
type report struct {
	results []result
	base    baseline
}

const errorsShow = 8 // of a file, in the report

// totals count what passed and what passes on Redis. What passes here and not there does not make up for what fails.
func (r *report) totals() (ours, redis int) {
	for _, res := range r.results {
		redis += r.base[res.file]
		ours += min(res.ok, r.base[res.file])
	}
	return ours, redis
}

func (r *report) percent() float64 {
	ours, redis := r.totals()
	if redis == 0 {
		return 100
	}
	return 100 * float64(ours) / float64(redis)
}

// markdown is a table of the files, and below it the first errors of each.
func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString("| file | passed | on Redis | difference | failed | seconds | remarks |\n")
	b.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | --- |\n")
	for _, res := range r.results {
		remark := strings.TrimPrefix(res.remark(), "; ")
		fmt.Fprintf(&b, "| %s | %d | %d | %+d | %d | %.1f | %s |\n", res.file, res.ok, r.base[res.file],
			res.ok-r.base[res.file], res.failed(), res.took.Seconds(), cell(remark))
	}
	ours, redis := r.totals()
	fmt.Fprintf(&b, "| all | %d | %d | %+d | | | %.1f %% |\n", ours, redis, ours-redis, r.percent())
	for _, res := range r.results {
		res.explain(&b)
	}
	return b.String()
}

// explain lists what failed in a file, and which commands it asked for in vain.
func (r *result) explain(b *strings.Builder) {
	if r.failed() == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n\n", r.file)
	if r.unknown > 0 {
		fmt.Fprintf(b, "- commands that are not there, in checks: %d (%s)\n", r.unknown,
			strings.Join(slices.Sorted(maps.Keys(r.absent)), ", "))
	}
	for i, e := range r.errors {
		if i == errorsShow {
			fmt.Fprintf(b, "- and %d more\n", len(r.errors)-i)
			break
		}
		fmt.Fprintf(b, "- %s\n", e)
	}
}

// cell makes a text fit into one cell of a table.
func cell(s string) string {
	return shorten(strings.NewReplacer("\r", "", "\n", " ", "|", "\\|").Replace(s))
}

// judge is an error if a node broke a promise, or if less passed than must.
func (r *report) judge(floor float64) error {
	var errs []error
	for _, res := range r.results {
		if res.fault != "" {
			errs = append(errs, fmt.Errorf("%s: %s", res.file, res.fault))
		}
	}
	if p := r.percent(); p < floor {
		errs = append(errs, fmt.Errorf("%.1f percent of Redis's checks passed, which is below %.1f", p, floor))
	}
	return errors.Join(errs...)
}
