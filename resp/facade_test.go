package resp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

const failoverLine = "master_failover_state:"

// phase is what INFO says of a FAILOVER.
func phase(s *roleServer) string {
	for _, l := range strings.Split(s.infoText([]string{"replication"}), "\r\n") {
		if strings.HasPrefix(l, failoverLine) {
			return strings.TrimPrefix(l, failoverLine)
		}
	}
	return ""
}

// expectPhase awaits a phase: the goroutine of a FAILOVER moves on by itself.
func (s *roleServer) expectPhase(want string) {
	s.t.Helper()
	deadline := time.After(testPatience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for phase(s) != want {
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("the failover is %s, want %s", phase(s), want)
		}
	}
}

func TestFailoverRefusals(t *testing.T) {
	leader := newRoleServer(t, fakeLeader()).dial()
	follower := newRoleServer(t, fakeFollower()).dial()
	alone := fakeLeader()
	alone.replicas[0].Online, alone.replicas[1].Online = false, false
	lonely := newRoleServer(t, alone).dial()
	voteless := fakeLeader()
	voteless.replicas = voteless.replicas[1:]
	noVoter := newRoleServer(t, voteless).dial()
	behind := fakeLeader()
	behind.replicas[0].Offset = 3 // the log begins at 11
	snapshotting := newRoleServer(t, behind).dial()

	for _, c := range []struct {
		at         *respclient.Conn
		args, want string
	}{
		{leader, "x", "-ERR syntax error"},
		{leader, "to a", "-ERR syntax error"},
		{leader, "to a b", "-ERR value is not an integer or out of range"},
		{leader, "timeout", "-ERR syntax error"},
		{leader, "timeout 0", "-ERR FAILOVER timeout must be greater than 0"},
		{leader, "timeout -1", "-ERR FAILOVER timeout must be greater than 0"},
		{leader, "timeout x", "-ERR value is not an integer or out of range"},
		{leader, "timeout 1 timeout 1", "-ERR syntax error"},
		{leader, "to a 1 to a 1", "-ERR syntax error"},
		{leader, "abort force", "-ERR syntax error"},
		{leader, "force force", "-ERR syntax error"},
		{leader, "abort", "-ERR No failover in progress."},
		{leader, "force", "-ERR FAILOVER with force option requires both a timeout and target HOST and IP."},
		{leader, "force timeout 9", "-ERR FAILOVER with force option requires both a timeout and target HOST and IP."},
		{leader, "to 127.0.0.1 9", "-ERR FAILOVER target HOST and PORT is not a replica."},
		{leader, "to 127.0.0.1 1", "-ERR FAILOVER target HOST and PORT is not a replica."},
		{leader, "to 127.0.0.1 3", "-ERR FAILOVER target replica has no vote, so it cannot lead: it is still catching up, or was demoted."},
		{leader, "to 127.0.0.1 2 force timeout 9", "-ERR FAILOVER with the FORCE option is not supported: it could lose acknowledged writes"},
		{follower, "force", "-ERR FAILOVER is not valid when server is a replica."},
		{follower, "abort", "-ERR No failover in progress."},
		{lonely, "force", "-ERR FAILOVER requires connected replicas."},
		{lonely, "", "-ERR FAILOVER requires connected replicas."},
		{noVoter, "", "-ERR FAILOVER requires connected replicas."},
		{snapshotting, "to 127.0.0.1 2", "-ERR FAILOVER target replica is not online."},
	} {
		if got := do(t, c.at, append([]string{"FAILOVER"}, strings.Fields(c.args)...)...); got != c.want {
			t.Errorf("FAILOVER %s = %q, want %q", c.args, got, c.want)
		}
	}
}

func TestFailover(t *testing.T) {
	f := fakeLeader()
	moved := make(chan string)
	f.handover = func(_ context.Context, addr string) error {
		f.set(func(f *fakeRoles) { f.leading = false })
		moved <- addr
		return nil
	}
	s := newRoleServer(t, f)
	c := s.dial()
	if got := do(t, c, "FAILOVER", "TO", "127.0.0.1", "2", "TIMEOUT", "60000"); got != "OK" {
		t.Fatal(got)
	}
	s.expectPhase("failover-in-progress")
	for _, args := range [][]string{{"FAILOVER"}, {"FAILOVER", "to", "a", "1"}} {
		if got := do(t, c, args...); got != "-ERR FAILOVER already in progress." {
			t.Errorf("%q: %q", args, got)
		}
	}
	if got := do(t, c, "REPLICAOF", "NO", "ONE"); got != "-ERR REPLICAOF not allowed while failing over." {
		t.Error(got)
	}
	if addr := <-moved; addr != "127.0.0.1:2" {
		t.Error("handed over to", addr)
	}
	s.expectPhase("no-failover")
}

