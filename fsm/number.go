package fsm

import (
	"strconv"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// parseInt is command.ParseInt, under the name that executors use.
func parseInt[S ~string | ~[]byte](s S) (int64, bool) { return command.ParseInt(s) }

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }
