package main

import (
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

// ask sends one command on a connection of its own.
func (n *node) ask(args ...string) string {
	n.t.Helper()
	c, err := respclient.Dial(n.resp)
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	v, err := c.Do(args...)
	if err != nil {
		n.t.Fatal(err)
	}
	return v.Text()
}

// A node that has been restarted must not say that a key is missing before it has applied its own log, which takes a
// leader.
func TestRestartedNodeLoads(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t, 2)
	if got := nodes[0].ask("SET", "k", "v"); got != "OK" {
		t.Fatal(got)
	}
	for i := range nodes {
		nodes[i].stop()
	}
	alone := nodes[1].start(t)
	const loading = "LOADING Redis is loading the dataset in memory"
	if got := alone.ask("GET", "k"); got != loading {
		t.Errorf("GET: %q", got)
	}
	if got := alone.ask("INFO", "persistence"); !strings.Contains(got, "\nloading:1\r") {
		t.Errorf("INFO persistence: %q", got)
	}
	nodes[0].start(t)
	got := ""
	alone.await("n2 has loaded", func() bool {
		got = do(t, alone.resp, "GET", "k")
		return got != loading && !strings.HasPrefix(got, "CLUSTERDOWN") && !strings.HasPrefix(got, "respclient: ")
	})
	if got != "v" {
		t.Errorf("GET: %q", got)
	}
}

// Clients' password and the nodes' secret may differ: the secret is not what a joining node shows to the RESP port.
func TestJoinWithTwoPasswords(t *testing.T) {
	t.Parallel()
	passwords := []string{"--requirepass", "clients", "--masterauth", "nodes"}
	first := newNode(t, "n1")
	first.process = launch(t, first.args(append(passwords, "--bootstrap")...)...)
	second := newNode(t, "n2")
	second.process = launch(t, second.args(append(passwords, "--join", first.resp)...)...)
	admin := first.admin()
	admin.opts.password = "clients"
	first.await("both vote", func() bool {
		st, err := admin.status(t.Context(), first.resp)
		return err == nil && voters(st) == 2
	})
}
