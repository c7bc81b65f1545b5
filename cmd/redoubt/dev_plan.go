package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// devPlanName is the file in --dir that tells a later run which cluster lives there. It is written once the cluster has
// been ready for the first time: from then on no node may begin a cluster of its own.
const devPlanName = "dev.json"

type devPlan struct {
	Port     int `json:"port"`
	RaftPort int `json:"raft_port"`
	Nodes    int `json:"nodes"`
}

func devAddr(port int) string { return net.JoinHostPort(devHost, strconv.Itoa(port)) }

// settle checks the flags and takes the ports and the number of nodes from an earlier run where they are not given. All
// nodes moving at once could not find one another, so an existing cluster stays where it is.
func (o *devOptions) settle(given func(flag string) bool) error {
	plan, found, err := readDevPlan(o.dir)
	if err != nil {
		return err
	}
	if found {
		for _, f := range []struct {
			flag      string
			value     *int
			of        int
			mayExceed bool
		}{
			{"port", &o.port, plan.Port, false}, {"raft-port", &o.raftPort, plan.RaftPort, false}, {"nodes", &o.nodes, plan.Nodes, true},
		} {
			if !given(f.flag) {
				*f.value = f.of
			}
			if *f.value != f.of && !(f.mayExceed && *f.value > f.of) {
				return fmt.Errorf("--%s is %d, but the cluster in %s has %d: leave the flag out, or name another --dir", f.flag, *f.value, o.dir, f.of)
			}
		}
	}
	return o.validate()
}

func (o *devOptions) validate() error {
	if o.nodes < 1 || o.nodes > devNodesMax {
		return fmt.Errorf("--nodes is %d: it takes 1 to %d", o.nodes, devNodesMax)
	}
	for _, p := range []struct {
		flag string
		port int
	}{{"port", o.port}, {"raft-port", o.raftPort}} {
		if last := p.port + o.nodes - 1; p.port < 1 || last > 65535 {
			return fmt.Errorf("--%s is %d: the ports of %d nodes must lie between 1 and 65535", p.flag, p.port, o.nodes)
		}
	}
	if o.port < o.raftPort+o.nodes && o.raftPort < o.port+o.nodes {
		return fmt.Errorf("--port %d and --raft-port %d are too close: the ports of %d nodes overlap", o.port, o.raftPort, o.nodes)
	}
	return nil
}

func readDevPlan(dir string) (plan devPlan, found bool, err error) {
	path := filepath.Join(dir, devPlanName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return plan, false, nil
	}
	if err != nil {
		return plan, false, err
	}
	if err := json.Unmarshal(b, &plan); err != nil {
		return plan, false, fmt.Errorf("%s is damaged (%w): delete %s to begin anew", path, err, dir)
	}
	return plan, true, nil
}

// writeDevPlan replaces the file in one step: a torn one would make the next run begin anew.
func (d *dev) writeDevPlan() error {
	b, err := json.Marshal(devPlan{Port: d.o.port, RaftPort: d.o.raftPort, Nodes: d.o.nodes})
	if err != nil {
		return err
	}
	path := filepath.Join(d.o.dir, devPlanName)
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o640); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// look finds out which nodes have a data directory, and whether there is a cluster at all.
func (d *dev) look() (fresh bool, err error) {
	_, found, err := readDevPlan(d.o.dir)
	if err != nil {
		return false, err
	}
	any := false
	for _, n := range d.nodes {
		entries, err := os.ReadDir(n.dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		n.hasData = len(entries) > 0
		any = any || n.hasData
	}
	return !found || !any, nil
}

// checkPorts refuses before anything is started.
func (d *dev) checkPorts() error {
	cure := "stop who uses it, or choose other ports with --port and --raft-port"
	if !d.fresh {
		cure = "stop who uses it (a node of this cluster that was started by hand?), or choose another --dir with ports of its own"
	}
	for _, n := range d.nodes {
		for _, addr := range []string{n.respAddr, n.raftAddr} {
			l, err := net.Listen("tcp", addr)
			if err != nil {
				return fmt.Errorf("node %s needs %s: %w; %s", n.id, addr, err, cure)
			}
			if err := l.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}