// lagging is a leader whose only voter is behind.
func lagging() *fakeRoles {
	f := fakeLeader()
	f.replicas[0].Offset = 40
	return f
}

func TestFailoverWaitsForSync(t *testing.T) {
	f := lagging()
	s := newRoleServer(t, f)
	if got := do(t, s.dial(), "FAILOVER"); got != "OK" {
		t.Fatal(got)
	}
	f.await(t, "the replicas are asked", func(f *fakeRoles) bool { return f.waiting > 0 })
	s.expectPhase("waiting-for-sync")
	f.set(func(f *fakeRoles) { f.replicas[0].Offset = 100 })
	f.await(t, "the hand-over", func(f *fakeRoles) bool { return len(f.asked) > 0 })
	s.expectPhase("no-failover")
	if f.asked[0] != "handover " { // the node chooses
		t.Errorf("asked %q", f.asked)
	}
}

func TestFailoverEnds(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *roleServer, f *fakeRoles){
		"abort": func(t *testing.T, s *roleServer, _ *fakeRoles) {
			if got := do(t, s.dial(), "FAILOVER", "ABORT"); got != "OK" {
				t.Error(got)
			}
			if p := phase(s); p != "no-failover" {
				t.Error("after ABORT:", p)
			}
		},
		"leadership is lost": func(_ *testing.T, _ *roleServer, f *fakeRoles) { f.set(func(f *fakeRoles) { f.leading = false }) },
		"close":              func(_ *testing.T, s *roleServer, _ *fakeRoles) { s.Close(testPatience) },
	} {
		t.Run(name, func(t *testing.T) {
			f := lagging()
			s := newRoleServer(t, f)
			if got := do(t, s.dial(), "FAILOVER", "TO", "127.0.0.1", "2"); got != "OK" {
				t.Fatal(got)
			}
			f.await(t, "the replicas are asked", func(f *fakeRoles) bool { return f.waiting > 0 })
			end(t, s, f)
			s.expectPhase("no-failover")
			if len(f.asked) != 0 {
				t.Errorf("asked %q", f.asked)
			}
			if s.startFailover("", 0) && name == "close" {
				t.Error("a closed server began a failover")
			}
			_, _ = s.abortFailover(context.Background())
		})
	}
}

func TestFailoverTimeout(t *testing.T) {
	f := lagging()
	s := newRoleServer(t, f)
	if err := s.runFailover(context.Background(), "", 30*time.Millisecond); !errors.Is(err, errNotSynced) {
		t.Error(err)
	}
	if len(f.asked) != 0 {
		t.Errorf("asked %q", f.asked)
	}
}

// A hand-over that has begun may have to run to its end; ABORT tells.
func TestFailoverAbortTooLate(t *testing.T) {
	f := fakeLeader()
	begun, release := make(chan struct{}), make(chan struct{})
	f.handover = func(ctx context.Context, _ string) error {
		close(begun)
		<-ctx.Done()
		<-release
		f.set(func(f *fakeRoles) { f.leading = false })
		return nil
	}
	s := newRoleServer(t, f)
	c := s.dial()
	if got := do(t, c, "FAILOVER"); got != "OK" {
		t.Fatal(got)
	}
	<-begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if found, err := s.abortFailover(ctx); !found || !errors.Is(err, context.Canceled) {
		t.Error(found, err)
	}
	close(release)
	if got := do(t, c, "FAILOVER", "ABORT"); got != "-ERR No failover in progress." && got != "-ERR the failover could not be stopped: leadership has moved" {
		t.Error(got)
	}
	s.expectPhase("no-failover")
}

func TestHandOverByOthersShows(t *testing.T) {
	f := fakeLeader()
	f.handing = true
	s := newRoleServer(t, f)
	if p := phase(s); p != "failover-in-progress" {
		t.Error(p)
	}
	if got := do(t, s.dial(), "FAILOVER"); got != "-ERR FAILOVER already in progress." {
		t.Error(got)
	}
}
