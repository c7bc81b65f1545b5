package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/resp"
)

// cli runs a cluster command that must succeed, and returns what it prints.
func cli(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := run(t, append([]string{"cluster"}, args...)...)
	if code != 0 || errs != "" {
		t.Fatalf("%q: exit status %d, %s%s", args, code, out, errs)
	}
	return out
}

// cliFails runs one that must fail with one line.
func cliFails(t *testing.T, why string, args ...string) {
	t.Helper()
	out, errs, code := run(t, append([]string{"cluster"}, args...)...)
	if code != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, why) {
		t.Errorf("%q: exit status %d, %q, %q", args, code, out, errs)
	}
}

func TestClusterCommands(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t, 3)
	at := func(i int, words ...string) []string { return append(words, "--addr", nodes[i].resp) }

	if out := cli(t, at(1, "status")...); !strings.Contains(out, "leader n1") || !strings.Contains(out, "majority 2 of 3 voters") ||
		!strings.Contains(out, nodes[2].resp) || !strings.Contains(out, nodes[2].raft) {
		t.Errorf("status:\n%s", out)
	}
	var st cluster.ClusterStatus
	if err := json.Unmarshal([]byte(cli(t, at(1, "status", "--output", "json")...)), &st); err != nil || st.NodeID != "n2" || len(st.Members) != 3 {
		t.Errorf("%+v, %v", st, err)
	}
	for _, step := range []struct {
		want string
		args []string
	}{
		{"n3 leads\n", at(1, "transfer-leader", "--to", "n3")},
		{"n3 leads\n", at(1, "transfer-leader", "--to", "n3")}, // it does already
		{"n3 is drained", at(2, "drain")},
		{"n3 may lead again", at(2, "undrain")},
		{"n2 is a non-voter", at(0, "demote", "n2")},
		{`"result": "n2 is a voter"`, at(0, "promote", "n2", "--output", "json")},
		{"n2 is no longer in the cluster", at(0, "remove", "n2")},
	} {
		if out := cli(t, step.args...); !strings.Contains(out, step.want) {
			t.Errorf("%q: %s", step.args, out)
		}
	}
	now := nodes[0].awaitCluster("n2 is gone", func(st *cluster.ClusterStatus) bool { return len(st.Members) == 2 })
	if m, ok := memberOf(now, "n3"); !ok || m.Drained {
		t.Errorf("%+v", now)
	}

	cliFails(t, "no such node", at(0, "remove", "n2")...)
	cliFails(t, "no reachable voter", at(0, "transfer-leader", "--to", "n2")...)
	cli(t, at(0, "remove", "n3")...)
	cliFails(t, "last voter", at(0, "remove", "n1")...)
	cliFails(t, "in a cluster already", at(0, "join", "--to", nodes[2].resp)...)
	cliFails(t, "connection refused", "status", "--addr", devAddr(freePorts(t, 1)))
}

func TestClusterJoinAndSnapshot(t *testing.T) {
	t.Parallel()
	first := newNode(t, "n1").start(t, "--bootstrap")
	second := newNode(t, "n2").start(t)
	if out := cli(t, "status", "--addr", second.resp); out != "node n2 is in no cluster yet\n" {
		t.Error(out)
	}
	first.awaitCluster("n1 leads", anyView)
	if out := cli(t, "join", "--addr", second.resp, "--to", first.resp); !strings.Contains(out, "n2 has joined") {
		t.Error(out)
	}
	second.awaitCluster("n2 votes", func(st *cluster.ClusterStatus) bool { return voters(st) == 2 })
	cliFails(t, "in a cluster already", "join", "--addr", second.resp, "--to", first.resp)
	cliFails(t, "in no cluster", "remove", "n9", "--addr", newNode(t, "n3").start(t).resp)

	if out := cli(t, "snapshot", "--addr", second.resp); !strings.Contains(out, second.resp) {
		t.Error(out)
	}
	st, err := os.ReadDir(filepath.Join(second.dir, "snapshots"))
	if err != nil || len(st) == 0 {
		t.Errorf("no snapshot: %v, %v", st, err)
	}
}

