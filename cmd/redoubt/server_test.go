package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/cluster"
)

// refused runs a server that must not start: exit status 1, and one line on stderr, the last, says why.
func refused(t *testing.T, args []string, why ...string) {
	t.Helper()
	_, stderr, code := run(t, args...)
	last := lastLine(stderr)
	if code != 1 || !strings.HasPrefix(last, "redoubt: ") {
		t.Errorf("exit status %d, stderr:\n%s", code, stderr)
	}
	for _, w := range why {
		if !strings.Contains(last, w) {
			t.Errorf("%q is not in: %s", w, last)
		}
	}
	if said := strings.Count(stderr, strings.TrimPrefix(last, "redoubt: ")); said != 1 {
		t.Errorf("said %d times:\n%s", said, stderr)
	}
}

func TestServerRefusesWhatIsTaken(t *testing.T) {
	t.Parallel()
	first := newNode(t, "n1").start(t, "--bootstrap")
	other := newNode(t, "n2")

	other.resp = first.resp
	refused(t, other.args("--bootstrap"), first.resp, "address already in use")
	other = newNode(t, "n2")
	other.raft = first.raft
	refused(t, other.args("--bootstrap"), "node port", first.raft, "address already in use")
	other = newNode(t, "n1")
	other.dir = first.dir
	refused(t, other.args(), first.dir, "in use by another process")

	first.stop()
	other.id = "n9"
	refused(t, other.args(), first.dir, `belongs to node "n1", not to "n9"`)
	other.id = "n1"
	refused(t, other.args("--log-store", "boltdb"), first.dir, "log store differs", `was written with "wal"`)
	other.start(t)
}

func TestServerRefusesBadSettings(t *testing.T) {
	t.Parallel()
	conf := filepath.Join(t.TempDir(), "redoubt.conf")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(conf, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("node-id n1\n\nmaxclient 10\n")
	refused(t, []string{"server", "--config", conf}, conf+":3:", "maxclient")
	write("node-id n1\nmaxclients many\n")
	refused(t, []string{"server", "--config", conf}, conf+":2:", "maxclients")
	write("node-id n1\nuser alice on >pw ~* +@all\n")
	refused(t, []string{"server", "--config", conf}, conf+":2:", "'user' is not supported")
	write("node-id n1\n")
	refused(t, []string{"server", "--config", conf, "--aclfile", "users.acl"}, "'aclfile' is not supported")
	refused(t, []string{"server", "--config", conf, "--cluster-enabled", "yes"}, "cluster-enabled")
	refused(t, []string{"server", "--config", conf + ".not"}, conf+".not")
	refused(t, []string{"server", "--no-such-setting", "1"}, "no-such-setting")

	n := newNode(t, "")
	refused(t, n.args("--bootstrap"), "node-id is required")
	n.id = "n1"
	port := strings.TrimPrefix(n.raft, devHost)
	n.raft = "0.0.0.0" + port
	refused(t, n.args("--bootstrap"), n.raft, "unprotected", "masterauth")
}

func TestServerRefusesForeignDirectory(t *testing.T) {
	t.Parallel()
	n := newNode(t, "n1")
	if err := os.WriteFile(filepath.Join(n.dir, "thesis.tex"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, n.args("--bootstrap"), n.dir, "thesis.tex", "no data directory")
	if left, err := os.ReadDir(n.dir); err != nil || len(left) != 1 {
		t.Errorf("the directory was changed: %v, %v", left, err)
	}
}

// With a log file the reason stands there too: nobody may have seen stderr.
func TestServerWritesRefusalToItsLogFile(t *testing.T) {
	t.Parallel()
	n := newNode(t, "")
	log := filepath.Join(t.TempDir(), "n1.log")
	refused(t, n.args("--logfile", log), "node-id is required")
	b, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(b), "node-id is required") {
		t.Errorf("%s, %v", b, err)
	}
}

// A node that has state goes on with it, whatever --bootstrap and --join say.
func TestServerIgnoresBootstrapAndJoinOnceItHasState(t *testing.T) {
	t.Parallel()
	n := newNode(t, "n1").start(t, "--bootstrap")
	named := func(st *cluster.ClusterStatus) bool { return st.ClusterID != "" }
	first := n.awaitCluster("n1 leads", named)
	n.stop()
	n.start(t, "--bootstrap")
	n.awaitCluster("n1 leads as before", anyView)
	n.stop()
	n.start(t, "--join", devAddr(freePorts(t, 1)))
	again := n.awaitCluster("n1 leads again", named)
	if again.ClusterID != first.ClusterID || len(again.Members) != 1 {
		t.Errorf("%+v, then %+v", first, again)
	}
	if !strings.Contains(n.out.String(), "it does not join again") {
		t.Errorf("it does not say so:\n%s", n.out)
	}
}
