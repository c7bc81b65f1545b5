package fsm

import (
	"bytes"
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/quicklist"
)

// The list group of Redis 7.0: the commands of one list, with LPOS in cmd_list_pos.go.
var listCommands = []cmd{
	listWrite("lpush", -3, "1.0.0", command.DenyOOM|command.Fast, command.Insert, push(quicklist.Front),
		"Puts elements at the left end of a list.", "O(N) for N elements"),
	listWrite("rpush", -3, "1.0.0", command.DenyOOM|command.Fast, command.Insert, push(quicklist.Back),
		"Puts elements at the right end of a list.", "O(N) for N elements"),
	listWrite("lpushx", -3, "2.2.0", command.DenyOOM|command.Fast, command.Insert, pushx(quicklist.Front),
		"Puts elements at the left end of a list that exists.", "O(N) for N elements"),
	listWrite("rpushx", -3, "2.2.0", command.DenyOOM|command.Fast, command.Insert, pushx(quicklist.Back),
		"Puts elements at the right end of a list that exists.", "O(N) for N elements"),
	listWrite("lpop", -2, "1.0.0", command.Fast, command.Access|command.Delete, pop(quicklist.Front),
		"Removes and returns elements at the left end of a list.", "O(N) for N elements"),
	listWrite("rpop", -2, "1.0.0", command.Fast, command.Access|command.Delete, pop(quicklist.Back),
		"Removes and returns elements at the right end of a list.", "O(N) for N elements"),
	listRead("llen", 2, "1.0.0", command.Fast, 0, llen,
		"Returns the number of elements of a list.", "O(1)"),
	listRead("lindex", 3, "1.0.0", 0, command.Access, lindex,
		"Returns an element of a list by its index.", "O(1) at the ends, O(N) for an element N away from the nearer one"),
	listRead("lrange", 4, "1.0.0", 0, command.Access, lrange,
		"Returns a range of elements of a list.", "O(S+N) for N elements that begin S away from the nearer end"),
	listWrite("lset", 4, "1.0.0", command.DenyOOM, command.Update, lset,
		"Replaces an element of a list by its index.", "O(1) at the ends, O(N) for an element N away from the nearer one"),
	listWrite("ltrim", 4, "1.0.0", 0, command.Delete, ltrim,
		"Removes the elements of a list that are outside a range.", "O(N) for N elements that are removed"),
	listWrite("lrem", 4, "1.0.0", 0, command.Delete, lrem,
		"Removes elements of a list by their value.", "O(N) for a list of N elements"),
	listWrite("linsert", 5, "2.2.0", command.DenyOOM, command.Insert, linsert,
		"Puts an element before or after another one of a list.", "O(N) for N elements up to the other one"),
}

// listWrite is a write command of one list.
func listWrite(name string, arity int, since string, more command.Flags, use command.KeyFlags, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.Write | more, Group: "list", Since: since,
		Keys: oneKey(command.RW | use), Summary: summary, Complexity: cost,
	}, run}
}

func listRead(name string, arity int, since string, more command.Flags, use command.KeyFlags, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.ReadOnly | more, Group: "list", Since: since,
		Keys: oneKey(command.RO | use), Summary: summary, Complexity: cost,
	}, run}
}

// The events of the two ends.
var (
	pushEvents = [...]string{quicklist.Front: "lpush", quicklist.Back: "rpush"}
	popEvents  = [...]string{quicklist.Front: "lpop", quicklist.Back: "rpop"}
)

func push(e quicklist.End) Executor {
	return func(tx *Tx, c *command.Call, r command.Reply) {
		if it, l, ok := find[*list](tx, c.Args[1], r); ok {
			r.Int(int64(tx.pushList(c.Args[1], it, l, e, c.Args[2:]...)))
		}
	}
}

func pushx(e quicklist.End) Executor {
	return func(tx *Tx, c *command.Call, r command.Reply) {
		it, l, ok := find[*list](tx, c.Args[1], r)
		switch {
		case !ok:
		case l == nil:
			r.Int(0)
		default:
			r.Int(int64(tx.pushList(c.Args[1], it, l, e, c.Args[2:]...)))
		}
	}
}

// pushList puts elements, one after the other, at an end of the list at key, and returns how long it is then. it and l are
// what find found there.
func (tx *Tx) pushList(key []byte, it *item, l *list, e quicklist.End, elems ...[]byte) int {
	l = own(tx, l, newList)
	for _, elem := range elems {
		l.elems.Push(e, elem)
	}
	tx.keep(key, it, l)
	tx.event(command.EventList, pushEvents[e], key)
	return l.size()
}

func pop(e quicklist.End) Executor {
	return func(tx *Tx, c *command.Call, r command.Reply) {
		if len(c.Args) > 3 {
			r.Error(command.ErrWrongArgs(c.Spec))
			return
		}
		if len(c.Args) == 3 {
			popMany(tx, c, e, r)
			return
		}
		it, l, ok := find[*list](tx, c.Args[1], r)
		switch {
		case !ok:
		case l == nil:
			r.Null()
		default:
			tx.popList(c.Args[1], it, l, e, 1, r)
		}
	}
}

