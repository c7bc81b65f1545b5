package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
)

// The commands of the sorted-set group that wait for members.
var zsetBlockCommands = []cmd{
	blockingZpopSpec("bzpopmin", false, "Removes and returns the member with the lowest score of the first sorted set that has one, or waits for one."),
	blockingZpopSpec("bzpopmax", true, "Removes and returns the member with the highest score of the first sorted set that has one, or waits for one."),
	{command.Spec{
		Name: "bzmpop", Arity: -5, Flags: command.Write | command.Blocking | command.MovableKeys, Group: "sorted-set", Since: "7.0.0",
		Keys:    []command.KeySpec{{Flags: command.RW | command.Access | command.Delete, Index: 2, KeyNum: true, FirstKey: 1, Step: 1}},
		Timeout: timeoutFirst, Categories: []string{"blocking"},
		Summary:    "Removes and returns members at an end of the first sorted set that has some, or waits for some.",
		Complexity: "O(K+M*log(N)) for K keys and M members of a set of N",
	}, bzmpop},
}

func blockingZpopSpec(name string, highest bool, summary string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: -3, Flags: command.Write | command.NoScript | command.Blocking | command.Fast, Group: "sorted-set", Since: "5.0.0",
		Keys:    []command.KeySpec{{Flags: command.RW | command.Access | command.Delete, Index: 1, Last: -2, Step: 1}},
		Timeout: timeoutLast, Categories: []string{"blocking"}, Summary: summary, Complexity: "O(log(N)) for N members",
	}, blockingZpop(highest)}
}

func blockingZpop(highest bool) Executor {
	return func(tx *Tx, c *command.Call, r command.Reply) {
		popFirstOrWait(tx, c, kindZset, r, func(key []byte, it *item, z *zset) {
			popped := tx.popEnd(key, it, z, 1, highest)
			r.Array(3)
			r.Bulk(key)
			r.BulkString(popped[0].Member)
			r.Double(popped[0].Score)
		})
	}
}

func bzmpop(tx *Tx, c *command.Call, r command.Reply) {
	if !checkTimeout(c.Args[1], r) {
		return
	}
	q, ok := parseZmpop(c.Args[2:], r)
	if !ok {
		return
	}
	all := q.keys
	q.keys = tx.waitedFor(all, kindZset)
	if !tx.zpopFirst(q, r) {
		tx.wait(c, all, r, r.NullArray)
	}
}
