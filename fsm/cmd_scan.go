package fsm

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/glob"
)

// Walks through a database: of the generic group, and DBSIZE.
var scanCommands = []cmd{
	{command.Spec{
		Name: "keys", Arity: 2, Flags: command.ReadOnly, Group: "generic", Since: "1.0.0",
		Categories: []string{"dangerous"}, Tips: []string{"request_policy:all_shards", "nondeterministic_output_order"},
		Summary: "Lists the keys that match a pattern.", Complexity: "O(N) for N keys in the database",
	}, keys},
	{command.Spec{
		Name: "scan", Arity: -2, Flags: command.ReadOnly, Group: "generic", Since: "2.8.0",
		Tips:    []string{"nondeterministic_output", "request_policy:special"},
		Summary: "Walks through the keys, some at a time.", Complexity: "O(1) a call, O(N) for all N keys",
	}, scan},
	{command.Spec{
		Name: "randomkey", Arity: 1, Flags: command.ReadOnly, Group: "generic", Since: "1.0.0",
		Tips:    tipsAllVaries,
		Summary: "Returns a key by chance.", Complexity: "O(log N) for N keys in the database",
	}, randomkey},
	{command.Spec{
		Name: "dbsize", Arity: 1, Flags: command.ReadOnly | command.Fast, Group: "server", Since: "1.0.0",
		Categories: []string{"keyspace"}, Tips: []string{"request_policy:all_shards", "response_policy:agg_sum"},
		Summary: "Counts the keys of the database.", Complexity: "O(1)",
	}, dbsize},
}

func keys(tx *Tx, c *command.Call, r command.Reply) {
	pattern := c.Args[1]
	all := string(pattern) == "*"
	var found []string
	tx.ks.ascend(0, func(_ uint64, it *item) bool {
		if (all || glob.Match(pattern, it.key(), false)) && tx.present(it) {
			found = append(found, it.key())
		}
		return true
	})
	replyNames(found, r)
}

func replyNames(names []string, r command.Reply) {
	r.Array(len(names))
	for _, n := range names {
		r.BulkString(n)
	}
}

// scanOptions are the options of SCAN and, later, of HSCAN, SSCAN and ZSCAN.
type scanOptions struct {
	cursor  uint64
	pattern []byte // nil: all
	kind    string // in lower case; "": all
	count   int64
	bare    bool // NOVALUES and NOSCORES: names alone
}

const scanCountDefault = 10 // Redis's

// scan is SCAN. The cursor is the hash from which to go on; what shares a hash comes in one page, so that a key that is
// there from the first call to the last is seen, whatever is added or removed meanwhile.
func scan(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := parseScan(c, r)
	if !ok {
		return
	}
	var found []string
	seen, last, next := int64(0), uint64(0), uint64(0)
	tx.ks.ascend(o.cursor, func(hash uint64, it *item) bool {
		if seen >= o.count && hash != last {
			next = hash
			return false
		}
		seen, last = seen+1, hash
		if o.match(it) && tx.present(it) {
			found = append(found, it.key())
		}
		return true
	})
	r.Array(2)
	r.BulkString(strconv.FormatUint(next, 10))
	replyNames(found, r)
}

func (o *scanOptions) match(it *item) bool {
	if o.kind != "" && it.kind().String() != o.kind {
		return false
	}
	return o.matches(it.key())
}

func parseScan(c *command.Call, r command.Reply) (o scanOptions, ok bool) {
	cursor, ok := parseCursor(c.Args[1])
	if !ok {
		r.Error(errCursor)
		return o, false
	}
	o, ok = parseScanOptions(c.Args[2:], true, "", r)
	o.cursor = cursor
	return o, ok
}

const errCursor = "ERR invalid cursor"

