package resp

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/config"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

// fakeRoles is a Backend with a place in a cluster that a test sets, and no state machine: every write is applied at once
// and answered with OK. What it does not implement panics.
type fakeRoles struct {
	Backend
	mu       sync.Mutex
	cond     *sync.Cond // signalled by set
	node     NodeInfo
	leading  bool
	loading  bool
	leader   string
	linkUp   bool
	heard    time.Duration
	replicas []Replica
	keys     KeyCounters
	handing  bool
	waiting  int      // calls of WaitReplicas that wait
	asked    []string // operations, in order
	// takeover, handover and join answer those operations.
	takeover, handover, join func(ctx context.Context, addr string) error
}

func newFakeRoles() *fakeRoles {
	ok := func(context.Context, string) error { return nil }
	f := &fakeRoles{takeover: ok, handover: ok, join: ok}
	f.cond = sync.NewCond(&f.mu)
	return f
}

// fakeLeader leads two followers, of which the second has no vote.
func fakeLeader() *fakeRoles {
	f := newFakeRoles()
	f.leading, f.leader = true, "127.0.0.1:1"
	f.node = NodeInfo{
		ID: "n1", ClusterID: "c", Version: "9.9", State: "leader", Term: 3, LeaderID: "n1", CommitIndex: 100, AppliedIndex: 100,
		LastIndex: 100, SnapshotIndex: 50, FirstIndex: 11, Voters: 2, NonVoters: 1, ReplID: "aa", ReplID2: "bb", ReplOffset2: 7,
		RaftAddr: "127.0.0.1:11", RespAddr: "127.0.0.1:1", LogStore: "wal", LogTimeMillis: 5,
	}
	f.replicas = []Replica{
		{ID: "n2", RespAddr: "127.0.0.1:2", Voter: true, Online: true, Offset: 100, Lag: 1500 * time.Millisecond},
		{ID: "n3", RespAddr: "127.0.0.1:3", Online: true, Offset: 99},
	}
	return f
}

// fakeFollower is n2 of the same cluster.
func fakeFollower() *fakeRoles {
	f := fakeLeader()
	f.leading, f.linkUp, f.heard = false, true, 2*time.Second
	f.node.ID, f.node.State, f.node.RespAddr = "n2", "follower", "127.0.0.1:2"
	f.replicas[0] = Replica{ID: "n1", RespAddr: "127.0.0.1:1", Voter: true}
	return f
}

// set changes the fake and wakes those who await something of it.
func (f *fakeRoles) set(change func(f *fakeRoles)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
	f.cond.Broadcast()
}

// await waits until the fake is as the test wants it.
func (f *fakeRoles) await(t *testing.T, what string, ok func(f *fakeRoles) bool) {
	t.Helper()
	over := false
	timer := time.AfterFunc(testPatience, func() { f.set(func(*fakeRoles) { over = true }) })
	defer timer.Stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for !ok(f) && !over {
		f.cond.Wait()
	}
	if !ok(f) {
		t.Fatalf("waited in vain: %s (asked: %q)", what, f.asked)
	}
}

const testPatience = 30 * time.Second

func get[T any](f *fakeRoles, read func() T) T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return read()
}

func (f *fakeRoles) NodeInfo() NodeInfo       { return get(f, func() NodeInfo { return f.node }) }
func (f *fakeRoles) Removed() bool            { return false }
func (f *fakeRoles) Loading() bool            { return get(f, func() bool { return f.loading }) }
func (f *fakeRoles) Leading() bool            { return get(f, func() bool { return f.leading }) }
func (f *fakeRoles) LeaderAddr() string       { return get(f, func() string { return f.leader }) }
func (f *fakeRoles) HandingOver() bool        { return get(f, func() bool { return f.handing }) }
func (f *fakeRoles) KeyCounters() KeyCounters { return get(f, func() KeyCounters { return f.keys }) }
func (f *fakeRoles) Replicas() []Replica {
	return get(f, func() []Replica { return append([]Replica(nil), f.replicas...) })
}
func (f *fakeRoles) LinkUp() (bool, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.linkUp, f.heard
}
func (f *fakeRoles) OnEvents(command.EventClass, func(uint64, []command.Event)) {}
func (f *fakeRoles) Databases() int                                             { return 16 }
func (f *fakeRoles) LastSnapshot() time.Time                                    { return time.Time{} }
func (f *fakeRoles) KeyspaceInfo() []KeyspaceInfo {
	return []KeyspaceInfo{{DB: 0, Keys: 3, Expires: 2, AvgTTLMillis: 1234}, {DB: 9, Keys: 1}}
}

