package fsm

import (
	"math"
	"strconv"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// The hash group of Redis 7.0.
var hashCommands = []cmd{
	hashWrite("hset", -4, "2.0.0", command.DenyOOM, command.Update, hset,
		"Sets the values of fields of a hash.", "O(N) for N fields"),
	hashWrite("hsetnx", 4, "2.0.0", command.DenyOOM, command.Insert, hsetnx,
		"Sets the value of a field of a hash that does not exist.", "O(1)"),
	deprecated(hashWrite("hmset", -4, "2.0.0", command.DenyOOM, command.Update, hmset,
		"Sets the values of fields of a hash.", "O(N) for N fields"), "4.0.0", "`HSET` with several fields"),
	hashWrite("hincrby", 4, "2.0.0", command.DenyOOM, command.Access|command.Update, hincrby,
		"Adds to the integer value of a field of a hash.", "O(1)"),
	hashWrite("hincrbyfloat", 4, "2.6.0", command.DenyOOM, command.Access|command.Update, hincrbyfloat,
		"Adds to the floating point value of a field of a hash.", "O(1)"),
	hashWrite("hdel", -3, "2.0.0", 0, command.Delete, hdel,
		"Removes fields of a hash.", "O(N) for N fields"),
	hashRead("hget", 3, "2.0.0", command.Fast, command.Access, nil, hget,
		"Returns the value of a field of a hash.", "O(1)"),
	hashRead("hmget", -3, "2.0.0", command.Fast, command.Access, nil, hmget,
		"Returns the values of fields of a hash.", "O(N) for N fields"),
	hashRead("hlen", 2, "2.0.0", command.Fast, 0, nil, hlen,
		"Returns the number of fields of a hash.", "O(1)"),
	hashRead("hstrlen", 3, "3.2.0", command.Fast, 0, nil, hstrlen,
		"Returns the length of the value of a field of a hash.", "O(1)"),
	hashRead("hexists", 3, "2.0.0", command.Fast, 0, nil, hexists,
		"Tells whether a hash has a field.", "O(1)"),
	hashRead("hkeys", 2, "2.0.0", 0, command.Access, tipsUnordered, hkeys,
		"Returns all fields of a hash.", "O(N) for N fields of the hash"),
	hashRead("hvals", 2, "2.0.0", 0, command.Access, tipsUnordered, hvals,
		"Returns all values of a hash.", "O(N) for N fields of the hash"),
	hashRead("hgetall", 2, "2.0.0", 0, command.Access, tipsUnordered, hgetall,
		"Returns all fields of a hash and their values.", "O(N) for N fields of the hash"),
	hashRead("hrandfield", -2, "6.2.0", 0, command.Access, tipsVaries, hrandfield,
		"Returns random fields of a hash.", "O(N) for N fields that are returned"),
	hashRead("hscan", -3, "2.8.0", 0, command.Access, tipsVaries, hscan,
		"Walks through the fields of a hash, page by page.", "O(1) a call, O(N) for all N fields of the hash"),
}

// hashWrite is a write command of one hash. All of them are fast.
func hashWrite(name string, arity int, since string, more command.Flags, use command.KeyFlags, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.Write | command.Fast | more, Group: "hash", Since: since,
		Keys: oneKey(command.RW | use), Summary: summary, Complexity: cost,
	}, run}
}

func hashRead(name string, arity int, since string, more command.Flags, use command.KeyFlags, tips []string, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.ReadOnly | more, Group: "hash", Since: since,
		Keys: oneKey(command.RO | use), Tips: tips, Summary: summary, Complexity: cost,
	}, run}
}

func hset(tx *Tx, c *command.Call, r command.Reply) {
	if len(c.Args)%2 == 1 {
		r.Error(command.ErrWrongArgs(c.Spec))
		return
	}
	if added, ok := tx.setFields(c, r); ok {
		r.Int(int64(added))
	}
}

func hmset(tx *Tx, c *command.Call, r command.Reply) {
	if len(c.Args)%2 == 1 {
		r.Error(command.ErrWrongArgs(c.Spec))
		return
	}
	if _, ok := tx.setFields(c, r); ok {
		r.Simple("OK")
	}
}

// setFields sets the fields of HSET and HMSET and counts those that are new.
func (tx *Tx) setFields(c *command.Call, r command.Reply) (added int, ok bool) {
	it, h, ok := find[*hash](tx, c.Args[1], r)
	if !ok {
		return 0, false
	}
	h = own(tx, h, newHash)
	h.growFor(c.Args[2:]...)
	for i := 2; i < len(c.Args); i += 2 {
		if h.put(textOf(c.Args[i]), string(c.Args[i+1]), tx.now) {
			added++
		}
	}
	tx.keep(c.Args[1], it, h)
	tx.event(command.EventHash, "hset", c.Args[1])
	return added, true
}

func hsetnx(tx *Tx, c *command.Call, r command.Reply) {
	it, h, ok := find[*hash](tx, c.Args[1], r)
	if !ok {
		return
	}
	if _, there := h.get(tx, c.Args[2]); there {
		r.Int(0)
		return
	}
	tx.setField(c.Args[1], it, h, c.Args[2], string(c.Args[3]))
	tx.event(command.EventHash, "hset", c.Args[1])
	r.Int(1)
}

// setField sets one field of the hash at key, whose deadline stays; it and h are what find found there.
func (tx *Tx) setField(key []byte, it *item, h *hash, field []byte, val string) {
	h = own(tx, h, newHash)
	h.growFor(field, dataOf(val))
	h.update(textOf(field), val, tx.now)
	tx.keep(key, it, h)
}

