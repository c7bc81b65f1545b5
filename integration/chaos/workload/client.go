package workload

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	dialTimeout = time.Second
	// Most clients give up on a call soon, so that they are found writing again when another node leads. One in
	// patientEvery waits longer than a node may take to answer (write-timeout-ms, 5 s), and is told the outcome.
	hastyTimeout   = time.Second
	patientTimeout = 7 * time.Second
	patientEvery   = 4
	// turnRest is how long a client rests once it has tried all nodes.
	turnRest = 20 * time.Millisecond
)

// client is one goroutine's client of the cluster.
type client struct {
	*run
	ctx context.Context // of Run: no operation begins after its end
	id  int
	rng *rand.Rand

	turn  int    // which address is next
	addr  string // of conn
	conn  *respclient.Conn
	peers map[string]*respclient.Conn // connections to any nodes, for local reads
}

func newClient(ctx context.Context, r *run, id int) *client {
	return &client{run: r, ctx: ctx, id: id, rng: r.rng(id), turn: id, peers: make(map[string]*respclient.Conn)}
}

// leave closes the connection to the leader.
func (c *client) leave() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// close closes all connections.
func (c *client) close() {
	c.leave()
	for _, conn := range c.peers {
		_ = conn.Close()
	}
	clear(c.peers)
}

// dial connects to an address.
func (r *run) dial(ctx context.Context, addr string, timeout time.Duration) (*respclient.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := r.o.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	conn := respclient.NewConn(nc)
	conn.Timeout = timeout
	return conn, nil
}

func (c *client) timeout() time.Duration {
	if c.id%patientEvery == patientEvery-1 {
		return patientTimeout
	}
	return hastyTimeout
}

// begin waits for the client's turn to operate and for a connection to the leader; false once the run is over.
func (c *client) begin() bool { return c.pace.wait(c.ctx) && c.connect(c.ctx, c.leads) }

// connect makes sure of a connection to a node that is wanted, trying one after the other; false once ctx ends.
func (c *client) connect(ctx context.Context, wanted func(*respclient.Conn) bool) bool {
	for tried := 1; c.conn == nil; tried++ {
		if ctx.Err() != nil {
			return false
		}
		nodes := c.o.Nodes()
		if len(nodes) > 0 {
			c.try(ctx, nodes[c.turn%len(nodes)], wanted)
		}
		if c.conn == nil {
			c.turn++
			if tried >= len(nodes) && !rest(ctx, turnRest) {
				return false
			}
		}
	}
	return true
}

func (c *client) try(ctx context.Context, addr string, wanted func(*respclient.Conn) bool) {
	conn, err := c.dial(ctx, addr, dialTimeout)
	if err != nil {
		return
	}
	if !wanted(conn) {
		_ = conn.Close()
		return
	}
	conn.Timeout = c.timeout()
	c.conn, c.addr = conn, addr
}

// leads asks a node whether it leads. A node that loses leadership closes its connections before it answers anything
// as a follower, so reads on this connection are linearizable from here on.
func (c *client) leads(conn *respclient.Conn) bool {
	v, err := conn.Do("ROLE")
	return err == nil && saysMaster(v)
}

// saysMaster reads the answer to ROLE.
func saysMaster(v respclient.Value) bool { return len(v.Elems) > 0 && v.Elems[0].Str == "master" }
