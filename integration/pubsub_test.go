package integration

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/integration/testcluster"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

// listener is a client that subscribes, and keeps what it hears.
type listener struct {
	node *testcluster.Node
	conn *respclient.Conn

	mu    sync.Mutex
	heard []string
	ended chan struct{}
}

// listen subscribes on a node, by a command with one argument.
func listen(t *testing.T, n *testcluster.Node, args ...string) *listener {
	t.Helper()
	l := &listener{node: n, conn: n.Dial(), ended: make(chan struct{})}
	if err := l.conn.Send(args...); err != nil {
		t.Fatal(err)
	}
	if v, err := l.conn.Receive(); err != nil || !strings.EqualFold(v.Elems[0].Str, args[0]) {
		t.Fatal(v, err)
	}
	l.conn.Timeout = time.Hour // it ends when its node does, or with stop
	go func() {
		defer close(l.ended)
		for {
			v, err := l.conn.Receive()
			if err != nil {
				return
			}
			m := v.Strings()
			l.mu.Lock()
			l.heard = append(l.heard, strings.Join(m[1:], " "))
			l.mu.Unlock()
		}
	}()
	t.Cleanup(l.stop)
	return l
}

func (l *listener) stop() {
	_ = l.conn.Close()
	<-l.ended
}

func (l *listener) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.heard)
}

// await waits until a message has been heard.
func (l *listener) await(c *testcluster.Cluster, message string) {
	c.Await(l.node.ID+" hears "+message, func() bool { return slices.Contains(l.all(), message) })
}

// TestPubSub: whoever publishes where, everybody on every node hears everything in one order, and reads what its publisher
// wrote before.
func TestPubSub(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: patient})
	var listeners []*listener
	for _, n := range c.Nodes {
		listeners = append(listeners, listen(t, n, "SUBSCRIBE", "ch"), listen(t, n, "PSUBSCRIBE", "c?"))
	}
	const each = 100
	var speakers sync.WaitGroup
	for i, n := range c.Nodes {
		conn := n.Dial()
		speakers.Go(func() {
			for k := range each {
				if v, err := conn.Do("PUBLISH", "ch", fmt.Sprintf("%d:%d", i, k)); err != nil || v.Int != 2 {
					t.Errorf("%s: %+v, %v", n.ID, v, err)
					return
				}
			}
		})
	}
	speakers.Wait()
	c.Leader().Do("PUBLISH", "ch", "end")
	var want []string
	for i, l := range listeners {
		var got []string
		c.Await(l.node.ID+" hears the end", func() bool {
			got = l.all()
			return len(got) > 0 && strings.HasSuffix(got[len(got)-1], "ch end")
		})
		for k := range got {
			got[k] = strings.TrimPrefix(got[k], "c? ")
		}
		if i == 0 {
			want = got
		}
		if !slices.Equal(got, want) || len(got) != len(c.Nodes)*each+1 {
			t.Errorf("a listener on %s heard %d messages, not in the order of the first", l.node.ID, len(got))
		}
	}

	t.Log("a read behind a message")
	lead, follower := c.Leader(), c.Followers()[0]
	reader := follower.Dial()
	for k := range 50 {
		lead.Do("SET", "k", fmt.Sprint(k))
		message := fmt.Sprintf("ch read %d", k)
		lead.Do("PUBLISH", "ch", fmt.Sprintf("read %d", k))
		for _, l := range listeners {
			if l.node == follower {
				l := l
				c.Await("the message", func() bool {
					return slices.ContainsFunc(l.all(), func(m string) bool { return strings.HasSuffix(m, message) })
				})
				break
			}
		}
		if v, err := reader.Do("GET", "k"); err != nil || v.Str != fmt.Sprint(k) {
			t.Fatalf("after message %d the follower reads %+v, %v", k, v, err)
		}
	}
}

