package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
)

const (
	devAskTimeout   = 2 * time.Second
	devTailBytesMax = 8 << 10 // the end of a log that is searched for its last line
)

// awaitReady waits until there is a leader and every node votes, and tells how it goes.
func (d *dev) awaitReady(ctx context.Context, signals <-chan os.Signal) error {
	deadline := time.NewTimer(devReadyTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(askPause)
	defer tick.Stop()
	leader, forgotten := "", false
	for {
		if st, err := d.anyStatus(ctx); err == nil {
			if m, ok := leading(st); ok {
				if m.ID != leader {
					leader = m.ID
					d.say("  %s leads", leader)
				}
				if !forgotten {
					forgotten = true
					d.forgetLost(ctx, st)
				}
				if d.allVote(st) {
					return d.writeDevPlan()
				}
			}
		}
		select {
		case <-tick.C:
		case <-signals:
			return errInterrupted
		case e := <-d.exits:
			d.ended(e)
			return fmt.Errorf("%s did not start (%s): %s", e.node.id, e.how, e.node.lastWords())
		case <-deadline.C:
			return fmt.Errorf("the cluster is not ready after %s; the logs are in %s", devReadyTimeout, d.o.dir)
		}
	}
}

// allVote reports whether every node of this run is a voter that answers, and says so of each new one.
func (d *dev) allVote(st *cluster.ClusterStatus) bool {
	all := true
	for _, n := range d.nodes {
		m, in := memberOf(st, n.id)
		up := m.State == "leader" || m.State == "follower"
		if in && up && m.Voter && !n.voter {
			n.voter = true
			d.say("  %s votes", n.id)
		}
		// A standby was demoted by the user in an earlier run: it will not vote, and that is as it should be.
		all = all && in && up && (m.Voter || m.Standby)
	}
	return all
}

// forgetLost removes nodes whose data directory was deleted since the last run: the cluster knows them with other data
// and would not let them in.
func (d *dev) forgetLost(ctx context.Context, st *cluster.ClusterStatus) {
	for _, n := range d.nodes {
		if _, in := memberOf(st, n.id); !in || n.hasData || d.fresh {
			continue
		}
		d.say("  %s has lost its data: it leaves the cluster and joins it as a new node", n.id)
		_, err := d.client.ask(ctx, d.addrOfLeader(st), "REDOUBT", "ADMIN", cluster.OpRemove, n.id)
		if err != nil {
			d.say("  %s could not be removed: %v", n.id, err)
		}
	}
}

func (d *dev) addrOfLeader(st *cluster.ClusterStatus) string {
	m, _ := leading(st)
	return m.RespAddr
}

// anyStatus is the cluster as the first node sees it that answers and knows a leader.
func (d *dev) anyStatus(ctx context.Context) (*cluster.ClusterStatus, error) {
	err := errors.New("no node runs")
	for _, n := range d.nodes {
		if n.ended {
			continue
		}
		st, askErr := d.ask(ctx, n)
		if askErr != nil {
			err = askErr
			continue
		}
		if _, ok := leading(st); ok {
			return st, nil
		}
		err = errNoLeader
	}
	return nil, err
}

func (d *dev) ask(ctx context.Context, n *devNode) (*cluster.ClusterStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, devAskTimeout)
	defer cancel()
	return d.client.status(ctx, n.respAddr)
}

// lastWords is the last line of a node's log: why it has ended.
func (n *devNode) lastWords() string {
	f, err := os.Open(n.logPath)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > devTailBytesMax {
		_, _ = f.Seek(-devTailBytesMax, io.SeekEnd)
	}
	b, err := io.ReadAll(io.LimitReader(f, devTailBytesMax))
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(lines[len(lines)-1]) + " (" + n.logPath + ")"
}