func (f *fakeRoles) Member(addr string) bool {
	return get(f, func() bool {
		for _, r := range f.replicas {
			if r.RespAddr == addr {
				return true
			}
		}
		return addr == f.node.RespAddr
	})
}

func (f *fakeRoles) WaitReplicas(ctx context.Context, index uint64, want int) int {
	count := func() int {
		n := 0
		for _, r := range f.replicas {
			if r.Offset >= index {
				n++
			}
		}
		return n
	}
	stop := context.AfterFunc(ctx, func() { f.set(func(*fakeRoles) {}) })
	defer stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting++
	f.cond.Broadcast()
	defer func() { f.waiting-- }()
	for count() < want && ctx.Err() == nil {
		f.cond.Wait()
	}
	return count()
}

func (f *fakeRoles) ask(op string, answer func(context.Context, string) error, ctx context.Context, addr string) error {
	f.set(func(f *fakeRoles) { f.asked = append(f.asked, op) })
	return answer(ctx, addr)
}
func (f *fakeRoles) Takeover(ctx context.Context) error {
	return f.ask("takeover", f.takeover, ctx, "")
}
func (f *fakeRoles) Handover(ctx context.Context, addr string) error {
	return f.ask("handover "+addr, f.handover, ctx, addr)
}
func (f *fakeRoles) JoinCluster(ctx context.Context, addr string) error {
	return f.ask("join "+addr, f.join, ctx, addr)
}
func (f *fakeRoles) Admin(_ context.Context, op string, args []string) error {
	f.set(func(f *fakeRoles) { f.asked = append(f.asked, op+" "+args[0]) })
	return nil
}

// Propose applies at the node's index, one more for each proposal.
func (f *fakeRoles) Propose(ps ...*command.Proposal) {
	for _, p := range ps {
		f.propose(p)
	}
}

func (f *fakeRoles) propose(p *command.Proposal) {
	f.mu.Lock()
	f.node.AppliedIndex++
	index := f.node.AppliedIndex
	f.mu.Unlock()
	var units command.UnitReader
	units.Reset(p.Body)
	for u := units.Next(); u != nil; u = units.Next() {
		if !u.Txn {
			p.Reply.Simple("OK")
			p.Reply.EndCall()
			continue
		}
		p.Reply.Array(len(u.Calls))
		for _, c := range u.Calls {
			if len(c.Args) == 0 {
				p.Reply.Deferred()
				continue
			}
			p.Reply.Simple("OK")
			p.Reply.EndCall()
		}
	}
	p.Finish(command.Applied, index, nil)
}

// roleServer is a server over a fake, without a port of its own: dial connects to it.
type roleServer struct {
	*Server
	t      *testing.T
	listen net.Listener
}

var roleTable = sync.OnceValue(func() *command.Table {
	return BuildTable(func(t *command.Table, more ...*command.Spec) {
		t.Add(&command.Spec{Name: "set", Arity: -3, Flags: command.Write, FSM: true})
	})
})

func newRoleServer(t *testing.T, f *fakeRoles, settings ...[2]string) *roleServer {
	t.Helper()
	cfg := config.New()
	if err := cfg.Set(settings, true); len(settings) > 0 && err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &roleServer{Server: NewServer(Options{Config: cfg, Backend: f, Table: roleTable(), EntryBytesMax: 1 << 20}), t: t, listen: l}
	s.Serve()
	t.Cleanup(func() {
		_ = l.Close()
		s.Close(testPatience)
		s.Close(testPatience)
	})
	return s
}

func (s *roleServer) dial() *respclient.Conn {
	s.t.Helper()
	type accepted struct {
		nc  net.Conn
		err error
	}
	in := make(chan accepted, 1)
	go func() {
		nc, err := s.listen.Accept()
		in <- accepted{nc, err}
	}()
	out, err := net.Dial("tcp", s.listen.Addr().String())
	a := <-in
	if err := errors.Join(err, a.err); err != nil {
		s.t.Fatal(err)
	}
	s.admit(a.nc)
	c := respclient.NewConn(out)
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// do returns a reply as text: an error with a minus, an aggregate as its elements.
func do(t *testing.T, c *respclient.Conn, args ...string) string {
	t.Helper()
	v, err := c.Do(args...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return show(v)
}

func show(v respclient.Value) string {
	switch {
	case v.IsError():
		return "-" + v.Str
	case v.IsNull():
		return "null"
	case v.Elems != nil || v.Kind == respclient.Array:
		out := "["
		for i, e := range v.Elems {
			if i > 0 {
				out += " "
			}
			out += show(e)
		}
		return out + "]"
	}
	return v.Text()
}
