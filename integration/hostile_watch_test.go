package integration

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/testcluster"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	// pingMax is how long an honest client's PING may take while hostile ones are at work; alone it takes far less than a
	// millisecond.
	pingMax = 100 * time.Millisecond
	// pingAttemptsMax is how often an attack is repeated where a PING took longer: on a busy machine the delay may be
	// the machine's.
	pingAttemptsMax = 4
	// restPolls is how many looks in a row must find the server at rest after an attack.
	restPolls = 20
	// rssSlack is what an attack may cost beside what it may make a connection hold, in bytes.
	rssSlack = 64 << 20
	// cpuMax is the time on a processor that one short attack may take.
	cpuMax = time.Second
)

// usage is what a process takes, as Linux tells it.
type usage struct {
	rss, peak int64 // bytes; peak is since resetPeak
	cpu       time.Duration
}

func usageOf(t *testing.T, pid int) usage {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("no /proc on this system")
	}
	var u usage
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		into := map[string]*int64{"VmRSS:": &u.rss, "VmHWM:": &u.peak}[f[0]]
		if into == nil {
			continue
		}
		kb, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		*into = kb << 10
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // from the third field on
	for _, s := range f[11:13] {
		ticks, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		u.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	return u
}

// resetPeak has usage.peak count from now on, so that memory that is given back at once is seen too.
func resetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// pinger is an honest client beside the hostile ones.
type pinger struct {
	stop chan struct{}
	wg   sync.WaitGroup
	took []time.Duration
	err  error
}

func startPinger(conn *respclient.Conn) *pinger {
	p := &pinger{stop: make(chan struct{})}
	p.wg.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-p.stop:
				return
			}
			start := time.Now()
			v, err := conn.Do("PING")
			if err != nil || v.Str != "PONG" {
				p.err = fmt.Errorf("PING: %q, %w", v.Str, err)
				return
			}
			p.took = append(p.took, time.Since(start))
		}
	})
	return p
}

// pings is what a pinger has seen.
type pings struct {
	n        int
	p50, max time.Duration
}

func (p pings) String() string { return fmt.Sprintf("%d PINGs, p50 %s, max %s", p.n, p.p50, p.max) }

// end stops the pinger. Every PING must have been answered.
func (p *pinger) end(t *testing.T) pings {
	t.Helper()
	close(p.stop)
	p.wg.Wait()
	if p.err != nil {
		t.Error(p.err)
	}
	if len(p.took) == 0 {
		return pings{}
	}
	slices.Sort(p.took)
	return pings{len(p.took), p.took[len(p.took)/2], p.took[len(p.took)-1]}
}

// besiege makes an attack on a cluster's only node while an honest client sends PINGs. At no moment may the attack cost
// more memory than slack, nor in all more time on a processor than cpuMax, and the node is at rest when it is over. PINGs
// are answered while it goes on, and in one of a few attempts each within pingMax.
func besiege(t *testing.T, c *testcluster.Cluster, cpuMax time.Duration, attack func()) {
	t.Helper()
	n := c.Nodes[0]
	for attempt := 1; ; attempt++ {
		resetPeak(t, n.Pid())
		before := usageOf(t, n.Pid())
		ping := startPinger(n.Dial())
		start := time.Now()
		attack()
		took := time.Since(start)
		seen := ping.end(t)
		now := awaitRest(t, c)
		t.Logf("it took %s, at most %d MiB more and %s of a processor; %s",
			took.Round(time.Millisecond), (now.peak-before.rss)>>20, now.cpu-before.cpu, seen)
		if now.peak > before.rss+rssSlack || now.cpu > before.cpu+cpuMax {
			t.Errorf("it cost %d MiB and %s of a processor", (now.peak-before.rss)>>20, now.cpu-before.cpu)
		}
		if took > pingMax && seen.n == 0 {
			t.Error("no PING was answered meanwhile")
		}
		if t.Failed() || seen.max <= pingMax {
			return
		}
		if attempt == pingAttemptsMax {
			t.Errorf("in each of %d attempts a PING took more than %s", attempt, pingMax)
			return
		}
	}
}

// awaitRest waits until the node takes no time on a processor any more.
func awaitRest(t *testing.T, c *testcluster.Cluster) (now usage) {
	t.Helper()
	quiet := 0
	c.Await("the server is at rest", func() bool {
		last := now
		now = usageOf(t, c.Nodes[0].Pid())
		quiet++
		if now.cpu != last.cpu {
			quiet = 0
		}
		return quiet == restPolls
	})
	return now
}
