package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
)

// The string group of Redis 7.0: values as a whole.
var stringCommands = []cmd{
	{command.Spec{
		Name: "get", Arity: 2, Flags: command.ReadOnly | command.Fast, Group: "string", Since: "1.0.0",
		Keys:    oneKey(command.RO | command.Access),
		Summary: "Returns the string value of a key.", Complexity: "O(1)",
	}, get},
	{command.Spec{
		Name: "set", Arity: -3, Flags: command.Write | command.DenyOOM, Group: "string", Since: "1.0.0",
		Keys:    oneKey(command.RW | command.Access | command.Update | command.VariableFlags),
		Summary: "Sets the string value of a key, whatever it held before.", Complexity: "O(1)",
	}, set},
	{command.Spec{
		Name: "setnx", Arity: 3, Flags: command.Write | command.DenyOOM | command.Fast, Group: "string", Since: "1.0.0",
		Keys:    oneKey(command.OW | command.Insert),
		Summary: "Sets the string value of a key that does not exist.", Complexity: "O(1)",
	}, setnx},
	{command.Spec{
		Name: "setex", Arity: 4, Flags: command.Write | command.DenyOOM, Group: "string", Since: "2.0.0",
		Keys:    oneKey(command.OW | command.Update),
		Summary: "Sets the string value and the time to live of a key, in seconds.", Complexity: "O(1)",
	}, setex},
	{command.Spec{
		Name: "psetex", Arity: 4, Flags: command.Write | command.DenyOOM, Group: "string", Since: "2.6.0",
		Keys:    oneKey(command.OW | command.Update),
		Summary: "Sets the string value and the time to live of a key, in milliseconds.", Complexity: "O(1)",
	}, psetex},
	{command.Spec{
		Name: "getset", Arity: 3, Flags: command.Write | command.DenyOOM | command.Fast, Group: "string", Since: "1.0.0",
		Keys:       oneKey(command.RW | command.Access | command.Update),
		Deprecated: "6.2.0", ReplacedBy: "`SET` with the `GET` option",
		Summary: "Sets the string value of a key and returns what it was.", Complexity: "O(1)",
	}, getset},
	{command.Spec{
		Name: "getdel", Arity: 2, Flags: command.Write | command.Fast, Group: "string", Since: "6.2.0",
		Keys:    oneKey(command.RW | command.Access | command.Delete),
		Summary: "Returns the string value of a key and removes the key.", Complexity: "O(1)",
	}, getdel},
	{command.Spec{
		Name: "getex", Arity: -2, Flags: command.Write | command.Fast, Group: "string", Since: "6.2.0",
		Keys:    oneKey(command.RW | command.Access | command.Update),
		Summary: "Returns the string value of a key and sets or clears its time to live.", Complexity: "O(1)",
	}, getex},
	{command.Spec{
		Name: "mget", Arity: -2, Flags: command.ReadOnly | command.Fast, Group: "string", Since: "1.0.0",
		Keys: manyKeys(1, command.RO|command.Access), Tips: []string{"request_policy:multi_shard"},
		Summary: "Returns the string values of several keys.", Complexity: "O(N) for N keys",
	}, mget},
	{command.Spec{
		Name: "mset", Arity: -3, Flags: command.Write | command.DenyOOM, Group: "string", Since: "1.0.1",
		Keys:    manyKeys(2, command.OW|command.Update),
		Tips:    []string{"request_policy:multi_shard", "response_policy:all_succeeded"},
		Summary: "Sets the string values of several keys at once.", Complexity: "O(N) for N keys",
	}, mset},
	{command.Spec{
		Name: "msetnx", Arity: -3, Flags: command.Write | command.DenyOOM, Group: "string", Since: "1.0.1",
		Keys:    manyKeys(2, command.OW|command.Insert),
		Tips:    []string{"request_policy:multi_shard", "response_policy:agg_min"},
		Summary: "Sets the string values of several keys at once, unless one of them exists.", Complexity: "O(N) for N keys",
	}, msetnx},
}

// lookupString finds a key that holds a string. ok is false where an error was replied.
func (tx *Tx) lookupString(key []byte, r command.Reply) (it *item, ok bool) {
	it = tx.lookup(key)
	if it != nil && it.kind() != kindString {
		r.Error(command.ErrWrongType)
		return nil, false
	}
	return it, true
}

// replyString writes the string of an item, or null where there is none.
func (tx *Tx) replyString(it *item, r command.Reply) {
	if it == nil {
		r.Null()
		return
	}
	tx.replyValue(it.value(), r)
}

// lookupGet is lookupString for writes that reply what was there. An absent key is a miss to them, as in Redis.
func (tx *Tx) lookupGet(key []byte, r command.Reply) (it *item, ok bool) {
	it, ok = tx.lookupString(key, r)
	if ok && it == nil {
		tx.missed(key)
	}
	return it, ok
}

