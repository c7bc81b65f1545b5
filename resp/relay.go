package resp

import (
	"context"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// A follower takes PUBLISH as a replica of Redis does, but here a message is for the clients of all nodes: it is passed to
// the leader, which puts it into the log.

// relayTimeout bounds the wait for the leader to put messages into the log, and for there to be one.
const relayTimeout = 5 * time.Second

// relayed reports whether a command that does not go through the log from here is passed to the leader.
func relayed(spec *command.Spec) bool { return spec.MayLog() && spec.Is(command.PubSub) }

// gatherRelayed adds a message to those under way to the leader.
func (c *conn) gatherRelayed(spec *command.Spec, args [][]byte) {
	if !c.relaying {
		c.flush()
	}
	c.gatherWrite(spec, args)
	c.relaying = c.prop.Units > 0
}

// relay passes the gathered messages to the leader, and replies to them where they are in the log.
func (c *conn) relay() {
	c.passOn(c.prop)
	if c.prop.Outcome != command.Applied {
		return
	}
	if c.reply == replyOn {
		c.takePushes(everything) // its own messages stand before their replies
	}
	for i := range c.pending {
		c.w.Int(int64(c.srv.hub.count(c.pending[i].spec, string(c.pending[i].args[1]))))
		c.w.EndCall()
	}
}

// passOn has the leader put a proposal into the log, and waits for its end.
func (c *conn) passOn(p *command.Proposal) {
	ctx, cancel := context.WithTimeout(c.ctx, relayTimeout)
	defer cancel()
	p.Reply = command.Discard
	c.srv.backend.Relay(ctx, p)
	<-p.Done
	p.Reply = c.w
}

// publishInExec is PUBLISH inside a transaction that this node executes as a read: the message goes once that is done.
func (c *conn) publishInExec(spec *command.Spec, args [][]byte) {
	p := command.NewProposal(command.Discard)
	p.AddCall(c.db, args)
	c.passOn(p)
	if p.Outcome != command.Applied {
		c.w.Error(outcomeText(p.Outcome, p.Err))
		return
	}
	c.w.Int(int64(c.srv.hub.count(spec, string(args[1]))))
}
