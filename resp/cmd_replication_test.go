package resp

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRole(t *testing.T) {
	joining := newFakeRoles()
	joining.node.State = stateJoining
	orphan := fakeFollower()
	orphan.linkUp, orphan.leader = false, ""
	fresh := fakeFollower()
	fresh.node.AppliedIndex = 0
	elect := fakeFollower() // raft's leader, but not serving yet
	elect.node.LeaderID = "n2"
	behind := fakeLeader()
	behind.replicas[0].Offset = 9 // the log begins at 11
	for name, c := range map[string]struct {
		f    *fakeRoles
		want string
	}{
		"leader":              {fakeLeader(), "[master 100 [[127.0.0.1 2 100] [127.0.0.1 3 99]]]"},
		"follower":            {fakeFollower(), "[slave 127.0.0.1 1 connected 100]"},
		"no leader":           {orphan, "[slave  0 connect 100]"},
		"nothing applied":     {fresh, "[slave 127.0.0.1 1 sync 0]"},
		"not serving yet":     {elect, "[slave  0 connect 100]"},
		"joining":             {joining, "[slave  0 connect -1]"},
		"a follower restores": {behind, "[master 100 [[127.0.0.1 3 99]]]"},
	} {
		if got := do(t, newRoleServer(t, c.f).dial(), "ROLE"); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestReplicaOf(t *testing.T) {
	joining := func() *fakeRoles {
		f := newFakeRoles()
		f.node.State, f.node.RespAddr = stateJoining, "127.0.0.1:2"
		return f
	}
	removed := func() *fakeRoles {
		f := fakeFollower()
		f.node.State, f.replicas = stateRemoved, nil
		return f
	}
	noMember := "-ERR 127.0.0.1:9 is not a member of this cluster. REPLICAOF makes a member the master; copying from a Redis outside the cluster is not supported yet"
	for _, c := range []struct {
		name  string
		f     func() *fakeRoles
		args  string
		want  string
		asked string
	}{
		{"leader", fakeLeader, "no one", "OK", "takeover"},
		{"follower", fakeFollower, "No One", "OK", "takeover"},
		{"leader", fakeLeader, "no two", "-ERR Invalid master port", ""},
		{"leader", fakeLeader, "a 65536", "-ERR Invalid master port", ""},
		{"leader", fakeLeader, "a -1", "-ERR Invalid master port", ""},
		{"leader", fakeLeader, "127.0.0.1 2", "OK", "handover 127.0.0.1:2"},
		{"leader", fakeLeader, "127.0.0.1 1", "OK", "takeover"},
		{"leader", fakeLeader, "127.0.0.1 9", noMember, ""},
		{"follower", fakeFollower, "127.0.0.1 1", "OK Already connected to specified master", ""},
		{"follower", fakeFollower, "localhost 1", "OK Already connected to specified master", ""},
		{"follower", fakeFollower, "127.0.0.1 3", "OK", "transfer-leader n3"},
		{"follower", fakeFollower, "127.0.0.1 2", "OK", "takeover"},
		{"follower", fakeFollower, "127.0.0.1 9", noMember, ""},
		{"joining", joining, "127.0.0.1 1", "OK", "join 127.0.0.1:1"},
		{"joining", joining, "127.0.0.1 2", "-ERR could not join the cluster of 127.0.0.1:2: that is this node itself; name a member of the cluster", ""},
		{"removed", removed, "127.0.0.1 1", "-ERR this node was removed from its cluster; empty its data directory and start it again before it joins one", ""},
	} {
		for _, name := range []string{"REPLICAOF", "SLAVEOF"} {
			f := c.f()
			got := do(t, newRoleServer(t, f).dial(), append([]string{name}, strings.Fields(c.args)...)...)
			if asked := strings.Join(f.asked, ","); got != c.want || asked != c.asked {
				t.Errorf("%s: %s %s = %q, asked %q; want %q, %q", c.name, name, c.args, got, asked, c.want, c.asked)
			}
		}
	}
}

// REPLICAOF NO ONE is what an operator says when the master has just died: it outlasts the election.
func TestTakeoverTriesAgain(t *testing.T) {
	f := fakeFollower()
	dead := errors.New("no leader")
	f.takeover = func(context.Context, string) error {
		if len(f.asked) < 2 {
			return dead
		}
		return nil
	}
	if got := do(t, newRoleServer(t, f).dial(), "REPLICAOF", "NO", "ONE"); got != "OK" || len(f.asked) != 2 {
		t.Errorf("%q after %d attempts", got, len(f.asked))
	}

	f = fakeFollower()
	f.takeover = func(context.Context, string) error { return dead }
	s := newRoleServer(t, f, [2]string{"handover-timeout-ms", "50"})
	if got := do(t, s.dial(), "REPLICAOF", "NO", "ONE"); got != "-ERR leadership could not be moved to this node: no leader" {
		t.Error(got)
	}
}

func TestWait(t *testing.T) {
	replica := "-ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated."
	if got := do(t, newRoleServer(t, fakeFollower()).dial(), "WAIT", "x", "x"); got != replica {
		t.Error(got)
	}
	f := fakeLeader()
	s := newRoleServer(t, f)
	c := s.dial()
	for _, step := range []struct{ args, want string }{
		{"wait x 0", "-ERR value is not an integer or out of range"},
		{"wait 1 x", "-ERR timeout is not an integer or out of range"},
		{"wait 1 9223372036854775808", "-ERR timeout is not an integer or out of range"},
		{"wait 1 -1", "-ERR timeout is negative"},
		{"wait 2 0", "2"}, // nothing written: the followers that are there
		{"wait -1 0", "2"},
		{"wait 9223372036854775807 1", "2"},
		{"set a b", "OK"}, // at 101: nobody has it
		{"wait 0 0", "0"},
		{"wait 1 30", "0"},
	} {
		if got := do(t, c, strings.Fields(step.args)...); got != step.want {
			t.Errorf("%s = %q, want %q", step.args, got, step.want)
		}
	}
	f.set(func(f *fakeRoles) { f.replicas[0].Offset = 101 })
	if got := do(t, c, "WAIT", "1", "0"); got != "1" {
		t.Error(got)
	}
	for _, q := range []string{"multi", "set a b", "wait 5 0"} {
		do(t, c, strings.Fields(q)...)
	}
	if got := do(t, c, "EXEC"); got != "[OK 0]" {
		t.Error("WAIT in a transaction:", got)
	}
}

// blockedWait sends a WAIT that no replica ends, and returns once it waits.
func blockedWait(t *testing.T, s *roleServer, f *fakeRoles, timeout string) (reply func() (string, error), closeClient func()) {
	t.Helper()
	c := s.dial()
	do(t, c, "SET", "a", "b")
	if err := c.Send("WAIT", "2", timeout); err != nil {
		t.Fatal(err)
	}
	f.await(t, "WAIT waits", func(f *fakeRoles) bool { return f.waiting > 0 })
	return func() (string, error) {
		v, err := c.Receive()
		return show(v), err
	}, func() { _ = c.Close() }
}

func TestWaitEnds(t *testing.T) {
	only := func(s *roleServer) *conn {
		var found *conn
		s.each(func(c *conn) { found = c })
		return found
	}
	for name, c := range map[string]struct {
		end  func(s *roleServer, f *fakeRoles)
		want string
	}{
		"the replicas follow": {func(_ *roleServer, f *fakeRoles) {
			f.set(func(f *fakeRoles) { f.replicas[0].Offset, f.replicas[1].Offset = 101, 101 })
		}, "2"},
		"leadership is lost": {func(s *roleServer, f *fakeRoles) {
			f.set(func(f *fakeRoles) { f.leading = false })
			s.Demoted()
		}, "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"},
		"the server closes": {func(s *roleServer, _ *fakeRoles) { s.Close(testPatience) }, "0"},
		"client unblock":    {func(s *roleServer, _ *fakeRoles) { only(s).shared.unblock.Store(unblockTimeout) }, "0"},
		"client unblock error": {func(s *roleServer, _ *fakeRoles) { only(s).shared.unblock.Store(unblockError) },
			"-UNBLOCKED client unblocked via CLIENT UNBLOCK"},
	} {
		t.Run(name, func(t *testing.T) {
			f := fakeLeader()
			s := newRoleServer(t, f)
			reply, _ := blockedWait(t, s, f, "0")
			if text := s.infoText([]string{"clients"}); !strings.Contains(text, "blocked_clients:1\r\n") || !strings.Contains(text, "clients_in_timeout_table:0\r\n") {
				t.Error(text)
			}
			c.end(s, f)
			if got, err := reply(); err != nil || got != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// A client that goes away while it waits for ever leaves nothing behind.
func TestWaitClientGone(t *testing.T) {
	f := fakeLeader()
	s := newRoleServer(t, f)
	for name, gone := range map[string]func(closeClient func()){
		"closed": func(closeClient func()) { closeClient() },
		"killed": func(func()) { s.each(func(c *conn) { c.kill() }) },
	} {
		_, closeClient := blockedWait(t, s, f, "0")
		gone(closeClient)
		deadline := time.Now().Add(testPatience)
		for n := 1; n > 0; {
			if time.Now().After(deadline) {
				t.Fatalf("%s: the connection lives on", name)
			}
			n = 0
			s.each(func(*conn) { n++ })
			time.Sleep(time.Millisecond)
		}
		f.set(func(f *fakeRoles) { f.node.AppliedIndex = 100 })
	}
}

func TestWaitForALimitedTime(t *testing.T) {
	f := fakeLeader()
	s := newRoleServer(t, f)
	reply, _ := blockedWait(t, s, f, "60000")
	if text := s.infoText([]string{"clients"}); !strings.Contains(text, "clients_in_timeout_table:1\r\n") {
		t.Error(text)
	}
	s.each(func(c *conn) { c.shared.unblock.Store(unblockTimeout) })
	if got, err := reply(); err != nil || got != "0" {
		t.Errorf("unblocked: %q, %v", got, err)
	}
	c := s.dial()
	do(t, c, "SET", "a", "b")
	began := time.Now()
	if got := do(t, c, "WAIT", "1", "50"); got != "0" {
		t.Errorf("%q replicas have what none was sent", got)
	}
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("a WAIT of 50 ms took %s", took)
	}
}

func TestMillis(t *testing.T) {
	if got := millis(1500); got != 1500*time.Millisecond {
		t.Error(got)
	}
	if got := millis(1<<63 - 1); got != 1<<63-1 {
		t.Error(strconv.FormatInt(int64(got), 10))
	}
}