// TestLeaderAnswersTheOperationThatDeposesIt asks the leader itself, without the command line's second look: it closes its
// clients when it steps down, and must have answered before.
func TestLeaderAnswersTheOperationThatDeposesIt(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t, 3)
	byID := map[string]*node{"n1": nodes[0], "n2": nodes[1], "n3": nodes[2]}
	last := nodes[0]
	for _, op := range []string{cluster.OpTransfer, cluster.OpDrain, cluster.OpUndrain, cluster.OpDemote, cluster.OpPromote, cluster.OpRemove} {
		st := last.awaitCluster("all are up and the leader is no drained node", func(st *cluster.ClusterStatus) bool {
			return op == cluster.OpPromote || op == cluster.OpUndrain || voters(st) == 3
		})
		lead := byID[st.LeaderID]
		target := lead
		if op == cluster.OpUndrain || op == cluster.OpPromote {
			target = last // who was drained or demoted a step before
		}
		words := []string{"REDOUBT", "ADMIN", op}
		if op != cluster.OpTransfer {
			words = append(words, target.id)
		}
		if v, err := lead.admin().ask(context.Background(), lead.resp, words...); err != nil || v.Str != "OK" {
			t.Fatalf("%s of %s at %s: %+v, %v", op, target.id, lead.id, v, err)
		}
		last = target
	}
}

func TestClusterFlags(t *testing.T) {
	for _, tc := range []struct {
		a    adminClient
		want string
	}{
		{adminClient{addr: "localhost", output: "table"}, "--addr"},
		{adminClient{addr: "localhost:1", output: "xml"}, "--output"},
		{adminClient{addr: "localhost:1", output: "json", opts: clientOptions{user: "u"}}, "--user"},
		{adminClient{addr: "localhost:1", output: "json", opts: clientOptions{caFile: "f"}}, "--tls"},
		{adminClient{addr: "localhost:1", output: "json", opts: clientOptions{tls: true, certFile: "f"}}, "--key"},
	} {
		if err := tc.a.check(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v", tc.a, err)
		}
	}
	t.Setenv(passwordEnv, "secret")
	a := adminClient{addr: "localhost:1", output: "json"}
	if err := a.check(); err != nil || a.opts.password != "secret" {
		t.Errorf("%v, %q", err, a.opts.password)
	}
	a.opts.password = "given"
	if err := a.check(); err != nil || a.opts.password != "given" {
		t.Errorf("%v, %q", err, a.opts.password)
	}
}

func TestPasswordIsAskedForByName(t *testing.T) {
	t.Parallel()
	n := newNode(t, "n1").start(t, "--bootstrap")
	n.stop()
	n.process = launch(t, n.args("--requirepass", "secret")...)
	a := n.admin()
	a.opts.password = "secret"
	n.await("n1 leads", func() bool {
		st, err := a.status(context.Background(), n.resp)
		return err == nil && st.LeaderID == "n1"
	})
	cliFails(t, passwordEnv, "status", "--addr", n.resp)
	cliFails(t, "WRONGPASS", "status", "--addr", n.resp, "--password", "wrong")
	if out := cli(t, "status", "--addr", n.resp, "--password", "secret"); !strings.Contains(out, "leader n1") {
		t.Error(out)
	}
}

// fakeNode answers RESP by a function; an empty answer closes the connection.
func fakeNode(t *testing.T, answer func(words []string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", devAddr(0))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				limits := resp.DefaultLimits()
				rd := resp.NewReader(nc, &limits)
				for {
					args, err := rd.Next()
					if err != nil {
						return
					}
					out := answer(strings.Fields(string(bytes.Join(args, []byte(" ")))))
					if _, err := nc.Write([]byte(out)); err != nil || out == "" {
						return
					}
				}
			})
		}
	})
	return l.Addr().String()
}

// fakeCluster is a cluster of fakes: two nodes, one after the other leading.
type fakeCluster struct {
	mu     sync.Mutex
	leader string
	term   uint64
	asked  int
	admin  func(f *fakeCluster) string // called with mu held
	addrs  map[string]string
}

func newFakeCluster(t *testing.T, admin func(*fakeCluster) string) *fakeCluster {
	f := &fakeCluster{leader: "n1", term: 1, admin: admin, addrs: map[string]string{}}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range []string{"n1", "n2"} {
		f.addrs[id] = fakeNode(t, func(words []string) string { return f.answer(t, words) })
	}
	return f
}

