package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
)

// Ranges of sorted sets: by rank, by score, by name.
var zsetRangeCommands = []cmd{
	zsetRead("zrange", -4, "1.2.0", 0, command.Access, nil, zrange,
		"Returns the members of a sorted set in a range of ranks, scores or names.", costRange),
	{command.Spec{
		Name: "zrangestore", Arity: -5, Flags: command.Write | command.DenyOOM, Group: "sorted-set", Since: "6.2.0",
		Keys:    []command.KeySpec{keyAt(1, command.OW|command.Update), keyAt(2, command.RO|command.Access)},
		Summary: "Stores the members of a sorted set in a range of ranks, scores or names.", Complexity: costRange,
	}, zrangestore},
	deprecated(zsetRead("zrevrange", -4, "1.2.0", 0, command.Access, nil, zrevrange,
		"Returns the members of a sorted set in a range of ranks, counted from the end.", costRange), "6.2.0", "`ZRANGE` with `REV`"),
	deprecated(zsetRead("zrangebyscore", -4, "1.0.5", 0, command.Access, nil, zrangebyscore,
		"Returns the members of a sorted set in a range of scores.", costRange), "6.2.0", "`ZRANGE` with `BYSCORE`"),
	deprecated(zsetRead("zrevrangebyscore", -4, "2.2.0", 0, command.Access, nil, zrevrangebyscore,
		"Returns the members of a sorted set in a range of scores, from the highest on.", costRange),
		"6.2.0", "`ZRANGE` with `REV` and `BYSCORE`"),
	deprecated(zsetRead("zrangebylex", -4, "2.8.9", 0, command.Access, nil, zrangebylex,
		"Returns the members of a sorted set in a range of names.", costRange), "6.2.0", "`ZRANGE` with `BYLEX`"),
	deprecated(zsetRead("zrevrangebylex", -4, "2.8.9", 0, command.Access, nil, zrevrangebylex,
		"Returns the members of a sorted set in a range of names, from the last on.", costRange),
		"6.2.0", "`ZRANGE` with `REV` and `BYLEX`"),
	zsetRead("zcount", 4, "2.0.0", command.Fast, command.Access, nil, zcount,
		"Counts the members of a sorted set in a range of scores.", costRank),
	zsetRead("zlexcount", 4, "2.8.9", command.Fast, command.Access, nil, zlexcount,
		"Counts the members of a sorted set in a range of names.", costRank),
	zsetWrite("zremrangebyrank", 4, "2.0.0", 0, command.Delete, zremrangebyrank,
		"Removes the members of a sorted set in a range of ranks.", costRange),
	zsetWrite("zremrangebyscore", 4, "1.2.0", 0, command.Delete, zremrangebyscore,
		"Removes the members of a sorted set in a range of scores.", costRange),
	zsetWrite("zremrangebylex", 4, "2.8.9", 0, command.Delete, zremrangebylex,
		"Removes the members of a sorted set in a range of names.", costRange),
}

const (
	costRank  = "O(log(N)^2) for N members"
	costRange = "O(log(N)^2 + M) for N members, M of which are in the range"
)

// rangeQuery is what a range command asks for.
type rangeQuery struct {
	span
	back       bool
	withScores bool
	window     window
}

// rangeForm is what a command of the ZRANGE family says by its name.
type rangeForm struct {
	of    spanKind
	back  bool
	free  bool // options say of what, and in which order
	store bool
}

func zrange(tx *Tx, c *command.Call, r command.Reply)    { tx.zrange(c, rangeForm{free: true}, r) }
func zrevrange(tx *Tx, c *command.Call, r command.Reply) { tx.zrange(c, rangeForm{back: true}, r) }

func zrangebyscore(tx *Tx, c *command.Call, r command.Reply) {
	tx.zrange(c, rangeForm{of: spanOfScores}, r)
}

func zrevrangebyscore(tx *Tx, c *command.Call, r command.Reply) {
	tx.zrange(c, rangeForm{of: spanOfScores, back: true}, r)
}

func zrangebylex(tx *Tx, c *command.Call, r command.Reply) {
	tx.zrange(c, rangeForm{of: spanOfNames}, r)
}

func zrevrangebylex(tx *Tx, c *command.Call, r command.Reply) {
	tx.zrange(c, rangeForm{of: spanOfNames, back: true}, r)
}

// zrange is the ZRANGE family but for ZRANGESTORE.
func (tx *Tx) zrange(c *command.Call, f rangeForm, r command.Reply) {
	q, ok := parseRange(c.Args[2:], f, r)
	if !ok {
		return
	}
	z, ok := findOr[*zset](tx, c.Args[1], r, func() { r.Array(0) })
	if ok {
		from, to := q.of(z)
		z.replyRange(from, to, q.back, q.withScores, r)
	}
}

