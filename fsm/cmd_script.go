package fsm

import (
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// The scripting group. EVAL, EVALSHA and FCALL go through the log: what they call decides whether they write, and that is
// known only while they run. Their _RO forms are reads.
var scriptCommands = []cmd{
	evalCommand("eval", "2.6.0", eval, command.MayReplicate, "Runs a script."),
	evalCommand("evalsha", "2.6.0", evalsha, command.MayReplicate, "Runs a script that was loaded, by its SHA-1."),
	evalCommand("eval_ro", "7.0.0", evalRO, command.ReadOnly, "Runs a script that only reads."),
	evalCommand("evalsha_ro", "7.0.0", evalshaRO, command.ReadOnly, "Runs a loaded script that only reads, by its SHA-1."),
}

// evalCommand is a command of a script, a number of keys, the keys and the arguments.
func evalCommand(name, since string, run Executor, f command.Flags, summary string) cmd {
	keys := command.RW | command.Access | command.Update
	if f == command.ReadOnly {
		keys = command.RO | command.Access
	}
	return cmd{command.Spec{
		Name: name, Arity: -3, Group: "scripting", Since: since,
		Flags: f | command.NoScript | command.Stale | command.SkipMonitor | command.NoMandatoryKeys | command.MovableKeys,
		Keys:  []command.KeySpec{{Flags: keys, Index: 2, KeyNum: true, FirstKey: 1, Step: 1}},

		Summary: summary, Complexity: "Depends on the script.",
	}, run}
}

var scriptSubcommands = []cmd{
	scriptCommand("script|debug", 3, 0, "3.2.0", scriptDebug, nil, "Sets the debug mode; only NO is supported."),
	scriptCommand("script|exists", -3, 0, "2.6.0", scriptExists,
		[]string{"request_policy:all_shards", "response_policy:agg_logical_and"}, "Tells which scripts are loaded."),
	scriptCommand("script|flush", -2, command.MayReplicate, "2.6.0", scriptFlush,
		[]string{"request_policy:all_nodes", "response_policy:all_succeeded"}, "Forgets all scripts."),
	{command.Spec{
		Name: "script|help", Arity: 2, Flags: command.Loading | command.Stale, Group: "scripting", Since: "5.0.0",
		Summary: "Lists the subcommands.", Complexity: "O(1)",
	}, scriptHelp},
	scriptCommand("script|kill", 2, command.AllowBusy, "2.6.0", scriptKill,
		[]string{"request_policy:all_shards", "response_policy:one_succeeded"}, "Answers that no script runs."),
	scriptCommand("script|load", 3, command.Stale|command.MayReplicate, "2.6.0", scriptLoad,
		[]string{"request_policy:all_nodes", "response_policy:all_succeeded"}, "Loads a script, and returns its SHA-1."),
}

func scriptCommand(name string, arity int, f command.Flags, since string, run Executor, tips []string, summary string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: f | command.NoScript, Group: "scripting", Since: since, Tips: tips,
		Summary: summary, Complexity: "O(N) for N scripts or bytes of source",
	}, run}
}

func eval(tx *Tx, c *command.Call, r command.Reply) { tx.eval(c, r, false) }

func evalRO(tx *Tx, c *command.Call, r command.Reply) { tx.eval(c, r, true) }

func evalsha(tx *Tx, c *command.Call, r command.Reply) { tx.evalsha(c, r, false) }

func evalshaRO(tx *Tx, c *command.Call, r command.Reply) { tx.evalsha(c, r, true) }

// numKeys splits the arguments behind a script. ok is false where an error was replied.
func numKeys(c *command.Call, r command.Reply) (keys, args [][]byte, ok bool) {
	n, ok := intArg(c.Args[2], r)
	rest := c.Args[3:]
	switch {
	case !ok:
		return nil, nil, false
	case n > int64(len(rest)):
		r.Error("ERR Number of keys can't be greater than number of args")
		return nil, nil, false
	case n < 0:
		r.Error("ERR Number of keys can't be negative")
		return nil, nil, false
	}
	return rest[:n], rest[n:], true
}

func (tx *Tx) eval(c *command.Call, r command.Reply, ro bool) {
	keys, args, ok := numKeys(c, r)
	if !ok {
		return
	}
	sha := sha1hex(c.Args[1])
	s, errText := tx.m.compiler.script(sha, c.Args[1])
	if errText != "" {
		r.Error(errText)
		return
	}
	if tx.write {
		tx.m.scripts.add(sha, s.source) // where there is no room it runs all the same
	}
	tx.runScript(sha, s, keys, args, ro, r)
}

