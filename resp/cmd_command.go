package resp

import (
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/glob"
)

var tipsOrderVaries = []string{"nondeterministic_output_order"}

// COMMAND answers what the table says; nothing is written down twice.
var commandCommands = []entry{{
	Spec: command.Spec{
		Name: "command", Arity: -1, Flags: anyTime, Group: "server", Since: "2.8.13", Categories: []string{"connection"},
		Tips: tipsOrderVaries, Summary: "Describes all commands.", Complexity: "O(N) where N is the number of commands",
	},
	run: commandAll,
	subs: []entry{
		commandEntry("count", 2, "2.8.13", commandCount, "Counts the commands.").costing("O(1)"),
		commandEntry("docs", -2, "7.0.0", commandDocs, "Documents commands.").tipped(tipsOrderVaries...),
		commandEntry("getkeys", -4, "2.8.13", commandGetKeys, "Finds the keys in a command's arguments.").
			costing("O(N) where N is the number of arguments"),
		commandEntry("getkeysandflags", -4, "7.0.0", commandGetKeysAndFlags, "Finds the keys in a command's arguments, and what is done with them.").
			costing("O(N) where N is the number of arguments"),
		commandEntry("help", 2, "5.0.0", help("COMMAND", commandHelp...), "Lists the subcommands.").costing("O(1)"),
		commandEntry("info", -2, "2.8.13", commandInfo, "Describes commands.").tipped(tipsOrderVaries...),
		commandEntry("list", -2, "7.0.0", commandList, "Lists the names of commands.").tipped(tipsOrderVaries...),
	},
}}

func commandEntry(sub string, arity int, since string, run handler, summary string) entry {
	return entry{Spec: command.Spec{
		Name: "command|" + sub, Arity: arity, Flags: anyTime, Group: "server", Since: since, Categories: []string{"connection"},
		Summary: summary, Complexity: "O(N) where N is the number of commands",
	}, run: run}
}

var commandHelp = []string{
	"(nothing)",
	"    Describes all commands.",
	"COUNT",
	"    How many commands there are.",
	"DOCS [<name> ...]",
	"    Documentation of the commands named, or of all.",
	"GETKEYS <command> [<arg> ...]",
	"    The keys of a whole command.",
	"GETKEYSANDFLAGS <command> [<arg> ...]",
	"    The keys of a whole command and what is done with them.",
	"INFO [<name> ...]",
	"    Arity, flags and keys of the commands named, or of all.",
	"LIST [FILTERBY (MODULE <name> | ACLCAT <category> | PATTERN <pattern>)]",
	"    The names of commands.",
}

func commandAll(c *conn, _ [][]byte) {
	all := c.srv.table.All()
	c.w.Array(len(all))
	for _, s := range all {
		c.describe(s)
	}
}

func commandCount(c *conn, _ [][]byte) { c.w.Int(int64(len(c.srv.table.All()))) }

// named finds a command by its name, a subcommand as "container|sub", in any case.
func (c *conn) named(name []byte) *command.Spec {
	return c.srv.table.Get(strings.ToLower(string(name)))
}

func commandInfo(c *conn, args [][]byte) {
	if len(args) == 2 {
		commandAll(c, args)
		return
	}
	c.w.Array(len(args) - 2)
	for _, a := range args[2:] {
		if s := c.named(a); s != nil {
			c.describe(s)
		} else {
			c.w.Null()
		}
	}
}

// describe writes the ten elements of COMMAND INFO.
func (c *conn) describe(s *command.Spec) {
	first, last, step := s.KeyRange()
	c.w.Array(10)
	c.w.BulkString(s.Name)
	c.w.Int(int64(s.Arity))
	c.statuses("", s.Flags.Names())
	c.w.Int(int64(first))
	c.w.Int(int64(last))
	c.w.Int(int64(step))
	c.statuses("@", s.ACL().Names())
	c.w.Set(len(s.Tips))
	for _, t := range s.Tips {
		c.w.BulkString(t)
	}
	c.w.Set(len(s.Keys))
	for i := range s.Keys {
		c.describeKeys(&s.Keys[i])
	}
	c.w.Set(len(s.Subcommands))
	for _, sub := range s.Subcommands {
		c.describe(sub)
	}
}

// statuses writes a set of words.
func (c *conn) statuses(prefix string, words []string) {
	c.w.Set(len(words))
	for _, w := range words {
		c.w.Simple(prefix + w)
	}
}

