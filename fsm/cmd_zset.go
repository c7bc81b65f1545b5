package fsm

import (
	"slices"
	"strconv"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/ranked"
)

// The sorted set group of Redis 7.0, but for ranges (cmd_zset_range.go) and what makes a set of several
// (cmd_zset_algebra.go).
var zsetCommands = []cmd{
	zsetWrite("zadd", -4, "1.2.0", command.DenyOOM|command.Fast, command.Update, zadd,
		"Sets the scores of members of a sorted set.", "O(log(N)) a member, for N members of the set"),
	zsetWrite("zincrby", 4, "1.2.0", command.DenyOOM|command.Fast, command.Access|command.Update, zincrby,
		"Adds to the score of a member of a sorted set.", "O(log(N)) for N members"),
	zsetWrite("zrem", -3, "1.2.0", command.Fast, command.Delete, zrem,
		"Removes members of a sorted set.", "O(log(N)) a member, for N members of the set"),
	zsetWrite("zpopmin", -2, "5.0.0", command.Fast, command.Access|command.Delete, zpopmin,
		"Removes the members of a sorted set that have the lowest scores, and returns them.", costPop),
	zsetWrite("zpopmax", -2, "5.0.0", command.Fast, command.Access|command.Delete, zpopmax,
		"Removes the members of a sorted set that have the highest scores, and returns them.", costPop),
	{command.Spec{
		Name: "zmpop", Arity: -4, Flags: command.Write | command.MovableKeys, Group: "sorted-set", Since: "7.0.0",
		Keys:    countedKeys(1, command.RW|command.Access|command.Delete),
		Summary: "Removes members from an end of the first sorted set that has any, and returns them.", Complexity: costPop,
	}, zmpop},
	zsetRead("zcard", 2, "1.2.0", command.Fast, 0, nil, zcard,
		"Returns the number of members of a sorted set.", "O(1)"),
	zsetRead("zscore", 3, "1.2.0", command.Fast, command.Access, nil, zscore,
		"Returns the score of a member of a sorted set.", "O(log(N)) for N members"),
	zsetRead("zmscore", -3, "6.2.0", command.Fast, command.Access, nil, zmscore,
		"Returns the scores of members of a sorted set.", "O(log(N)) a member, for N members of the set"),
	zsetRead("zrank", -3, "2.0.0", command.Fast, command.Access, nil, zrank,
		"Returns the rank of a member of a sorted set.", costRank),
	zsetRead("zrevrank", -3, "2.0.0", command.Fast, command.Access, nil, zrevrank,
		"Returns the rank of a member of a sorted set, counted from the end.", costRank),
	zsetRead("zrandmember", -2, "6.2.0", 0, command.Access, tipsVaries, zrandmember,
		"Returns random members of a sorted set.", "O(M*log(N)) for M members that are returned of N"),
	zsetRead("zscan", -3, "2.8.0", 0, command.Access, tipsVaries, zscan,
		"Walks through the members of a sorted set, page by page.", "O(1) a call, O(N) for all N members of the set"),
}

const costPop = "O(M*log(N)) for M members that are removed of N"

func zsetWrite(name string, arity int, since string, more command.Flags, use command.KeyFlags, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.Write | more, Group: "sorted-set", Since: since,
		Keys: oneKey(command.RW | use), Summary: summary, Complexity: cost,
	}, run}
}

func zsetRead(name string, arity int, since string, more command.Flags, use command.KeyFlags, tips []string, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.ReadOnly | more, Group: "sorted-set", Since: since,
		Keys: oneKey(command.RO | use), Tips: tips, Summary: summary, Complexity: cost,
	}, run}
}

// countedKeys: the argument at index counts the keys that follow it.
func countedKeys(index int, f command.KeyFlags) []command.KeySpec {
	return []command.KeySpec{{Flags: f, Index: index, KeyNum: true, FirstKey: 1, Step: 1}}
}

// beginRange announces n members, which replyEntry writes.
func beginRange(n int, withScores bool, r command.Reply) {
	if withScores {
		r.Pairs(n)
		return
	}
	r.Array(n)
}

func replyEntry(e ranked.Entry, withScores bool, r command.Reply) {
	if withScores {
		r.Pair()
	}
	r.BulkString(e.Member)
	if withScores {
		r.Double(e.Score)
	}
}

func replyEntries(entries []ranked.Entry, withScores bool, r command.Reply) {
	beginRange(len(entries), withScores, r)
	for _, e := range entries {
		replyEntry(e, withScores, r)
	}
}

// entries returns those of ranks [from, to).
func (z *zset) entries(from, to int) []ranked.Entry {
	if from >= to {
		return nil
	}
	out := make([]ranked.Entry, 0, to-from)
	for e := range z.members.Ascend(from) {
		if out = append(out, e); len(out) == to-from {
			break
		}
	}
	return out
}

