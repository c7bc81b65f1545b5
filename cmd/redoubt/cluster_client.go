package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	replyTimeout   = 20 * time.Second // a node gives an operation 15 s
	leaderPatience = 10 * time.Second // how long a cluster without a leader is waited for
	settlePatience = 3 * time.Second  // how long a change whose answer was lost is looked for
	askPause       = 100 * time.Millisecond
	operationTries = 3
)

// adminClient operates a cluster through the node at addr. It belongs to one goroutine.
type adminClient struct {
	addr   string
	opts   clientOptions
	output string
	out    io.Writer
}

// refusal is an error reply: the node has answered, and said no.
type refusal struct{ text string }

// Error is the reply without what only programs read: the code ERR, and that another node said so.
func (r *refusal) Error() string {
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(r.text, "ERR "), "remote: "))
}

var (
	errNoLeader = errors.New("the cluster has no leader")
	errPassword = errors.New("the node asks for a password: give --password, or set the environment variable " + passwordEnv)
)

// ask sends one command to a node and returns its reply. An error reply is a *refusal.
func (a *adminClient) ask(ctx context.Context, addr string, words ...string) (respclient.Value, error) {
	c, err := dialRESP(ctx, addr, a.opts)
	if err != nil {
		return respclient.Value{}, fmt.Errorf("node at %s: %w", addr, err)
	}
	defer c.Close()
	c.Timeout = replyTimeout
	v, err := c.Do(words...)
	if err != nil {
		return v, fmt.Errorf("node at %s: %w", addr, err)
	}
	if v.IsError() {
		if strings.HasPrefix(v.Str, "NOAUTH") {
			return v, errPassword
		}
		return v, &refusal{v.Str}
	}
	return v, nil
}

// status is the cluster as the node at addr sees it.
func (a *adminClient) status(ctx context.Context, addr string) (*cluster.ClusterStatus, error) {
	v, err := a.ask(ctx, addr, "REDOUBT", "STATUS")
	if err != nil {
		return nil, err
	}
	st := new(cluster.ClusterStatus)
	if err := json.Unmarshal([]byte(v.Str), st); err != nil {
		return nil, fmt.Errorf("node at %s: status: %w", addr, err)
	}
	return st, nil
}

// leading returns the member that says of itself that it leads, and that the view takes for the leader.
func leading(st *cluster.ClusterStatus) (cluster.MemberStatus, bool) {
	m, ok := memberOf(st, st.LeaderID)
	return m, ok && m.State == "leader"
}

func memberOf(st *cluster.ClusterStatus, id string) (cluster.MemberStatus, bool) {
	for _, m := range st.Members {
		if m.ID == id {
			return m, true
		}
	}
	return cluster.MemberStatus{}, false
}

// view looks at the cluster until it has a leader and accept is content, for as long as patience. It asks the node at
// addr first and then the members that the last view named: the node that was asked may be gone from the cluster.
func (a *adminClient) view(ctx context.Context, last *cluster.ClusterStatus, patience time.Duration, accept func(*cluster.ClusterStatus) bool) (*cluster.ClusterStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	addrs := []string{a.addr}
	for i := 0; last != nil && i < len(last.Members); i++ {
		if m := last.Members[i]; m.RespAddr != "" && m.RespAddr != a.addr {
			addrs = append(addrs, m.RespAddr)
		}
	}
	tick := time.NewTicker(askPause)
	defer tick.Stop()
	for {
		err := errNoLeader
		for _, addr := range addrs {
			st, askErr := a.status(ctx, addr)
			if askErr != nil {
				err = askErr
				continue
			}
			if len(st.Members) == 0 {
				return nil, fmt.Errorf("the node at %s is in no cluster", addr)
			}
			if _, ok := leading(st); ok && accept(st) {
				return st, nil
			}
		}
		if errors.Is(err, errPassword) || last == nil && !errors.Is(err, errNoLeader) {
			return nil, err // the first look: a node that can't be reached is the operator's mistake, no passing state
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

func anyView(*cluster.ClusterStatus) bool { return true }

// operation is a change of the cluster. happened tells from two views whether it was carried out between them.
type operation struct {
	name, node string
	happened   func(before, now *cluster.ClusterStatus) bool
}

// perform carries an operation out. All of them may be repeated without harm, so one whose answer was lost, or that came
// at a change of leadership, is tried again if the cluster does not show it.
func (a *adminClient) perform(ctx context.Context, op operation) error {
	before, err := a.view(ctx, nil, leaderPatience, anyView)
	if err != nil {
		return fmt.Errorf("%s: %w", op.name, err)
	}
	last, addr := before, a.addr
	for try := 1; ; try++ {
		err := a.send(ctx, addr, op)
		if err == nil {
			return nil
		}
		var no *refusal
		refused := errors.As(err, &no)
		if !refused {
			happened := func(now *cluster.ClusterStatus) bool { return op.happened(before, now) }
			if _, viewErr := a.view(ctx, last, settlePatience, happened); viewErr == nil {
				return nil
			}
		}
		now, viewErr := a.view(ctx, last, leaderPatience, anyView)
		switch {
		case viewErr != nil:
			return fmt.Errorf("%s: %w; and then: %w", op.name, err, viewErr)
		case try == operationTries, refused && now.Term == last.Term: // a refusal stands unless the leader changed
			return fmt.Errorf("%s: %w", op.name, err)
		}
		last = now
		m, _ := leading(now)
		addr = m.RespAddr
	}
}

func (a *adminClient) send(ctx context.Context, addr string, op operation) error {
	words := []string{"REDOUBT", "ADMIN", op.name}
	if op.node != "" {
		words = append(words, op.node)
	}
	_, err := a.ask(ctx, addr, words...)
	return err
}
