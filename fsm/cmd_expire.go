package fsm

import (
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// Deadlines: of the generic group.
var expireCommands = []cmd{
	expireCommand("expire", "1.0.0", expire, "Sets the time to live of a key, in seconds."),
	expireCommand("pexpire", "2.6.0", pexpire, "Sets the time to live of a key, in milliseconds."),
	expireCommand("expireat", "1.2.0", expireat, "Sets the deadline of a key, in seconds since 1970."),
	expireCommand("pexpireat", "2.6.0", pexpireat, "Sets the deadline of a key, in milliseconds since 1970."),
	ttlCommand("ttl", "1.0.0", ttl, tipsVaries, "Returns the time to live of a key, in seconds."),
	ttlCommand("pttl", "2.6.0", pttl, tipsVaries, "Returns the time to live of a key, in milliseconds."),
	ttlCommand("expiretime", "7.0.0", expiretime, nil, "Returns the deadline of a key, in seconds since 1970."),
	ttlCommand("pexpiretime", "7.0.0", pexpiretime, nil, "Returns the deadline of a key, in milliseconds since 1970."),
	{command.Spec{
		Name: "persist", Arity: 2, Flags: command.Write | command.Fast, Group: "generic", Since: "2.2.0",
		Keys:    oneKey(command.RW | command.Update),
		Summary: "Takes a key's deadline away.", Complexity: "O(1)",
	}, persist},
}

func expireCommand(name, since string, run Executor, summary string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: -3, Flags: command.Write | command.Fast, Group: "generic", Since: since,
		Keys: oneKey(command.RW | command.Update), Summary: summary, Complexity: "O(1)",
	}, run}
}

func ttlCommand(name, since string, run Executor, tips []string, summary string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: 2, Flags: command.ReadOnly | command.Fast, Group: "generic", Since: since,
		Keys: oneKey(command.RO | command.Access), Tips: tips, Summary: summary, Complexity: "O(1)",
	}, run}
}

func expire(tx *Tx, c *command.Call, r command.Reply)    { expireGeneric(tx, c, r, tx.now, 1000) }
func pexpire(tx *Tx, c *command.Call, r command.Reply)   { expireGeneric(tx, c, r, tx.now, 1) }
func expireat(tx *Tx, c *command.Call, r command.Reply)  { expireGeneric(tx, c, r, 0, 1000) }
func pexpireat(tx *Tx, c *command.Call, r command.Reply) { expireGeneric(tx, c, r, 0, 1) }

// expireGeneric sets a deadline of base + argument*unit milliseconds.
func expireGeneric(tx *Tx, c *command.Call, r command.Reply, base, unit int64) {
	o, errText := parseExpireConditions(c.Args[3:])
	if errText != "" {
		r.Error(errText)
		return
	}
	n, ok := intArg(c.Args[2], r)
	if !ok {
		return
	}
	// Redis takes deadlines in the past and refuses those that no 64 bits can hold.
	if n > math.MaxInt64/unit || n < math.MinInt64/unit || n*unit > math.MaxInt64-base {
		r.Error(errExpireTime(c))
		return
	}
	at := base + n*unit
	it := tx.lookup(c.Args[1])
	if it == nil || !o.hold(it.expireAt(), at) {
		r.Int(0)
		return
	}
	tx.setTTL(c.Args[1], it, at)
	r.Int(1)
}

func persist(tx *Tx, c *command.Call, r command.Reply) {
	it := tx.lookup(c.Args[1])
	if it == nil || it.expireAt() == 0 {
		r.Int(0)
		return
	}
	tx.persist(c.Args[1], it)
	r.Int(1)
}

func ttl(tx *Tx, c *command.Call, r command.Reply) {
	tx.replyDeadline(c, r, func(at int64) int64 { return seconds(max(0, at-tx.clock)) })
}

func pttl(tx *Tx, c *command.Call, r command.Reply) {
	tx.replyDeadline(c, r, func(at int64) int64 { return max(0, at-tx.clock) })
}

func expiretime(tx *Tx, c *command.Call, r command.Reply) { tx.replyDeadline(c, r, seconds) }

func pexpiretime(tx *Tx, c *command.Call, r command.Reply) {
	tx.replyDeadline(c, r, func(at int64) int64 { return at })
}

// replyDeadline writes what show makes of a key's deadline: -2 without a key, -1 without a deadline.
func (tx *Tx) replyDeadline(c *command.Call, r command.Reply, show func(at int64) int64) {
	switch it := tx.peek(c.Args[1]); {
	case it == nil:
		r.Int(-2)
	case it.expireAt() == 0:
		r.Int(-1)
	default:
		r.Int(show(it.expireAt()))
	}
}

// seconds rounds milliseconds to the nearest second, as Redis prints them.
func seconds(ms int64) int64 {
	s := ms / 1000
	if ms%1000 >= 500 {
		s++
	}
	return s
}
