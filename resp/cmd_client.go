package resp

import (
	"math"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// Flags that many of the connection's and the server's commands share.
const (
	anyTime      = command.Loading | command.Stale
	unscripted   = command.NoScript | anyTime
	adminAnyTime = command.Admin | unscripted
)

var tipsVary = []string{"nondeterministic_output"}

// CLIENT of Redis 7.0, and SETINFO and NO-TOUCH of 7.2, which client libraries send.
var clientCommands = []entry{{
	Spec: command.Spec{
		Name: "client", Arity: -2, Group: "connection", Since: "2.4.0", Summary: "Looks after client connections.", Complexity: "Depends on subcommand.",
	},
	subs: []entry{
		clientEntry("caching", 3, unscripted, "6.0.0", clientCaching, "Says whether the next command's keys are tracked."),
		clientEntry("getname", 2, unscripted, "2.6.9", clientGetName, "Returns the connection's name."),
		clientEntry("getredir", 2, unscripted, "6.0.0", clientGetRedir, "Returns the connection that invalidations are sent to."),
		clientEntry("help", 2, anyTime, "5.0.0", help("CLIENT", clientHelp...), "Lists the subcommands."),
		clientEntry("id", 2, unscripted, "5.0.0", clientID, "Returns the connection's number."),
		clientEntry("info", 2, unscripted, "6.2.0", clientInfo, "Describes this connection.").tipped(tipsVary...),
		clientEntry("kill", -3, adminAnyTime, "2.4.0", clientKill, "Closes connections.").costing("O(N) where N is the number of connections"),
		clientEntry("list", -2, adminAnyTime, "2.4.0", clientList, "Describes connections.").tipped(tipsVary...).
			costing("O(N) where N is the number of connections"),
		clientEntry("no-evict", 3, adminAnyTime, "7.0.0", clientNoEvict, "Spares the connection when memory for clients runs out."),
		clientEntry("no-touch", 3, unscripted, "7.2.0", clientNoTouch, "Leaves the last use of keys as it was when this connection reads them."),
		clientEntry("pause", -3, adminAnyTime, "2.9.50", clientPause, "Holds commands for a time."),
		clientEntry("reply", 3, unscripted, "3.2.0", clientReply, "Says whether commands are replied to."),
		clientEntry("setinfo", 4, unscripted, "7.2.0", clientSetInfo, "Notes which library the client uses."),
		clientEntry("setname", 3, unscripted, "2.6.9", clientSetName, "Gives the connection a name."),
		clientEntry("tracking", -3, unscripted, "6.0.0", clientTracking, "Switches invalidation messages."),
		clientEntry("trackinginfo", 2, unscripted, "6.2.0", clientTrackingInfo, "Tells which invalidation messages the connection gets."),
		clientEntry("unblock", -3, adminAnyTime, "5.0.0", clientUnblock, "Ends another connection's blocking command.").
			costing("O(log N) where N is the number of connections"),
		clientEntry("unpause", 2, adminAnyTime, "6.2.0", clientUnpause, "Ends a pause.").costing("O(N) where N is the number of paused connections"),
	},
}}

func clientEntry(sub string, arity int, f command.Flags, since string, run handler, summary string) entry {
	return entry{Spec: command.Spec{
		Name: "client|" + sub, Arity: arity, Flags: f, Group: "connection", Since: since, Summary: summary, Complexity: "O(1)",
	}, run: run}
}

// tipped and costing complete an entry.
func (e entry) tipped(tips ...string) entry {
	e.Tips = tips
	return e
}

func (e entry) costing(complexity string) entry {
	e.Complexity = complexity
	return e
}

// help is the HELP subcommand of a container. Lines that begin with a space explain the one before.
func help(container string, lines ...string) handler {
	all := append([]string{container + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"}, lines...)
	all = append(all, "HELP", "    Prints these lines.")
	return func(c *conn, _ [][]byte) {
		c.w.Array(len(all))
		for _, l := range all {
			c.w.Simple(l)
		}
	}
}

var clientHelp = []string{
	"CACHING (YES|NO)",
	"    With tracking: whether the keys of the next command are tracked.",
	"GETNAME",
	"    The connection's name.",
	"GETREDIR",
	"    The connection that invalidations go to; -1 without tracking.",
	"ID",
	"    The connection's number.",
	"INFO",
	"    What LIST says of this connection.",
	"KILL <ip:port>",
	"    Closes the connection from that address.",
	"KILL <option> <value> [<option> <value> ...]",
	"    Closes every connection that all options fit: ID <id>, ADDR <ip:port>,",
	"    LADDR <ip:port>, TYPE (NORMAL|MASTER|REPLICA|PUBSUB), USER <name>,",
	"    MAXAGE <seconds>, SKIPME (YES|NO), which spares this one and is the default.",
	"LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <id> [<id> ...]]",
	"    A line for every connection, or for those chosen.",
	"NO-EVICT (ON|OFF)",
	"    Spares this connection when the memory of clients is limited.",
	"NO-TOUCH (ON|OFF)",
	"    Reads of this connection do not count as uses of the keys.",
	"PAUSE <milliseconds> [WRITE|ALL]",
	"    Holds writes, or (the default) reads as well.",
	"REPLY (ON|OFF|SKIP)",
	"    Whether commands are replied to; SKIP leaves one out.",
	"SETINFO (LIB-NAME|LIB-VER) <value>",
	"    Notes the client's library.",
	"SETNAME <name>",
	"    Names this connection.",
	"TRACKING (ON|OFF) [<option> ...]",
	"    Switches invalidation messages. The options are REDIRECT <id>, another connection that gets",
	"    them; BCAST, for all keys that begin with a PREFIX <prefix>, or for all; OPTIN and OPTOUT, where",
	"    CACHING decides; and NOLOOP, which leaves out what the connection changes itself.",
	"TRACKINGINFO",
	"    How this connection is tracked.",
	"UNBLOCK <id> [TIMEOUT|ERROR]",
	"    Ends a connection's blocking command as if its time were over, or with an error.",
	"UNPAUSE",
	"    Ends a pause.",
}

func clientID(c *conn, _ [][]byte) { c.w.Int(c.id) }

func clientSetName(c *conn, args [][]byte) {
	if c.setName(args[2]) {
		c.w.Simple("OK")
	}
}

func clientGetName(c *conn, _ [][]byte) {
	c.shared.mu.Lock()
	name := c.shared.name
	c.shared.mu.Unlock()
	if name == "" {
		c.w.Null()
		return
	}
	c.w.BulkString(name)
}

func clientSetInfo(c *conn, args [][]byte) {
	option, dest := string(args[2]), (*string)(nil)
	switch {
	case strings.EqualFold(option, "lib-name"):
		dest = &c.shared.libName
	case strings.EqualFold(option, "lib-ver"):
		dest = &c.shared.libVer
	default:
		c.w.Error("ERR Unrecognized option '" + option + "'")
		return
	}
	if !printable(args[3]) {
		c.w.Error("ERR " + strings.ToLower(option) + " cannot contain spaces, newlines or special characters.")
		return
	}
	c.shared.mu.Lock()
	*dest = string(args[3])
	c.shared.mu.Unlock()
	c.w.Simple("OK")
}

// printable: text that cannot upset the lines of CLIENT LIST.
func printable(b []byte) bool {
	for _, ch := range b {
		if ch < '!' || ch > '~' {
			return false
		}
	}
	return true
}

// onOff reads ON or OFF; ok is false where the argument is neither, and the error is written.
func (c *conn) onOff(arg []byte) (on, ok bool) {
	on = word(arg, "on")
	if !on && !word(arg, "off") {
		c.w.Error(command.ErrSyntax)
		return false, false
	}
	return on, true
}

func clientNoEvict(c *conn, args [][]byte) {
	if on, ok := c.onOff(args[2]); ok {
		c.shared.noEvict.Store(on)
		c.w.Simple("OK")
	}
}

func clientNoTouch(c *conn, args [][]byte) {
	if on, ok := c.onOff(args[2]); ok {
		c.shared.noTouch.Store(on)
		c.w.Simple("OK")
	}
}

// clientReply is CLIENT REPLY. OFF and SKIP themselves are not replied to.
func clientReply(c *conn, args [][]byte) {
	switch mode := args[2]; {
	case word(mode, "on"):
		c.reply = replyOn
		c.w.Simple("OK")
	case word(mode, "off"):
		c.reply = replyOff
	case word(mode, "skip"):
		if c.reply != replyOff {
			c.reply = replySkipNext
		}
	default:
		c.w.Error(command.ErrSyntax)
	}
}

func errUnknownArgs(container string, sub []byte) string {
	return "ERR unknown subcommand or wrong number of arguments for '" + clipText(sub) + "'. Try " + container + " HELP."
}

const clippedTextBytes = 128 // Redis's bound for what an error text repeats

func clipText(b []byte) string { return string(b[:min(len(b), clippedTextBytes)]) }

func clientPause(c *conn, args [][]byte) {
	if len(args) > 4 {
		c.w.Error(errUnknownArgs("CLIENT", args[1]))
		return
	}
	all := true
	if len(args) == 4 {
		switch all = word(args[3], "all"); {
		case !all && !word(args[3], "write"):
			c.w.Error("ERR CLIENT PAUSE mode must be WRITE or ALL")
			return
		}
	}
	ms, ok := ParseInt64(args[2])
	switch {
	case !ok:
		c.w.Error("ERR timeout is not an integer or out of range")
	case ms < 0:
		c.w.Error("ERR timeout is negative")
	default:
		c.srv.pauses.begin(min(millis(ms), pauseMax), all)
		c.w.Simple("OK")
	}
}

// pauseMax is for ever, and can be added to the present time.
const pauseMax = time.Duration(math.MaxInt64 / 2)

func clientUnpause(c *conn, _ [][]byte) {
	c.srv.pauses.unpause()
	c.w.Simple("OK")
}

func clientUnblock(c *conn, args [][]byte) {
	if len(args) > 4 {
		c.w.Error(errUnknownArgs("CLIENT", args[1]))
		return
	}
	how := uint32(unblockTimeout)
	if len(args) == 4 {
		switch {
		case word(args[3], "error"):
			how = unblockError
		case !word(args[3], "timeout"):
			c.w.Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
			return
		}
	}
	id, ok := ParseInt64(args[2])
	if !ok {
		c.w.Error(command.ErrNotInteger)
		return
	}
	if o := c.srv.conn(id); o != nil && o.shared.blocked.Load() {
		o.shared.unblock.Store(how)
		c.w.Int(1)
		return
	}
	c.w.Int(0)
}
