package fsm

import (
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// Counters: of the string group.
var counterCommands = []cmd{
	counterCommand("incr", 2, incr, "Adds one to the integer value of a key."),
	counterCommand("decr", 2, decr, "Subtracts one from the integer value of a key."),
	counterCommand("incrby", 3, incrby, "Adds to the integer value of a key."),
	counterCommand("decrby", 3, decrby, "Subtracts from the integer value of a key."),
	{command.Spec{
		Name: "incrbyfloat", Arity: 3, Flags: command.Write | command.DenyOOM | command.Fast, Group: "string", Since: "2.6.0",
		Keys:    oneKey(command.RW | command.Access | command.Update),
		Summary: "Adds to the floating point value of a key.", Complexity: "O(1)",
	}, incrbyfloat},
}

func counterCommand(name string, arity int, run Executor, summary string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.Write | command.DenyOOM | command.Fast, Group: "string", Since: "1.0.0",
		Keys: oneKey(command.RW | command.Access | command.Update), Summary: summary, Complexity: "O(1)",
	}, run}
}

func incr(tx *Tx, c *command.Call, r command.Reply) { tx.add(c.Args[1], 1, r) }
func decr(tx *Tx, c *command.Call, r command.Reply) { tx.add(c.Args[1], -1, r) }

func incrby(tx *Tx, c *command.Call, r command.Reply) {
	if n, ok := intArg(c.Args[2], r); ok {
		tx.add(c.Args[1], n, r)
	}
}

func decrby(tx *Tx, c *command.Call, r command.Reply) {
	n, ok := intArg(c.Args[2], r)
	switch {
	case !ok:
	case n == math.MinInt64: // its opposite does not exist
		r.Error("ERR decrement would overflow")
	default:
		tx.add(c.Args[1], -n, r)
	}
}

// add counts the integer at key up by n and replies the sum.
func (tx *Tx) add(key []byte, n int64, r command.Reply) {
	it, ok := tx.lookupString(key, r)
	if !ok {
		return
	}
	old := int64(0)
	if it != nil {
		if old, ok = it.value().integer(); !ok {
			r.Error(command.ErrNotInteger)
			return
		}
	}
	if (n < 0 && old < math.MinInt64-n) || (n > 0 && old > math.MaxInt64-n) {
		r.Error("ERR increment or decrement would overflow")
		return
	}
	tx.setOrPut(key, it, intValue(old+n))
	tx.event(command.EventString, "incrby", key)
	r.Int(old + n)
}

// setOrPut gives a key a value and leaves its deadline alone. it is what lookup found.
func (tx *Tx) setOrPut(key []byte, it *item, v value) {
	if it == nil {
		tx.set(key, v, 0)
		return
	}
	tx.put(it, v)
}

func incrbyfloat(tx *Tx, c *command.Call, r command.Reply) {
	it, ok := tx.lookupString(c.Args[1], r)
	if !ok {
		return
	}
	old := "0"
	if it != nil {
		v := it.value()
		old = v.Slice(0, min(v.Len(), longDoubleTextBytesMax+1))
	}
	a, ok := parseLongDouble(old)
	if !ok {
		r.Error(command.ErrNotFloat)
		return
	}
	b, ok := parseLongDouble(string(c.Args[2]))
	if !ok {
		r.Error(command.ErrNotFloat)
		return
	}
	sum, ok := addLongDouble(a, b)
	if !ok {
		r.Error(errFloatOverflow)
		return
	}
	s := formatLongDouble(sum)
	tx.setOrPut(c.Args[1], it, textValue(s))
	tx.event(command.EventString, "incrbyfloat", c.Args[1])
	r.BulkString(s)
}

const errFloatOverflow = "ERR increment would produce NaN or Infinity"