func hincrby(tx *Tx, c *command.Call, r command.Reply) {
	n, ok := intArg(c.Args[3], r)
	if !ok {
		return
	}
	it, h, ok := find[*hash](tx, c.Args[1], r)
	if !ok {
		return
	}
	old := int64(0)
	if val, there := h.get(tx, c.Args[2]); there {
		if old, ok = parseInt(val); !ok {
			r.Error("ERR hash value is not an integer")
			return
		}
	}
	if (n > 0 && old > math.MaxInt64-n) || (n < 0 && old < math.MinInt64-n) {
		r.Error("ERR increment or decrement would overflow")
		return
	}
	tx.setField(c.Args[1], it, h, c.Args[2], formatInt(old+n))
	tx.event(command.EventHash, "hincrby", c.Args[1])
	r.Int(old + n)
}

func hincrbyfloat(tx *Tx, c *command.Call, r command.Reply) {
	n, ok := parseLongDouble(textOf(c.Args[3]))
	if !ok {
		r.Error(command.ErrNotFloat)
		return
	}
	if n.IsInf() {
		r.Error("ERR value is NaN or Infinity")
		return
	}
	it, h, ok := find[*hash](tx, c.Args[1], r)
	if !ok {
		return
	}
	val, there := h.get(tx, c.Args[2])
	if !there {
		val = "0"
	}
	old, ok := parseLongDouble(val)
	if !ok {
		r.Error("ERR hash value is not a float")
		return
	}
	sum, ok := addLongDouble(old, n)
	if !ok {
		r.Error(errFloatOverflow)
		return
	}
	s := formatLongDouble(sum)
	tx.setField(c.Args[1], it, h, c.Args[2], s)
	tx.event(command.EventHash, "hincrbyfloat", c.Args[1])
	r.BulkString(s)
}

func hdel(tx *Tx, c *command.Call, r command.Reply) {
	it, h, ok := find[*hash](tx, c.Args[1], r)
	if !ok {
		return
	}
	if h == nil || !h.hasAny(tx, c.Args[2:]) {
		r.Int(0)
		return
	}
	h = own(tx, h, newHash)
	removed := 0
	for _, field := range c.Args[2:] {
		if h.remove(textOf(field), tx.now) {
			removed++
		}
	}
	tx.keepLess(c.Args[1], it, h, command.EventHash, "hdel")
	r.Int(int64(removed))
}

func (h *hash) hasAny(tx *Tx, fields [][]byte) bool {
	for _, f := range fields {
		if _, there := h.get(tx, f); there {
			return true
		}
	}
	return false
}

func hget(tx *Tx, c *command.Call, r command.Reply) {
	if _, h, ok := find[*hash](tx, c.Args[1], r); ok {
		h.replyField(tx, c.Args[2], r)
	}
}

func (h *hash) replyField(tx *Tx, field []byte, r command.Reply) {
	if val, there := h.get(tx, field); there {
		r.BulkString(val)
		return
	}
	r.Null()
}

func hmget(tx *Tx, c *command.Call, r command.Reply) {
	_, h, ok := find[*hash](tx, c.Args[1], r)
	if !ok {
		return
	}
	r.Array(len(c.Args) - 2)
	for _, field := range c.Args[2:] {
		h.replyField(tx, field, r)
	}
}

func hlen(tx *Tx, c *command.Call, r command.Reply) {
	if h, ok := findOr[*hash](tx, c.Args[1], r, func() { r.Int(0) }); ok {
		r.Int(int64(h.length(tx)))
	}
}

func hstrlen(tx *Tx, c *command.Call, r command.Reply) {
	if _, h, ok := find[*hash](tx, c.Args[1], r); ok {
		val, _ := h.get(tx, c.Args[2])
		r.Int(int64(len(val)))
	}
}

func hexists(tx *Tx, c *command.Call, r command.Reply) {
	if _, h, ok := find[*hash](tx, c.Args[1], r); ok {
		_, there := h.get(tx, c.Args[2])
		r.Int(boolInt(there))
	}
}

func hkeys(tx *Tx, c *command.Call, r command.Reply) {
	h, ok := findOr[*hash](tx, c.Args[1], r, func() { r.Array(0) })
	if !ok {
		return
	}
	r.Array(h.length(tx))
	for field := range h.present(tx) {
		r.BulkString(field)
	}
}

func hvals(tx *Tx, c *command.Call, r command.Reply) {
	h, ok := findOr[*hash](tx, c.Args[1], r, func() { r.Array(0) })
	if !ok {
		return
	}
	r.Array(h.length(tx))
	for _, val := range h.present(tx) {
		r.BulkString(val)
	}
}

func hgetall(tx *Tx, c *command.Call, r command.Reply) {
	h, ok := findOr[*hash](tx, c.Args[1], r, func() { r.Map(0) })
	if !ok {
		return
	}
	r.Map(h.length(tx))
	for field, val := range h.present(tx) {
		r.BulkString(field)
		r.BulkString(val)
	}
}

func hscan(tx *Tx, c *command.Call, r command.Reply) {
	cursor, ok := parseCursor(c.Args[2])
	if !ok {
		r.Error(errCursor)
		return
	}
	h, ok := findOr[*hash](tx, c.Args[1], r, func() { replyEmptyScan(r) })
	if !ok {
		return
	}
	o, ok := parseScanOptions(c.Args[3:], false, "novalues", r)
	if !ok {
		return
	}
	var found []string
	next := h.fields.Scan(cursor, o.pageSize(), func(field, val string) {
		if !o.matches(field) || tx.passed(h.deadline(field)) {
			return
		}
		if found = append(found, field); !o.bare {
			found = append(found, val)
		}
	})
	r.Array(2)
	r.BulkString(strconv.FormatUint(next, 10))
	replyNames(found, r)
}
