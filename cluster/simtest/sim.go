package simtest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/redoubtdb/redoubt/cluster"
)

// SeedEnv is the environment variable that chooses the seed; LogEnv, if set, prints the nodes' logs.
const (
	SeedEnv = "REDOUBT_SIM_SEED"
	LogEnv  = "REDOUBT_SIM_LOG"
)

// Options say how a Sim differs from the usual.
type Options struct {
	// Tune changes a node's configuration before it starts.
	Tune func(id string, c *cluster.Config)
	// KeepBooks has address books survive the process, as those in data directories do.
	KeepBooks bool
	// RaftTimeout bounds one exchange of raft. Default 1 s.
	RaftTimeout time.Duration
	// KeepFailed leaves a process running that reported a fatal error. By default it ends, as cmd/redoubt does.
	KeepFailed bool
	// DiskDelay makes every write to a disk take up to so long, as Disk.SetDelay does.
	DiskDelay time.Duration
	// OnFault is told of each fault that Trouble makes.
	OnFault func(name string)
	// FastHeartbeats gives raft the fast path for heartbeats that our transport takes away (hashicorp/raft #695).
	FastHeartbeats bool
	// Stuck lets goroutines of leadership transfers be left over (hashicorp/raft #696).
	Stuck bool
	// Supervised has a process that ended by itself started again after a while, as a service manager does.
	Supervised bool
	// Expected keeps violations from failing the test: its caller asks for them (Violations).
	Expected bool
}

// Sim is a cluster under virtual time.
type Sim struct {
	T      testing.TB
	Net    *Network
	opts   Options
	trace  *trace
	ledger *ledger
	looked chan struct{} // closed when nobody shall look any more

	mu      sync.Mutex // guards rng, members and founder
	rng     *rand.Rand
	members []*Member
	founder *Member // who began the first cluster
	onClose []func()
}

// OnClose has f run before everything is closed, whether the test fails or not: to end goroutines of the caller's.
func (s *Sim) OnClose(f func()) { s.onClose = append(s.onClose, f) }

// Seeds returns the seeds to run: the one of SeedEnv, or n at random.
func Seeds(n int) []uint64 {
	if v, err := strconv.ParseUint(os.Getenv(SeedEnv), 10, 64); err == nil {
		return []uint64{v}
	}
	out := make([]uint64, n)
	for i := range out {
		out[i] = rand.Uint64N(1 << 32)
	}
	return out
}

// Run runs f on a new Sim in a bubble of its own with one seed, closes everything afterwards and says how to run it
// again if it failed.
func Run(t *testing.T, opts Options, f func(s *Sim)) {
	t.Helper()
	RunSeed(t, Seeds(1)[0], opts, f)
}

// RunSeed is Run with a seed of the caller's.
func RunSeed(t *testing.T, seed uint64, opts Options, f func(s *Sim)) {
	t.Helper()
	defer func() {
		if t.Failed() {
			name, _, _ := strings.Cut(t.Name(), "/")
			t.Logf("run again with %s=%d go test -race -run '^%s$' ./cluster", SeedEnv, seed, name)
		}
	}()
	var bubble string
	defer func() {
		if p := recover(); p != nil && !(strings.Contains(fmt.Sprint(p), leftOver) && leftByRaft(bubble, opts.Stuck)) {
			panic(p)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		bubble = bubbleName()
		s := newSim(t, seed, opts)
		defer s.close()
		f(s)
	})
}

func newSim(t testing.TB, seed uint64, opts Options) *Sim {
	if opts.RaftTimeout == 0 {
		opts.RaftTimeout = time.Second
	}
	s := &Sim{
		T: t, opts: opts, rng: rand.New(rand.NewPCG(seed, 2)), trace: &trace{}, looked: make(chan struct{}),
	}
	s.ledger = newLedger(s.trace.violation)
	s.ledger.before = s.checkApplied
	s.Net = newNetwork(seed, s.ledger)
	s.Net.run(func() { s.look(s.looked) })
	return s
}

// close ends every process, waits for all goroutines and fails the test if an invariant did not hold.
func (s *Sim) close() {
	for _, f := range s.onClose {
		f()
	}
	close(s.looked)
	for _, m := range s.Members() {
		m.Crash()
	}
	s.Net.close()
	switch why := s.trace.failure(); {
	case s.opts.Expected:
	case why != "":
		s.T.Errorf("invariants were violated:\n%s", why)
	case s.T.Failed():
		now := time.Since(bubbleStart)
		s.T.Logf("the last events:\n%s", s.trace.window(now, now))
	}
}

