package fsm

import (
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/streams"
)

var xgroupCommands = []cmd{
	xgroupCommand("xgroup|create", -5, "5.0.0", command.DenyOOM, command.Insert, xgroupCreate, "Makes a group of consumers.", "O(1)"),
	xgroupCommand("xgroup|setid", -5, "5.0.0", 0, command.Update, xgroupSetID, "Sets the ID that a group was given last.", "O(1)"),
	xgroupCommand("xgroup|destroy", 4, "5.0.0", 0, command.Delete, xgroupDestroy, "Removes a group of consumers.", "O(1)"),
	xgroupCommand("xgroup|createconsumer", 5, "6.2.0", command.DenyOOM, command.Insert, xgroupCreateConsumer,
		"Makes a consumer in a group.", "O(1)"),
	xgroupCommand("xgroup|delconsumer", 5, "5.0.0", 0, command.Delete, xgroupDelConsumer,
		"Removes a consumer, and what is pending for it, from a group.", "O(N) for N entries that are pending"),
	{command.Spec{
		Name: "xgroup|help", Arity: 2, Flags: command.Loading | command.Stale, Group: "stream", Since: "5.0.0",
		Summary: "Lists the subcommands.", Complexity: "O(1)",
	}, replyLines(xgroupHelpLines)},
}

func xgroupCommand(name string, arity int, since string, more command.Flags, use command.KeyFlags, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.Write | more, Group: "stream", Since: since,
		Keys: []command.KeySpec{keyAt(2, command.RW|use)}, Summary: summary, Complexity: cost,
	}, run}
}

var xgroupHelpLines = []string{
	"XGROUP <subcommand> [<arg> ...]. The subcommands are:",
	"CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <n>]",
	"    Makes a group that reads the entries behind an ID. MKSTREAM makes the stream, too; ENTRIESREAD says how many",
	"    entries there have been up to the ID.",
	"CREATECONSUMER <key> <group> <consumer>",
	"    Makes a consumer in a group.",
	"DELCONSUMER <key> <group> <consumer>",
	"    Removes a consumer and what is pending for it. Tells how much that was.",
	"DESTROY <key> <group>",
	"    Removes a group.",
	"SETID <key> <group> <id|$> [ENTRIESREAD <n>]",
	"    Has a group read the entries behind an ID.",
	"HELP",
	"    Prints these lines.",
}

// replyLines is an executor that replies the same lines to everybody.
func replyLines(lines []string) Executor {
	return func(_ *Tx, _ *command.Call, r command.Reply) {
		r.Array(len(lines))
		for _, line := range lines {
			r.Simple(line)
		}
	}
}

// errSubcommandArgs is the error for a subcommand whose options are wrong.
func errSubcommandArgs(c *command.Call) string {
	return "ERR unknown subcommand or wrong number of arguments for '" + string(c.Args[1]) + "'. Try " +
		strings.ToUpper(c.Spec.Parent.Name) + " HELP."
}

const errNoStream = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM " +
	"option to create an empty stream automatically."

// findGroup looks up the group of XGROUP's arguments. ok is false where an error was replied.
func (tx *Tx) findGroup(c *command.Call, r command.Reply) (it *item, s *stream, g *group, ok bool) {
	it, s, ok = find[*stream](tx, c.Args[2], r)
	if !ok {
		return nil, nil, nil, false
	}
	if s == nil {
		r.Error(errNoStream)
		return nil, nil, nil, false
	}
	if g = s.group(c.Args[3]); g == nil {
		r.Error("NOGROUP No such consumer group '" + string(c.Args[3]) + "' for key name '" + string(c.Args[2]) + "'")
		return nil, nil, nil, false
	}
	return it, s, g, true
}

// groupOptions are the options of XGROUP CREATE and SETID.
type groupOptions struct {
	makeStream bool
	read       int64
}

// Redis refuses options that are repeated more often.
const (
	createArgsMax = 8
	setIDArgsMax  = 7
)