func (f *fakeCluster) answer(t *testing.T, words []string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if words[1] == "ADMIN" {
		f.asked++
		return f.admin(f)
	}
	st := cluster.ClusterStatus{LeaderID: f.leader, Term: f.term}
	for _, id := range []string{"n1", "n2"} {
		m := cluster.MemberStatus{ID: id, RespAddr: f.addrs[id], State: "follower"}
		if id == f.leader {
			m.State = "leader"
		}
		st.Members = append(st.Members, m)
	}
	b, err := json.Marshal(st)
	if err != nil {
		t.Error(err)
	}
	w := resp.NewWriter()
	w.Bulk(b)
	return string(w.Bytes())
}

func (f *fakeCluster) transfer() (asked int, err error) {
	a := &adminClient{addr: f.addrs["n1"], output: outputTable}
	err = a.perform(context.Background(), operation{name: cluster.OpTransfer, happened: func(before, now *cluster.ClusterStatus) bool {
		return now.LeaderID != before.LeaderID
	}})
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked, err
}

func TestOperationWhoseAnswerIsLost(t *testing.T) {
	move := func(f *fakeCluster) { f.leader, f.term = "n2", f.term+1 }
	for _, tc := range []struct {
		name  string
		admin func(*fakeCluster) string
		asked int
		fails string
	}{
		{"it happened", func(f *fakeCluster) string { move(f); return "" }, 1, ""},
		{"refused while the leader changed", func(f *fakeCluster) string {
			if f.asked == 1 {
				f.term++
				return "-ERR not the leader\r\n"
			}
			move(f)
			return "+OK\r\n"
		}, 2, ""},
		{"refused for good", func(*fakeCluster) string { return "-ERR remote: refused: no\r\n" }, 1, "transfer-leader: refused: no"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			asked, err := newFakeCluster(t, tc.admin).transfer()
			if asked != tc.asked || (err == nil) != (tc.fails == "") || err != nil && err.Error() != tc.fails {
				t.Errorf("asked %d times, %v", asked, err)
			}
		})
	}
}

func TestStatusText(t *testing.T) {
	var b bytes.Buffer
	st := &cluster.ClusterStatus{ClusterID: "c1", LeaderID: "n1", Term: 7, Quorum: 1, Members: []cluster.MemberStatus{
		{ID: "n1", RespAddr: "a:1", RaftAddr: "a:2", Role: "leader", Voter: true, State: "leader", Drained: true, AppliedIndex: 9, Version: "1"},
		{ID: "n2", RaftAddr: "b:2", Role: "follower", State: "unreachable", LastContactMillis: -1},
		{ID: "n3", RespAddr: "c:1", RaftAddr: "c:2", Role: "follower", State: "follower", Standby: true, LastContactMillis: 12, AppliedIndex: 5, Lag: 4, Version: "1"},
		{ID: "n4", RespAddr: "d:1", RaftAddr: "d:2", Role: "follower", State: "unreachable", LastContactMillis: -1, AppliedIndex: 3, Lag: 6, StaleMillis: 61234, Version: "1"},
	}}
	if err := printStatus(&b, st); err != nil {
		t.Fatal(err)
	}
	want := `cluster c1, leader n1, term 7, majority 1 of 1 voters

ID  RESP  RAFT  ROLE      VOTER  STATE             CONTACT  APPLIED         LAG  VERSION
n1  a:1   a:2   leader    yes    leader,drained    0s       9               0    1
n2  ?     b:2   follower  no     unreachable       -        -               -    ?
n3  c:1   c:2   follower  no     follower,standby  12ms     5               4    1
n4  d:1   d:2   follower  no     unreachable       -        3 (1m1.2s ago)  6    1
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
	b.Reset()
	if err := printStatus(&b, &cluster.ClusterStatus{NodeID: "n9"}); err != nil || b.String() != "node n9 is in no cluster yet\n" {
		t.Errorf("%q, %v", &b, err)
	}
}

func TestRefusalText(t *testing.T) {
	err := error(&refusal{"ERR remote: refused: node n1 is the last voter "})
	var r *refusal
	if !errors.As(err, &r) || r.Error() != "refused: node n1 is the last voter" {
		t.Error(r)
	}
}
