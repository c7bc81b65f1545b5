package workload

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Options say what a workload runs on.
type Options struct {
	// Nodes returns the RESP addresses of all nodes as they are now, dead ones too. It is called from any goroutine.
	Nodes func() []string
	// Dial connects to an address; nil: plain TCP. It is called from any goroutine.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Clients is the number of concurrent clients; 0: clientsDefault.
	Clients int
	// Rate is the number of operations a second over all clients; 0: as fast as they go.
	Rate int
	// Seed chooses what the clients do. The same seed gives the same choices, not the same history.
	Seed uint64
	// Started is the beginning of the run, from which the times in violations count; zero: New.
	Started time.Time

	// ClockJumps says that clocks of nodes jump during the run. What depends on log time going at the pace of real time
	// is then not held against the cluster; see package check, Expiry and Lock.
	ClockJumps bool
	// RetryUnknown makes the clients repeat writes whose outcome they don't know, as if they had not been applied.
	// This is wrong: a negative control, which the checkers must catch.
	RetryUnknown bool
	// StaleReads makes the clients send reads that must be linearizable to any node. This is wrong: a negative control.
	StaleReads bool
}

// Workload is a set of clients, with a judge of what they were told. Its methods are called one after the other: Run,
// Final, Check. Final may be left out, where nothing can be read any more.
type Workload interface {
	Name() string
	// Run drives the clients until ctx ends, then waits for what is in flight.
	Run(ctx context.Context)
	// Final reads what must be there at the end, on a healed and settled cluster, from each of the nodes. An error says
	// that something could not be read before ctx ended; what was read is for Check to judge.
	Final(ctx context.Context) error
	// Check judges all that was recorded.
	Check() Report
}

// Report is what came of a workload.
type Report struct {
	Workload string
	// Operations is how many were sent: writes, which end in one of three ways, and reads, of which Reads were answered.
	// Refused are also transactions that a watched key made fail.
	Operations, Acked, Refused, Unknown, Reads int
	// Violations is empty where all is well. Each names keys, operations and times.
	Violations []string
	// Undecided counts the histories that could not be decided in time.
	Undecided int
	// Acks are the moments of acknowledged writes, sorted. Of those within one millisecond one is kept.
	Acks []time.Time
}

// makers are the workloads by name, in the order of Names.
var makers = []struct {
	name string
	make func(*run) Workload
}{
	{"register", newRegister},
	{"counter", newCounter},
	{"append", newAppend},
	{"bank", newBank},
	{"expiry", newExpiry},
	{"monotonic", newMonotonic},
	{"lock", newLock},
}

// Names lists the workloads.
func Names() []string {
	names := make([]string, len(makers))
	for i, m := range makers {
		names[i] = m.name
	}
	return names
}

// New makes a workload, which has not begun.
func New(name string, o Options) (Workload, error) {
	if o.Nodes == nil {
		return nil, fmt.Errorf("workload %s: no nodes", name)
	}
	if o.Clients < 0 || o.Rate < 0 {
		return nil, fmt.Errorf("workload %s: %d clients, %d operations a second", name, o.Clients, o.Rate)
	}
	for _, m := range makers {
		if m.name == name {
			return m.make(newRun(name, o)), nil
		}
	}
	return nil, fmt.Errorf("no workload %q", name)
}
