package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redoubtdb/redoubt/integration/testcluster"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

// goRedis is an ordinary client for one address.
type goRedis struct {
	rdb     *redis.Client
	retries bool
}

// The library prints on stderr what it also returns as errors.
func init() { redis.SetLogger(quiet{}) }

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// dialGoRedis makes clients with the library's own settings, or with its retries turned off.
func dialGoRedis(retries bool) func(addr string) (testcluster.Client, error) {
	return func(addr string) (testcluster.Client, error) {
		o := &redis.Options{Addr: addr, Protocol: 2}
		if !retries {
			o.MaxRetries, o.DialerRetries = -1, 1
		}
		return &goRedis{redis.NewClient(o), retries}, nil
	}
}

func (g *goRedis) Close() error { return g.rdb.Close() }

func (g *goRedis) Do(args ...string) (respclient.Value, error) {
	words := make([]any, len(args))
	for i, a := range args {
		words[i] = a
	}
	reply, err := g.rdb.Do(context.Background(), words...).Result()
	var said redis.Error
	var op *net.OpError
	switch {
	case errors.As(err, &said):
		return respclient.Value{Kind: respclient.Error, Str: said.Error()}, nil
	case !g.retries && errors.As(err, &op) && op.Op == "dial":
		return respclient.Value{}, errors.Join(testcluster.ErrNotSent, err)
	case err != nil:
		return respclient.Value{}, err
	}
	if n, ok := reply.(int64); ok {
		return respclient.Value{Kind: respclient.Int, Int: n}, nil
	}
	return respclient.Value{Kind: respclient.Simple}, nil
}

// TestRollingRestart restarts every node in good order while ordinary clients write. Nothing is lost, no write has an
// unknown end, and none is applied twice although the clients retry by themselves.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	t.Run("FollowersFirst", func(t *testing.T) {
		t.Parallel()
		c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: patient})
		rolling(t, c, append(c.Followers(), c.Leader()), true)
	})
	t.Run("LeaderFirst", func(t *testing.T) {
		t.Parallel()
		c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: patient})
		rolling(t, c, append([]*testcluster.Node{c.Leader()}, c.Followers()...), false)
	})
}

const orderlyStopMax = 4 * time.Second // far above what it takes, and below every time out of the stop

func rolling(t *testing.T, c *testcluster.Cluster, order []*testcluster.Node, retries bool) {
	load := c.StartLoad(testcluster.LoadOptions{Writers: 4, Dial: dialGoRedis(retries), Pause: time.Millisecond})
	for _, n := range order {
		load.AwaitAcks(300)
		led := c.Leader() == n
		from := time.Now()
		exit := n.Term()
		if exit.Code != 0 || exit.Took > orderlyStopMax {
			t.Errorf("%s: exit status %d after %s", n.ID, exit.Code, exit.Took)
		}
		load.AwaitAcks(100)
		pause := load.LongestPause(from, time.Now())
		start := time.Now()
		n.Restart()
		c.AwaitVoters(len(order))
		t.Logf("%s (led: %v) stopped in %s, longest pause in writes %s; back in %s", n.ID, led, exit.Took, pause, time.Since(start))
	}
	record := load.Stop()
	t.Log(record)
	if record.Unknown > 0 {
		t.Errorf("%d writes have an unknown end although every stop was orderly", record.Unknown)
	}
	if !retries && record.Closed > 0 {
		t.Errorf("%d writes were not answered although every stop was orderly", record.Closed)
	}
	record.Verify(c)
	for _, n := range c.Nodes {
		c.CheckDigests()
		record.VerifyAt(c, n)
	}
}

// TestHandOverUnderLoad moves leadership around while clients write: each writer sees a refusal and goes on elsewhere.
func TestHandOverUnderLoad(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: patient})
	load := c.StartLoad(testcluster.LoadOptions{Writers: 4})
	for range 5 {
		load.AwaitAcks(300)
		to := c.Followers()[0]
		from := time.Now()
		to.Do("REPLICAOF", "NO", "ONE")
		if state := to.State(); state != "leader" {
			t.Errorf("REPLICAOF NO ONE was answered by %s, whose state is %s", to.ID, state)
		}
		load.AwaitAcks(100)
		t.Logf("hand-over: longest pause in writes %s", load.LongestPause(from, time.Now()))
	}
	record := load.Stop()
	t.Log(record)
	if record.Unknown+record.Closed > 0 {
		t.Errorf("hand-overs left writes with an unknown end or without an answer: %s", record)
	}
	record.Verify(c)
}

// TestPipelinesAtHandOver: every command that is executed is answered, whatever becomes of leadership meanwhile, so that
// the client's count is right to the last increment. What of a pipeline the old leader has not read when it closes the
// connection is neither.
func TestPipelinesAtHandOver(t *testing.T) {
	t.Parallel()
	const clients, depth, handOvers = 4, 100, 5
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: patient})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	counts := make([]int, clients)
	torn := make([]int, clients)
	for i := range clients {
		addrs := c.Addrs()
		wg.Go(func() {
			pipeline := bytes.Repeat(respclient.AppendCommand(nil, "INCR", fmt.Sprintf("pipelined:%d", i)), depth)
			for at := 0; ; at = (at + 1) % len(addrs) {
				counted, partly := countUntilRefused(addrs[at], pipeline, depth, stop)
				counts[i] += counted
				if partly {
					torn[i]++
				}
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
	}
	for range handOvers {
		to := c.Followers()[0]
		to.Do("REPLICAOF", "NO", "ONE")
		key := fmt.Sprintf("pipelined:%d", 0)
		v := to.Do("GET", key).Str
		c.Await("the pipelines go on at the new leader", func() bool { return to.Do("GET", key).Str != v })
	}
	close(stop)
	wg.Wait()
	for i, count := range counts {
		got := c.Do("GET", fmt.Sprintf("pipelined:%d", i)).Str
		if got != strconv.Itoa(count) {
			t.Errorf("client %d: %d increments were acknowledged, the counter is %s", i, count, got)
		}
	}
	t.Logf("acknowledged: %v; pipelines answered in part: %v", counts, torn)
}

// countUntilRefused sends pipelines to an address for as long as it takes writes, and counts the acknowledged ones. Partly
// reports that the last pipeline was answered in part only.
func countUntilRefused(addr string, pipeline []byte, depth int, stop <-chan struct{}) (count int, partly bool) {
	conn, err := respclient.Dial(addr)
	if err != nil {
		return 0, false
	}
	defer conn.Close()
	for {
		if conn.SendRaw(pipeline) != nil {
			return count, false
		}
		refused := false
		for i := range depth {
			v, err := conn.Receive()
			if err != nil {
				return count, i > 0
			}
			if v.IsError() {
				refused = true
			} else {
				count++
			}
		}
		select {
		case <-stop:
			return count, false
		default:
		}
		if refused {
			return count, false
		}
	}
}