func parseGroupOptions(c *command.Call, create bool, r command.Reply) (o groupOptions, ok bool) {
	o.read = readUnknown
	for i := 5; i < len(c.Args); i++ {
		opt := c.Args[i]
		switch {
		case create && word(opt, "mkstream"):
			o.makeStream = true
		case word(opt, "entriesread") && i+1 < len(c.Args):
			i++
			if o.read, ok = intArg(c.Args[i], r); !ok {
				return o, false
			}
			if o.read < 0 && o.read != readUnknown {
				r.Error("ERR value for ENTRIESREAD must be positive or -1")
				return o, false
			}
		default:
			r.Error(errSubcommandArgs(c))
			return o, false
		}
	}
	return o, true
}

func xgroupCreate(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := parseGroupOptions(c, true, r)
	if !ok {
		return
	}
	it, s, ok := find[*stream](tx, c.Args[2], r)
	if !ok {
		return
	}
	if s == nil && !o.makeStream {
		r.Error(errNoStream)
		return
	}
	if len(c.Args) > createArgsMax {
		r.Error(errSubcommandArgs(c))
		return
	}
	var last streams.ID
	if string(c.Args[4]) != "$" {
		if last, ok = idArg(c.Args[4], r); !ok {
			return
		}
	} else if s != nil {
		last = s.last
	}
	if s.group(c.Args[3]) != nil {
		r.Error("BUSYGROUP Consumer Group name already exists")
		return
	}
	s = own(tx, s, newStream)
	s.addGroup(c.Args[3], last, o.read)
	if it == nil {
		tx.keep(c.Args[2], it, s)
	} else {
		tx.keepUnwatched(it, s)
	}
	tx.event(command.EventStream, "xgroup-create", c.Args[2])
	r.Simple("OK")
}

func xgroupSetID(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := parseGroupOptions(c, false, r)
	if !ok {
		return
	}
	it, s, g, ok := tx.findGroup(c, r)
	if !ok {
		return
	}
	if len(c.Args) > setIDArgsMax {
		r.Error(errSubcommandArgs(c))
		return
	}
	last := s.last
	if string(c.Args[4]) != "$" {
		if last, ok = parseEdge(c.Args[4], 0); !ok {
			r.Error(errStreamID)
			return
		}
	}
	s = own(tx, s, newStream)
	g = s.ownGroup(g)
	g.last, g.read = last, o.read
	tx.keepUnwatched(it, s)
	tx.event(command.EventStream, "xgroup-setid", c.Args[2])
	r.Simple("OK")
}

func xgroupDestroy(tx *Tx, c *command.Call, r command.Reply) {
	it, s, ok := find[*stream](tx, c.Args[2], r)
	if !ok {
		return
	}
	if s == nil {
		r.Error(errNoStream)
		return
	}
	g := s.group(c.Args[3])
	if g == nil {
		r.Int(0)
		return
	}
	s = own(tx, s, newStream)
	s.groups.Delete(g)
	tx.keepUnwatched(it, s)
	tx.changed(textOf(c.Args[2]))
	tx.event(command.EventStream, "xgroup-destroy", c.Args[2])
	r.Int(1)
}

func xgroupCreateConsumer(tx *Tx, c *command.Call, r command.Reply) {
	it, s, g, ok := tx.findGroup(c, r)
	if !ok {
		return
	}
	if _, there := g.Consumer(string(c.Args[4])); there {
		r.Int(0)
		return
	}
	s = own(tx, s, newStream)
	tx.see(s.ownGroup(g), c.Args[4], c.Args[2])
	tx.keepUnwatched(it, s)
	r.Int(1)
}

// see notes that a consumer of a group of the stream at key is active.
func (tx *Tx) see(g *group, consumer, key []byte) {
	if g.See(consumer, tx.now) {
		tx.event(command.EventStream, "xgroup-createconsumer", key)
	}
}

func xgroupDelConsumer(tx *Tx, c *command.Call, r command.Reply) {
	it, s, g, ok := tx.findGroup(c, r)
	if !ok {
		return
	}
	if _, there := g.Consumer(string(c.Args[4])); !there {
		r.Int(0)
		return
	}
	s = own(tx, s, newStream)
	pending := s.ownGroup(g).DeleteConsumer(string(c.Args[4]))
	tx.keepUnwatched(it, s)
	tx.event(command.EventStream, "xgroup-delconsumer", c.Args[2])
	r.Int(int64(pending))
}
