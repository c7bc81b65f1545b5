package fsm

import "github.com/redoubtdb/redoubt/fsm/command"

// Messages: of the pubsub group, whose other commands are the connection's. A message goes through the log so that every
// node tells its own subscribers of it, all in one order, and none before what its publisher wrote earlier can be read
// there. It changes nothing of the state.
var publishCommands = []cmd{
	{command.Spec{
		Name: "publish", Arity: 3, Flags: command.PubSub | command.Loading | command.Stale | command.Fast | command.MayReplicate,
		Group: "pubsub", Since: "2.0.0",
		Summary: "Sends a message to the subscribers of a channel, on all nodes.", Complexity: "O(N+M) for N subscribers of the channel and M patterns",
	}, publish},
	{command.Spec{
		Name: "spublish", Arity: 3, Flags: command.PubSub | command.Loading | command.Stale | command.Fast | command.MayReplicate,
		Group: "pubsub", Since: "7.0.0",
		Keys:    oneKey(command.NotKey),
		Summary: "Sends a message to the subscribers of a shard channel, on all nodes.", Complexity: "O(N) for N subscribers of the channel",
	}, spublish},
}

func publish(tx *Tx, c *command.Call, r command.Reply) { tx.publish(command.EventMessage, c, r) }

func spublish(tx *Tx, c *command.Call, r command.Reply) { tx.publish(command.EventShardMessage, c, r) }

// publish tells of a message. The number of those who got it is known to the node of the publisher alone, which replies it;
// wherever a reply may decide something (in a script) it is 0 on all nodes alike.
func (tx *Tx) publish(class command.EventClass, c *command.Call, r command.Reply) {
	if !tx.write {
		r.Error(command.ErrReadOnly)
		return
	}
	e := &tx.m.events
	if e.wanted&class == 0 {
		r.Int(0)
		return
	}
	e.note(command.Event{Class: class, DB: tx.db, Key: string(c.Args[1]), Message: string(c.Args[2])})
	p, ok := r.(command.Publisher)
	if !ok {
		r.Int(0)
		return
	}
	tx.m.tellEvents()
	p.Published()
}