// storeEntries makes sorted entries the value of a key, none of them no key, and replies how many there are.
func (tx *Tx) storeEntries(key []byte, entries []ranked.Entry, event string, r command.Reply) {
	if len(entries) > 0 {
		tx.set(key, value{obj: newZsetOf(tx.m.gen, entries)}, 0)
		tx.event(command.EventZset, event, key)
	} else if it := tx.peek(key); it != nil {
		tx.remove(key, it)
	}
	r.Int(int64(len(entries)))
}

func zrem(tx *Tx, c *command.Call, r command.Reply) {
	it, z, ok := find[*zset](tx, c.Args[1], r)
	if !ok {
		return
	}
	has := func(member []byte) bool {
		_, there := z.score(member)
		return there
	}
	if !slices.ContainsFunc(c.Args[2:], has) {
		r.Int(0)
		return
	}
	z = own(tx, z, newZset)
	removed := 0
	for _, member := range c.Args[2:] {
		if z.members.Delete(textOf(member)) {
			removed++
		}
	}
	tx.keepLess(c.Args[1], it, z, command.EventZset, "zrem")
	r.Int(int64(removed))
}

func zcard(tx *Tx, c *command.Call, r command.Reply) {
	if z, ok := findOr[*zset](tx, c.Args[1], r, func() { r.Int(0) }); ok {
		r.Int(int64(z.size()))
	}
}

func zscore(tx *Tx, c *command.Call, r command.Reply) {
	if _, z, ok := find[*zset](tx, c.Args[1], r); ok {
		z.replyScore(c.Args[2], r)
	}
}

func zmscore(tx *Tx, c *command.Call, r command.Reply) {
	_, z, ok := find[*zset](tx, c.Args[1], r)
	if !ok {
		return
	}
	r.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		z.replyScore(member, r)
	}
}

func (z *zset) replyScore(member []byte, r command.Reply) {
	if score, there := z.score(member); there {
		r.Double(score)
		return
	}
	r.Null()
}

func zrank(tx *Tx, c *command.Call, r command.Reply)    { tx.rank(c, false, r) }
func zrevrank(tx *Tx, c *command.Call, r command.Reply) { tx.rank(c, true, r) }

func (tx *Tx) rank(c *command.Call, back bool, r command.Reply) {
	withScore, null := len(c.Args) == 4, r.Null
	switch {
	case len(c.Args) > 4:
		r.Error(command.ErrWrongArgs(c.Spec))
		return
	case withScore && !word(c.Args[3], "withscore"):
		r.Error(command.ErrSyntax)
		return
	case withScore:
		null = r.NullArray
	}
	z, ok := findOr[*zset](tx, c.Args[1], r, null)
	if !ok {
		return
	}
	rank, there := z.members.Rank(textOf(c.Args[2]))
	if !there {
		null()
		return
	}
	score := z.members.At(rank).Score
	if back {
		rank = z.size() - 1 - rank
	}
	if !withScore {
		r.Int(int64(rank))
		return
	}
	r.Array(2)
	r.Int(int64(rank))
	r.Double(score)
}

func zrandmember(tx *Tx, c *command.Call, r command.Reply) {
	if len(c.Args) == 2 {
		if z, ok := findOr[*zset](tx, c.Args[1], r, r.Null); ok {
			r.BulkString(z.members.At(tx.below(z.size())).Member)
		}
		return
	}
	count, withScores, ok := parseRandomCount(c, "withscores", r)
	if !ok {
		return
	}
	z, ok := findOr[*zset](tx, c.Args[1], r, func() { r.Array(0) })
	if !ok {
		return
	}
	tx.random(count, z.size(),
		func(n int) { beginRange(n, withScores, r) },
		func(rank int) { replyEntry(z.members.At(rank), withScores, r) })
}

// zscan replies scores as strings, also in RESP3.
func zscan(tx *Tx, c *command.Call, r command.Reply) {
	cursor, ok := parseCursor(c.Args[2])
	if !ok {
		r.Error(errCursor)
		return
	}
	z, ok := findOr[*zset](tx, c.Args[1], r, func() { replyEmptyScan(r) })
	if !ok {
		return
	}
	o, ok := parseScanOptions(c.Args[3:], false, "noscores", r)
	if !ok {
		return
	}
	var found []string
	next := z.members.Scan(cursor, o.pageSize(), func(member string, score float64) {
		if !o.matches(member) {
			return
		}
		if found = append(found, member); !o.bare {
			found = append(found, formatDouble(score))
		}
	})
	r.Array(2)
	r.BulkString(strconv.FormatUint(next, 10))
	replyNames(found, r)
}
