package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/cluster"
)

const (
	devNodesMax     = 7
	devReadyTimeout = 60 * time.Second // from the start of the processes to a leader and all nodes voting
	devStopTimeout  = 15 * time.Second // from SIGTERM to SIGKILL: above handover-timeout-ms and shutdown-timeout
	devHost         = "127.0.0.1"
)

// devOptions are the flags of dev. RESP ports are port, port+1 and so on, one a node; raft ports likewise.
type devOptions struct {
	dir                   string
	port, raftPort, nodes int
}

func devCommand() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a cluster of three nodes on this machine",
		Long: `Run a cluster on this machine, to try it and to develop against it: three nodes, each a process of its own, that serve this
machine only, without a password. Once all of them vote it prints where they are and what to try, a failover among it.

The data stays in --dir, one directory a node, with the nodes' logs beside them (n1.log, n2.log, ...). The next run finds
it there and goes on with the same ports. A node whose directory has been deleted is taken out of the cluster and joins
it again as a new one. To begin anew delete --dir.

A node that ends, for example by kill -9, is not started again: the cluster goes on without it. What starts it again is
printed. Ctrl-C (or SIGTERM) stops all nodes in an orderly way, a second one at once.`,
		Example: `  redoubt dev
  redoubt dev --dir /tmp/playground --port 7000 --raft-port 8000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.settle(cmd.Flags().Changed); err != nil {
				return fmt.Errorf("dev: %w", err)
			}
			if err := runDev(cmd.Context(), cmd.OutOrStdout(), o); err != nil {
				return fmt.Errorf("dev: %w", err)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", "./data", "`directory` of all data and logs")
	f.IntVar(&o.port, "port", 6379, "RESP port of the first node; the others have the next ones")
	f.IntVar(&o.raftPort, "raft-port", 7379, "node port of the first node; the others have the next ones")
	f.IntVar(&o.nodes, "nodes", 3, "number of nodes, 1 to "+strconv.Itoa(devNodesMax))
	return cmd
}

// dev is a running set of nodes. Its methods are called from one goroutine.
type dev struct {
	o       devOptions
	out     io.Writer
	exe     string
	fresh   bool // no cluster was ever ready here
	nodes   []*devNode
	exits   chan devExit
	running int
	client  adminClient
}

func runDev(ctx context.Context, out io.Writer, o devOptions) error {
	// The nodes end with the thread that started them (Pdeathsig), so this goroutine keeps its own.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d, err := newDev(out, o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	err = d.start()
	if err == nil {
		err = d.awaitReady(ctx, signals)
	}
	if err == nil {
		err = d.play(signals)
	}
	stopErr := d.stop(signals)
	if errors.Is(err, errInterrupted) {
		err = nil
	}
	return errors.Join(err, stopErr)
}

// errInterrupted is the user's wish to stop.
var errInterrupted = errors.New("interrupted")

func newDev(out io.Writer, o devOptions) (*dev, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	d := &dev{o: o, out: out, exe: exe, exits: make(chan devExit, o.nodes)}
	for i := range o.nodes {
		id := "n" + strconv.Itoa(i+1)
		d.nodes = append(d.nodes, &devNode{
			id: id, dir: filepath.Join(o.dir, id), logPath: filepath.Join(o.dir, id+".log"),
			respAddr: devAddr(o.port + i), raftAddr: devAddr(o.raftPort + i),
		})
	}
	if d.fresh, err = d.look(); err != nil {
		return nil, err
	}
	if err := d.checkPorts(); err != nil {
		return nil, err
	}
	return d, os.MkdirAll(o.dir, 0o750)
}

func (d *dev) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// play reports nodes that end until the user has enough, or no node is left.
func (d *dev) play(signals <-chan os.Signal) error {
	d.welcome()
	for {
		select {
		case <-signals:
			return errInterrupted
		case e := <-d.exits:
			d.ended(e)
			d.say("\n%s (pid %d) has ended: %s.", e.node.id, e.node.pid, e.how)
			if d.running == 0 {
				return errors.New("no node is left")
			}
			d.say("The cluster goes on with what is left: it takes writes while %d of %d nodes run. This starts %s again,\nas a job of your shell (Ctrl-C here does not stop that one):\n  %s >>%s 2>&1 &",
				len(d.nodes)/2+1, len(d.nodes), e.node.id, d.commandLine(e.node), shellWord(e.node.logPath))
		}
	}
}

// welcome says where the nodes are and what to try.
func (d *dev) welcome() {
	st, err := d.anyStatus(context.Background())
	if err != nil {
		st = &cluster.ClusterStatus{}
	}
	lead := d.nodes[0]
	for _, n := range d.nodes {
		if n.id == st.LeaderID {
			lead = n
		}
	}
	other := lead
	d.say("\nReady: %d nodes, %s leads. Data and logs are in %s.\n", len(d.nodes), lead.id, d.o.dir)
	for _, n := range d.nodes {
		role := "follower"
		if n == lead {
			role = "leader"
		} else if other == lead {
			other = n
		}
		d.say("  %s  %-8s  RESP %s  raft %s  pid %d", n.id, role, n.respAddr, n.raftAddr, n.pid)
	}
	self := shellWord(os.Args[0])
	d.say("\nTry:\n  redis-cli -p %s SET greeting hello     # the leader takes writes", lead.port())
	if other != lead {
		d.say("  redis-cli -p %s GET greeting           # a follower has them too", other.port())
	}
	d.say("  %s cluster status --addr %s", self, other.respAddr)
	if len(d.nodes) > 2 {
		d.say("\nSee a failover:\n  kill -9 %d                              # %s, the leader: another takes over", lead.pid, lead.id)
		d.say("  %s cluster status --addr %s", self, other.respAddr)
		d.say("  redis-cli -p %s GET greeting           # nothing is lost", other.port())
	}
	d.say("\nCtrl-C stops all nodes.")
}
