package fsm

import (
	"math"
	"slices"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// What the blocking commands of lists and sorted sets have in common. How a call waits stands in waiting.go.

// secondsArg reads a time out in seconds, as milliseconds, 0 for ever. errText is Redis's where it is none.
func secondsArg(arg []byte) (millis int64, errText string) {
	s, ok := parseLongDouble(textOf(arg))
	if !ok {
		return 0, "ERR timeout is not a float or out of range"
	}
	f, _ := s.Float64()
	if f = math.Ceil(f * 1000); f < 0 || f >= math.MaxInt64 { // Redis 7.0 says the same of both
		return 0, "ERR timeout is negative"
	}
	return int64(f), ""
}

// checkTimeout reads the time out of a call. ok is false where an error was replied.
func checkTimeout(arg []byte, r command.Reply) (ok bool) {
	_, errText := secondsArg(arg)
	if errText != "" {
		r.Error(errText)
	}
	return errText == ""
}

// timeoutLast and timeoutFirst say where a command has its time out (command.Spec.Timeout).
func timeoutLast(args [][]byte) (millis int64, ok bool) { return timeoutAt(args[len(args)-1]) }

func timeoutFirst(args [][]byte) (millis int64, ok bool) { return timeoutAt(args[1]) }

func timeoutAt(arg []byte) (millis int64, ok bool) {
	millis, errText := secondsArg(arg)
	return millis, errText == ""
}

// waitedFor returns those of keys that a call may look at: all of them at first, and when it is tried again the one that has
// been changed, if it is of the kind that the call waits for. Where it is not, the call goes on waiting, while a first attempt
// replies an error.
func (tx *Tx) waitedFor(keys [][]byte, k kind) [][]byte {
	switch tx.attempt {
	case attemptAgain:
		i := slices.IndexFunc(keys, func(key []byte) bool { return string(key) == tx.ready })
		if it := tx.peek(keys[i]); it != nil && it.kind() == k {
			return keys[i : i+1]
		}
		return nil
	case attemptLast:
		return nil
	}
	return keys
}

// popFirstOrWait executes BLPOP and its like: pop replies with what it takes from the first of the keys that has something.
func popFirstOrWait[T collection](
	tx *Tx, c *command.Call, k kind, r command.Reply, pop func(key []byte, it *item, from T),
) {
	last := len(c.Args) - 1
	if !checkTimeout(c.Args[last], r) {
		return
	}
	keys := c.Args[1:last]
	for _, key := range tx.waitedFor(keys, k) {
		it, from, ok := find[T](tx, key, r)
		if !ok {
			return
		}
		if it != nil {
			pop(key, it, from)
			return
		}
	}
	tx.wait(c, keys, r, r.NullArray)
}
