package fsm

import (
	"slices"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/ranked"
)

func zpopmin(tx *Tx, c *command.Call, r command.Reply) { tx.zpop(c, false, r) }
func zpopmax(tx *Tx, c *command.Call, r command.Reply) { tx.zpop(c, true, r) }

// zpop is ZPOPMIN and ZPOPMAX. Without a count the reply is one array in both protocols.
func (tx *Tx) zpop(c *command.Call, highest bool, r command.Reply) {
	if len(c.Args) > 3 {
		r.Error(command.ErrSyntax)
		return
	}
	count, counted := int64(1), len(c.Args) == 3
	if counted {
		var ok bool
		if count, ok = parseInt(c.Args[2]); !ok || count < 0 {
			r.Error("ERR value is out of range, must be positive")
			return
		}
	}
	it, z, ok := find[*zset](tx, c.Args[1], r)
	if !ok {
		return
	}
	var popped []ranked.Entry
	if z != nil && count > 0 {
		popped = tx.popEnd(c.Args[1], it, z, count, highest)
	}
	if counted || len(popped) == 0 {
		replyEntries(popped, counted, r)
		return
	}
	r.Array(2)
	r.BulkString(popped[0].Member)
	r.Double(popped[0].Score)
}

// popEnd removes up to count (over 0) members with the lowest or the highest scores and returns them, beginning with the
// outermost. it and z are what find found at key.
func (tx *Tx) popEnd(key []byte, it *item, z *zset, count int64, highest bool) []ranked.Entry {
	n := int(min(count, int64(z.size())))
	from, event := 0, "zpopmin"
	if highest {
		from, event = z.size()-n, "zpopmax"
	}
	popped := z.entries(from, from+n)
	if highest {
		slices.Reverse(popped)
	}
	tx.cut(key, it, z, from, from+n, event)
	return popped
}

func zmpop(tx *Tx, c *command.Call, r command.Reply) {
	q, ok := parseZmpop(c.Args[1:], r)
	if ok && !tx.zpopFirst(q, r) {
		r.NullArray()
	}
}

// zpopFirst removes members of the first sorted set that is there and replies its key and them, or an error. It is false, and
// nothing is replied, where there is none of the keys.
func (tx *Tx) zpopFirst(q popQuery, r command.Reply) bool {
	for _, key := range q.keys {
		it, z, ok := find[*zset](tx, key, r)
		if !ok {
			return true
		}
		if z != nil {
			replyPopped(key, tx.popEnd(key, it, z, q.count, q.highest), r)
			return true
		}
	}
	return false
}

// replyPopped is a reply of ZMPOP: a key, and arrays of a member and its score in both protocols.
func replyPopped(key []byte, popped []ranked.Entry, r command.Reply) {
	r.Array(2)
	r.Bulk(key)
	r.Array(len(popped))
	for _, e := range popped {
		r.Array(2)
		r.BulkString(e.Member)
		r.Double(e.Score)
	}
}

// popQuery is what ZMPOP asks for.
type popQuery struct {
	keys    [][]byte
	highest bool
	count   int64
}

// parseZmpop reads the arguments of ZMPOP from the number of keys on.
func parseZmpop(args [][]byte, r command.Reply) (q popQuery, ok bool) {
	n, ok := parseInt(args[0])
	if !ok || n <= 0 {
		r.Error("ERR numkeys should be greater than 0")
		return q, false
	}
	if n > int64(len(args)-2) {
		r.Error(command.ErrSyntax)
		return q, false
	}
	q.keys, args = args[1:1+n], args[1+n:]
	q.highest = word(args[0], "max")
	if !q.highest && !word(args[0], "min") {
		r.Error(command.ErrSyntax)
		return q, false
	}
	for args = args[1:]; len(args) > 0; args = args[2:] {
		if len(args) == 1 || q.count != 0 || !word(args[0], "count") {
			r.Error(command.ErrSyntax)
			return q, false
		}
		if q.count, ok = parseInt(args[1]); !ok || q.count <= 0 {
			r.Error("ERR count should be greater than 0")
			return q, false
		}
	}
	q.count = max(q.count, 1)
	return q, true
}