// parseScanOptions reads what follows the cursor of SCAN (keys: TYPE may be there) and its like. bare is the option that asks
// for names alone; "": there is none.
func parseScanOptions(args [][]byte, keys bool, bare string, r command.Reply) (o scanOptions, ok bool) {
	o.count = scanCountDefault
	for i := 0; i < len(args); i += 2 {
		if bare != "" && word(args[i], bare) {
			o.bare = true
			i-- // no argument follows it
			continue
		}
		if i+1 == len(args) {
			r.Error(command.ErrSyntax)
			return o, false
		}
		opt, arg := args[i], args[i+1]
		switch {
		case word(opt, "count"):
			if o.count, ok = intArg(arg, r); !ok {
				return o, false
			}
			if o.count < 1 {
				r.Error(command.ErrSyntax)
				return o, false
			}
		case word(opt, "match"):
			if o.pattern = arg; string(arg) == "*" {
				o.pattern = nil
			}
		case word(opt, "type") && keys:
			o.kind = strings.ToLower(string(arg))
		default:
			r.Error(command.ErrSyntax)
			return o, false
		}
	}
	return o, true
}

// matches reports whether a name is what MATCH asks for.
func (o *scanOptions) matches(name string) bool {
	return o.pattern == nil || glob.Match(o.pattern, name, false)
}

// pageSize is COUNT, within what an int can hold.
func (o *scanOptions) pageSize() int { return int(min(o.count, math.MaxInt32)) }

// replyEmptyScan is a scan of nothing.
func replyEmptyScan(r command.Reply) {
	r.Array(2)
	r.BulkString("0")
	r.Array(0)
}

// parseCursor reads a cursor as Redis does, with C's strtoul: a sign is taken, nothing at all is 0, and a NUL ends it.
func parseCursor(s []byte) (uint64, bool) {
	s, _, _ = bytes.Cut(s, []byte{0})
	if len(s) == 0 {
		return 0, true
	}
	neg := s[0] == '-'
	if neg || s[0] == '+' {
		s = s[1:]
	}
	if len(s) == 0 {
		return 0, false
	}
	n := uint64(0)
	for _, c := range s {
		d := uint64(c - '0')
		if d > 9 || n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	if neg {
		n = -n
	}
	return n, true
}

const randomKeyTries = 100 // before the first present key from a random place on is taken

func randomkey(tx *Tx, _ *command.Call, r command.Reply) {
	n := uint64(tx.ks.items.Len())
	for try := 0; n > 0 && try < randomKeyTries; try++ {
		_, first, _ := tx.ks.items.GetAt(int(tx.Rand() % n))
		chain := sortedChain(first)
		if it := chain[tx.Rand()%uint64(len(chain))]; tx.present(it) {
			r.BulkString(it.key())
			return
		}
	}
	// Nearly all keys have expired in log time and are not removed yet.
	from := tx.Rand()
	it := tx.firstPresent(from)
	if it == nil {
		it = tx.firstPresent(0)
	}
	if it == nil {
		r.Null()
		return
	}
	r.BulkString(it.key())
}

func (tx *Tx) firstPresent(from uint64) (found *item) {
	tx.ks.ascend(from, func(_ uint64, it *item) bool {
		if tx.present(it) {
			found = it
		}
		return found == nil
	})
	return found
}

// dbsize does not count keys whose deadline has passed, or the last of whose fields has expired, whether they have been removed yet or not.
func dbsize(tx *Tx, _ *command.Call, r command.Reply) {
	n := tx.ks.keys
	tx.ks.deadlines.Scan(func(d deadline) bool {
		if d.at <= tx.now {
			n--
			return true
		}
		tx.late = tx.late || tx.strict && d.at <= tx.clock
		return false
	})
	tx.ks.fields.Scan(func(d deadline) bool {
		if d.at > tx.clock {
			return false
		}
		it := tx.ks.get(d.hash, dataOf(d.key))
		if at := it.expireAt(); (at == 0 || at > tx.now) && !tx.present(it) {
			n--
		}
		return true
	})
	r.Int(int64(n))
}
