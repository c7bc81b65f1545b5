package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
)

// Parts of strings: of the string group.
var stringRangeCommands = []cmd{
	{command.Spec{
		Name: "append", Arity: 3, Flags: command.Write | command.DenyOOM | command.Fast, Group: "string", Since: "2.0.0",
		Keys:    oneKey(command.RW | command.Insert),
		Summary: "Appends to the string value of a key, or sets it.", Complexity: "O(1) amortized",
	}, appendTo},
	{command.Spec{
		Name: "strlen", Arity: 2, Flags: command.ReadOnly | command.Fast, Group: "string", Since: "2.2.0",
		Keys:    oneKey(command.RO),
		Summary: "Returns the length of the string value of a key.", Complexity: "O(1)",
	}, strlen},
	{command.Spec{
		Name: "setrange", Arity: 4, Flags: command.Write | command.DenyOOM, Group: "string", Since: "2.2.0",
		Keys:    oneKey(command.RW | command.Update),
		Summary: "Overwrites a part of the string value of a key, from an offset on.", Complexity: "O(M) for M bytes written",
	}, setrange},
	{command.Spec{
		Name: "getrange", Arity: 4, Flags: command.ReadOnly, Group: "string", Since: "2.4.0",
		Keys:    oneKey(command.RO | command.Access),
		Summary: "Returns a part of the string value of a key.", Complexity: "O(N) for N bytes returned",
	}, getrange},
	{command.Spec{
		Name: "substr", Arity: 4, Flags: command.ReadOnly, Group: "string", Since: "1.0.0",
		Keys:       oneKey(command.RO | command.Access),
		Deprecated: "2.0.0", ReplacedBy: "`GETRANGE`",
		Summary: "Returns a part of the string value of a key.", Complexity: "O(N) for N bytes returned",
	}, getrange},
	{command.Spec{
		Name: "lcs", Arity: -3, Flags: command.ReadOnly, Group: "string", Since: "7.0.0",
		Keys:    []command.KeySpec{{Flags: command.RO | command.Access, Index: 1, Last: 1, Step: 1}},
		Summary: "Finds the longest common subsequence of two strings.", Complexity: "O(N*M) for strings of N and M bytes",
	}, lcs},
}

// appendTo is APPEND.
func appendTo(tx *Tx, c *command.Call, r command.Reply) {
	it, ok := tx.lookupString(c.Args[1], r)
	if !ok {
		return
	}
	if it == nil {
		tx.set(c.Args[1], stringValue(c.Args[2]), 0)
		tx.event(command.EventString, "append", c.Args[1])
		r.Int(int64(len(c.Args[2])))
		return
	}
	if tx.overwrite(it, it.value().Len(), c.Args[2], r) {
		tx.event(command.EventString, "append", c.Args[1])
	}
}

// overwrite writes a part of a string and replies its new length. It is false where an error was replied.
func (tx *Tx) overwrite(it *item, off int, s []byte, r command.Reply) bool {
	if !stringFits(int64(off), len(s), r) {
		return false
	}
	v := it.value().overwrite(off, s, tx.m.gen)
	tx.put(it, v)
	r.Int(int64(v.Len()))
	return true
}

// stringFits checks the length of a string that a command is about to make.
func stringFits(off int64, n int, r command.Reply) bool {
	if off > StringBytesMax-int64(n) {
		r.Error(command.ErrStringBytes)
		return false
	}
	return true
}

func strlen(tx *Tx, c *command.Call, r command.Reply) {
	it, ok := tx.lookupString(c.Args[1], r)
	switch {
	case !ok:
	case it == nil:
		r.Int(0)
	default:
		r.Int(int64(it.value().Len()))
	}
}

func setrange(tx *Tx, c *command.Call, r command.Reply) {
	off, ok := intArg(c.Args[2], r)
	if !ok {
		return
	}
	if off < 0 {
		r.Error("ERR offset is out of range")
		return
	}
	it, ok := tx.lookupString(c.Args[1], r)
	if !ok {
		return
	}
	s := c.Args[3]
	switch {
	case len(s) == 0 && it == nil:
		r.Int(0)
	case len(s) == 0:
		r.Int(int64(it.value().Len()))
	case !stringFits(off, len(s), r):
	case it == nil:
		v := rawValue("").overwrite(int(off), s, tx.m.gen)
		tx.set(c.Args[1], v, 0)
		tx.event(command.EventString, "setrange", c.Args[1])
		r.Int(int64(v.Len()))
	case tx.overwrite(it, int(off), s, r):
		tx.event(command.EventString, "setrange", c.Args[1])
	}
}

func getrange(tx *Tx, c *command.Call, r command.Reply) {
	start, ok := intArg(c.Args[2], r)
	if !ok {
		return
	}
	end, ok := intArg(c.Args[3], r)
	if !ok {
		return
	}
	it, ok := tx.lookupString(c.Args[1], r)
	if !ok {
		return
	}
	if it == nil {
		r.BulkString("")
		return
	}
	from, to := byteRange(start, end, it.value().Len())
	r.BulkString(it.value().Slice(from, to))
}

// byteRange turns the first and last positions of GETRANGE, which count from the end where they are negative, into
// [from, to) of a string of n bytes.
func byteRange(start, end int64, n int) (from, to int) {
	size := int64(n)
	if start < 0 && end < 0 && start > end {
		return 0, 0
	}
	if start < 0 {
		start = max(0, size+start)
	}
	if end < 0 {
		end = max(0, size+end)
	}
	end = min(end, size-1)
	if start > end || size == 0 {
		return 0, 0
	}
	return int(start), int(end) + 1
}
