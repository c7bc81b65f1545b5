package fsm

import (
	"strings"

	"github.com/redoubtdb/redoubt/fsm/internal/lua"
	"github.com/redoubtdb/redoubt/fsm/internal/lualib"
)

// The level of Redis that scripts are told, as the facade tells clients.
const (
	scriptRedisVersion    = "7.0.15"
	scriptRedisVersionNum = 0x0007000f
)

// evalLibrary is what EVAL's scripts have, functionLibrary what functions have.
var (
	evalLibrary     = newScriptLibrary(evalTable(), "KEYS", "ARGV")
	functionLibrary = newScriptLibrary(redisTable())
)

func newScriptLibrary(redis *lua.Table, globals ...string) *lua.Library {
	l := lua.NewLibrary()
	lualib.Open(l)
	l.Set("redis", lua.TableValue(redis))
	l.Set("pcall", lua.FunctionValue(lua.NewBuiltin("_G.pcall", scriptPcall)))
	for _, g := range globals {
		l.Set(g, lua.Bool(false)) // each run puts its own in its place
	}
	l.SetMeta(globalsMeta())
	return l
}

func globalsMeta() *lua.Table {
	meta := &lua.Table{}
	meta.SetStr("__index", lua.FunctionValue(lua.NewBuiltin("_G.__index", noGlobal)))
	return meta
}

// noGlobal is called for a global that is not there.
func noGlobal(c *lua.Call) {
	name, ok := c.Arg(1).ToString()
	if !ok {
		name = c.Arg(1).Type()
	}
	c.Throw(c.State().NewString(c.Where() + "Script attempted to access nonexistent global variable '" + name + "'"))
}

// scriptPcall is Lua's, but gives the text of an error reply, as Redis's does.
func scriptPcall(c *lua.Call) {
	var args []lua.Value
	if c.NArgs() > 0 {
		args = c.Args()[1:]
	}
	rets, err := c.Try(c.Arg(0), args...)
	if err == nil {
		c.Push(lua.Bool(true))
		c.Push(rets...)
		return
	}
	v := err.Value
	if t := v.Table(); t != nil {
		if _, ok := t.GetStr("err").Str(); ok {
			v = t.GetStr("err")
		}
	}
	c.Push(lua.Bool(false), v)
}

// evalTable is the redis table of EVAL, with what functions were never given.
func evalTable() *lua.Table {
	t := redisTable()
	for name, f := range map[string]func(c *lua.Call){
		"replicate_commands": func(c *lua.Call) { c.Push(lua.Bool(true)) },
		"breakpoint":         func(c *lua.Call) { c.Push(lua.Bool(false)) },
		"debug":              func(*lua.Call) {},
	} {
		t.SetStr(name, lua.FunctionValue(lua.NewBuiltin("redis."+name, f)))
	}
	return t
}

func redisTable() *lua.Table {
	t := lua.Funcs("redis", map[string]func(c *lua.Call){
		"call": redisCall, "pcall": redisPcall,
		"error_reply": redisErrorReply, "status_reply": redisStatusReply,
		"sha1hex": redisSha1hex, "log": redisLog, "setresp": redisSetresp, "set_repl": redisSetRepl,
		"acl_check_cmd": redisACLCheck,
	})
	setConstants(t)
	for name, n := range map[string]int{
		"REPL_NONE": 0, "REPL_AOF": 1, "REPL_SLAVE": 2, "REPL_REPLICA": 2, "REPL_ALL": 3,
	} {
		t.SetStr(name, lua.Int(n))
	}
	return t
}

const logLevelMax = 3

func setConstants(t *lua.Table) {
	for i, name := range []string{"LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"} {
		t.SetStr(name, lua.Int(i))
	}
	t.SetStr("REDIS_VERSION", lua.String(scriptRedisVersion))
	t.SetStr("REDIS_VERSION_NUM", lua.Int(scriptRedisVersionNum))
}

// raise throws an error as those of the redis table are: a table, without the place.
func raise(c *lua.Call, text string) { c.Throw(errorTable(c, text)) }

// oneString is the only argument, a string; else a table that stands for an error is returned.
func oneString(c *lua.Call) (s string, ok bool) {
	if s, ok = c.Arg(0).Str(); !ok || c.NArgs() != 1 {
		c.Push(errorTable(c, "ERR wrong number or type of arguments"))
		return "", false
	}
	return s, true
}

// redisErrorReply takes a code and a text, with or without the dash. A single word is no code.
func redisErrorReply(c *lua.Call) {
	s, ok := oneString(c)
	if !ok {
		return
	}
	s = strings.TrimPrefix(s, "-")
	if !strings.Contains(s, " ") {
		s = "ERR " + s
	}
	c.Push(errorTable(c, s))
}

func redisStatusReply(c *lua.Call) {
	if s, ok := oneString(c); ok {
		t := c.State().NewTable()
		c.State().Put(t, lua.String("ok"), lua.String(s))
		c.Push(lua.TableValue(t))
	}
}

func redisSha1hex(c *lua.Call) {
	if c.NArgs() != 1 {
		raise(c, "ERR wrong number of arguments")
	}
	s, _ := c.Arg(0).ToString()
	c.State().Spend(len(s) / 16)
	c.PushString(sha1hex(s))
}

// redisLog checks its arguments as Redis does and drops the line: it would be in the log of every node, each time that the
// entry is applied again.
func redisLog(c *lua.Call) {
	if c.NArgs() < 2 {
		raise(c, "ERR redis.log() requires two arguments or more.")
	}
	n, ok := c.Arg(0).Num()
	if !ok {
		raise(c, "ERR First argument must be a number (log level).")
	}
	if n < 0 || n > logLevelMax {
		raise(c, "ERR Invalid debug level.")
	}
}

func redisSetresp(c *lua.Call) {
	if c.NArgs() != 1 {
		raise(c, "ERR redis.setresp() requires one argument.")
	}
	n, _ := c.Arg(0).ToNumber()
	if n != 2 && n != 3 {
		raise(c, "ERR RESP version must be 2 or 3.")
	}
	runOf(c).resp3 = n == 3
}

// redisSetRepl accepts what Redis does. Here a script is replicated as a whole, whatever it asks for.
func redisSetRepl(c *lua.Call) {
	const all = 3
	if c.NArgs() != 1 {
		raise(c, "ERR redis.set_repl() requires two arguments.")
	}
	if n, _ := c.Arg(0).ToNumber(); n < 0 || n > all {
		raise(c, "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
	}
}

// redisACLCheck is true for every command that there is: users and their rights are the facade's, and no script can be run
// by one who may not run its commands.
func redisACLCheck(c *lua.Call) {
	args, errText := callArgs(c)
	if errText != "" {
		raise(c, errText)
	}
	if scriptSpec(args) == nil && !elsewhere[lower(args[0])] {
		raise(c, "ERR Invalid command passed to redis.acl_check_cmd()")
	}
	c.Push(lua.Bool(true))
}
