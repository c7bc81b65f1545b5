package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errOutput is output of redis-benchmark that is not what version 7.0 prints.
var errOutput = errors.New("unexpected output of redis-benchmark")

// benchmarkRun is one call of redis-benchmark. It is told how many requests to make, not for how long.
type benchmarkRun struct {
	program                     string
	addr                        string
	op                          operation
	conns, pipeline, size, keys int
	requests                    int
	timeLimit                   time.Duration // it is ended then: it never gives up connecting by itself
}

func (b benchmarkRun) args() ([]string, error) {
	host, port, err := net.SplitHostPort(b.addr)
	if err != nil {
		return nil, err
	}
	return []string{
		"-h", host, "-p", port, "-t", strings.ToLower(string(b.op)), "-n", strconv.Itoa(b.requests), "-c", strconv.Itoa(b.conns),
		"-P", strconv.Itoa(b.pipeline), "-d", strconv.Itoa(b.size), "-r", strconv.Itoa(b.keys), "--csv",
	}, nil
}

func (b benchmarkRun) run(ctx context.Context) (sample, error) {
	args, err := b.args()
	if err != nil {
		return sample{}, err
	}
	limited, cancel := context.WithTimeout(ctx, b.timeLimit)
	defer cancel()
	cmd := exec.CommandContext(limited, b.program, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	begin := time.Now()
	err = cmd.Run()
	wall := time.Since(begin)
	// An error reply goes to the standard error, with or without an exit status, and makes the rate worthless.
	said := errOut.String()
	switch {
	case ctx.Err() != nil:
		return sample{}, ctx.Err()
	case limited.Err() != nil:
		return sample{}, fmt.Errorf("redis-benchmark was not done after %s: %.200s", b.timeLimit, said)
	case err != nil:
		return sample{}, fmt.Errorf("redis-benchmark: %w: %.200s", err, said)
	case strings.Contains(said, "Error from server"):
		return sample{}, fmt.Errorf("redis-benchmark: %.200s", said)
	}
	s, err := parseBenchmark(out.String(), b.op)
	s.ops, s.wall = b.requests, wall
	s.loadCPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return s, err
}

// parseBenchmark reads what redis-benchmark --csv prints: a line of names, then one line for each test.
func parseBenchmark(text string, op operation) (sample, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		return sample{}, fmt.Errorf("%w: %w", errOutput, err)
	}
	for i, row := range rows {
		if i > 0 && len(row) > 0 && row[0] == string(op) {
			return parseRow(rows[0], row)
		}
	}
	return sample{}, fmt.Errorf("%w: no line for %s in %.200q", errOutput, op, text)
}

func parseRow(names, row []string) (sample, error) {
	var v [3]float64
	for i, name := range [...]string{"rps", "p50_latency_ms", "p99_latency_ms"} {
		at := slices.Index(names, name)
		if at < 0 || at >= len(row) {
			return sample{}, fmt.Errorf("%w: no column %s in %.200q", errOutput, name, names)
		}
		n, err := strconv.ParseFloat(row[at], 64)
		if err != nil || !(n >= 0 && n <= 1e12) { // NaN is neither
			return sample{}, fmt.Errorf("%w: %s is %q", errOutput, name, row[at])
		}
		v[i] = n
	}
	return sample{rate: v[0], p50: fromMillis(v[1]), p99: fromMillis(v[2])}, nil
}

func fromMillis(ms float64) time.Duration {
	return time.Duration(math.Round(ms * float64(time.Millisecond)))
}
