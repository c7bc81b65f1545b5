package fsm

import (
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/lua"
	"github.com/redoubtdb/redoubt/internal/glob"
)

var fcallCommands = []cmd{
	evalCommand("fcall", "7.0.0", fcall, command.MayReplicate, "Calls a function."),
	evalCommand("fcall_ro", "7.0.0", fcallRO, command.ReadOnly, "Calls a function that only reads."),
}

var (
	tipsAllShards = []string{"request_policy:all_shards", "response_policy:all_succeeded"}
	tipsOneShard  = []string{"request_policy:all_shards", "response_policy:one_succeeded"}
)

var functionSubcommands = []cmd{
	functionCommand("function|delete", 3, command.Write, functionDelete, tipsAllShards, "Deletes a library."),
	functionCommand("function|dump", 2, 0, functionDump, nil, "Returns all libraries in a form that RESTORE takes."),
	functionCommand("function|flush", -2, command.Write, functionFlush, tipsAllShards, "Deletes all libraries."),
	{command.Spec{
		Name: "function|help", Arity: 2, Flags: command.Loading | command.Stale, Group: "scripting", Since: "7.0.0",
		Summary: "Lists the subcommands.", Complexity: "O(1)",
	}, functionHelp},
	functionCommand("function|kill", 2, command.AllowBusy, scriptKill, tipsOneShard, "Answers that no function runs."),
	functionCommand("function|list", -2, 0, functionList, tipsUnordered, "Describes the libraries."),
	functionCommand("function|load", -3, command.Write|command.DenyOOM, functionLoad, tipsAllShards, "Loads a library."),
	functionCommand("function|restore", -3, command.Write|command.DenyOOM, functionRestore, tipsAllShards, "Loads the libraries of a dump."),
	functionCommand("function|stats", 2, command.AllowBusy, functionStats,
		[]string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}, "Counts libraries and functions."),
}

func functionCommand(name string, arity int, f command.Flags, run Executor, tips []string, summary string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: f | command.NoScript, Group: "scripting", Since: "7.0.0", Tips: tips,
		Summary: summary, Complexity: "O(N) for N libraries or functions",
	}, run}
}

func fcall(tx *Tx, c *command.Call, r command.Reply) { tx.fcall(c, r, false) }

func fcallRO(tx *Tx, c *command.Call, r command.Reply) { tx.fcall(c, r, true) }

// fcall runs the library anew and then the function that it registered: what a library keeps in its local variables lasts for
// one call. In Redis it lasts until the library is loaded again, on that server; here nodes that have restored a snapshot
// would have other variables than those that have not.
func (tx *Tx) fcall(c *command.Call, r command.Reply, ro bool) {
	f := tx.m.functions.find(c.Args[1])
	if f == nil {
		r.Error("ERR Function not found")
		return
	}
	if _, ok := parseInt(c.Args[2]); !ok {
		r.Error("ERR Bad number of keys provided")
		return
	}
	keys, args, ok := numKeys(c, r)
	if !ok {
		return
	}
	if errText := tx.refuse(f.flags, ro); errText != "" {
		r.Error(errText)
		return
	}
	run := &scriptRun{name: f.name, readOnly: ro || f.flags&flagNoWrites != 0}
	st := tx.newRun(loadingLibrary, run, r)
	load := &libraryLoad{lib: &functionLib{name: f.lib.name, code: f.lib.code}, callbacks: map[string]lua.Value{}}
	if errText := tx.register(st, load); errText != "" {
		r.Error(errText)
		return
	}
	st.Use(functionLibrary)
	st.Host = run
	var values []lua.Value
	err := st.Guard(func() { values = []lua.Value{stringTable(st, keys), stringTable(st, args)} })
	if err != nil {
		r.Error(run.errorText(err))
		return
	}
	run.execute(st, load.callbacks[strings.ToLower(f.name)], values, r)
}

func functionLoad(tx *Tx, c *command.Call, r command.Reply) {
	replace := false
	for _, opt := range c.Args[2 : len(c.Args)-1] {
		if !word(opt, "replace") {
			r.Error("ERR Unknown option given: " + string(opt))
			return
		}
		replace = true
	}
	code := string(c.Args[len(c.Args)-1])
	name, errText := libraryHead(code)
	old := tx.m.functions.lib(name)
	switch {
	case errText != "":
		r.Error(errText)
		return
	case old != nil && !replace:
		r.Error("ERR Library '" + name + "' already exists")
		return
	}
	lib, errText := tx.loadLibrary(code)
	var all functions
	if errText == "" {
		all, errText = tx.m.functions.with(old, lib)
	}
	if errText != "" {
		r.Error(errText)
		return
	}
	tx.m.functions = all
	r.BulkString(name)
}

