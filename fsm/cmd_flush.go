package fsm

import (
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// Whole databases: of the server group.
var flushCommands = []cmd{
	{command.Spec{
		Name: "flushdb", Arity: -1, Flags: command.Write, Group: "server", Since: "1.0.0",
		Categories: []string{"keyspace", "dangerous"}, Tips: tipsFlush,
		Summary: "Removes all keys of the database.", Complexity: "O(1)",
	}, flushdb},
	{command.Spec{
		Name: "flushall", Arity: -1, Flags: command.Write, Group: "server", Since: "1.0.0",
		Categories: []string{"keyspace", "dangerous"}, Tips: tipsFlush,
		Summary: "Removes all keys of all databases.", Complexity: "O(D) for D databases",
	}, flushall},
	{command.Spec{
		Name: "swapdb", Arity: 3, Flags: command.Write | command.Fast, Group: "server", Since: "4.0.0",
		Categories: []string{"keyspace", "dangerous"},
		Summary:    "Swaps two databases.", Complexity: "O(1)",
	}, swapdb},
}

// flushMode checks the argument of FLUSHDB and FLUSHALL. Memory is given back by the collector in both modes.
func flushMode(c *command.Call, r command.Reply) bool {
	if len(c.Args) == 1 || len(c.Args) == 2 && (word(c.Args[1], "sync") || word(c.Args[1], "async")) {
		return true
	}
	r.Error(command.ErrSyntax)
	return false
}

func flushdb(tx *Tx, c *command.Call, r command.Reply) {
	if flushMode(c, r) {
		tx.flush(tx.db)
		tx.m.events.noteFlush(tx.by)
		r.Simple("OK")
	}
}

func flushall(tx *Tx, c *command.Call, r command.Reply) {
	if !flushMode(c, r) {
		return
	}
	for db := range tx.m.dbs {
		tx.flush(db)
	}
	tx.m.events.noteFlush(tx.by)
	r.Simple("OK")
}

// flush empties a database. A WATCH of one of its keys sees the version go.
func (tx *Tx) flush(db int) {
	n := tx.m.dbs[db].keys
	if n == 0 {
		return
	}
	tx.m.seq++
	tx.dirty += n
	tx.m.dbs[db] = newKeyspace()
	tx.m.waiting.replaced(db, db)
	tx.m.watches.tellAll()
	tx.selectDB(tx.db)
}

// swapdb swaps two databases. Versions go with the keys, so that EXEC compares what a watched name holds by then.
func swapdb(tx *Tx, c *command.Call, r command.Reply) {
	a, ok := parseInt(c.Args[1])
	if !ok || a < math.MinInt32 || a > math.MaxInt32 {
		r.Error("ERR invalid first DB index")
		return
	}
	b, ok := parseInt(c.Args[2])
	if !ok || b < math.MinInt32 || b > math.MaxInt32 {
		r.Error("ERR invalid second DB index")
		return
	}
	n := int64(len(tx.m.dbs))
	if a < 0 || a >= n || b < 0 || b >= n {
		r.Error(command.ErrDBIndex)
		return
	}
	tx.m.seq++
	tx.dirty++
	tx.m.dbs[a], tx.m.dbs[b] = tx.m.dbs[b], tx.m.dbs[a]
	// Names that were absent may have come and gone by this: to a WATCH every absent name counts as touched.
	for i := range tx.m.born {
		tx.m.born[i] = tx.m.seq
	}
	tx.selectDB(tx.db)
	tx.m.waiting.replaced(int(a), int(b))
	tx.m.watches.tellAll()
	tx.m.events.noteFlush(tx.by)
	r.Simple("OK")
}
