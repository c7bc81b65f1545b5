package fsm

import (
	"crypto/sha1" //nolint:gosec // Redis names scripts by it
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/lua"
)

// Scripts run inside the log, on every node: a script is one command, and its effects are those of the commands that it
// calls. What bounds a run is counted, not timed, so that all nodes stop it at the same place. The numbers are constants:
// nodes must agree on them.
const (
	scriptStepsMax  = 100_000_000 // about a second
	scriptBytesMax  = 256 << 20
	scriptStringMax = 64 << 20
	// callSteps is what a call of a command costs beside its reply.
	callSteps = 250
	// replyDepthMax is how deep tables may be nested in a reply.
	replyDepthMax = 1000
)

// scriptLimits is a variable for tests alone.
var scriptLimits = lua.Limits{Steps: scriptStepsMax, Bytes: scriptBytesMax, StringBytes: scriptStringMax}

// What a run that reached its limits replies. What it has written until then stays written, as after any error.
var (
	errScriptSteps = "ERR Script stopped: it took more than " + strconv.Itoa(scriptStepsMax) + " steps"
	errScriptBytes = "ERR Script stopped: it used more than " + strconv.Itoa(scriptBytesMax>>20) + " MiB of memory"
)

// scriptRun is one run of a script or function: what its builtins find in lua.State.Host.
type scriptRun struct {
	tx       *Tx
	name     string // for error texts: the script's SHA-1, or the function's name
	readOnly bool
	resp3    bool         // replies come as of RESP3
	library  *libraryLoad // while a library is loaded
	counts   bool         // this node's client waits: what is looked up counts as hit or miss
}

func runOf(c *lua.Call) *scriptRun { return c.State().Host.(*scriptRun) }

// sha1hex is a script's name.
func sha1hex[S ~string | ~[]byte](s S) string {
	sum := sha1.Sum([]byte(s)) //nolint:gosec // see import
	return hex.EncodeToString(sum[:])
}

// newRun begins a run with the keys and arguments as globals.
func (tx *Tx) newRun(lib *lua.Library, run *scriptRun, r command.Reply) *lua.State {
	st := lua.NewState(lib, scriptLimits, tx.Rand())
	run.tx, run.counts = tx, r != command.Discard
	st.Host = run
	return st
}

// stringTable makes a Lua table of arguments.
func stringTable(st *lua.State, args [][]byte) lua.Value {
	t := st.NewTable()
	for i, a := range args {
		st.Put(t, lua.Int(i+1), st.NewString(string(a)))
	}
	return lua.TableValue(t)
}

// execute calls a function of a run and replies what it returns. The database that the script selected is its own, and so
// is the way in which commands are executed.
func (run *scriptRun) execute(st *lua.State, f lua.Value, args []lua.Value, r command.Reply) {
	tx := run.tx
	db, reads, attempt, alike := tx.db, tx.reads, tx.attempt, tx.alike
	defer func() {
		tx.selectDB(db)
		tx.reads, tx.attempt, tx.alike = reads, attempt, alike
	}()
	tx.attempt, tx.alike = attemptNone, tx.write
	rets, err := st.Call(f, args...)
	var v lua.Value
	if len(rets) > 0 {
		v = rets[0]
	}
	if err == nil {
		err = st.Guard(func() { run.measure(st, v, 0) })
	}
	if err != nil {
		r.Error(run.errorText(err))
		return
	}
	run.write(v, r, 0)
}

// errorText is the error that a client sees: its text, and where it was thrown.
func (run *scriptRun) errorText(err *lua.Error) string {
	text := ""
	switch s, ok := err.Value.ToString(); {
	case err.Fatal && s == lua.ErrSteps:
		text = errScriptSteps
	case err.Fatal:
		text = errScriptBytes
	case ok:
		text = "ERR " + s
	case err.Value.Table() != nil:
		if text, ok = err.Value.Table().GetStr("err").Str(); !ok {
			text = "ERR unknown error"
		}
	default:
		text = "ERR " + plainName(err.Value)
	}
	if err.Source == "" {
		return text
	}
	return text + " script: " + run.name + ", on @" + err.Source + ":" + strconv.Itoa(err.Line) + "."
}

// plainName is what stands for a thrown value that is no text.
func plainName(v lua.Value) string {
	switch {
	case v.IsNil():
		return "nil"
	case v.IsBool():
		return strconv.FormatBool(v.Truth())
	}
	return v.Type()
}

// scriptFlags are what the first line of a script, or the registration of a function, says of it.
type scriptFlags uint8

const (
	flagNoWrites scriptFlags = 1 << iota
	flagAllowOOM
	flagAllowStale
	flagNoCluster
	flagCrossSlot
	// flagCompat: the script says nothing of itself.
	flagCompat
)

// scriptFlagNames are in the order in which FUNCTION LIST prints them.
var scriptFlagNames = []struct {
	flag scriptFlags
	name string
}{
	{flagNoWrites, "no-writes"}, {flagAllowOOM, "allow-oom"}, {flagAllowStale, "allow-stale"},
	{flagNoCluster, "no-cluster"}, {flagCrossSlot, "allow-cross-slot-keys"},
}

func flagByName(name string) scriptFlags {
	for _, f := range scriptFlagNames {
		if f.name == name {
			return f.flag
		}
	}
	return 0
}

// shebang reads the first line of a script, which may name the language and flags. rest is the script without it; the line
// itself still counts.
func shebang(source string) (flags scriptFlags, rest, errText string) {
	if !strings.HasPrefix(source, "#!") {
		return flagCompat, source, ""
	}
	end := strings.IndexByte(source, '\n')
	if end < 0 {
		return 0, "", "ERR Invalid script shebang"
	}
	words := strings.Fields(source[:end])
	if words[0] != "#!lua" {
		return 0, "", "ERR Unexpected engine in script shebang: " + words[0]
	}
	for _, w := range words[1:] {
		list, ok := strings.CutPrefix(w, "flags=")
		if !ok {
			return 0, "", "ERR Unknown lua shebang option: " + w
		}
		for _, name := range strings.Split(list, ",") {
			f := flagByName(name)
			if f == 0 && name != "" {
				return 0, "", "ERR Unexpected flag in script shebang: " + name
			}
			flags |= f
		}
	}
	return flags, source[end:], ""
}

// refuse is what stops a script before it begins, by what it says of itself. ro: it was called by a command that only reads.
func (tx *Tx) refuse(flags scriptFlags, ro bool) (errText string) {
	if flags&(flagCompat|flagNoWrites) != 0 {
		return ""
	}
	switch {
	case ro:
		return "ERR Can not execute a script with write flag using *_ro command."
	case !tx.write:
		return command.ErrReadOnly
	}
	return ""
}