// Violation notes that an invariant of the caller's did not hold; the test fails when the Sim is closed. Any goroutine
// may call it.
func (s *Sim) Violation(format string, args ...any) { s.trace.violation(format, args...) }

// Violations are the first ones that were noted.
func (s *Sim) Violations() []string {
	s.trace.mu.Lock()
	defer s.trace.mu.Unlock()
	out := make([]string, len(s.trace.violations))
	for i, v := range s.trace.violations {
		out[i] = v.text
	}
	return out
}

// Note adds an event to what is printed when the test fails. Any goroutine may call it.
func (s *Sim) Note(format string, args ...any) { s.trace.add(format, args...) }

// Counts says how much was checked so far.
func (s *Sim) Counts() Counts {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	return s.ledger.counts
}

// Rand returns a number below n. Any goroutine may call it.
func (s *Sim) Rand(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.IntN(n)
}

// Between returns a duration at random. Any goroutine may call it.
func (s *Sim) Between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.Rand(int(most-least)))
}

func (s *Sim) entropy() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.Uint64()
}

// Members returns all members, those that are down too, in the order of their creation. Any goroutine may call it.
func (s *Sim) Members() []*Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.members)
}

// Up returns the members whose process runs.
func (s *Sim) Up() []*Member {
	return slices.DeleteFunc(s.Members(), func(m *Member) bool { return m.Node() == nil })
}

// Member returns the member called id.
func (s *Sim) Member(id string) *Member {
	for _, m := range s.Members() {
		if m.ID == id {
			return m
		}
	}
	s.T.Fatalf("no member %s", id)
	return nil
}

// NewMember makes a node with an empty disk, which has not started.
func (s *Sim) NewMember(id string) *Member {
	m := &Member{ID: id, sim: s, hold: make(chan struct{}, 1), Clock: &Clock{}, raftAddr: id + ":raft", respAddr: id + ":resp"}
	m.disk = s.newDisk(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = append(s.members, m)
	return m
}

// begins reports whether a member begins the Sim's first cluster, or began it.
func (s *Sim) begins(m *Member) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.founder == nil {
		s.founder = m
	}
	return s.founder == m
}

func (s *Sim) newDisk(owner string) *Disk {
	d := newDisk(owner, fmt.Sprintf("%016x", s.entropy()), rand.New(rand.NewPCG(s.entropy(), 3)), s.ledger)
	d.delayLeast, d.delayMax = s.opts.DiskDelay, s.opts.DiskDelay
	return d
}

// Start makes a cluster of n voters called n1, n2...
func (s *Sim) Start(n int) {
	s.T.Helper()
	first := s.NewMember("n1")
	first.Bootstrap = true
	first.Start()
	s.WaitLeader()
	for i := 2; i <= n; i++ {
		s.Join("n" + strconv.Itoa(i))
	}
	s.WaitVoters(n)
}

// Join starts a node and lets it join as operators do.
func (s *Sim) Join(id string) *Member {
	s.T.Helper()
	m := s.NewMember(id)
	m.Start()
	s.Admit(m)
	return m
}

// Admit asks the cluster to let a running node in, until it has.
func (s *Sim) Admit(m *Member) {
	s.T.Helper()
	s.Admin(cluster.AdminRequest{Op: cluster.OpJoin, Member: m.Self()})
}

// adminPatience is how long Admin tries.
const adminPatience = 20 * time.Second

// Admin has the leader carry out an operation, and tries again as long as it is refused.
func (s *Sim) Admin(req cluster.AdminRequest) {
	s.T.Helper()
	if err := s.TryAdmin(req, adminPatience); err != nil {
		s.T.Fatalf("%s of %q%s: %v", req.Op, req.Node, req.Member.ID, err)
	}
}

// TryAdmin is Admin that returns the last error once patience is over. Any goroutine may call it.
func (s *Sim) TryAdmin(req cluster.AdminRequest, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := cluster.ErrLeaderUnknown
	for {
		if l := s.Leader(); l != nil {
			if n := l.Node(); n != nil {
				if err = n.Admin(ctx, req); err == nil {
					return nil
				}
			}
		}
		if sleep(100*time.Millisecond, nil, ctx.Done()) != nil {
			return err
		}
	}
}

