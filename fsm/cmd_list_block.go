package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/quicklist"
)

// The commands of the list group that wait for elements.
var listBlockCommands = []cmd{
	blockingPopSpec("blpop", quicklist.Front, "Removes and returns the element at the left end of the first list that has one, or waits for one."),
	blockingPopSpec("brpop", quicklist.Back, "Removes and returns the element at the right end of the first list that has one, or waits for one."),
	{command.Spec{
		Name: "blmove", Arity: 6, Flags: command.Write | command.DenyOOM | command.NoScript | command.Blocking, Group: "list", Since: "6.2.0",
		Keys: listMoveKeys, Timeout: timeoutLast, Categories: []string{"blocking"},
		Summary: "Moves an element from an end of a list to an end of another list and returns it, or waits for one.", Complexity: "O(1)",
	}, blmove},
	deprecated(cmd{command.Spec{
		Name: "brpoplpush", Arity: 4, Flags: command.Write | command.DenyOOM | command.NoScript | command.Blocking, Group: "list", Since: "2.2.0",
		Keys: listMoveKeys, Timeout: timeoutLast, Categories: []string{"blocking"},
		Summary: "Moves the element at the right end of a list to the left end of another and returns it, or waits for one.", Complexity: "O(1)",
	}, brpoplpush}, "6.2.0", "`BLMOVE` with `RIGHT` and `LEFT`"),
	{command.Spec{
		Name: "blmpop", Arity: -5, Flags: command.Write | command.Blocking | command.MovableKeys, Group: "list", Since: "7.0.0",
		Keys:    []command.KeySpec{{Flags: command.RW | command.Access | command.Delete, Index: 2, KeyNum: true, FirstKey: 1, Step: 1}},
		Timeout: timeoutFirst, Categories: []string{"blocking"},
		Summary: "Removes and returns elements at an end of the first list that has some, or waits for some.", Complexity: "O(N+M) for N keys and M elements",
	}, blmpop},
}

func blockingPopSpec(name string, e quicklist.End, summary string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: -3, Flags: command.Write | command.NoScript | command.Blocking, Group: "list", Since: "2.0.0",
		Keys:    []command.KeySpec{{Flags: command.RW | command.Access | command.Delete, Index: 1, Last: -2, Step: 1}},
		Timeout: timeoutLast, Categories: []string{"blocking"}, Summary: summary, Complexity: "O(N) for N keys",
	}, blockingPop(e)}
}

func blockingPop(e quicklist.End) Executor {
	return func(tx *Tx, c *command.Call, r command.Reply) {
		popFirstOrWait(tx, c, kindList, r, func(key []byte, it *item, l *list) {
			r.Array(2)
			r.Bulk(key)
			tx.popList(key, it, l, e, 1, r)
		})
	}
}

func blmove(tx *Tx, c *command.Call, r command.Reply) {
	from, ok := endArg(c.Args[3], r)
	if !ok {
		return
	}
	to, ok := endArg(c.Args[4], r)
	if ok && checkTimeout(c.Args[5], r) {
		tx.moveOrWait(c, from, to, r)
	}
}

func brpoplpush(tx *Tx, c *command.Call, r command.Reply) {
	if checkTimeout(c.Args[3], r) {
		tx.moveOrWait(c, quicklist.Back, quicklist.Front, r)
	}
}

// moveOrWait moves an element between the lists that a call names first.
func (tx *Tx) moveOrWait(c *command.Call, from, to quicklist.End, r command.Reply) {
	src := c.Args[1:2]
	if len(tx.waitedFor(src, kindList)) == 1 && tx.moveElement(c.Args[1], from, c.Args[2], to, r) {
		return
	}
	tx.wait(c, src, r, func() {
		if tx.attempt == attemptLast {
			r.NullArray()
			return
		}
		r.Null() // in a transaction
	})
}

func blmpop(tx *Tx, c *command.Call, r command.Reply) {
	if !checkTimeout(c.Args[1], r) {
		return
	}
	keys, e, count, ok := parseMultiPop(c.Args[2:], r)
	if ok && !tx.popFirst(tx.waitedFor(keys, kindList), e, count, r) {
		tx.wait(c, keys, r, r.NullArray)
	}
}
