package workload

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/integration/chaos/workload/check"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

// refusals begin the errors that say: nothing was done, and nothing will be. Errors of a kind that is not known here
// count as violations: a client could not know what they mean.
var refusals = []string{
	"READONLY ", "CLUSTERDOWN ", "TRYAGAIN ", "NOREPLICAS ", "LOADING ", "MASTERDOWN ", "OOM ", "MISCONF ", "MOVED ",
	"EXECABORT ",
	"NOAUTH ", "ERR max number of clients reached",
}

const unknownPrefix = "UNKNOWN "

// outcomeOf says what an answer means for a write.
func (c *client) outcomeOf(v respclient.Value, words []string) check.Outcome {
	if !v.IsError() {
		return check.Acked
	}
	if strings.HasPrefix(v.Str, unknownPrefix) {
		return check.Unknown
	}
	for _, p := range refusals {
		if strings.HasPrefix(v.Str, p) {
			return check.Refused
		}
	}
	c.violated(fmt.Sprintf("%s: %q was answered by an error that says nothing of the outcome: %s", c.name, words, v.Str))
	return check.Unknown
}

// errNotSent is returned where the run was over before there was a connection.
var errNotSent = errors.New("not sent")

// ask sends commands in one piece and returns the replies to all of them. Where one does not come the connection is
// gone.
func (c *client) ask(cmds ...[]string) ([]respclient.Value, check.Span, error) {
	if !c.connect(c.ctx, c.leads) {
		return nil, check.Span{}, errNotSent
	}
	var raw []byte
	for _, words := range cmds {
		raw = respclient.AppendCommand(raw, words...)
	}
	s := check.Span{Call: c.now()}
	err := c.conn.SendRaw(raw)
	var out []respclient.Value
	for err == nil && len(out) < len(cmds) {
		var v respclient.Value
		if v, err = c.conn.Receive(); err == nil {
			out = append(out, v)
		}
	}
	s.Return = c.now()
	if err != nil {
		c.leave()
	}
	return out, s, err
}

// write sends a write. Its reply stands for something only if it was Acked.
func (c *client) write(words ...string) (respclient.Value, check.Outcome, check.Span) {
	replies, outcome, span := c.commit([][]string{words})
	if outcome != check.Acked {
		return respclient.Value{}, outcome, span
	}
	return replies[0], outcome, span
}

// txn sends commands within MULTI and EXEC. replies are those of EXEC; held is false where a watched key had changed,
// in which case nothing was done.
func (c *client) txn(cmds ...[]string) (replies []respclient.Value, held bool, outcome check.Outcome, span check.Span) {
	all := append(append([][]string{{"MULTI"}}, cmds...), []string{"EXEC"})
	out, outcome, span := c.commit(all)
	if outcome != check.Acked {
		return nil, false, outcome, span
	}
	exec := out[len(out)-1]
	for i, v := range exec.Elems {
		if v.IsError() {
			c.violated(c.name + ": " + strings.Join(cmds[i], " ") + " failed within EXEC: " + v.Str)
			return nil, false, check.Unknown, span
		}
	}
	if len(exec.Elems) != len(cmds) {
		c.violated(c.name + ": EXEC answered too few replies: " + exec.Text())
		return nil, false, check.Unknown, span
	}
	return exec.Elems, true, check.Acked, span
}

// commit sends commands of which the last one decides what becomes of them, and counts them as one operation.
func (c *client) commit(cmds [][]string) (replies []respclient.Value, outcome check.Outcome, span check.Span) {
	begin := c.now()
	for {
		var err error
		replies, span, err = c.ask(cmds...)
		if errors.Is(err, errNotSent) {
			return nil, check.Refused, span
		}
		span.Call = begin
		outcome = check.Unknown
		if err == nil {
			outcome = c.ended(replies[len(replies)-1], cmds[len(cmds)-1])
		}
		if outcome != check.Unknown || !c.o.RetryUnknown {
			c.count(cmds, outcome)
			return replies, outcome, span
		}
	}
}

// ended is the outcome of a write that was answered. After an error another node may lead, or this one is about to
// close the connection.
func (c *client) ended(last respclient.Value, words []string) check.Outcome {
	if last.IsNull() && words[0] == "EXEC" {
		return check.Refused // a watched key had changed
	}
	outcome := c.outcomeOf(last, words)
	if outcome != check.Acked {
		c.leave()
	}
	if outcome == check.Refused {
		rest(c.ctx, turnRest)
	}
	return outcome
}

// reading are the commands that write nothing.
var reading = map[string]bool{"GET": true, "MGET": true, "MULTI": true, "EXEC": true}

func (c *client) count(cmds [][]string, o check.Outcome) {
	if slices.ContainsFunc(cmds, func(words []string) bool { return !reading[words[0]] }) {
		c.wrote(o)
		return
	}
	c.read(o == check.Acked)
}

// unwatch gives up a transaction that has not begun.
func (c *client) unwatch() {
	if v, _, err := c.ask([]string{"UNWATCH"}); err == nil && v[0].IsError() {
		c.leave()
	}
}

// query sends a read that must be linearizable.
func (c *client) query(words ...string) (respclient.Value, check.Span, bool) {
	if c.o.StaleReads {
		v, span, _, ok := c.queryAnywhere(words...)
		return v, span, ok
	}
	replies, span, err := c.ask(words)
	return c.answer(replies, span, err, words, c.leave)
}

// watch watches a key and reads it, on the connection that a transaction is to follow on.
func (c *client) watch(key string) (respclient.Value, check.Span, bool) {
	get := []string{"GET", key}
	replies, span, err := c.ask([]string{"WATCH", key}, get)
	if err == nil && !replies[0].IsError() {
		replies = replies[1:] // else the error answers for both
	}
	return c.answer(replies, span, err, get, c.leave)
}

// queryAnywhere sends a read to any node, which answers from what it has.
func (c *client) queryAnywhere(words ...string) (v respclient.Value, span check.Span, addr string, ok bool) {
	nodes := c.o.Nodes()
	if len(nodes) == 0 {
		return v, span, "", false
	}
	addr = nodes[c.rng.IntN(len(nodes))]
	conn := c.peers[addr]
	if conn == nil {
		var err error
		if conn, err = c.dial(c.ctx, addr, c.timeout()); err != nil {
			return v, span, addr, false
		}
		c.peers[addr] = conn
	}
	span.Call = c.now()
	v, err := conn.Do(words...)
	span.Return = c.now()
	v, span, ok = c.answer([]respclient.Value{v}, span, err, words, func() {
		_ = conn.Close()
		delete(c.peers, addr)
	})
	return v, span, addr, ok
}

// answer counts a read. One that was refused leaves the connection.
func (c *client) answer(
	replies []respclient.Value, s check.Span, err error, words []string, leave func(),
) (respclient.Value, check.Span, bool) {
	ok := err == nil && !replies[0].IsError()
	c.read(ok)
	if ok {
		return replies[0], s, true
	}
	if err == nil {
		c.outcomeOf(replies[0], words) // which knows the errors
		rest(c.ctx, turnRest)
	}
	leave()
	return respclient.Value{}, s, false
}
