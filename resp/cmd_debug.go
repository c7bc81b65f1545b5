package resp

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// DEBUG, for tests. Only what means something here is there. It is off unless enable-debug-command says otherwise.
var debugCommands = []entry{{
	Spec: command.Spec{
		Name: "debug", Arity: -2, Flags: adminAnyTime, Group: "server", Since: "1.0.0",
		Summary: "Helps to test a server.", Complexity: "Depends on subcommand.",
	}, run: debugCommand,
}}

const errDebugOff = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it " +
	"from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."

func (c *conn) debugAllowed() bool {
	switch c.srv.cfg.String("enable-debug-command") {
	case "yes":
		return true
	case "local":
		return c.local()
	}
	return false
}

// debugSubs are the subcommands with the number of arguments that each takes; run gets those alone.
var debugSubs = map[string]struct {
	args int
	run  handler
}{
	"sleep":                      {1, debugSleep},
	"set-active-expire":          {1, debugActiveExpire},
	"clock-offset":               {1, debugClockOffset},
	"digest":                     {0, debugDigest},
	"object":                     {1, debugObject},
	"error":                      {1, func(c *conn, a [][]byte) { c.w.Error(string(a[0])) }},
	"log":                        {1, debugLog},
	"protocol":                   {1, debugProtocol},
	"reload":                     {0, debugRefused("the state is that of the Raft log, and a restart reads it again")},
	"loadaof":                    {0, debugRefused("the state is that of the Raft log, and a restart reads it again")},
	"change-repl-id":             {0, debugRefused("the replication id follows from the cluster and its terms")},
	"quicklist-packed-threshold": {1, debugNoEffect},
	"replybuffer":                {2, debugNoEffect},
}

func debugCommand(c *conn, args [][]byte) {
	name := strings.ToLower(string(args[1]))
	if name == "help" && len(args) == 2 {
		debugHelp(c, nil)
		return
	}
	sub, ok := debugSubs[name]
	if !ok || len(args)-2 != sub.args {
		c.w.Error(errUnknownArgs("DEBUG", args[1]))
		return
	}
	sub.run(c, args[2:])
}

var debugHelp = help("DEBUG",
	"CHANGE-REPL-ID, LOADAOF, RELOAD",
	"    Are refused: they make no sense on a Raft log.",
	"CLOCK-OFFSET <milliseconds>",
	"    Makes this node's wall clock differ from the machine's by so much.",
	"DIGEST",
	"    A fingerprint of the data: 40 hexadecimal digits, the same on all nodes at one index.",
	"ERROR <text>",
	"    Replies that text as an error.",
	"LOG <text>",
	"    Writes a text into the log.",
	"OBJECT <key>",
	"    How a key's value is kept.",
	"PROTOCOL <type>",
	"    Replies a value of a type: string, integer, double, bignum, null, array, set,",
	"    map, attrib, push, verbatim, true, false.",
	"QUICKLIST-PACKED-THRESHOLD <size>, REPLYBUFFER <setting> <value>",
	"    Are accepted and have no effect.",
	"SET-ACTIVE-EXPIRE <0|1>",
	"    Whether the leader removes expired keys by itself.",
	"SLEEP <seconds>",
	"    Holds this connection for a time; others go on.",
)

func debugRefused(why string) handler {
	return func(c *conn, _ [][]byte) { c.w.Error("ERR not supported: " + why) }
}

func debugNoEffect(c *conn, _ [][]byte) { c.w.Simple("OK") }

const debugSleepMax = time.Hour

// debugSleep holds the connection. Redis holds the whole server, which is the one thing that this one never does.
func debugSleep(c *conn, args [][]byte) {
	seconds, err := strconv.ParseFloat(string(args[0]), 64)
	if err != nil || math.IsNaN(seconds) {
		seconds = 0 // as in Redis
	}
	d := time.Duration(min(max(seconds, 0), debugSleepMax.Seconds()) * float64(time.Second))
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.ctx.Done():
	case <-c.srv.ctx.Done():
	}
	c.w.Simple("OK")
}

func debugActiveExpire(c *conn, args [][]byte) {
	n, _ := ParseInt64(args[0]) // what is no number counts as 0, as in Redis
	c.srv.backend.SetActiveExpire(n != 0)
	c.w.Simple("OK")
}

// clockShifter is a Backend with a wall clock that tests can shift. The server's Options.Now must show the same one.
type clockShifter interface{ SetClockOffset(d time.Duration) error }

