package resp

import (
	"errors"
	"net"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/config"
)

// CONFIG reads and changes this node's settings (package config). Nothing of it is replicated.
var configCommands = []entry{{
	Spec: command.Spec{
		Name: "config", Arity: -2, Group: "server", Since: "2.0.0", Summary: "Reads and changes this node's settings.", Complexity: "Depends on subcommand.",
	},
	subs: []entry{
		configEntry("get", -3, adminAnyTime, "2.0.0", configGet, "Returns settings and their values.").
			costing("O(N) where N is the number of settings"),
		configEntry("help", 2, anyTime, "5.0.0", help("CONFIG", configHelp...), "Lists the subcommands."),
		configEntry("resetstat", 2, adminAnyTime, "2.0.0", configResetStat, "Sets INFO's counters to zero."),
		configEntry("rewrite", 2, adminAnyTime, "2.8.0", configRewrite, "Writes the settings in use into the configuration file."),
		configEntry("set", -4, adminAnyTime, "2.0.0", configSet, "Changes settings, all of those named or none.").
			costing("O(N) where N is the number of settings").tipped("request_policy:all_nodes", "response_policy:all_succeeded"),
	},
}}

func configEntry(sub string, arity int, f command.Flags, since string, run handler, summary string) entry {
	return entry{Spec: command.Spec{
		Name: "config|" + sub, Arity: arity, Flags: f, Group: "server", Since: since, Summary: summary, Complexity: "O(1)",
	}, run: run}
}

var configHelp = []string{
	"GET <pattern> [<pattern> ...]",
	"    The settings whose names match, and their values.",
	"RESETSTAT",
	"    Sets the counters of INFO to zero.",
	"REWRITE",
	"    Brings the configuration file up to the settings in use.",
	"SET <setting> <value> [<setting> <value> ...]",
	"    Changes settings: all that are named, or none.",
}

func configGet(c *conn, args [][]byte) {
	patterns := make([]string, 0, len(args)-2)
	for _, a := range args[2:] {
		patterns = append(patterns, string(a))
	}
	found := c.srv.cfg.Get(patterns...)
	c.w.Map(len(found))
	for _, kv := range found {
		c.w.BulkString(kv[0])
		c.w.BulkString(kv[1])
	}
}

func configSet(c *conn, args [][]byte) {
	if len(args)%2 != 0 {
		c.w.Error(command.ErrSyntax)
		return
	}
	pairs := make([][2]string, 0, (len(args)-2)/2)
	for i := 2; i < len(args); i += 2 {
		pairs = append(pairs, [2]string{string(args[i]), string(args[i+1])})
	}
	err := c.srv.cfg.Set(pairs, c.local())
	var se *config.SetError
	switch {
	case errors.As(err, &se):
		c.w.Error(se.Text)
	case err != nil:
		c.w.Error("ERR CONFIG SET failed - " + err.Error())
	default:
		for _, p := range pairs {
			c.srv.log.Info("setting changed", "name", p[0], "value", c.srv.cfg.LogText(p[0]), "client", c.nc.RemoteAddr())
		}
		c.w.Simple("OK")
	}
}

// local reports whether the client is on this machine.
func (c *conn) local() bool {
	switch a := c.nc.RemoteAddr().(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

func configResetStat(c *conn, _ [][]byte) {
	c.srv.stats.reset()
	c.w.Simple("OK")
}

func configRewrite(c *conn, _ [][]byte) {
	if err := c.srv.cfg.Rewrite(); err != nil {
		c.srv.log.Warn("CONFIG REWRITE", "err", err)
		c.w.Error(err.Error())
		return
	}
	c.srv.log.Info("configuration file rewritten", "file", c.srv.cfg.File())
	c.w.Simple("OK")
}
