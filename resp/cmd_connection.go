package resp

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"math"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// RedisVersion is the level of Redis whose commands are all there: clients choose features by it.
const RedisVersion = "7.0.15"

// The connection group of Redis 7.0, less CLIENT (cmd_client.go).
var connectionCommands = []entry{
	{Spec: command.Spec{
		Name: "ping", Arity: -1, Flags: command.Fast, Group: "connection", Since: "1.0.0",
		Tips:    []string{"request_policy:all_shards", "response_policy:all_succeeded"},
		Summary: "Answers PONG, or the message it was sent.", Complexity: "O(1)",
	}, run: ping},
	{Spec: command.Spec{
		Name: "echo", Arity: 2, Flags: anyTime | command.Fast, Group: "connection", Since: "1.0.0",
		Summary: "Answers the message it was sent.", Complexity: "O(1)",
	}, run: echo},
	{Spec: command.Spec{
		Name: "select", Arity: 2, Flags: command.Loading | command.Stale | command.Fast, Group: "connection", Since: "1.0.0",
		Summary: "Changes the database of the connection.", Complexity: "O(1)",
	}, run: selectDB},
	{Spec: command.Spec{
		Name: "quit", Arity: -1, Flags: command.NoScript | command.Loading | command.Stale | command.Fast | command.NoAuth | command.AllowBusy,
		Group: "connection", Since: "1.0.0", Summary: "Closes the connection.", Complexity: "O(1)",
	}, run: quit},
	{Spec: command.Spec{
		Name: "reset", Arity: 1, Flags: command.NoScript | command.Loading | command.Stale | command.Fast | command.NoAuth | command.AllowBusy,
		Group: "connection", Since: "6.2.0", Summary: "Returns the connection to its first state.", Complexity: "O(1)",
	}, run: reset},
	{Spec: command.Spec{
		Name: "auth", Arity: -2, Flags: command.NoScript | command.Loading | command.Stale | command.Fast | command.NoAuth | command.AllowBusy,
		Group: "connection", Since: "1.0.0", Summary: "Authenticates the connection.", Complexity: "O(N) where N is the number of passwords defined for the user",
	}, run: auth},
	{Spec: command.Spec{
		Name: "hello", Arity: -1, Flags: command.NoScript | command.Loading | command.Stale | command.Fast | command.NoAuth | command.AllowBusy,
		Group: "connection", Since: "6.0.0", Summary: "Negotiates the protocol version and authenticates.", Complexity: "O(1)",
	}, run: hello},
}

func ping(c *conn, args [][]byte) {
	switch {
	case len(args) <= 2 && c.onlyListens():
		c.w.Array(2)
		c.w.BulkString("pong")
		c.w.Bulk(append(args, nil)[1])
	case len(args) == 1:
		c.w.Simple("PONG")
	case len(args) == 2:
		c.w.Bulk(args[1])
	default:
		c.w.Error("ERR wrong number of arguments for 'ping' command")
	}
}

func echo(c *conn, args [][]byte) { c.w.Bulk(args[1]) }

// parseDB reads a database number; errText is Redis's, "" if it is one.
func (c *conn) parseDB(arg []byte) (n int, errText string) {
	v, ok := ParseInt64(arg)
	switch {
	case !ok:
		return 0, command.ErrNotInteger
	case v < math.MinInt32 || v > math.MaxInt32:
		return 0, fmt.Sprintf("ERR value is out of range, value must between %d and %d", math.MinInt32, math.MaxInt32)
	case v < 0 || v >= int64(c.srv.backend.Databases()):
		return 0, command.ErrDBIndex
	}
	return int(v), ""
}

func selectDB(c *conn, args [][]byte) {
	n, errText := c.parseDB(args[1])
	if errText != "" {
		c.w.Error(errText)
		return
	}
	c.db = n
	c.w.Simple("OK")
}

func quit(c *conn, _ [][]byte) {
	c.quit = true
	c.w.Simple("OK")
}

func reset(c *conn, _ [][]byte) {
	skipped := c.reply == replySkip
	c.unsubscribeAll()
	c.endTracking()
	c.takePushes(everything)
	c.resetSession()
	if skipped {
		c.reply = replySkip // of this very command
	}
	c.shared.mu.Lock()
	c.shared.name = ""
	c.shared.mu.Unlock()
	c.shared.noEvict.Store(false)
	c.shared.noTouch.Store(false)
	c.w.Simple("RESET")
}

