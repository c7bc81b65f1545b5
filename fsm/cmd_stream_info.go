package fsm

import (
	"iter"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/streams"
)

var xinfoCommands = []cmd{
	xinfoCommand("xinfo|stream", -3, nil, xinfoStream, "Tells about a stream, or all about it and its groups."),
	xinfoCommand("xinfo|groups", 3, nil, xinfoGroups, "Lists the groups of a stream."),
	xinfoCommand("xinfo|consumers", 4, tipsVaries, xinfoConsumers, "Lists the consumers of a group."),
	{command.Spec{
		Name: "xinfo|help", Arity: 2, Flags: command.Loading | command.Stale, Group: "stream", Since: "5.0.0",
		Summary: "Lists the subcommands.", Complexity: "O(1)",
	}, replyLines(xinfoHelpLines)},
}

func xinfoCommand(name string, arity int, tips []string, run Executor, summary string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.ReadOnly, Group: "stream", Since: "5.0.0",
		Keys: []command.KeySpec{keyAt(2, command.RO|command.Access)}, Tips: tips, Summary: summary,
		Complexity: "O(N) for N that are listed",
	}, run}
}

var xinfoHelpLines = []string{
	"XINFO <subcommand> [<arg> ...]. The subcommands are:",
	"CONSUMERS <key> <group>",
	"    Lists the consumers of a group.",
	"GROUPS <key>",
	"    Lists the groups of a stream.",
	"STREAM <key> [FULL [COUNT <count>]]",
	"    Tells about a stream; with FULL also what is in it, pending and who its consumers are, up to a count of each.",
	"HELP",
	"    Prints these lines.",
}

// findStream looks up the stream of XINFO. ok is false where an error was replied.
func (tx *Tx) findStream(c *command.Call, r command.Reply) (s *stream, ok bool) {
	return findOr[*stream](tx, c.Args[2], r, func() { r.Error(command.ErrNoSuchKey) })
}

const infoCountDefault = 10 // Redis's

func xinfoStream(tx *Tx, c *command.Call, r command.Reply) {
	s, ok := tx.findStream(c, r)
	if !ok {
		return
	}
	opts := c.Args[3:]
	switch {
	case len(opts) == 0:
		tx.replyStream(s, r)
	case !word(opts[0], "full") || len(opts) != 1 && (len(opts) != 3 || !word(opts[1], "count")):
		r.Error(errSubcommandArgs(c))
	case len(opts) == 1:
		tx.replyStreamFull(s, infoCountDefault, r)
	default:
		count, ok := intArg(opts[2], r)
		if !ok {
			return
		}
		if count < 0 {
			count = infoCountDefault
		}
		tx.replyStreamFull(s, count, r)
	}
}

// replyStreamHead writes what both forms of XINFO STREAM begin with: seven pairs.
func (tx *Tx) replyStreamHead(s *stream, r command.Reply) {
	r.BulkString("length")
	r.Int(int64(s.log.Len()))
	r.BulkString("radix-tree-keys")
	r.Int(int64(s.log.NodeCount()))
	r.BulkString("radix-tree-nodes")
	r.Int(radixNodes(s.log.NodeCount()))
	r.BulkString("last-generated-id")
	tx.replyID(s.last, r)
	r.BulkString("max-deleted-entry-id")
	tx.replyID(s.maxDeleted, r)
	r.BulkString("entries-added")
	r.Int(s.added)
	r.BulkString("recorded-first-entry-id")
	tx.replyID(s.first(), r)
}

// radixNodes is how many nodes Redis's radix tree has for so many keys, where they part at one byte. There is no such tree
// here.
func radixNodes(keys int) int64 {
	if keys < 2 {
		return int64(keys) + 1
	}
	return 2*int64(keys) + 2
}

func (tx *Tx) replyStream(s *stream, r command.Reply) {
	r.Map(10)
	tx.replyStreamHead(s, r)
	r.BulkString("groups")
	r.Int(int64(s.groups.Len()))
	first, ok := s.log.First()
	last, _ := s.log.Last()
	r.BulkString("first-entry")
	tx.replyEntryOrNull(first, ok, r)
	r.BulkString("last-entry")
	tx.replyEntryOrNull(last, ok, r)
}