const (
	shaBytes    = 40
	errNoScript = "NOSCRIPT No matching script. Please use EVAL."
)

func (tx *Tx) evalsha(c *command.Call, r command.Reply, ro bool) {
	if len(c.Args[1]) != shaBytes {
		r.Error(errNoScript)
		return
	}
	keys, args, ok := numKeys(c, r)
	if !ok {
		return
	}
	sha := strings.ToLower(string(c.Args[1]))
	source, ok := tx.findScript(sha)
	if !ok {
		r.Error(errNoScript)
		return
	}
	s, errText := tx.m.compiler.script(sha, dataOf(source))
	if errText != "" {
		r.Error(errText)
		return
	}
	tx.runScript(sha, s, keys, args, ro, r)
}

func (tx *Tx) runScript(sha string, s *compiled, keys, args [][]byte, ro bool, r command.Reply) {
	if errText := tx.refuse(s.flags, ro); errText != "" {
		r.Error(errText)
		return
	}
	run := &scriptRun{name: sha, readOnly: ro || s.flags&flagNoWrites != 0}
	st := tx.newRun(evalLibrary, run, r)
	err := st.Guard(func() {
		st.SetGlobal("KEYS", stringTable(st, keys))
		st.SetGlobal("ARGV", stringTable(st, args))
	})
	if err != nil {
		r.Error(run.errorText(err))
		return
	}
	run.execute(st, st.Load(s.proto), nil, r)
}

func scriptDebug(_ *Tx, c *command.Call, r command.Reply) {
	switch {
	case word(c.Args[2], "no"):
		r.Simple("OK")
	case word(c.Args[2], "yes"), word(c.Args[2], "sync"):
		r.Error("ERR the debugger is not supported: scripts run inside the log")
	default:
		r.Error("ERR Use SCRIPT DEBUG YES/SYNC/NO")
	}
}

func scriptExists(tx *Tx, c *command.Call, r command.Reply) {
	r.Array(len(c.Args) - 2)
	for _, sha := range c.Args[2:] {
		_, ok := tx.m.scripts.bySHA[strings.ToLower(string(sha))]
		r.Int(boolInt(ok))
	}
}

func scriptFlush(tx *Tx, c *command.Call, r command.Reply) {
	switch {
	case len(c.Args) > 3, len(c.Args) == 3 && !word(c.Args[2], "sync") && !word(c.Args[2], "async"):
		r.Error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
		return
	case !tx.write:
		r.Error(command.ErrReadOnly)
		return
	}
	tx.m.scripts = scriptCache{}
	tx.m.compiler.flush()
	r.Simple("OK")
}

// scriptKill: a script is bounded and holds the log while it runs, so whoever asks finds none.
func scriptKill(_ *Tx, _ *command.Call, r command.Reply) {
	r.Error("NOTBUSY No scripts in execution right now.")
}

func scriptLoad(tx *Tx, c *command.Call, r command.Reply) {
	if !tx.write {
		r.Error(command.ErrReadOnly)
		return
	}
	sha := sha1hex(c.Args[2])
	s, errText := tx.m.compiler.script(sha, c.Args[2])
	switch {
	case errText != "":
		r.Error(errText)
	case !tx.m.scripts.add(sha, s.source):
		r.Error(errScriptCacheIsFull)
	default:
		r.BulkString(sha)
	}
}

var scriptHelpLines = []string{
	"SCRIPT <subcommand> [<arg> ...]. The subcommands are:",
	"DEBUG NO",
	"    Sets the debug mode, which is always off.",
	"EXISTS <sha1> [<sha1> ...]",
	"    Tells for each script whether it is loaded.",
	"FLUSH [ASYNC|SYNC]",
	"    Forgets all scripts, on all nodes.",
	"KILL",
	"    Answers that no script runs: scripts are bounded.",
	"LOAD <script>",
	"    Loads a script without running it.",
	"HELP",
	"    Prints these lines.",
}

func scriptHelp(_ *Tx, _ *command.Call, r command.Reply) { help(scriptHelpLines, r) }

func help(lines []string, r command.Reply) {
	r.Array(len(lines))
	for _, line := range lines {
		r.Simple(line)
	}
}
