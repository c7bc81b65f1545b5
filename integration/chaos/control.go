package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/integration/chaos/workload"
)

// control is a run with a known fault in the cluster or in the clients, which must be caught.
type control struct {
	name  string
	flags []string // of the server
	// minutes, faults and workloads stand where the command line does not name others.
	minutes           float64
	faults, workloads []string
	// lead is how long nothing happens at first.
	lead  time.Duration
	spoil func(*workload.Options)
}

var controls = []control{
	{
		name:  "stale-reads", // the nodes answer from what they have, and clients ask any of them
		flags: []string{"--read-consistency", "stale"}, minutes: 0.5,
		faults: []string{"pause", "kill9-leader"}, workloads: []string{"register"},
		spoil: func(o *workload.Options) { o.StaleReads = true },
	},
	{
		name:  "no-fsync", // writes are acknowledged before they are on disk
		flags: []string{"--appendfsync", "no"}, minutes: 0.7,
		faults: []string{"power-cut-all"}, workloads: []string{"register", "counter", "append"},
		lead: 15 * time.Second, // until there are snapshots, which are always synced: without any all would be gone
	},
	{
		name: "retry-unknown", minutes: 0.7, // clients take an unknown outcome for a refusal
		faults: []string{"partition-clients", "kill9-leader", "pause-leader"}, workloads: []string{"counter", "append"},
		spoil: func(o *workload.Options) { o.RetryUnknown = true },
	},
}

func controlNames() []string {
	var out []string
	for _, c := range controls {
		out = append(out, c.name)
	}
	return out
}

func (o *options) controlled() *control {
	i := slices.IndexFunc(controls, func(c control) bool { return c.name == o.control })
	if i < 0 {
		return nil
	}
	return &controls[i]
}

// applyControl fills in what a control needs where no flag was set.
func (o *options) applyControl(set map[string]bool) error {
	if o.control == "" {
		return nil
	}
	c := o.controlled()
	if c == nil {
		return fmt.Errorf("no control is called %q; there are: %s", o.control, strings.Join(controlNames(), ", "))
	}
	o.flags = c.flags
	if !set["minutes"] {
		o.minutes = c.minutes
	}
	if !set["faults"] {
		o.faults = c.faults
	}
	if !set["workloads"] {
		o.workloads = c.workloads
	}
	return nil
}