// Leader returns the member that serves as the leader of the highest term; nil if none does. Any goroutine may call it.
func (s *Sim) Leader() *Member {
	var best *Member
	var term uint64
	for _, m := range s.Up() {
		n := m.Node()
		if n == nil || !n.Leading() {
			continue
		}
		// Who serves has applied the entry that began its term.
		if t := n.Machine().Cluster().LeadTerm; t > term {
			best, term = m, t
		}
	}
	return best
}

// poll is how often conditions are looked at, in virtual time.
const poll = time.Millisecond

// WaitFor waits until cond holds, in virtual time.
func (s *Sim) WaitFor(what string, limit time.Duration, cond func() bool) {
	s.T.Helper()
	for end := time.Now().Add(limit); ; {
		if cond() {
			return
		}
		if time.Now().After(end) {
			s.T.Fatalf("%s: not within %s\n%s", what, limit, s.describe())
		}
		time.Sleep(poll)
	}
}

// electionLimit is longer than any election may take once a majority is up and connected.
const electionLimit = 15 * time.Second

// WaitLeader waits until a member serves as the leader.
func (s *Sim) WaitLeader() *Member {
	s.T.Helper()
	var l *Member
	s.WaitFor("a leader", electionLimit, func() bool { l = s.Leader(); return l != nil })
	return l
}

// WaitOtherLeader waits until another than m serves as the leader.
func (s *Sim) WaitOtherLeader(m *Member) *Member {
	s.T.Helper()
	var l *Member
	s.WaitFor("a leader other than "+m.ID, electionLimit, func() bool { l = s.Leader(); return l != nil && l != m })
	return l
}

// WaitVoters waits until a leader serves and every running member counts n voters.
func (s *Sim) WaitVoters(n int) {
	s.T.Helper()
	s.WaitFor(fmt.Sprintf("%d voters", n), 30*time.Second, func() bool {
		for _, m := range s.Up() {
			if v := m.voters(); v >= 0 && v != n {
				return false
			}
		}
		return s.Leader() != nil
	})
}

// voters counts the voters that a member knows of; -1 while it is down or removed.
func (m *Member) voters() int {
	n := m.Node()
	if n == nil || n.Removed() {
		return -1
	}
	voters := 0
	for _, v := range n.Voters() {
		if v {
			voters++
		}
	}
	return voters
}

// convergeLimit is how long healed nodes may take to agree.
const convergeLimit = 60 * time.Second

// WaitConverged waits until all running members have applied the same log, and requires equal digests.
func (s *Sim) WaitConverged() {
	s.T.Helper()
	for range 20 {
		s.WaitFor("equal applied indexes", convergeLimit, func() bool { _, ok := s.sameIndex(); return ok })
		time.Sleep(50 * time.Millisecond)
		before, ok := s.sameIndex()
		if !ok {
			continue
		}
		digests := map[string][]string{}
		for _, m := range s.Up() {
			d := m.Node().Machine().Digest()
			digests[d] = append(digests[d], m.ID)
		}
		if after, ok := s.sameIndex(); !ok || after != before {
			continue
		}
		if len(digests) != 1 {
			s.T.Fatalf("replicas at index %d differ: %v", before, digests)
		}
		return
	}
	s.T.Fatal("the log does not come to rest\n" + s.describe())
}

func (s *Sim) sameIndex() (uint64, bool) {
	var index uint64
	for _, m := range s.Up() {
		n := m.Node()
		if n == nil || n.Removed() {
			continue
		}
		i := n.Machine().Index()
		if i == 0 || index != 0 && i != index {
			return 0, false // not there yet, or not equal
		}
		index = i
	}
	return index, index != 0
}

// describe is the state of every member, for messages.
func (s *Sim) describe() string {
	out := fmt.Sprintf("at %s:\n", time.Now().UTC().Format("15:04:05.000"))
	for _, m := range s.Members() {
		if n := m.Node(); n != nil {
			out += fmt.Sprintf("  %s %+v serving=%v voters=%v\n", m.ID, n.Status(), n.Leading(), n.Voters())
		} else {
			out += fmt.Sprintf("  %s is down (%v)\n", m.ID, m.Fatal())
		}
	}
	return out
}

func (s *Sim) logger() (*slog.Logger, func(id string) hclog.Logger) {
	if os.Getenv(LogEnv) == "" {
		return nil, func(string) hclog.Logger { return nil }
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})), func(id string) hclog.Logger {
		return hclog.New(&hclog.LoggerOptions{Name: id, Level: hclog.Debug, Output: os.Stderr})
	}
}
