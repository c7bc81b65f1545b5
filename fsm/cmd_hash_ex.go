package fsm

import (
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// Fields with their deadlines, of Redis 8.0: of the hash group.
var hashExCommands = []cmd{
	hashWrite("hgetdel", -5, "8.0.0", 0, command.Access|command.Delete, hgetdel,
		"Returns the values of fields of a hash and removes the fields.", "O(N) for N fields"),
	hashWrite("hgetex", -5, "8.0.0", 0, command.Access|command.Update, hgetex,
		"Returns the values of fields of a hash and sets or clears their time to live.", "O(N) for N fields"),
	hashWrite("hsetex", -6, "8.0.0", command.DenyOOM, command.Update, hsetex,
		"Sets the values of fields of a hash and their time to live.", "O(N) for N fields"),
}

func hgetdel(tx *Tx, c *command.Call, r command.Reply) {
	it, h, ok := find[*hash](tx, c.Args[1], r)
	if !ok {
		return
	}
	fields, ok := parseFields(c.Args[2:], errFieldsNumber, r)
	if !ok {
		return
	}
	r.Array(len(fields))
	if h != nil {
		h = own(tx, h, newHash)
	}
	changed := false
	for _, field := range fields {
		h.replyField(tx, field, r)
		changed = h != nil && h.remove(textOf(field), tx.now) || changed
	}
	if changed {
		tx.keepLess(c.Args[1], it, h, command.EventHash, "hdel")
	}
}

// fieldOptions are the arguments of HGETEX and HSETEX behind the key, which may come in any order.
type fieldOptions struct {
	fnx, fxx bool // FNX and FXX: the fields are set only if none of them, or each, is there
	how      ttlHow
	at       int64
	fields   [][]byte // with a value behind each where there are values
}

const (
	errFieldsTwice  = "ERR FIELDS keyword specified multiple times"
	errFieldsBad    = "ERR invalid number of fields"
	errFieldsShort  = "ERR wrong number of arguments"
	errNoExpireTime = "ERR missing expire time"
	errFieldsOneOf  = "ERR Only one of FXX or FNX arguments can be specified"
)

// parseFieldOptions reads the arguments of HGETEX or (values) HSETEX. ok is false where an error was replied.
func (tx *Tx) parseFieldOptions(c *command.Call, values bool, r command.Reply) (o fieldOptions, ok bool) {
	for args := c.Args[2:]; len(args) > 0; {
		var errText string
		used := 1
		how, argument := ttlOption(args[0], !values)
		switch fnx, fxx := word(args[0], "fnx"), word(args[0], "fxx"); {
		case word(args[0], "fields"):
			used, errText = o.parseFields(args, values)
		case values && (fnx || fxx):
			if o.fnx || o.fxx {
				errText = errFieldsOneOf
			}
			o.fnx, o.fxx = fnx, fxx
		case how == ttlNone:
			errText = "ERR unknown argument: " + string(args[0])
		case o.how != ttlNone:
			errText = errOneExpiry(values)
		case argument && len(args) == 1:
			errText = errNoExpireTime
		default:
			if o.how = how; !argument {
				break
			}
			used = 2
			base, unit := how.scale(tx.now)
			if o.at, ok = fieldDeadlineArg(c, args[1], base, unit, r); !ok {
				return o, false
			}
		}
		if errText != "" {
			r.Error(errText)
			return o, false
		}
		args = args[used:]
	}
	if o.fields == nil {
		r.Error(errFieldsMissing)
	}
	return o, o.fields != nil
}

// parseFields reads FIELDS, a number and so many fields, and returns how many arguments that took.
func (o *fieldOptions) parseFields(args [][]byte, values bool) (used int, errText string) {
	if o.fields != nil {
		return 0, errFieldsTwice
	}
	if len(args) < 2 {
		return 0, errFieldsShort
	}
	n, ok := parseInt(args[1])
	if !ok || n < 1 || n > math.MaxInt32 {
		return 0, errFieldsBad
	}
	if values {
		n *= 2
	}
	if n > int64(len(args)-2) {
		return 0, errFieldsShort
	}
	used = 2 + int(n)
	o.fields = args[2:used]
	return used, ""
}

func errOneExpiry(values bool) string {
	if values {
		return "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
	}
	return "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified"
}

// scale says how a deadline is counted: from base on, in units of so many milliseconds.
func (how ttlHow) scale(now int64) (base, unit int64) {
	unit = 1
	if how == ttlSeconds || how == ttlAtSeconds {
		unit = 1000
	}
	if how == ttlSeconds || how == ttlMillis {
		base = now
	}
	return base, unit
}

// limits reports whether the options give a deadline.
func (o *fieldOptions) limits() bool {
	return o.how != ttlNone && o.how != ttlKeep && o.how != ttlPersist
}

func hgetex(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := tx.parseFieldOptions(c, false, r)
	if !ok {
		return
	}
	it, h, ok := find[*hash](tx, c.Args[1], r)
	if !ok {
		return
	}
	if h != nil && o.how != ttlNone {
		h = own(tx, h, newHash)
	}
	r.Array(len(o.fields))
	changed := false
	for _, field := range o.fields {
		h.replyField(tx, field, r)
		switch {
		case h == nil || o.how == ttlNone:
		case o.how == ttlPersist:
			changed = h.unlimit(tx, field) == fieldDone || changed
		default:
			changed = h.limit(tx, field, o.at, expireConditions{}) > fieldRefused || changed
		}
	}
	switch {
	case !changed:
	case o.how == ttlPersist:
		tx.keep(c.Args[1], it, h)
		tx.event(command.EventHash, "hpersist", c.Args[1])
	default:
		tx.keepLimited(c.Args[1], it, h, o.at)
	}
}

func hsetex(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := tx.parseFieldOptions(c, true, r)
	if !ok {
		return
	}
	it, h, ok := find[*hash](tx, c.Args[1], r)
	if !ok {
		return
	}
	if !o.hold(tx, h) {
		r.Int(0)
		return
	}
	h = own(tx, h, newHash)
	if o.limits() && o.at <= tx.now {
		for i := 0; i < len(o.fields); i += 2 {
			h.remove(textOf(o.fields[i]), tx.now)
		}
	} else {
		o.set(tx, h)
	}
	r.Int(1)
	if it == nil && h.size() == 0 {
		return // there was nothing, and is nothing
	}
	tx.event(command.EventHash, "hset", c.Args[1])
	if o.limits() {
		tx.keepLimited(c.Args[1], it, h, o.at)
		return
	}
	tx.keep(c.Args[1], it, h)
}

// hold reports whether FNX or FXX lets the fields be set. h may be nil.
func (o *fieldOptions) hold(tx *Tx, h *hash) bool {
	for i := 0; i < len(o.fields) && (o.fnx || o.fxx); i += 2 {
		if _, there := h.get(tx, o.fields[i]); there != o.fxx {
			return false
		}
	}
	return true
}

// set sets the fields, and their deadline.
func (o *fieldOptions) set(tx *Tx, h *hash) {
	h.growFor(o.fields...)
	for i := 0; i < len(o.fields); i += 2 {
		field, val := textOf(o.fields[i]), string(o.fields[i+1])
		switch {
		case o.how == ttlKeep:
			h.update(field, val, tx.now)
		case o.limits():
			h.update(field, val, tx.now)
			h.setDeadline(field, o.at)
		default:
			h.put(field, val, tx.now)
		}
	}
}
