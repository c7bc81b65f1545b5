package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
)

func hrandfield(tx *Tx, c *command.Call, r command.Reply) {
	if len(c.Args) == 2 {
		h, ok := findOr[*hash](tx, c.Args[1], r, r.Null)
		if ok {
			n, at := h.byRank(tx)
			field, _ := at(tx.below(n))
			r.BulkString(field)
		}
		return
	}
	count, withValues, ok := parseRandomCount(c, "withvalues", r)
	if !ok {
		return
	}
	h, ok := findOr[*hash](tx, c.Args[1], r, func() { r.Array(0) })
	if !ok {
		return
	}
	n, at := h.byRank(tx)
	reply := func(rank int) {
		field, val := at(rank)
		if withValues {
			r.Pair()
		}
		r.BulkString(field)
		if withValues {
			r.BulkString(val)
		}
	}
	begin := r.Array
	if withValues {
		begin = r.Pairs
	}
	tx.random(count, n, begin, reply)
}

// parseRandomCount reads the count of HRANDFIELD and ZRANDMEMBER and the word that may follow it.
func parseRandomCount(c *command.Call, with string, r command.Reply) (count int64, has, ok bool) {
	count, ok = rangeArg(c.Args[2], -randomCountMax, randomCountMax, r)
	switch {
	case !ok:
		return 0, false, false
	case len(c.Args) > 4 || len(c.Args) == 4 && !word(c.Args[3], with):
		r.Error(command.ErrSyntax)
		return 0, false, false
	case len(c.Args) == 4 && (count < -randomCountMax/2 || count > randomCountMax/2) || count < -randomRepeatsMax:
		r.Error(errValueRange)
		return 0, false, false
	}
	return count, len(c.Args) == 4, true
}

// random chooses among n elements by rank as Redis's commands with a count do: count different ones, all if there are no
// more, or, where count is negative, so many with repetitions. begin announces how many there will be.
func (tx *Tx) random(count int64, n int, begin, reply func(int)) {
	switch {
	case count < 0:
		begin(int(-count))
		for range -count {
			reply(tx.below(n))
		}
	case count >= int64(n):
		begin(n)
		for rank := range n {
			reply(rank)
		}
	default:
		begin(int(count))
		tx.pickFew(int(count), n, reply)
	}
}
