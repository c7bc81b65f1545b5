package fsm

import (
	"math"
	"strconv"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// word reports whether an argument is an option's name, in any case. lower is in lower case.
func word(arg []byte, lower string) bool {
	if len(arg) != len(lower) {
		return false
	}
	for i, c := range arg {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// intArg reads an integer argument. ok is false where an error was replied.
func intArg(arg []byte, r command.Reply) (n int64, ok bool) {
	if n, ok = parseInt(arg); !ok {
		r.Error(command.ErrNotInteger)
	}
	return n, ok
}

// dbArg reads a database number and checks that the database exists. Redis has two texts for numbers it cannot read,
// and one for numbers it has no database for.
func (tx *Tx) dbArg(arg []byte, r command.Reply) (db int, ok bool) {
	n, ok := intArg(arg, r)
	switch {
	case !ok:
		return 0, false
	case n < math.MinInt32 || n > math.MaxInt32:
		r.Error("ERR value is out of range, value must between " +
			strconv.Itoa(math.MinInt32) + " and " + strconv.Itoa(math.MaxInt32))
		return 0, false
	case n < 0 || n >= int64(len(tx.m.dbs)):
		r.Error(command.ErrDBIndex)
		return 0, false
	}
	return int(n), true
}