func (c *conn) describeKeys(k *command.KeySpec) {
	c.w.Map(3)
	c.w.BulkString("flags")
	c.statuses("", k.Flags.Names())
	c.w.BulkString("begin_search")
	switch {
	case k.Unknown():
		c.typed("unknown", nil)
	case k.Keyword != "":
		c.typed("keyword", func() {
			c.w.Map(2)
			c.w.BulkString("keyword")
			c.w.BulkString(k.Keyword)
			c.number("startfrom", k.StartFrom)
		})
	default:
		c.typed("index", func() {
			c.w.Map(1)
			c.number("index", k.Index)
		})
	}
	c.w.BulkString("find_keys")
	switch {
	case k.Unknown():
		c.typed("unknown", nil)
	case k.KeyNum:
		c.typed("keynum", func() {
			c.w.Map(3)
			c.number("keynumidx", k.KeyNumIndex)
			c.number("firstkey", k.FirstKey)
			c.number("keystep", max(k.Step, 1))
		})
	default:
		c.typed("range", func() {
			c.w.Map(3)
			c.number("lastkey", k.Last)
			c.number("keystep", k.Step)
			c.number("limit", k.Limit)
		})
	}
}

// typed writes one half of a key specification; spec writes its map, nil an empty one.
func (c *conn) typed(kind string, spec func()) {
	c.w.Map(2)
	c.w.BulkString("type")
	c.w.BulkString(kind)
	c.w.BulkString("spec")
	if spec == nil {
		c.w.Map(0)
		return
	}
	spec()
}

func (c *conn) number(field string, n int) {
	c.w.BulkString(field)
	c.w.Int(int64(n))
}

// commandFilter reads COMMAND LIST's FILTERBY; nil for none.
func commandFilter(args [][]byte) (keep func(*command.Spec) bool, errText string) {
	if len(args) == 0 {
		return nil, ""
	}
	if len(args) != 3 || !word(args[0], "filterby") {
		return nil, command.ErrSyntax
	}
	value := string(args[2])
	switch {
	case word(args[1], "module"):
		return func(*command.Spec) bool { return false }, "" // there are no modules
	case word(args[1], "aclcat"):
		cat, ok := command.CategoryByName(value)
		return func(s *command.Spec) bool { return ok && s.ACL()&cat != 0 }, ""
	case word(args[1], "pattern"):
		return func(s *command.Spec) bool { return glob.Match(value, s.Name, true) }, ""
	}
	return nil, command.ErrSyntax
}

func commandList(c *conn, args [][]byte) {
	keep, errText := commandFilter(args[2:])
	if errText != "" {
		c.w.Error(errText)
		return
	}
	var names []string
	for _, s := range c.srv.table.All() {
		for _, spec := range append([]*command.Spec{s}, s.Subcommands...) {
			if keep == nil || keep(spec) {
				names = append(names, spec.Name)
			}
		}
	}
	c.w.Array(len(names))
	for _, n := range names {
		c.w.BulkString(n)
	}
}

// keysOf finds the keys of the command that follows in args; the error is written where it has none.
func (c *conn) keysOf(args [][]byte) (keys []command.KeyRef, ok bool) {
	s := c.srv.table.Lookup(args)
	switch {
	case s == nil, len(s.Subcommands) > 0 && len(args) > 1:
		c.w.Error("ERR Invalid command specified")
		return nil, false
	case !s.HasKeys():
		c.w.Error("ERR The command has no key arguments")
		return nil, false
	case !s.ArityOK(len(args)):
		c.w.Error("ERR Invalid number of arguments specified for command")
		return nil, false
	}
	keys, err := s.FindKeys(args)
	if err != nil {
		c.w.Error("ERR Invalid arguments specified for command")
		return nil, false
	}
	return keys, true
}

func commandGetKeys(c *conn, args [][]byte) {
	keys, ok := c.keysOf(args[2:])
	if !ok {
		return
	}
	c.w.Array(len(keys))
	for _, k := range keys {
		c.w.Bulk(args[2+k.Pos])
	}
}

func commandGetKeysAndFlags(c *conn, args [][]byte) {
	keys, ok := c.keysOf(args[2:])
	if !ok {
		return
	}
	c.w.Array(len(keys))
	for _, k := range keys {
		c.w.Array(2)
		c.w.Bulk(args[2+k.Pos])
		c.statuses("", k.Flags.Names())
	}
}