// setString is tx.set with its events. timed: the command gives the deadline.
func (tx *Tx) setString(key []byte, v value, at int64, timed bool) {
	tx.set(key, v, at)
	tx.event(command.EventString, "set", key)
	if timed {
		tx.event(command.EventGeneric, "expire", key)
	}
	if at != 0 && at <= tx.now {
		tx.event(command.EventExpired, "expired", key)
	}
}

func get(tx *Tx, c *command.Call, r command.Reply) {
	if it, ok := tx.lookupString(c.Args[1], r); ok {
		tx.replyString(it, r)
	}
}

func set(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := parseSetOptions(c.Args[3:], false)
	if !ok {
		r.Error(command.ErrSyntax)
		return
	}
	at, ok := o.expiry.deadline(tx, c, r)
	if !ok {
		return
	}
	it := tx.lookup(c.Args[1])
	switch {
	case o.get && it == nil:
		tx.missed(c.Args[1])
	case it != nil && (o.get || o.when.how != ifAny) && it.kind() != kindString:
		r.Error(command.ErrWrongType)
		return
	}
	refused, ok := o.refuse(it, r)
	if !ok {
		return
	}
	switch {
	case o.get:
		tx.replyString(it, r)
	case refused:
		r.Null()
	default:
		r.Simple("OK")
	}
	if refused {
		return
	}
	timed := at != 0
	if o.how == ttlKeep && it != nil {
		at = it.expireAt()
	}
	tx.setString(c.Args[1], stringValue(c.Args[2]), at, timed)
}

// refuse reports whether a key, nil where it is not there, is not as the options want it. ok is false where an error was
// replied.
func (o *setOptions) refuse(it *item, r command.Reply) (refused, ok bool) {
	switch {
	case o.when.how == ifAny:
		return (o.nx && it != nil) || (o.xx && it == nil), true
	case it == nil:
		return !o.when.negative(), true
	}
	holds, ok := o.when.hold(it.value(), r)
	return !holds, ok
}

func setnx(tx *Tx, c *command.Call, r command.Reply) {
	if tx.lookup(c.Args[1]) != nil {
		r.Int(0)
		return
	}
	tx.setString(c.Args[1], stringValue(c.Args[2]), 0, false)
	r.Int(1)
}

func setex(tx *Tx, c *command.Call, r command.Reply) { setFor(tx, c, r, ttlSeconds) }

func psetex(tx *Tx, c *command.Call, r command.Reply) { setFor(tx, c, r, ttlMillis) }

func setFor(tx *Tx, c *command.Call, r command.Reply, how ttlHow) {
	at, ok := expiry{how: how, arg: c.Args[2]}.deadline(tx, c, r)
	if !ok {
		return
	}
	tx.setString(c.Args[1], stringValue(c.Args[3]), at, true)
	r.Simple("OK")
}

func getset(tx *Tx, c *command.Call, r command.Reply) {
	it, ok := tx.lookupGet(c.Args[1], r)
	if !ok {
		return
	}
	tx.replyString(it, r)
	tx.setString(c.Args[1], stringValue(c.Args[2]), 0, false)
}

func getdel(tx *Tx, c *command.Call, r command.Reply) {
	it, ok := tx.lookupGet(c.Args[1], r)
	if !ok {
		return
	}
	tx.replyString(it, r)
	if it != nil {
		tx.remove(c.Args[1], it)
	}
}

func getex(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := parseSetOptions(c.Args[2:], true)
	if !ok {
		r.Error(command.ErrSyntax)
		return
	}
	it, ok := tx.lookupGet(c.Args[1], r)
	if !ok {
		return
	}
	if it == nil { // before the time is looked at, as in Redis
		r.Null()
		return
	}
	at, ok := o.expiry.deadline(tx, c, r)
	if !ok {
		return
	}
	tx.replyValue(it.value(), r)
	switch {
	case at != 0:
		tx.setTTL(c.Args[1], it, at)
	case o.how == ttlPersist && it.expireAt() != 0:
		tx.persist(c.Args[1], it)
	}
}

func mget(tx *Tx, c *command.Call, r command.Reply) {
	r.Array(len(c.Args) - 1)
	for _, key := range c.Args[1:] {
		it := tx.lookup(key)
		if it != nil && it.kind() != kindString {
			it = nil
		}
		tx.replyString(it, r)
	}
}

func mset(tx *Tx, c *command.Call, r command.Reply) {
	if len(c.Args)%2 == 0 {
		r.Error(command.ErrWrongArgs(c.Spec))
		return
	}
	tx.setPairs(c.Args[1:])
	r.Simple("OK")
}

func msetnx(tx *Tx, c *command.Call, r command.Reply) {
	if len(c.Args)%2 == 0 {
		r.Error(command.ErrWrongArgs(c.Spec))
		return
	}
	for i := 1; i < len(c.Args); i += 2 {
		if tx.lookup(c.Args[i]) != nil {
			r.Int(0)
			return
		}
	}
	tx.setPairs(c.Args[1:])
	r.Int(1)
}

func (tx *Tx) setPairs(pairs [][]byte) {
	for i := 0; i < len(pairs); i += 2 {
		tx.setString(pairs[i], stringValue(pairs[i+1]), 0, false)
	}
}