// popMany is LPOP and RPOP with a count.
func popMany(tx *Tx, c *command.Call, e quicklist.End, r command.Reply) {
	count, ok := parseInt(c.Args[2])
	if !ok || count < 0 {
		r.Error(errValueRange + ", must be positive")
		return
	}
	it, l, ok := find[*list](tx, c.Args[1], r)
	switch {
	case !ok:
	case l == nil:
		r.NullArray()
	case count == 0:
		r.Array(0)
	default:
		n := int(min(count, int64(l.size())))
		r.Array(n)
		tx.popList(c.Args[1], it, l, e, n, r)
	}
}

// popList takes n elements, of which there are so many, from an end of the list at key and replies each. it and l are what
// find found there.
func (tx *Tx) popList(key []byte, it *item, l *list, e quicklist.End, n int, r command.Reply) {
	l = own(tx, l, newList)
	for range n {
		r.Bulk(l.elems.Pop(e))
	}
	tx.keepLess(key, it, l, command.EventList, popEvents[e])
}

func llen(tx *Tx, c *command.Call, r command.Reply) {
	if l, ok := findOr[*list](tx, c.Args[1], r, func() { r.Int(0) }); ok {
		r.Int(int64(l.size()))
	}
}

func lindex(tx *Tx, c *command.Call, r command.Reply) {
	l, ok := findOr[*list](tx, c.Args[1], r, r.Null)
	if !ok {
		return
	}
	i, ok := intArg(c.Args[2], r)
	if !ok {
		return
	}
	at, ok := l.index(i)
	if !ok {
		r.Null()
		return
	}
	r.Bulk(l.elems.At(at))
}

// rangeArgs reads the two indexes of LRANGE and LTRIM. ok is false where an error was replied.
func rangeArgs(c *command.Call, r command.Reply) (first, last int64, ok bool) {
	if first, ok = intArg(c.Args[2], r); ok {
		last, ok = intArg(c.Args[3], r)
	}
	return first, last, ok
}

func lrange(tx *Tx, c *command.Call, r command.Reply) {
	first, last, ok := rangeArgs(c, r)
	if !ok {
		return
	}
	l, ok := findOr[*list](tx, c.Args[1], r, func() { r.Array(0) })
	if !ok {
		return
	}
	from, to := l.bounds(first, last)
	r.Array(to - from)
	if from == to {
		return
	}
	for i, elem := range l.elems.From(from) {
		r.Bulk(elem)
		if i+1 == to {
			return
		}
	}
}

func lset(tx *Tx, c *command.Call, r command.Reply) {
	it, l, ok := find[*list](tx, c.Args[1], r)
	if !ok {
		return
	}
	if l == nil {
		r.Error(command.ErrNoSuchKey)
		return
	}
	i, ok := intArg(c.Args[2], r)
	if !ok {
		return
	}
	at, ok := l.index(i)
	if !ok {
		r.Error(command.ErrOutOfRange)
		return
	}
	l = own(tx, l, newList)
	l.elems.Set(at, c.Args[3])
	tx.keep(c.Args[1], it, l)
	tx.event(command.EventList, "lset", c.Args[1])
	r.Simple("OK")
}

// ltrim counts as a change even where it removes nothing, as in Redis.
func ltrim(tx *Tx, c *command.Call, r command.Reply) {
	first, last, ok := rangeArgs(c, r)
	if !ok {
		return
	}
	it, l, ok := find[*list](tx, c.Args[1], r)
	if !ok {
		return
	}
	if l != nil {
		l = own(tx, l, newList)
		from, to := l.bounds(first, last)
		l.elems.Drop(quicklist.Back, l.size()-to)
		l.elems.Drop(quicklist.Front, from)
		tx.keepLess(c.Args[1], it, l, command.EventList, "ltrim")
	}
	r.Simple("OK")
}

func lrem(tx *Tx, c *command.Call, r command.Reply) {
	count, ok := intArg(c.Args[2], r)
	if !ok {
		return
	}
	it, l, ok := find[*list](tx, c.Args[1], r)
	if !ok {
		return
	}
	if l == nil || !l.has(c.Args[3]) {
		r.Int(0)
		return
	}
	e := quicklist.Front
	if count < 0 {
		e, count = quicklist.Back, -count
	}
	if count <= 0 { // 0, or the one number that has no counterpart
		count = math.MaxInt64
	}
	l = own(tx, l, newList)
	removed := l.elems.Remove(e, int(count), c.Args[3])
	tx.keepLess(c.Args[1], it, l, command.EventList, "lrem")
	r.Int(int64(removed))
}

// firstOf returns the index of the first element that is s.
func (l *list) firstOf(s []byte) (at int, ok bool) {
	for i, elem := range l.elems.From(0) {
		if bytes.Equal(elem, s) {
			return i, true
		}
	}
	return 0, false
}

func (l *list) has(s []byte) bool {
	_, ok := l.firstOf(s)
	return ok
}

func linsert(tx *Tx, c *command.Call, r command.Reply) {
	after := 0
	switch {
	case word(c.Args[2], "after"):
		after = 1
	case !word(c.Args[2], "before"):
		r.Error(command.ErrSyntax)
		return
	}
	it, l, ok := find[*list](tx, c.Args[1], r)
	if !ok {
		return
	}
	if l == nil {
		r.Int(0)
		return
	}
	at, ok := l.firstOf(c.Args[3])
	if !ok {
		r.Int(-1)
		return
	}
	l = own(tx, l, newList)
	l.elems.Insert(at+after, c.Args[4])
	tx.keep(c.Args[1], it, l)
	tx.event(command.EventList, "linsert", c.Args[1])
	r.Int(int64(l.size()))
}
