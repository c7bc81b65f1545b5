package resp

import "github.com/redoubtdb/redoubt/fsm/command"

var slowlogCommands = []entry{{
	Spec: command.Spec{
		Name: "slowlog", Arity: -2, Group: "server", Since: "2.2.12", Summary: "Reads the log of slow commands.", Complexity: "Depends on subcommand.",
	},
	subs: []entry{
		slowlogEntry("get", -2, command.Admin|anyTime, "2.2.12", slowlogGet, "Returns the newest entries.").
			costing("O(N) where N is the number of entries returned").tipped("request_policy:all_nodes", "nondeterministic_output"),
		slowlogEntry("help", 2, anyTime, "6.2.0", help("SLOWLOG", slowlogHelp...), "Lists the subcommands."),
		slowlogEntry("len", 2, command.Admin|anyTime, "2.2.12", slowlogLen, "Counts the entries.").
			tipped("request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"),
		slowlogEntry("reset", 2, command.Admin|anyTime, "2.2.12", slowlogReset, "Empties the log.").
			costing("O(N) where N is the number of entries").tipped("request_policy:all_nodes", "response_policy:all_succeeded"),
	},
}}

func slowlogEntry(sub string, arity int, f command.Flags, since string, run handler, summary string) entry {
	return entry{Spec: command.Spec{
		Name: "slowlog|" + sub, Arity: arity, Flags: f, Group: "server", Since: since, Summary: summary, Complexity: "O(1)",
	}, run: run}
}

var slowlogHelp = []string{
	"GET [<count>]",
	"    The newest entries, 10 unless told, all for -1. An entry is its number, its",
	"    time, its duration in microseconds, the arguments, the client's address and",
	"    its name.",
	"LEN",
	"    The number of entries.",
	"RESET",
	"    Empties the log.",
}

const slowlogGetDefault = 10 // entries, as in Redis

func slowlogGet(c *conn, args [][]byte) {
	n := int64(slowlogGetDefault)
	switch {
	case len(args) > 3:
		c.w.Error(errUnknownArgs("SLOWLOG", args[1]))
		return
	case len(args) == 3:
		var ok bool
		if n, ok = ParseInt64(args[2]); !ok || n < -1 {
			c.w.Error("ERR count should be greater than or equal to -1")
			return
		}
	}
	entries := c.srv.slow.get(int(n))
	c.w.Array(len(entries))
	for i := range entries {
		e := &entries[i]
		c.w.Array(6)
		c.w.Int(e.id)
		c.w.Int(e.at.Unix())
		c.w.Int(e.took.Microseconds())
		c.w.Array(len(e.args))
		for _, a := range e.args {
			c.w.BulkString(a)
		}
		c.w.BulkString(e.client)
		c.w.BulkString(e.name)
	}
}

func slowlogLen(c *conn, _ [][]byte) { c.w.Int(int64(c.srv.slow.length())) }

func slowlogReset(c *conn, _ [][]byte) {
	c.srv.slow.reset()
	c.w.Simple("OK")
}