func functionDelete(tx *Tx, c *command.Call, r command.Reply) {
	lib := tx.m.functions.lib(string(c.Args[2]))
	if lib == nil {
		r.Error("ERR Library not found")
		return
	}
	tx.m.functions, _ = tx.m.functions.with(lib)
	r.Simple("OK")
}

func functionFlush(tx *Tx, c *command.Call, r command.Reply) {
	switch {
	case len(c.Args) > 3:
		r.Error("ERR unknown subcommand or wrong number of arguments for '" + string(c.Args[1]) + "'. Try FUNCTION HELP.")
	case len(c.Args) == 3 && !word(c.Args[2], "sync") && !word(c.Args[2], "async"):
		r.Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
	default:
		tx.m.functions = functions{}
		r.Simple("OK")
	}
}

func functionList(tx *Tx, c *command.Call, r command.Reply) {
	pattern, named, withCode := "", false, false
	for i := 2; i < len(c.Args); i++ {
		switch arg := c.Args[i]; {
		case !withCode && word(arg, "withcode"):
			withCode = true
		case !named && word(arg, "libraryname"):
			if i++; i == len(c.Args) {
				r.Error("ERR library name argument was not given")
				return
			}
			pattern, named = string(c.Args[i]), true
		default:
			r.Error("ERR Unknown argument " + string(arg))
			return
		}
	}
	var found []*functionLib
	for _, l := range tx.m.functions.libs {
		if !named || glob.Match(pattern, l.name, true) {
			found = append(found, l)
		}
	}
	r.Array(len(found))
	for _, l := range found {
		l.write(withCode, r)
	}
}

func (l *functionLib) write(withCode bool, r command.Reply) {
	fields := 3
	if withCode {
		fields++
	}
	r.Map(fields)
	r.BulkString("library_name")
	r.BulkString(l.name)
	r.BulkString("engine")
	r.BulkString("LUA")
	r.BulkString("functions")
	r.Array(len(l.functions))
	for _, f := range l.functions {
		f.write(r)
	}
	if withCode {
		r.BulkString("library_code")
		r.BulkString(l.code)
	}
}

func (f *libFunction) write(r command.Reply) {
	r.Map(3)
	r.BulkString("name")
	r.BulkString(f.name)
	r.BulkString("description")
	if f.described {
		r.BulkString(f.description)
	} else {
		r.Null()
	}
	r.BulkString("flags")
	var names []string
	for _, n := range scriptFlagNames {
		if f.flags&n.flag != 0 {
			names = append(names, n.name)
		}
	}
	r.Set(len(names))
	for _, n := range names {
		r.Simple(n)
	}
}

func functionStats(tx *Tx, _ *command.Call, r command.Reply) {
	r.Map(2)
	r.BulkString("running_script")
	r.Null()
	r.BulkString("engines")
	r.Map(1)
	r.BulkString("LUA")
	r.Map(2)
	r.BulkString("libraries_count")
	r.Int(int64(len(tx.m.functions.libs)))
	r.BulkString("functions_count")
	r.Int(int64(len(tx.m.functions.byName)))
}

var functionHelpLines = []string{
	"FUNCTION <subcommand> [<arg> ...]. The subcommands are:",
	"DELETE <library>",
	"    Deletes a library and its functions.",
	"DUMP",
	"    Returns all libraries in a form that RESTORE takes.",
	"FLUSH [ASYNC|SYNC]",
	"    Deletes all libraries.",
	"KILL",
	"    Answers that no function runs: functions are bounded.",
	"LIST [LIBRARYNAME <pattern>] [WITHCODE]",
	"    Describes the libraries, with their source where it is asked for.",
	"LOAD [REPLACE] <source>",
	"    Loads a library, in the place of an older one where REPLACE is given.",
	"RESTORE <dump> [APPEND|FLUSH|REPLACE]",
	"    Loads the libraries of a dump beside those that are there, or in their place.",
	"STATS",
	"    Counts libraries and functions.",
	"HELP",
	"    Prints these lines.",
}

func functionHelp(_ *Tx, _ *command.Call, r command.Reply) { help(functionHelpLines, r) }
