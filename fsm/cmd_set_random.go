package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
)

// Commands of sets that choose by chance.
var setRandomCommands = []cmd{
	setWrite("spop", -2, "1.0.0", 0, command.Access|command.Delete, tipsVaries, spop,
		"Removes random members of a set and returns them.", "O(N) for N members that are returned"),
	setRead("srandmember", -2, "1.0.0", 0, command.Access, tipsVaries, srandmember,
		"Returns random members of a set.", "O(N) for N members that are returned"),
}

func spop(tx *Tx, c *command.Call, r command.Reply) {
	switch len(c.Args) {
	case 2:
		tx.popOne(c, r)
	case 3:
		tx.popMany(c, r)
	default:
		r.Error(command.ErrSyntax)
	}
}

func (tx *Tx) popOne(c *command.Call, r command.Reply) {
	it, s, ok := find[*memberSet](tx, c.Args[1], r)
	if !ok {
		return
	}
	if s == nil {
		r.Null()
		return
	}
	s = own(tx, s, newSet)
	member := s.at(tx.below(s.size()))
	s.remove(member)
	tx.keepLess(c.Args[1], it, s, command.EventSet, "spop")
	r.BulkString(member)
}

func (tx *Tx) popMany(c *command.Call, r command.Reply) {
	count, ok := parseInt(c.Args[2])
	if !ok || count < 0 {
		r.Error("ERR value is out of range, must be positive")
		return
	}
	it, s, ok := find[*memberSet](tx, c.Args[1], r)
	if !ok {
		return
	}
	if s == nil || count == 0 {
		r.Set(0)
		return
	}
	var members []string
	tx.random(count, s.size(), func(int) {}, func(rank int) { members = append(members, s.at(rank)) })
	if len(members) == s.size() {
		tx.keepLess(c.Args[1], it, newSet(tx.m.gen), command.EventSet, "spop")
	} else {
		s = own(tx, s, newSet)
		for _, m := range members {
			s.remove(m)
		}
		tx.keepLess(c.Args[1], it, s, command.EventSet, "spop")
	}
	replyMembers(members, r)
}

func srandmember(tx *Tx, c *command.Call, r command.Reply) {
	if len(c.Args) > 3 {
		r.Error(command.ErrSyntax)
		return
	}
	if len(c.Args) == 2 {
		if s, ok := findOr[*memberSet](tx, c.Args[1], r, r.Null); ok {
			r.BulkString(s.at(tx.below(s.size())))
		}
		return
	}
	count, _, ok := parseRandomCount(c, "", r)
	if !ok {
		return
	}
	if s, ok := findOr[*memberSet](tx, c.Args[1], r, func() { r.Array(0) }); ok {
		tx.random(count, s.size(), r.Array, func(rank int) { r.BulkString(s.at(rank)) })
	}
}