func (tx *Tx) replyEntryOrNull(e streams.Entry, ok bool, r command.Reply) {
	if ok {
		tx.replyEntry(e, r)
		return
	}
	r.Null()
}

// upTo is the smaller of n and a count, of which 0 is none.
func upTo(n int, count int64) int {
	if count == 0 || count > int64(n) {
		return n
	}
	return int(count)
}

func (tx *Tx) replyStreamFull(s *stream, count int64, r command.Reply) {
	r.Map(9)
	tx.replyStreamHead(s, r)
	r.BulkString("entries")
	tx.replyEntries(upTo(s.log.Len(), count), s.log.Range(streams.ID{}, streams.Max), r)
	r.BulkString("groups")
	r.Array(s.groups.Len())
	s.groups.Scan(func(g *group) bool {
		tx.replyGroupFull(s, g, count, r)
		return true
	})
}

func (tx *Tx) replyGroupFull(s *stream, g *group, count int64, r command.Reply) {
	r.Map(7)
	r.BulkString("name")
	r.BulkString(g.name)
	tx.replyProgress(s, g, r)
	r.BulkString("pel-count")
	r.Int(int64(g.Len()))
	r.BulkString("pending")
	tx.replyDelivered(upTo(g.Len(), count), g.Pending(streams.ID{}), true, r)
	r.BulkString("consumers")
	r.Array(g.ConsumerCount())
	for cons := range g.Consumers() {
		r.Map(4)
		r.BulkString("name")
		r.BulkString(cons.Name)
		r.BulkString("seen-time")
		r.Int(cons.Seen)
		r.BulkString("pel-count")
		r.Int(int64(cons.Pending))
		r.BulkString("pending")
		tx.replyDelivered(upTo(cons.Pending, count), g.Owned(cons.Name, streams.ID{}), false, r)
	}
}

// replyProgress writes how far a group has read: three pairs.
func (tx *Tx) replyProgress(s *stream, g *group, r command.Reply) {
	r.BulkString("last-delivered-id")
	tx.replyID(g.last, r)
	r.BulkString("entries-read")
	if g.read == readUnknown {
		r.Null()
	} else {
		r.Int(g.read)
	}
	r.BulkString("lag")
	if lag, ok := s.lag(g); ok {
		r.Int(lag)
	} else {
		r.Null()
	}
}

// replyDelivered writes the first n pending entries of a walk, with their consumers if those are not known already.
func (tx *Tx) replyDelivered(n int, walk iter.Seq[streams.Pending], consumers bool, r command.Reply) {
	r.Array(n)
	if n == 0 {
		return
	}
	for p := range walk {
		if consumers {
			r.Array(4)
		} else {
			r.Array(3)
		}
		tx.replyID(p.ID, r)
		if consumers {
			r.BulkString(p.Consumer)
		}
		r.Int(p.Delivered)
		r.Int(p.Deliveries)
		if n--; n == 0 {
			return
		}
	}
}

func xinfoGroups(tx *Tx, c *command.Call, r command.Reply) {
	s, ok := tx.findStream(c, r)
	if !ok {
		return
	}
	r.Array(s.groups.Len())
	s.groups.Scan(func(g *group) bool {
		r.Map(6)
		r.BulkString("name")
		r.BulkString(g.name)
		r.BulkString("consumers")
		r.Int(int64(g.ConsumerCount()))
		r.BulkString("pending")
		r.Int(int64(g.Len()))
		tx.replyProgress(s, g, r)
		return true
	})
}

func xinfoConsumers(tx *Tx, c *command.Call, r command.Reply) {
	s, ok := tx.findStream(c, r)
	if !ok {
		return
	}
	g := s.group(c.Args[3])
	if g == nil {
		r.Error("NOGROUP No such consumer group '" + string(c.Args[3]) + "' for key name '" + string(c.Args[2]) + "'")
		return
	}
	r.Array(g.ConsumerCount())
	for cons := range g.Consumers() {
		r.Map(3)
		r.BulkString("name")
		r.BulkString(cons.Name)
		r.BulkString("pending")
		r.Int(int64(cons.Pending))
		r.BulkString("idle")
		r.Int(tx.idle(cons.Seen))
	}
}