func zrangestore(tx *Tx, c *command.Call, r command.Reply) {
	q, ok := parseRange(c.Args[3:], rangeForm{free: true, store: true}, r)
	if !ok {
		return
	}
	_, z, ok := find[*zset](tx, c.Args[2], r)
	if !ok {
		return
	}
	if z == nil {
		z = newZset(tx.m.gen)
	}
	from, to := q.of(z)
	tx.storeEntries(c.Args[1], z.entries(from, to), "zrangestore", r)
}

// parseRange reads the two ends of a range and the options that follow.
func parseRange(args [][]byte, f rangeForm, r command.Reply) (q rangeQuery, ok bool) {
	q.window = wholeWindow
	if !q.parseOptions(args[2:], &f, r) {
		return q, false
	}
	switch {
	case q.window.limit != -1 && f.of == spanOfRanks:
		r.Error("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
		return q, false
	case q.withScores && f.of == spanOfNames:
		r.Error("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
		return q, false
	}
	least, most := args[0], args[1]
	if f.of == spanOfRanks {
		q.window = wholeWindow // a LIMIT of -1 passes, and is nothing
	} else if f.back {
		least, most = most, least
	}
	q.back = f.back
	q.span, ok = spanArg(f.of, least, most, r)
	return q, ok
}

func (q *rangeQuery) parseOptions(args [][]byte, f *rangeForm, r command.Reply) bool {
	ofSet, ok := false, true
	for i := 0; i < len(args); i++ {
		switch opt := args[i]; {
		case word(opt, "withscores") && !f.store:
			q.withScores = true
		case word(opt, "limit") && i+2 < len(args):
			if q.window.offset, ok = intArg(args[i+1], r); !ok {
				return false
			}
			if q.window.limit, ok = intArg(args[i+2], r); !ok {
				return false
			}
			i += 2
		case word(opt, "rev") && f.free && !f.back:
			f.back = true
		case word(opt, "byscore") && f.free && !ofSet:
			f.of, ofSet = spanOfScores, true
		case word(opt, "bylex") && f.free && !ofSet:
			f.of, ofSet = spanOfNames, true
		default:
			r.Error(command.ErrSyntax)
			return false
		}
	}
	return true
}

// of returns the ranks that the query asks for.
func (q *rangeQuery) of(z *zset) (from, to int) {
	from, to = q.ranks(&z.members, q.back)
	return q.window.of(from, to, q.back)
}

// replyRange writes the members of ranks [from, to), from the last on where back is true.
func (z *zset) replyRange(from, to int, back, withScores bool, r command.Reply) {
	beginRange(to-from, withScores, r)
	left := to - from
	if left == 0 {
		return
	}
	walk := z.members.Ascend(from)
	if back {
		walk = z.members.Descend(to - 1)
	}
	for e := range walk {
		replyEntry(e, withScores, r)
		if left--; left == 0 {
			return
		}
	}
}

func zcount(tx *Tx, c *command.Call, r command.Reply)    { tx.countRange(c, spanOfScores, r) }
func zlexcount(tx *Tx, c *command.Call, r command.Reply) { tx.countRange(c, spanOfNames, r) }

func (tx *Tx) countRange(c *command.Call, k spanKind, r command.Reply) {
	sp, ok := spanArg(k, c.Args[2], c.Args[3], r)
	if !ok {
		return
	}
	if z, ok := findOr[*zset](tx, c.Args[1], r, func() { r.Int(0) }); ok {
		from, to := sp.ranks(&z.members, false)
		r.Int(int64(to - from))
	}
}

func zremrangebyrank(tx *Tx, c *command.Call, r command.Reply) { tx.cutRange(c, spanOfRanks, r) }

func zremrangebyscore(tx *Tx, c *command.Call, r command.Reply) { tx.cutRange(c, spanOfScores, r) }

func zremrangebylex(tx *Tx, c *command.Call, r command.Reply) { tx.cutRange(c, spanOfNames, r) }

func (tx *Tx) cutRange(c *command.Call, k spanKind, r command.Reply) {
	sp, ok := spanArg(k, c.Args[2], c.Args[3], r)
	if !ok {
		return
	}
	it, z, ok := find[*zset](tx, c.Args[1], r)
	if !ok {
		return
	}
	from, to := 0, 0
	if z != nil {
		from, to = sp.ranks(&z.members, false)
	}
	if from < to {
		tx.cut(c.Args[1], it, z, from, to, c.Spec.Name)
	}
	r.Int(int64(to - from))
}

// cut removes the entries of ranks [from, to), of which there is one at least, and tells so by an event. it and z are what
// find found at key.
func (tx *Tx) cut(key []byte, it *item, z *zset, from, to int, event string) {
	if from == 0 && to == z.size() {
		z = newZset(tx.m.gen) // there is no need to take a big one apart
	} else {
		z = own(tx, z, newZset)
		z.members.Cut(from, to)
	}
	tx.keepLess(key, it, z, command.EventZset, event)
}
