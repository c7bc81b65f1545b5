package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	etcdAskTimeout = 5 * time.Second
	etcdAnswerMax  = 64 << 10 // bytes of an answer about a member's status
	etcdPoll       = 20 * time.Millisecond
	etcdFillConns  = 8
)

// etcdStatus is what a member says of itself. etcd's gateway writes 64-bit numbers as strings.
type etcdStatus struct {
	Header struct {
		MemberID string `json:"member_id"`
	} `json:"header"`
	Leader  string `json:"leader"`
	Index   string `json:"raftIndex"`
	Applied string `json:"raftAppliedIndex"`
}

// askEtcd asks a member for its status, over the HTTP gateway that stands at its client port.
func askEtcd(addr string) (etcdStatus, error) {
	var st etcdStatus
	client := http.Client{Timeout: etcdAskTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Post("http://"+addr+"/v3/maintenance/status", "application/json", strings.NewReader("{}"))
	if err != nil {
		return st, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return st, fmt.Errorf("status of etcd at %s: %s", addr, r.Status)
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, etcdAnswerMax)).Decode(&st); err != nil {
		return st, fmt.Errorf("status of etcd at %s: %w", addr, err)
	}
	return st, nil
}

// etcdLeader finds the member that leads: a client that talks to another one pays for a further step.
func (s *system) etcdLeader() (*process, error) {
	var errs []error
	for _, p := range s.procs {
		st, err := askEtcd(p.addr)
		if err == nil && st.Leader != "" && st.Leader == st.Header.MemberID {
			return p, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(append(errs, errors.New("no member of etcd leads"))...)
}

// etcdSettle waits until every member has applied what the leader's log holds now.
func (s *system) etcdSettle() error {
	leader, err := s.etcdLeader()
	if err != nil {
		return err
	}
	st, err := askEtcd(leader.addr)
	if err != nil {
		return err
	}
	want, err := strconv.ParseUint(st.Index, 10, 64)
	if err != nil {
		return fmt.Errorf("index of etcd: %w", err)
	}
	return s.poll(context.Background(), settleMax, etcdPoll, func() error { return s.etcdApplied(want) })
}

func (s *system) etcdApplied(want uint64) error {
	for _, p := range s.procs {
		st, err := askEtcd(p.addr)
		if err != nil {
			return err
		}
		if at, err := strconv.ParseUint(st.Applied, 10, 64); err != nil || at < want {
			return fmt.Errorf("%s has applied %q of %d", p.Name, st.Applied, want)
		}
	}
	return nil
}

// etcdRun is one call of the load generator for etcd.
type etcdRun struct {
	program, addr, op           string
	conns, pipeline, size, keys int
	load, timeLimit             time.Duration
}

// etcdReport is what the generator prints; see its own directory.
type etcdReport struct {
	Requests int           `json:"requests"`
	Wall     time.Duration `json:"wall_ns"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	P999     time.Duration `json:"p999_ns"`
	CPU      time.Duration `json:"cpu_ns"`
}

func (e etcdRun) args() []string {
	return []string{
		"-endpoint", e.addr, "-op", e.op, "-conns", strconv.Itoa(e.conns), "-pipeline", strconv.Itoa(e.pipeline),
		"-size", strconv.Itoa(e.size), "-keys", strconv.Itoa(e.keys), "-time", e.load.String(),
	}
}

func (e etcdRun) run(ctx context.Context) (sample, error) {
	limited, cancel := context.WithTimeout(ctx, e.timeLimit)
	defer cancel()
	cmd := exec.CommandContext(limited, e.program, e.args()...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return sample{}, ctx.Err()
	case limited.Err() != nil:
		return sample{}, fmt.Errorf("the load on etcd was not done after %s: %.200s", e.timeLimit, errOut.String())
	case err != nil:
		return sample{}, fmt.Errorf("load on etcd: %w: %.200s", err, errOut.String())
	}
	return parseEtcd(out.Bytes())
}

func parseEtcd(text []byte) (sample, error) {
	var r etcdReport
	if err := json.Unmarshal(text, &r); err != nil {
		return sample{}, fmt.Errorf("%w of the load on etcd: %w", errOutput, err)
	}
	if r.Requests <= 0 || r.Wall <= 0 {
		return sample{}, fmt.Errorf("%w of the load on etcd: %.200q", errOutput, text)
	}
	return sample{
		ops: r.Requests, rate: float64(r.Requests) / r.Wall.Seconds(), wall: r.Wall, loadCPU: r.CPU,
		p50: r.P50, p99: r.P99, p999: r.P999,
	}, nil
}
