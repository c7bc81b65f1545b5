package integration

import (
	"context"
	"errors"
	"net"
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

// dialGoRedis makes clients with the library's own settings, or with its retries turned off.
func dialGoRedis(retries bool) func(addr string) (testcluster.Client, error) {
	return func(addr string) (testcluster.Client, error) {
		o := &redis.Options{Addr: addr, Protocol: 2}
		if !retries {
			o.MaxRetries = -1
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
	t.Run("FollowersFirst", func(t *testing.T) {
		c := testcluster.Start(t, testcluster.Options{Nodes: 3})
		rolling(t, c, append(c.Followers(), c.Leader()), true)
	})
	t.Run("LeaderFirst", func(t *testing.T) {
		c := testcluster.Start(t, testcluster.Options{Nodes: 3})
		rolling(t, c, append([]*testcluster.Node{c.Leader()}, c.Followers()...), false)
	})
}

const orderlyStopMax = 3 * time.Second // far above what it takes, and below every time out of the stop

func rolling(t *testing.T, c *testcluster.Cluster, order []*testcluster.Node, retries bool) {
	load := c.StartLoad(testcluster.LoadOptions{Writers: 4, Dial: dialGoRedis(retries)})
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
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
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