const errWrongPass = "WRONGPASS invalid username-password pair or user is disabled."

func auth(c *conn, args [][]byte) {
	if len(args) > 3 {
		c.w.Error(command.ErrSyntax)
		return
	}
	user := []byte("default")
	pass := args[1]
	if len(args) == 3 {
		user, pass = args[1], args[2]
	} else if c.srv.cfg.String("requirepass") == "" {
		c.w.Error("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
		return
	}
	if !c.login(user, pass) {
		c.w.Error(errWrongPass)
		return
	}
	c.w.Simple("OK")
}

// login lets the connection in if the user name and password are right.
func (c *conn) login(user, pass []byte) bool {
	if !c.credentials(user, pass) {
		return false
	}
	c.authenticated = true
	c.rd.SetAuthenticated(true)
	return true
}

// credentials checks a user name and password in constant time.
func (c *conn) credentials(user, pass []byte) bool {
	want := c.srv.cfg.String("requirepass")
	// Hashing first makes the comparison independent of the lengths.
	a, b := sha256.Sum256(pass), sha256.Sum256([]byte(want))
	same := subtle.ConstantTimeCompare(a[:], b[:]) == 1
	// Without requirepass the default user takes any password ("nopass"), as in Redis.
	return string(user) == "default" && (want == "" || same)
}

// mustLogIn is false where the password that this client did not give has been taken back since: then it is let in.
func (c *conn) mustLogIn() bool {
	if c.srv.cfg.String("requirepass") != "" {
		return true
	}
	c.authenticated = true
	c.rd.SetAuthenticated(true)
	return false
}

// helloOptions are HELLO's arguments.
type helloOptions struct {
	proto      int // 0: as it is
	user, pass []byte
	auth       bool
	name       []byte
	named      bool
}

func parseHello(args [][]byte) (o helloOptions, errText string) {
	if len(args) == 1 {
		return o, ""
	}
	v, ok := ParseInt64(args[1])
	if !ok {
		return o, "ERR Protocol version is not an integer or out of range"
	}
	if v != RESP2 && v != RESP3 {
		return o, "NOPROTO unsupported protocol version"
	}
	o.proto = int(v)
	for i := 2; i < len(args); i++ {
		left := len(args) - 1 - i
		switch opt := strings.ToLower(string(args[i])); {
		case opt == "auth" && left >= 2:
			o.auth, o.user, o.pass = true, args[i+1], args[i+2]
			i += 2
		case opt == "setname" && left >= 1:
			o.named, o.name = true, args[i+1]
			i++
		default:
			return o, "ERR Syntax error in HELLO option '" + string(args[i]) + "'"
		}
	}
	return o, ""
}

// helloProtocol is the protocol that a HELLO inside MULTI will change to, 0: none, or it will be refused.
func (c *conn) helloProtocol(args [][]byte) int {
	o, errText := parseHello(args)
	if errText != "" || o.auth && !c.credentials(o.user, o.pass) || o.named && !printable(o.name) {
		return 0
	}
	return o.proto
}

func hello(c *conn, args [][]byte) {
	o, errText := parseHello(args)
	if errText != "" {
		c.w.Error(errText)
		return
	}
	if o.auth && !c.login(o.user, o.pass) {
		c.w.Error(errWrongPass)
		return
	}
	if !c.authenticated && c.mustLogIn() {
		c.w.Error("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
		return
	}
	if o.named && !c.setName(o.name) {
		return
	}
	if o.proto != 0 {
		c.w.SetProtocol(o.proto)
	}
	role := "replica"
	if c.srv.backend.Leading() {
		role = "master"
	}
	c.w.Map(7)
	c.w.BulkString("server")
	c.w.BulkString("redis")
	c.w.BulkString("version")
	c.w.BulkString(RedisVersion)
	c.w.BulkString("proto")
	c.w.Int(int64(c.w.Protocol()))
	c.w.BulkString("id")
	c.w.Int(c.id)
	c.w.BulkString("mode")
	c.w.BulkString("standalone")
	c.w.BulkString("role")
	c.w.BulkString(role)
	c.w.BulkString("modules")
	c.w.Array(0)
}

// setName gives the connection a name; false: it was refused, and the error is written.
func (c *conn) setName(name []byte) bool {
	if !printable(name) {
		c.w.Error("ERR Client names cannot contain spaces, newlines or special characters.")
		return false
	}
	c.shared.mu.Lock()
	c.shared.name = string(name)
	c.shared.mu.Unlock()
	return true
}