func debugClockOffset(c *conn, args [][]byte) {
	ms, ok := ParseInt64(args[0])
	b, can := c.srv.backend.(clockShifter)
	switch {
	case !ok || ms > math.MaxInt64/int64(time.Millisecond) || ms < math.MinInt64/int64(time.Millisecond):
		c.w.Error(command.ErrNotInteger)
		return
	case !can:
		c.w.Error("ERR not supported: this server's clock is the machine's")
		return
	}
	if err := b.SetClockOffset(time.Duration(ms) * time.Millisecond); err != nil {
		c.w.Error("ERR " + err.Error())
		return
	}
	c.srv.log.Warn("DEBUG CLOCK-OFFSET: the wall clock is shifted", "ms", ms)
	c.w.Simple("OK")
}

func debugLog(c *conn, args [][]byte) {
	c.srv.log.Warn("DEBUG LOG", "text", string(args[0]))
	c.w.Simple("OK")
}

const digestDigits = 40 // what clients of DEBUG DIGEST expect: a SHA-1

func debugDigest(c *conn, _ [][]byte) {
	_, sum := c.srv.backend.Digest()
	c.w.Simple(sum[:min(len(sum), digestDigits)])
}

// capture keeps the text of one reply.
type capture struct {
	command.Reply // drops the rest
	text          string
	null, failed  bool
}

func (r *capture) Bulk(b []byte)       { r.text = string(b) }
func (r *capture) BulkString(s string) { r.text = s }
func (r *capture) Int(n int64)         { r.text = strconv.FormatInt(n, 10) }
func (r *capture) Null()               { r.null = true }
func (r *capture) Error(text string)   { r.text, r.failed = text, true }

// look runs a read command on the applied state as it is, without a trace. ok is false where it is not known, replies
// null or fails.
func (c *conn) look(name string, args ...[]byte) (text string, ok bool) {
	spec := c.srv.table.Get(name)
	if spec == nil || !spec.InFSM() {
		return "", false
	}
	r := &capture{Reply: command.Discard}
	call := command.Call{Spec: spec, Args: args, DB: c.db}
	c.srv.backend.View([]command.Call{call}, command.ReadOptions{Clock: c.srv.now().UnixMilli(), NoTouch: true}, r)
	return r.text, !r.null && !r.failed
}

// dumpFrameBytes is what DUMP has around a value: its type, the version and the checksum.
const dumpFrameBytes = 1 + 2 + 8

// debugObject prints Redis's line with what there is: no address, and the memory taken where there is no DUMP to measure.
func debugObject(c *conn, args [][]byte) {
	key := args[0]
	about := func(sub string) (string, bool) { return c.look("object|"+sub, []byte("object"), []byte(sub), key) }
	encoding, ok := about("encoding")
	if !ok {
		c.w.Error(command.ErrNoSuchKey)
		return
	}
	refs, _ := about("refcount")
	idleText, _ := about("idletime")
	idle, _ := strconv.ParseInt(idleText, 10, 64)
	length, _ := c.look("memory|usage", []byte("memory"), []byte("usage"), key)
	if dump, ok := c.look("dump", []byte("dump"), key); ok {
		length = strconv.Itoa(max(len(dump)-dumpFrameBytes, 0))
	}
	c.w.Simple(fmt.Sprintf("Value at:0x0 refcount:%s encoding:%s serializedlength:%s lru:%d lru_seconds_idle:%d",
		refs, encoding, length, (c.srv.now().Unix()-idle)&lruClockMax, idle))
}

const errProtocolType = "ERR Wrong protocol type name. Please use one of the following: " +
	"string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"

// debugProtocol replies the values that tests of clients expect of Redis.
func debugProtocol(c *conn, args [][]byte) {
	w := c.w
	three := func(each func(i int)) {
		for i := range 3 {
			each(i)
		}
	}
	switch strings.ToLower(string(args[0])) {
	case "string":
		w.BulkString("Hello World")
	case "integer":
		w.Int(12345)
	case "double":
		w.Double(3.141)
	case "bignum":
		w.BigNumber("1234567999999999999999999999999999999")
	case "null":
		w.Null()
	case "array":
		w.Array(3)
		three(func(i int) { w.Int(int64(i)) })
	case "set":
		w.Set(3)
		three(func(i int) { w.Int(int64(i)) })
	case "map":
		w.Map(3)
		three(func(i int) { w.Int(int64(i)); w.Bool(i == 1) })
	case "attrib":
		if w.Attribute(1) {
			w.BulkString("key-popularity")
			w.Array(2)
			w.BulkString("key:123")
			w.Int(90)
		}
		w.BulkString("Some real reply following the attribute")
	case "push":
		if w.Protocol() != RESP3 {
			w.Error("ERR RESP2 is not supported by this command")
			return
		}
		w.Push(2)
		w.BulkString("server-cpu-usage")
		w.Int(42)
		w.BulkString("Some real reply following the push reply")
	case "verbatim":
		w.Verbatim("txt", "This is a verbatim\nstring")
	case "true", "false":
		w.Bool(word(args[0], "true"))
	default:
		w.Error(errProtocolType)
	}
}
