package fsm

import (
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// ttlHow says what an option of SET or GETEX does with a key's deadline.
type ttlHow uint8

const (
	ttlNone      ttlHow = iota
	ttlSeconds          // EX: seconds from now
	ttlMillis           // PX: milliseconds from now
	ttlAtSeconds        // EXAT: seconds since 1970
	ttlAtMillis         // PXAT: milliseconds since 1970
	ttlKeep             // KEEPTTL
	ttlPersist          // PERSIST
)

// expiry is a deadline as the client wrote it.
type expiry struct {
	how ttlHow
	arg []byte
}

// setOptions are the options of SET and GETEX.
type setOptions struct {
	nx, xx, get bool
	when        valueCondition // beside neither NX nor XX
	expiry
}

// parseSetOptions reads the options of SET or (getex) GETEX by Redis's rules: of those that speak of the deadline only
// one kind may appear, though it may be repeated, and the last one counts.
func parseSetOptions(args [][]byte, getex bool) (o setOptions, ok bool) {
	for i := 0; i < len(args); i++ {
		opt := args[i]
		switch {
		case !getex && word(opt, "nx") && !o.xx && o.when.how == ifAny:
			o.nx = true
		case !getex && word(opt, "xx") && !o.nx && o.when.how == ifAny:
			o.xx = true
		case !getex && ifOption(opt) != ifAny && !o.nx && !o.xx && o.when.how == ifAny && i+1 < len(args):
			i++
			o.when = valueCondition{ifOption(opt), args[i]}
		case !getex && word(opt, "get"):
			o.get = true
		default:
			how, argument := ttlOption(opt, getex)
			if how == ttlNone || (o.how != ttlNone && o.how != how) {
				return o, false
			}
			o.how = how
			if !argument {
				continue
			}
			if i++; i == len(args) {
				return o, false
			}
			o.arg = args[i]
		}
	}
	return o, true
}

func ttlOption(opt []byte, getex bool) (how ttlHow, argument bool) {
	switch {
	case word(opt, "ex"):
		return ttlSeconds, true
	case word(opt, "px"):
		return ttlMillis, true
	case word(opt, "exat"):
		return ttlAtSeconds, true
	case word(opt, "pxat"):
		return ttlAtMillis, true
	case !getex && word(opt, "keepttl"):
		return ttlKeep, false
	case getex && word(opt, "persist"):
		return ttlPersist, false
	}
	return ttlNone, false
}

// deadline is the deadline in milliseconds since 1970; 0: none was asked for. ok is false where an error was replied.
func (e expiry) deadline(tx *Tx, c *command.Call, r command.Reply) (at int64, ok bool) {
	if e.arg == nil {
		return 0, true
	}
	n, ok := intArg(e.arg, r)
	if !ok {
		return 0, false
	}
	seconds := e.how == ttlSeconds || e.how == ttlAtSeconds
	if n <= 0 || seconds && n > math.MaxInt64/1000 {
		r.Error(errExpireTime(c))
		return 0, false
	}
	if seconds {
		n *= 1000
	}
	if e.how == ttlSeconds || e.how == ttlMillis {
		if n > math.MaxInt64-tx.now {
			r.Error(errExpireTime(c))
			return 0, false
		}
		n += tx.now
	}
	return n, true
}

func errExpireTime(c *command.Call) string {
	return "ERR invalid expire time in '" + c.Spec.Name + "' command"
}

// setTTL gives a present key a deadline. One that has passed removes the key at once.
func (tx *Tx) setTTL(key []byte, it *item, at int64) {
	if at <= tx.now {
		tx.remove(key, it)
		return
	}
	tx.expireAt(it, at)
	tx.event(command.EventGeneric, "expire", key)
}

// persist takes a present key's deadline away.
func (tx *Tx) persist(key []byte, it *item) {
	tx.expireAt(it, 0)
	tx.event(command.EventGeneric, "persist", key)
}

// expireConditions are the options of the EXPIRE family.
type expireConditions struct{ nx, xx, gt, lt bool }

func parseExpireConditions(args [][]byte) (o expireConditions, errText string) {
	for _, opt := range args {
		switch {
		case word(opt, "nx"):
			o.nx = true
		case word(opt, "xx"):
			o.xx = true
		case word(opt, "gt"):
			o.gt = true
		case word(opt, "lt"):
			o.lt = true
		default:
			return o, "ERR Unsupported option " + string(opt)
		}
	}
	switch {
	case o.nx && (o.xx || o.gt || o.lt):
		return o, "ERR NX and XX, GT or LT options at the same time are not compatible"
	case o.gt && o.lt:
		return o, "ERR GT and LT options at the same time are not compatible"
	}
	return o, ""
}

// hold reports whether a key with deadline old (0: none, which counts as later than any) may get deadline at.
func (o expireConditions) hold(old, at int64) bool {
	switch {
	case o.nx && old != 0, o.xx && old == 0:
		return false
	case o.gt && (old == 0 || at <= old):
		return false
	case o.lt && old != 0 && at >= old:
		return false
	}
	return true
}
