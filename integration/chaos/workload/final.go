package workload

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redoubtdb/redoubt/integration/chaos/workload/check"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	finalTimeout = 10 * time.Second // of one read
	finalRest    = 20 * time.Millisecond
	finalBatch   = 500 // keys of one MGET
	finalAgain   = 50  // rests before the last write is written again
)

// leader gives a client of its own to something that is done once the clients have ended.
func (r *run) leader(ctx context.Context, do func(*client)) {
	c := newClient(ctx, r, r.o.Clients)
	defer c.close()
	do(c)
}

// insist writes until the write is acknowledged. It may be applied more than once.
func (r *run) insist(ctx context.Context, words ...string) error {
	done := false
	r.leader(ctx, func(c *client) {
		for !done && c.connect(ctx, c.leads) {
			_, outcome, _ := c.write(words...)
			done = outcome == check.Acked
		}
	})
	if !done {
		return fmt.Errorf("%s: %s is not acknowledged: %w", r.name, words[0], context.Cause(ctx))
	}
	return nil
}

// atEach reads keys at each node, once it has applied everything that had ended when this was called. got is told the
// values of those from i on; it is called for each batch in turn.
func (r *run) atEach(
	ctx context.Context, keys []string, got func(node string, i int, values []respclient.Value),
) error {
	flag := []string{"SET", r.prefix + "final", strconv.FormatInt(r.now(), 10)}
	if err := r.insist(ctx, flag...); err != nil {
		return err
	}
	for _, addr := range r.o.Nodes() {
		n := &node{run: r, addr: addr}
		err := n.await(ctx, flag)
		for i := 0; err == nil && i < len(keys); i += finalBatch {
			var values []respclient.Value
			if values, err = n.insist(ctx, keys[i:min(len(keys), i+finalBatch)]); err == nil {
				got(addr, i, values)
			}
		}
		n.leave()
		if err != nil {
			return err
		}
	}
	return nil
}

// node is a connection to one node, which is made again where it breaks.
type node struct {
	*run
	addr string
	conn *respclient.Conn
}

func (n *node) leave() {
	if n.conn != nil {
		_ = n.conn.Close()
		n.conn = nil
	}
}

// await waits until the node shows the value that a SET wrote. A cluster that loses writes may have lost this one,
// and is to be asked for the others all the same: it is written again now and then.
func (n *node) await(ctx context.Context, set []string) error {
	for tries := 1; ; tries++ {
		v, err := n.insist(ctx, set[1:2])
		if err != nil || v[0].Str == set[2] {
			return err
		}
		if !rest(ctx, finalRest) {
			return fmt.Errorf("%s: %s has not applied the last write: %w", n.name, n.addr, context.Cause(ctx))
		}
		if tries%finalAgain == 0 {
			if err := n.run.insist(ctx, set...); err != nil {
				return err
			}
		}
	}
}

// insist reads until the node answers.
func (n *node) insist(ctx context.Context, keys []string) ([]respclient.Value, error) {
	for {
		v, err := n.try(ctx, keys)
		if err == nil {
			return v, nil
		}
		n.leave()
		if !rest(ctx, finalRest) {
			return nil, fmt.Errorf("%s: %s does not answer: %w", n.name, n.addr, errors.Join(err, context.Cause(ctx)))
		}
	}
}

func (n *node) try(ctx context.Context, keys []string) ([]respclient.Value, error) {
	if n.conn == nil {
		conn, err := n.dial(ctx, n.addr, finalTimeout)
		if err != nil {
			return nil, err
		}
		n.conn = conn
	}
	v, err := n.conn.Do(append([]string{"MGET"}, keys...)...)
	switch {
	case err != nil:
		return nil, err
	case v.IsError():
		return nil, errors.New(v.Str)
	case len(v.Elems) != len(keys):
		return nil, fmt.Errorf("MGET of %d keys answered %d values", len(keys), len(v.Elems))
	}
	return v.Elems, nil
}
