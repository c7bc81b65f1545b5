package fault

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// probeEnv has the test's executable be a small program that a fault is tried on. Its value is what it does, and on what.
const probeEnv = "REDOUBT_CHAOS_PROBE"

// TestMain runs the tests inside namespaces where there are any, as the program does.
func TestMain(m *testing.M) {
	if what := os.Getenv(probeEnv); what != "" {
		probe(strings.Fields(what))
	}
	if Inside() {
		if err := Enter(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	} else if Isolation() == nil {
		os.Exit(isolated())
	}
	os.Exit(m.Run())
}

func isolated() int {
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	code, err := Isolated(context.Background(), cmd)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// needsIsolation skips a test on machines that have no namespaces.
func needsIsolation(t *testing.T) {
	t.Helper()
	if err := Isolation(); err != nil {
		t.Skip(err)
	}
}

// probe does not return.
func probe(words []string) {
	switch words[0] {
	case "hear": // datagrams at an address, and say what they are
		conn, err := net.ListenPacket("udp", words[1])
		if err != nil {
			fail(err)
		}
		fmt.Println("listening")
		for buf := make([]byte, 100); ; {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				fail(err)
			}
			fmt.Printf("%s\n", buf[:n])
		}
	case "tell": // an address a word
		conn, err := net.Dial("udp", words[1])
		if err == nil {
			_, err = conn.Write([]byte(words[2]))
		}
		if err != nil {
			fail(err)
		}
		os.Exit(0)
	case "sync": // a file again and again, and say how that went
		f, err := os.Create(words[1])
		if err != nil {
			fail(err)
		}
		for {
			_, _ = f.Write([]byte("x"))
			fmt.Println("sync:", f.Sync())
			time.Sleep(time.Millisecond) // a pace, not a wait
		}
	case "end": // at once
		fmt.Println("the last words")
		os.Exit(3)
	}
	fail(fmt.Errorf("no probe %q", words))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// newTestCluster is a cluster without nodes.
func newTestCluster(t *testing.T) *Cluster {
	t.Helper()
	return &Cluster{ctx: t.Context(), net: &loopback{}, o: Options{Dir: t.TempDir(), Log: t.Logf}}
}

// launchProbe runs a probe as if it were a node.
func launchProbe(t *testing.T, c *Cluster, id, what string) *Node {
	t.Helper()
	t.Setenv(probeEnv, what)
	c.o.Binary = os.Args[0]
	n := &Node{ID: id, c: c}
	if err := n.Launch(); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.nodes = append(c.nodes, n)
	c.mu.Unlock()
	t.Cleanup(n.Kill9)
	return n
}

// said is everything that a probe has printed.
func said(t *testing.T, n *Node) string {
	t.Helper()
	b, err := os.ReadFile(n.logPath())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// awaitSaid waits until a probe prints a text that it had not printed when this was called.
func awaitSaid(t *testing.T, n *Node, text string) {
	t.Helper()
	from := len(said(t, n))
	err := await(t.Context(), toolTimeout, n.ID+" says "+text, func() bool { return strings.Contains(said(t, n)[from:], text) })
	if err != nil {
		t.Fatalf("%v; it said %q", err, said(t, n)[from:])
	}
}

func TestExitsAreNoted(t *testing.T) {
	c := newTestCluster(t)
	quick := launchProbe(t, c, "n1", "end")
	if err := await(t.Context(), toolTimeout, "it ends", func() bool { return !quick.Running() }); err != nil {
		t.Fatal(err)
	}
	killed := launchProbe(t, c, "n2", "sync "+filepath.Join(t.TempDir(), "f"))
	killed.Kill9()
	if killed.Running() {
		t.Error("it runs after Kill9")
	}
	c.wg.Wait()
	exits := c.Exits()
	if len(exits) != 1 || exits[0].Node != "n1" || exits[0].Code != 3 || exits[0].Said != "the last words" {
		t.Errorf("%+v", exits)
	}
}

func TestPauseStopsAProcess(t *testing.T) {
	c := newTestCluster(t)
	n := launchProbe(t, c, "n1", "sync "+filepath.Join(t.TempDir(), "f"))
	awaitSaid(t, n, "sync: <nil>")
	if err := n.Pause(); err != nil {
		t.Fatal(err)
	}
	before := said(t, n)
	if !stopped(n.run().cmd.Process.Pid) || len(c.Up()) != 0 {
		t.Error("it has not stopped")
	}
	if after := said(t, n); after != before {
		t.Error("it goes on")
	}
	if err := n.Continue(); err != nil {
		t.Fatal(err)
	}
	awaitSaid(t, n, "sync: <nil>")
	if len(c.Up()) != 1 {
		t.Error("it is not up")
	}
}

func TestInjectionReachesSyncs(t *testing.T) {
	if err := byName("fsync-error").Available(); err != nil {
		t.Skip(err)
	}
	c := newTestCluster(t)
	n := launchProbe(t, c, "n1", "sync "+filepath.Join(t.TempDir(), "f"))
	awaitSaid(t, n, "sync: <nil>")
	inject := func(how string) *injector {
		t.Helper()
		i, err := c.inject(t.Context(), n, how)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	i := inject("error=EIO:when=1+")
	awaitSaid(t, n, "input/output error")
	i.detach()
	awaitSaid(t, n, "sync: <nil>")

	i = inject(syncHang(nil))
	err := await(t.Context(), toolTimeout, "a sync hangs", func() bool {
		before := len(said(t, n))
		pauseFor(t.Context(), 50*time.Millisecond) // fifty syncs
		return len(said(t, n)) == before
	})
	if err != nil {
		t.Error(err)
	}
	i.detach()
	awaitSaid(t, n, "sync: <nil>")
}
