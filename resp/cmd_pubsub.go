package resp

import (
	"maps"
	"slices"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// The pubsub group of Redis 7.0, less PUBLISH and SPUBLISH, which are the state machine's. There is one shard, so shard
// channels differ from others in name only.
var pubsubCommands = []entry{
	subscriptionEntry("subscribe", -2, "2.0.0", subscribe, "Subscribes to channels.", "O(N) for N channels"),
	subscriptionEntry("unsubscribe", -1, "2.0.0", unsubscribe, "Ends subscriptions to channels, or all of them.", "O(N) for N channels"),
	subscriptionEntry("psubscribe", -2, "2.0.0", psubscribe, "Subscribes to the channels that patterns match.", "O(N) for N patterns"),
	subscriptionEntry("punsubscribe", -1, "2.0.0", punsubscribe, "Ends subscriptions by patterns, or all of them.", "O(N) for N patterns"),
	subscriptionEntry("ssubscribe", -2, "7.0.0", ssubscribe, "Subscribes to shard channels.", "O(N) for N channels").onShards(),
	subscriptionEntry("sunsubscribe", -1, "7.0.0", sunsubscribe, "Ends subscriptions to shard channels, or all of them.", "O(N) for N channels").onShards(),
	{
		Spec: command.Spec{
			Name: "pubsub", Arity: -2, Group: "pubsub", Since: "2.8.0", Summary: "Tells what this node's clients have subscribed to.",
			Complexity: "Depends on subcommand.",
		},
		subs: []entry{
			pubsubEntry("channels", -2, "2.8.0", pubsubChannels(ofChannels), "Lists the channels that have subscribers.", "O(N) for N channels"),
			{Spec: command.Spec{
				Name: "pubsub|help", Arity: 2, Flags: anyTime, Group: "pubsub", Since: "6.2.0", Summary: "Lists the subcommands.", Complexity: "O(1)",
			}, run: help("PUBSUB", pubsubHelp...)},
			pubsubEntry("numpat", 2, "2.8.0", pubsubNumPat, "Counts the patterns that have subscribers.", "O(1)"),
			pubsubEntry("numsub", -2, "2.8.0", pubsubNumSub(ofChannels), "Counts the subscribers of channels.", "O(N) for N channels"),
			pubsubEntry("shardchannels", -2, "7.0.0", pubsubChannels(ofShards), "Lists the shard channels that have subscribers.", "O(N) for N channels"),
			pubsubEntry("shardnumsub", -2, "7.0.0", pubsubNumSub(ofShards), "Counts the subscribers of shard channels.", "O(N) for N channels"),
		},
	},
}

func subscriptionEntry(name string, arity int, since string, run handler, summary, complexity string) entry {
	return entry{Spec: command.Spec{
		Name: name, Arity: arity, Flags: command.PubSub | unscripted, Group: "pubsub", Since: since, Summary: summary, Complexity: complexity,
	}, run: run}
}

func (e entry) onShards() entry {
	e.Keys = []command.KeySpec{{Flags: command.NotKey, Index: 1, Last: -1, Step: 1}}
	return e
}

func pubsubEntry(sub string, arity int, since string, run handler, summary, complexity string) entry {
	return entry{Spec: command.Spec{
		Name: "pubsub|" + sub, Arity: arity, Flags: command.PubSub | anyTime, Group: "pubsub", Since: since, Summary: summary, Complexity: complexity,
	}, run: run}
}

// confirms reports whether a command changes subscriptions. Its replies are pushes, which CLIENT REPLY does not hold back.
func confirms(spec *command.Spec) bool {
	return spec.Flags&(command.PubSub|command.NoScript) == command.PubSub|command.NoScript
}

// heardByAll are the commands that a subscriber may send in RESP2, where replies and pushes cannot be told apart.
var heardByAll = map[string]bool{
	"subscribe": true, "unsubscribe": true, "psubscribe": true, "punsubscribe": true, "ssubscribe": true, "sunsubscribe": true,
	"ping": true, "quit": true, "reset": true,
}

// refuseSubscriber refuses what a subscriber may not send.
func (c *conn) refuseSubscriber(spec *command.Spec) string {
	if !c.onlyListens() || heardByAll[spec.Name] {
		return ""
	}
	return "ERR Can't execute '" + spec.DisplayName() + "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
}

// onlyListens: the connection is a subscriber that speaks RESP2.
func (c *conn) onlyListens() bool { return c.w.Protocol() != RESP3 && c.subs.total() > 0 }

func subscribe(c *conn, args [][]byte)    { c.subscribeTo("subscribe", ofChannels, args[1:]) }
func psubscribe(c *conn, args [][]byte)   { c.subscribeTo("psubscribe", ofPatterns, args[1:]) }
func ssubscribe(c *conn, args [][]byte)   { c.subscribeTo("ssubscribe", ofShards, args[1:]) }
func unsubscribe(c *conn, args [][]byte)  { c.unsubscribeFrom("unsubscribe", ofChannels, args[1:]) }
func punsubscribe(c *conn, args [][]byte) { c.unsubscribeFrom("punsubscribe", ofPatterns, args[1:]) }
func sunsubscribe(c *conn, args [][]byte) { c.unsubscribeFrom("sunsubscribe", ofShards, args[1:]) }

func (c *conn) subscribeTo(kind string, k topicKind, names [][]byte) {
	for _, name := range names {
		if !c.subscribe(k, string(name)) {
			c.w.Error("ERR the names of this connection's subscriptions would take more bytes than it may have")
			return
		}
		c.confirmation(kind, name, k)
	}
}

// unsubscribeFrom ends the subscriptions that are named, or all. Nothing that they have brought comes behind their end.
func (c *conn) unsubscribeFrom(kind string, k topicKind, names [][]byte) {
	if len(names) == 0 {
		for _, name := range slices.Sorted(maps.Keys(c.subs.names[k])) {
			names = append(names, []byte(name))
		}
	}
	for _, name := range names {
		c.unsubscribe(k, string(name))
		if !c.executing {
			c.takePushes(everything)
		}
		c.confirmation(kind, name, k)
	}
	if len(names) == 0 {
		c.confirmation(kind, nil, k)
	}
}

// confirmation tells of a subscription that has begun or ended. name is nil where there was none to end.
func (c *conn) confirmation(kind string, name []byte, k topicKind) {
	c.w.Push(3)
	c.w.BulkString(kind)
	if name == nil {
		c.w.Null()
	} else {
		c.w.Bulk(name)
	}
	c.w.Int(int64(c.subs.listed(k)))
}

var pubsubHelp = []string{
	"CHANNELS [<pattern>]",
	"    The channels that clients of this node have subscribed to by name.",
	"NUMPAT",
	"    How many patterns clients of this node have subscribed to.",
	"NUMSUB [<channel> ...]",
	"    How many clients of this node have subscribed to each channel by name.",
	"SHARDCHANNELS [<pattern>]",
	"    The shard channels that clients of this node have subscribed to.",
	"SHARDNUMSUB [<channel> ...]",
	"    How many clients of this node have subscribed to each shard channel.",
}

func pubsubChannels(k topicKind) handler {
	return func(c *conn, args [][]byte) {
		if len(args) > 3 {
			c.w.Error(errUnknownArgs("PUBSUB", args[1]))
			return
		}
		var pattern []byte
		if len(args) == 3 {
			pattern = args[2]
		}
		names := c.srv.hub.names(k, pattern)
		c.w.Array(len(names))
		for _, name := range names {
			c.w.BulkString(name)
		}
	}
}

func pubsubNumSub(k topicKind) handler {
	return func(c *conn, args [][]byte) {
		c.w.Array(2 * (len(args) - 2))
		for _, name := range args[2:] {
			c.w.Bulk(name)
			c.w.Int(int64(c.srv.hub.subscribers(k, string(name))))
		}
	}
}

func pubsubNumPat(c *conn, _ [][]byte) { c.w.Int(int64(c.srv.hub.len(ofPatterns))) }
