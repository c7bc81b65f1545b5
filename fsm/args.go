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

// rangeArg reads an integer from least to most. ok is false where an error was replied.
func rangeArg(arg []byte, least, most int64, r command.Reply) (n int64, ok bool) {
	if n, ok = intArg(arg, r); !ok {
		return 0, false
	}
	if n < least || n > most {
		r.Error("ERR value is out of range, value must between " +
			strconv.FormatInt(least, 10) + " and " + strconv.FormatInt(most, 10))
		return 0, false
	}
	return n, true
}

const errValueRange = "ERR value is out of range"

// boolInt is how replies have said yes and no since Redis 1.
func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// dbArg reads a database number and checks that the database exists. Redis has two texts for numbers it cannot read,
// and one for numbers it has no database for.
func (tx *Tx) dbArg(arg []byte, r command.Reply) (db int, ok bool) {
	n, ok := rangeArg(arg, math.MinInt32, math.MaxInt32, r)
	switch {
	case !ok:
		return 0, false
	case n < 0 || n >= int64(len(tx.m.dbs)):
		r.Error(command.ErrDBIndex)
		return 0, false
	}
	return int(n), true
}
