package fsm

import (
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// container is a command whose second argument names a subcommand.
type container struct {
	command.Spec
	subs []cmd
}

// containers are the commands with subcommands. The facade adds those of MEMORY that are not of the state.
var containers = []container{
	{command.Spec{
		Name: "object", Arity: -2, Group: "generic", Since: "2.2.3",
		Summary: "Looks into how values are kept.", Complexity: "Depends on the subcommand.",
	}, objectCommands},
	{command.Spec{
		Name: "memory", Arity: -2, Group: "server", Since: "4.0.0",
		Summary: "Looks into the use of memory.", Complexity: "Depends on the subcommand.",
	}, memoryCommands},
	{command.Spec{
		Name: "xgroup", Arity: -2, Group: "stream", Since: "5.0.0",
		Summary: "Manages the groups of consumers of a stream.", Complexity: "Depends on the subcommand.",
	}, xgroupCommands},
	{command.Spec{
		Name: "xinfo", Arity: -2, Group: "stream", Since: "5.0.0",
		Summary: "Tells about streams.", Complexity: "Depends on the subcommand.",
	}, xinfoCommands},
	{command.Spec{
		Name: "script", Arity: -2, Group: "scripting", Since: "2.6.0",
		Summary: "Manages the scripts that are loaded.", Complexity: "Depends on the subcommand.",
	}, scriptSubcommands},
	{command.Spec{
		Name: "function", Arity: -2, Group: "scripting", Since: "7.0.0",
		Summary: "Manages the libraries of functions.", Complexity: "Depends on the subcommand.",
	}, functionSubcommands},
}

var objectCommands = []cmd{
	objectCommand("object|encoding", "2.2.3", objectEncoding, "Returns how a value is encoded."),
	objectCommand("object|freq", "4.0.0", objectFreq, "Returns how often a key is used, where that is counted."),
	objectCommand("object|idletime", "2.2.3", objectIdletime, "Returns for how many seconds this node has not used a key."),
	objectCommand("object|refcount", "2.2.3", objectRefcount, "Returns how many references a value has in Redis."),
	{command.Spec{
		Name: "object|help", Arity: 2, Flags: command.Loading | command.Stale, Group: "generic", Since: "6.2.0",
		Summary: "Lists the subcommands.", Complexity: "O(1)",
	}, objectHelp},
}

func objectCommand(name, since string, run Executor, summary string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: 3, Flags: command.ReadOnly, Group: "generic", Since: since,
		Keys: []command.KeySpec{keyAt(2, command.RO)}, Tips: tipsVaries, Summary: summary, Complexity: "O(1)",
	}, run}
}

var memoryCommands = []cmd{
	{command.Spec{
		Name: "memory|usage", Arity: -3, Flags: command.ReadOnly, Group: "server", Since: "4.0.0",
		Keys:    []command.KeySpec{keyAt(2, command.RO)},
		Summary: "Estimates how many bytes of memory a key and its value take.", Complexity: "O(N) for N samples",
	}, memoryUsage},
}

// peekOrNull finds a key without noting its use; nil where it has replied null.
func (tx *Tx) peekOrNull(key []byte, r command.Reply) *item {
	tx.quiet = true
	it := tx.peek(key)
	tx.quiet = false
	if it == nil {
		r.Null()
	}
	return it
}

func objectEncoding(tx *Tx, c *command.Call, r command.Reply) {
	if it := tx.peekOrNull(c.Args[2], r); it != nil {
		r.BulkString(it.value().encodingName())
	}
}

func objectFreq(tx *Tx, c *command.Call, r command.Reply) {
	if it := tx.peekOrNull(c.Args[2], r); it != nil {
		r.Error("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when " +
			"switching between policies at runtime LRU and LFU data will take some time to adjust.")
	}
}

// objectIdletime counts from this node's own note of the last use; 0 where it has none since a restore, and in a script of the
// log.
func objectIdletime(tx *Tx, c *command.Call, r command.Reply) {
	it := tx.peekOrNull(c.Args[2], r)
	if it == nil {
		return
	}
	if used := int64(it.access.Load()); used != 0 && !tx.alike {
		r.Int(max(0, tx.clock/1000-used))
		return
	}
	r.Int(0)
}

// sharedIntegers is below which Redis keeps one object for every small integer; it counts their references as
// math.MaxInt32.
const sharedIntegers = 10000

func objectRefcount(tx *Tx, c *command.Call, r command.Reply) {
	it := tx.peekOrNull(c.Args[2], r)
	if it == nil {
		return
	}
	if n, ok := it.value().integer(); ok && it.enc == encInt && n >= 0 && n < sharedIntegers {
		r.Int(math.MaxInt32)
		return
	}
	r.Int(1)
}

var objectHelpLines = []string{
	"OBJECT <subcommand> [<arg> ...]. The subcommands are:",
	"ENCODING <key>",
	"    Tells how the value of a key is encoded.",
	"FREQ <key>",
	"    Tells how often a key is used. Needs an LFU policy of maxmemory.",
	"IDLETIME <key>",
	"    Tells for how many seconds a key has not been used on this node.",
	"REFCOUNT <key>",
	"    Tells how many references the value of a key has.",
	"HELP",
	"    Prints these lines.",
}

func objectHelp(_ *Tx, _ *command.Call, r command.Reply) {
	r.Array(len(objectHelpLines))
	for _, line := range objectHelpLines {
		r.Simple(line)
	}
}

const memorySamplesDefault = 5 // Redis's

func memoryUsage(tx *Tx, c *command.Call, r command.Reply) {
	samples := int64(memorySamplesDefault)
	for i := 3; i < len(c.Args); i += 2 {
		if !word(c.Args[i], "samples") || i+1 == len(c.Args) {
			r.Error(command.ErrSyntax)
			return
		}
		n, ok := intArg(c.Args[i+1], r)
		if !ok {
			return
		}
		if n < 0 {
			r.Error(command.ErrSyntax)
			return
		}
		samples = n
	}
	if it := tx.peekOrNull(c.Args[2], r); it != nil {
		r.Int(it.memory(int(min(samples, math.MaxInt32))))
	}
}

// What a key costs beside its name and value: the item and its slot in the tree, and the entry in the tree of
// deadlines. They follow from what the state says, not from how this node came by it.
const (
	itemBytes     = 56
	deadlineBytes = 40
)

// memory estimates the bytes that a key takes, from samples of its elements; 0: all.
func (it *item) memory(samples int) int64 {
	n := itemBytes + len(it.key())
	if c, ok := it.value().obj.(collection); ok {
		n += c.memory(samples)
	} else {
		n += it.value().Len()
	}
	if it.expireAt() != 0 {
		n += deadlineBytes
	}
	return int64(n)
}