// TestPubSubFailover: those who listen on nodes that stay hear one order across the leader's end, everything that was
// acknowledged and nothing that was refused. A node that comes back tells nobody of what was before.
func TestPubSubFailover(t *testing.T) {
	c := testcluster.Start(t, testcluster.Options{Nodes: 3})
	old := c.Leader()
	stay := c.Followers()
	var listeners []*listener
	for _, n := range stay {
		listeners = append(listeners, listen(t, n, "SUBSCRIBE", "ch"))
	}
	var mu sync.Mutex
	acked, refused := map[string]bool{}, map[string]bool{}
	stop := make(chan struct{})
	var speakers sync.WaitGroup
	for i, n := range stay {
		conn := n.Dial()
		speakers.Go(func() {
			for k := 0; ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				text := fmt.Sprintf("%d:%d", i, k)
				v, err := conn.Do("PUBLISH", "ch", text)
				if err != nil {
					t.Errorf("%s: %v", n.ID, err)
					return
				}
				mu.Lock()
				switch {
				case !v.IsError():
					acked["ch "+text] = true
				case !strings.HasPrefix(v.Str, "UNKNOWN"):
					refused["ch "+text] = true
				}
				mu.Unlock()
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acked)
	}
	awaitMore := func() {
		from := count()
		c.Await("more messages are acknowledged", func() bool { return count() >= from+100 })
	}
	awaitMore()
	old.Kill9()
	awaitMore()
	old.Launch()
	late := listenWhenUp(t, c, old)
	awaitMore()
	close(stop)
	speakers.Wait()
	c.AwaitVoters(3)
	c.Do("PUBLISH", "ch", "end")
	for _, l := range append(listeners, late) {
		l.await(c, "ch end")
	}
	first, second, third := listeners[0].all(), listeners[1].all(), late.all()
	if !slices.Equal(first, second) {
		t.Errorf("%d and %d messages, not in one order", len(first), len(second))
	}
	if n := len(third); n > len(first) || !slices.Equal(third, first[len(first)-n:]) {
		t.Errorf("the node that came back told %d messages that are not the last of %d", n, len(first))
	}
	heard := map[string]int{}
	for _, m := range first {
		heard[m]++
	}
	for m := range acked {
		if heard[m] != 1 {
			t.Errorf("%q was acknowledged and heard %d times", m, heard[m])
		}
	}
	for m := range refused {
		if heard[m] > 0 {
			t.Errorf("%q was refused and heard", m)
		}
	}
	t.Logf("%d acknowledged, %d refused, %d heard, %d of them on the node that came back", len(acked), len(refused), len(first), len(third))
}

// listenWhenUp subscribes as soon as a node takes connections.
func listenWhenUp(t *testing.T, c *testcluster.Cluster, n *testcluster.Node) *listener {
	t.Helper()
	c.Await(n.ID+" takes connections", func() bool {
		conn, err := respclient.Dial(n.RespAddr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return listen(t, n, "SUBSCRIBE", "ch")
}

// TestKeyspaceNotifications: each node tells its own clients of what happens to keys, in one order.
func TestKeyspaceNotifications(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t, testcluster.Options{Nodes: 3, Flags: append(slices.Clone(patient), "--notify-keyspace-events", "EA")})
	var listeners []*listener
	for _, n := range c.Nodes {
		listeners = append(listeners, listen(t, n, "PSUBSCRIBE", "__keyevent@*__:*"))
	}
	lead := c.Leader()
	for _, words := range []string{"SET a 1", "INCR a", "HSET h f v", "RENAME a b", "SET x 1 PX 20", "HDEL h f", "EXPIRE b 100", "GETDEL b"} {
		lead.Do(strings.Fields(words)...)
	}
	for _, l := range listeners {
		l.await(c, "__keyevent@*__:* __keyevent@0__:expired x")
	}
	lead.Do("SET", "end", "1")
	for i, l := range listeners {
		l.await(c, "__keyevent@*__:* __keyevent@0__:set end")
		if got, want := l.all(), listeners[0].all(); !slices.Equal(got, want) || len(got) != 13 {
			t.Errorf("listener %d heard %q, the first %q", i, got, want)
		}
	}
	t.Log("a change at run time holds for its node")
	follower := c.Followers()[0]
	follower.Do("CONFIG", "SET", "notify-keyspace-events", "")
	lead.Do("SET", "quiet", "1")
	c.Leader().Do("PUBLISH", "__keyevent@0__:mark", "x")
	for _, l := range listeners {
		l.await(c, "__keyevent@*__:* __keyevent@0__:mark x")
		if told := slices.Contains(l.all(), "__keyevent@*__:* __keyevent@0__:set quiet"); told == (l.node == follower) {
			t.Errorf("%s told: %t", l.node.ID, told)
		}
	}
}
