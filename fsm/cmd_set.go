package fsm

import (
	"strconv"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// Commands of the set group of Redis 7.0 for members of one set. cmd_set_algebra.go has those of several sets,
// cmd_set_random.go those of chance.
var setCommands = []cmd{
	setWrite("sadd", -3, "1.0.0", command.DenyOOM, command.Insert, nil, sadd,
		"Adds members to a set.", "O(N) for N members"),
	setWrite("srem", -3, "1.0.0", 0, command.Delete, nil, srem,
		"Removes members of a set.", "O(N) for N members"),
	setRead("smembers", 2, "1.0.0", 0, command.Access, tipsUnordered, smembers,
		"Returns all members of a set.", "O(N) for N members of the set"),
	setRead("sismember", 3, "1.0.0", command.Fast, 0, nil, sismember,
		"Tells whether a set has a member.", "O(1)"),
	setRead("smismember", -3, "6.2.0", command.Fast, command.Access, nil, smismember,
		"Tells which of several members a set has.", "O(N) for N members"),
	setRead("scard", 2, "1.0.0", command.Fast, 0, nil, scard,
		"Returns the number of members of a set.", "O(1)"),
	{command.Spec{
		Name: "smove", Arity: 4, Flags: command.Write | command.Fast, Group: "set", Since: "1.0.0",
		Keys:    []command.KeySpec{keyAt(1, command.RW|command.Access|command.Delete), keyAt(2, command.RW|command.Insert)},
		Summary: "Moves a member from one set to another.", Complexity: "O(1)",
	}, smove},
	setRead("sscan", -3, "2.8.0", 0, command.Access, tipsVaries, sscan,
		"Walks through the members of a set, page by page.", "O(1) a call, O(N) for all N members of the set"),
}

// setWrite is a write command of one set. All of them are fast.
func setWrite(name string, arity int, since string, more command.Flags, use command.KeyFlags, tips []string, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.Write | command.Fast | more, Group: "set", Since: since,
		Keys: oneKey(command.RW | use), Tips: tips, Summary: summary, Complexity: cost,
	}, run}
}

func setRead(name string, arity int, since string, more command.Flags, use command.KeyFlags, tips []string, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.ReadOnly | more, Group: "set", Since: since,
		Keys: oneKey(command.RO | use), Tips: tips, Summary: summary, Complexity: cost,
	}, run}
}

// indexOf finds the first of members that is in the set, or (there is false) that is not. -1: there is none.
func (s *memberSet) indexOf(members [][]byte, there bool) int {
	for i, m := range members {
		if s.has(textOf(m)) == there {
			return i
		}
	}
	return -1
}

func sadd(tx *Tx, c *command.Call, r command.Reply) {
	it, s, ok := find[*memberSet](tx, c.Args[1], r)
	if !ok {
		return
	}
	members := c.Args[2:]
	first := s.indexOf(members, false)
	if first < 0 {
		r.Int(0)
		return
	}
	s = own(tx, s, newSet)
	added := int64(0)
	for _, m := range members[first:] {
		added += boolInt(s.add(textOf(m)))
	}
	tx.keep(c.Args[1], it, s)
	tx.event(command.EventSet, "sadd", c.Args[1])
	r.Int(added)
}

func srem(tx *Tx, c *command.Call, r command.Reply) {
	it, s, ok := find[*memberSet](tx, c.Args[1], r)
	if !ok {
		return
	}
	members := c.Args[2:]
	first := s.indexOf(members, true)
	if first < 0 {
		r.Int(0)
		return
	}
	s = own(tx, s, newSet)
	removed := int64(0)
	for _, m := range members[first:] {
		removed += boolInt(s.remove(textOf(m)))
	}
	tx.keepLess(c.Args[1], it, s, command.EventSet, "srem")
	r.Int(removed)
}

func smembers(tx *Tx, c *command.Call, r command.Reply) {
	s, ok := findOr[*memberSet](tx, c.Args[1], r, func() { r.Set(0) })
	if !ok {
		return
	}
	r.Set(s.size())
	for member := range s.elements() {
		r.BulkString(member)
	}
}

func sismember(tx *Tx, c *command.Call, r command.Reply) {
	if _, s, ok := find[*memberSet](tx, c.Args[1], r); ok {
		r.Int(boolInt(s.has(textOf(c.Args[2]))))
	}
}

func smismember(tx *Tx, c *command.Call, r command.Reply) {
	_, s, ok := find[*memberSet](tx, c.Args[1], r)
	if !ok {
		return
	}
	r.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		r.Int(boolInt(s.has(textOf(m))))
	}
}

func scard(tx *Tx, c *command.Call, r command.Reply) {
	if s, ok := findOr[*memberSet](tx, c.Args[1], r, func() { r.Int(0) }); ok {
		r.Int(int64(s.size()))
	}
}

func smove(tx *Tx, c *command.Call, r command.Reply) {
	from, to, member := c.Args[1], c.Args[2], textOf(c.Args[3])
	it, s, ok := find[*memberSet](tx, from, r)
	if !ok {
		return
	}
	if s == nil {
		r.Int(0) // whatever the other key holds
		return
	}
	toIt, dst, ok := find[*memberSet](tx, to, r)
	if !ok {
		return
	}
	if s == dst || !s.has(member) {
		r.Int(boolInt(s.has(member)))
		return
	}
	s = own(tx, s, newSet)
	s.remove(member)
	tx.keepLess(from, it, s, command.EventSet, "srem")
	if !dst.has(member) {
		dst = own(tx, dst, newSet)
		dst.add(member)
		tx.keep(to, toIt, dst)
		tx.event(command.EventSet, "sadd", to)
	}
	r.Int(1)
}

func sscan(tx *Tx, c *command.Call, r command.Reply) {
	cursor, ok := parseCursor(c.Args[2])
	if !ok {
		r.Error(errCursor)
		return
	}
	s, ok := findOr[*memberSet](tx, c.Args[1], r, func() { replyEmptyScan(r) })
	if !ok {
		return
	}
	o, ok := parseScanOptions(c.Args[3:], false, "", r)
	if !ok {
		return
	}
	var found []string
	note := func(member string) {
		if o.matches(member) {
			found = append(found, member)
		}
	}
	r.Array(2)
	r.BulkString(strconv.FormatUint(s.scan(cursor, o.pageSize(), note), 10))
	replyNames(found, r)
}

// scan calls f with a page of members and returns the next cursor, 0 at the end. Numbers come as a whole.
func (s *memberSet) scan(cursor uint64, count int, f func(member string)) (next uint64) {
	if s.hashed {
		return s.members.Scan(cursor, count, func(member string, _ struct{}) { f(member) })
	}
	for member := range s.elements() {
		f(member)
	}
	return 0
}
