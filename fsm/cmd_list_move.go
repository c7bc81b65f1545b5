package fsm

import (
	"bytes"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/quicklist"
)

// The list group of Redis 7.0: the commands of several lists. Each has its core in a method that takes keys and ends.
var listMoveCommands = []cmd{
	{command.Spec{
		Name: "lmove", Arity: 5, Flags: command.Write | command.DenyOOM, Group: "list", Since: "6.2.0",
		Keys:    listMoveKeys,
		Summary: "Moves an element from an end of a list to an end of another list, or of the same, and returns it.", Complexity: "O(1)",
	}, lmove},
	deprecated(cmd{command.Spec{
		Name: "rpoplpush", Arity: 3, Flags: command.Write | command.DenyOOM, Group: "list", Since: "1.2.0",
		Keys:    listMoveKeys,
		Summary: "Moves the element at the right end of a list to the left end of another list, or of the same, and returns it.", Complexity: "O(1)",
	}, rpoplpush}, "6.2.0", "`LMOVE` with `RIGHT` and `LEFT`"),
	{command.Spec{
		Name: "lmpop", Arity: -4, Flags: command.Write | command.MovableKeys, Group: "list", Since: "7.0.0",
		Keys:    []command.KeySpec{{Flags: command.RW | command.Access | command.Delete, Index: 1, KeyNum: true, FirstKey: 1, Step: 1}},
		Summary: "Removes and returns elements at an end of the first list of several that exists.", Complexity: "O(N+M) for N keys and M elements",
	}, lmpop},
}

var listMoveKeys = []command.KeySpec{
	keyAt(1, command.RW|command.Access|command.Delete), keyAt(2, command.RW|command.Insert),
}

// endArg reads LEFT or RIGHT. ok is false where an error was replied.
func endArg(arg []byte, r command.Reply) (e quicklist.End, ok bool) {
	switch {
	case word(arg, "left"):
		return quicklist.Front, true
	case word(arg, "right"):
		return quicklist.Back, true
	}
	r.Error(command.ErrSyntax)
	return 0, false
}

func lmove(tx *Tx, c *command.Call, r command.Reply) {
	from, ok := endArg(c.Args[3], r)
	if !ok {
		return
	}
	to, ok := endArg(c.Args[4], r)
	if !ok {
		return
	}
	if !tx.moveElement(c.Args[1], from, c.Args[2], to, r) {
		r.Null()
	}
}

func rpoplpush(tx *Tx, c *command.Call, r command.Reply) {
	if !tx.moveElement(c.Args[1], quicklist.Back, c.Args[2], quicklist.Front, r) {
		r.Null()
	}
}

// moveElement moves an element from an end of the list at src to an end of the one at dst, which may be the same, and replies
// it, or an error. It is false, and nothing is replied, where there is no key src.
func (tx *Tx) moveElement(src []byte, from quicklist.End, dst []byte, to quicklist.End, r command.Reply) bool {
	it, l, ok := find[*list](tx, src, r)
	if !ok || l == nil {
		return !ok
	}
	if bytes.Equal(src, dst) {
		tx.turn(src, it, l, from, to, r)
		return true
	}
	dstItem, dstList, ok := find[*list](tx, dst, r)
	if !ok {
		return true
	}
	l = own(tx, l, newList)
	elem := l.elems.Pop(from)
	tx.pushList(dst, dstItem, dstList, to, elem)
	r.Bulk(elem)
	tx.keepLess(src, it, l, command.EventList, popEvents[from])
	return true
}

// turn is moveElement within one list.
func (tx *Tx) turn(key []byte, it *item, l *list, from, to quicklist.End, r command.Reply) {
	l = own(tx, l, newList)
	elem := bytes.Clone(l.elems.Pop(from))
	l.elems.Push(to, elem)
	tx.keep(key, it, l)
	tx.event(command.EventList, pushEvents[to], key)
	tx.event(command.EventList, popEvents[from], key)
	r.Bulk(elem)
}

func lmpop(tx *Tx, c *command.Call, r command.Reply) {
	keys, e, count, ok := parseMultiPop(c.Args[1:], r)
	if ok && !tx.popFirst(keys, e, count, r) {
		r.NullArray()
	}
}

// parseMultiPop reads the arguments of LMPOP: the number of keys, the keys, an end and a count. ok is false where an error
// was replied.
func parseMultiPop(args [][]byte, r command.Reply) (keys [][]byte, e quicklist.End, count int64, ok bool) {
	n, ok := parseInt(args[0])
	if !ok || n <= 0 {
		r.Error("ERR numkeys should be greater than 0")
		return nil, 0, 0, false
	}
	rest := args[1:]
	if n >= int64(len(rest)) {
		r.Error(command.ErrSyntax)
		return nil, 0, 0, false
	}
	keys, rest = rest[:n], rest[n:]
	if e, ok = endArg(rest[0], r); !ok {
		return nil, 0, 0, false
	}
	count = 1
	if rest = rest[1:]; len(rest) >= 2 && word(rest[0], "count") {
		if count, ok = parseInt(rest[1]); !ok || count <= 0 {
			r.Error("ERR count should be greater than 0")
			return nil, 0, 0, false
		}
		rest = rest[2:]
	}
	if len(rest) > 0 {
		r.Error(command.ErrSyntax)
		return nil, 0, 0, false
	}
	return keys, e, count, true
}

// popFirst takes up to count elements from an end of the first list that is there, and replies its key and them, or an error.
// It is false, and nothing is replied, where there is none of the keys.
func (tx *Tx) popFirst(keys [][]byte, e quicklist.End, count int64, r command.Reply) bool {
	for _, key := range keys {
		it, l, ok := find[*list](tx, key, r)
		if !ok {
			return true
		}
		if l == nil {
			continue
		}
		n := int(min(count, int64(l.size())))
		r.Array(2)
		r.Bulk(key)
		r.Array(n)
		tx.popList(key, it, l, e, n, r)
		return true
	}
	return false
}
