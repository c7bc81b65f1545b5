package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

// Texts of what redis.call refuses, as Redis has them.
const (
	errCallNothing  = "ERR Please specify at least one argument for this redis lib call"
	errCallArgs     = "ERR Lua redis lib command arguments must be strings or integers"
	errCallUnknown  = "ERR Unknown Redis command called from script"
	errCallArity    = "ERR Wrong number of args calling Redis command from script"
	errCallNoScript = "ERR This Redis command is not allowed from script"
	errCallReadOnly = "ERR Write commands are not allowed from read-only scripts."
)

// redisCall raises what a command replies as an error; redisPcall returns it.
func redisCall(c *lua.Call) {
	v, failed := runOf(c).call(c)
	if failed {
		c.Throw(v)
	}
	c.Push(v)
}

func redisPcall(c *lua.Call) {
	v, _ := runOf(c).call(c)
	c.Push(v)
}

// errorTable is a value that stands for an error reply.
func errorTable(c *lua.Call, text string) lua.Value {
	t := c.State().NewTable()
	c.State().Put(t, lua.String("err"), c.State().NewString(text))
	return lua.TableValue(t)
}

// call executes a command of a script: the same executor, in the same entry, as for a client.
func (run *scriptRun) call(c *lua.Call) (v lua.Value, failed bool) {
	args, errText := callArgs(c)
	if errText == "" {
		errText = run.refuseCall(args)
	}
	if errText != "" {
		return errorTable(c, errText), true
	}
	spec := scriptSpec(args)
	tx := run.tx
	tx.reads = run.counts && spec.Is(command.ReadOnly)
	c.State().Spend(callSteps)
	reply := &luaReply{st: c.State(), resp3: run.resp3}
	if own := scriptOnly[spec]; own != nil {
		own(tx, args, reply)
	} else {
		executor(spec)(tx, &command.Call{Spec: spec, Args: args, DB: tx.db}, reply)
	}
	c.State().Charge(0) // ends the run if the reply was too much for it
	return reply.value, reply.failed
}

// callArgs turns the arguments of redis.call into those of a command.
func callArgs(c *lua.Call) (args [][]byte, errText string) {
	if c.NArgs() == 0 {
		return nil, errCallNothing
	}
	args = make([][]byte, c.NArgs())
	for i, v := range c.Args() {
		s, ok := v.Str()
		if n, isNum := v.Num(); isNum {
			s, ok = format17g(n), true
		}
		if !ok {
			return nil, errCallArgs
		}
		c.State().Charge(len(s))
		args[i] = []byte(s)
	}
	return args, ""
}

// scriptSpec finds a command that scripts can call.
func scriptSpec(args [][]byte) *command.Spec {
	if s := table.Lookup(args); s != nil {
		return s
	}
	return scriptTable.Lookup(args)
}

// refuseCall is what stops a command before it is executed, "" if nothing does.
func (run *scriptRun) refuseCall(args [][]byte) string {
	spec := scriptSpec(args)
	switch {
	case spec == nil && elsewhere[lower(args[0])]:
		return errCallNoScript
	case spec == nil, len(spec.Subcommands) > 0 && len(args) > 1:
		return errCallUnknown
	case !spec.ArityOK(len(args)), len(spec.Subcommands) > 0:
		return errCallArity
	case spec.Is(command.NoScript):
		return errCallNoScript
	case spec.Is(command.Blocking) && asksToBlock(args):
		return "ERR " + string(args[0]) + " command is not allowed with BLOCK option from scripts"
	case !spec.Is(command.Write):
		return ""
	case run.readOnly:
		return errCallReadOnly
	case !run.tx.write:
		return command.ErrReadOnly
	}
	return ""
}

// asksToBlock reports whether XREAD or XREADGROUP would wait.
func asksToBlock(args [][]byte) bool {
	for _, a := range args[1:] {
		if word(a, "streams") {
			return false
		}
		if word(a, "block") {
			return true
		}
	}
	return false
}

func lower(b []byte) string {
	const longest = 32 // longer than any name
	out := make([]byte, 0, longest)
	for _, c := range b[:min(len(b), longest)] {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		out = append(out, c)
	}
	return string(out)
}

// elsewhere are the commands of Redis 7.0 that the state machine does not execute, and so no script can call: a connection's
// or a server's. Redis forbids most of them, too; the others (COMMAND, LOLWUT, SLOWLOG...) would answer differently on each
// node.
var elsewhere = func() map[string]bool {
	out := map[string]bool{}
	for _, name := range []string{
		"acl", "asking", "auth", "bgrewriteaof", "bgsave", "client", "cluster", "command", "config", "debug", "discard",
		"exec", "failover", "hello", "info", "lastsave", "latency", "lolwut", "migrate", "module", "monitor", "multi",
		"psubscribe", "psync", "pubsub", "punsubscribe", "quit", "readonly", "readwrite", "replconf", "replicaof", "reset",
		"restore-asking", "role", "save", "shutdown", "slaveof", "slowlog", "ssubscribe", "subscribe", "sunsubscribe", "sync",
		"unsubscribe", "unwatch", "wait", "watch",
	} {
		out[name] = true
	}
	return out
}()

// scriptTable are commands that a connection answers by itself, and the state machine for scripts. They see log time, and
// the script's own database.
var (
	scriptTable = command.NewTable()
	scriptOnly  = map[*command.Spec]func(tx *Tx, args [][]byte, r command.Reply){}
)

func init() {
	for _, c := range []struct {
		name  string
		arity int
		run   func(tx *Tx, args [][]byte, r command.Reply)
	}{
		{"ping", -1, scriptPing}, {"echo", 2, scriptEcho}, {"time", 1, scriptTime}, {"select", 2, scriptSelect},
	} {
		spec := &command.Spec{Name: c.name, Arity: c.arity}
		scriptTable.Add(spec)
		scriptOnly[spec] = c.run
	}
}

func scriptPing(_ *Tx, args [][]byte, r command.Reply) {
	switch {
	case len(args) > 2:
		r.Error("ERR wrong number of arguments for 'ping' command")
	case len(args) == 2:
		r.Bulk(args[1])
	default:
		r.Simple("PONG")
	}
}

func scriptEcho(_ *Tx, args [][]byte, r command.Reply) { r.Bulk(args[1]) }

// scriptTime is log time, which stands still while a script runs, as it does in Redis.
func scriptTime(tx *Tx, _ [][]byte, r command.Reply) {
	r.Array(2)
	r.BulkString(formatInt(tx.clock / 1000))
	r.BulkString(formatInt(tx.clock % 1000 * 1000))
}

func scriptSelect(tx *Tx, args [][]byte, r command.Reply) {
	n, ok := parseInt(args[1])
	switch {
	case !ok:
		r.Error(command.ErrNotInteger)
	case n < 0 || n >= int64(len(tx.m.dbs)):
		r.Error(command.ErrDBIndex)
	default:
		tx.selectDB(int(n))
		r.Simple("OK")
	}
}
