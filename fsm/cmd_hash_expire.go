package fsm

import "github.com/redoubtdb/redoubt/fsm/command"

// Deadlines of the fields of hashes, of Redis 7.4: of the hash group.
var hashExpireCommands = []cmd{
	hashWrite("hexpire", -6, "7.4.0", command.DenyOOM, command.Update, hexpire,
		"Sets the time to live of fields of a hash, in seconds.", "O(N) for N fields"),
	hashWrite("hpexpire", -6, "7.4.0", command.DenyOOM, command.Update, hpexpire,
		"Sets the time to live of fields of a hash, in milliseconds.", "O(N) for N fields"),
	hashWrite("hexpireat", -6, "7.4.0", command.DenyOOM, command.Update, hexpireat,
		"Sets the deadline of fields of a hash, in seconds since 1970.", "O(N) for N fields"),
	hashWrite("hpexpireat", -6, "7.4.0", command.DenyOOM, command.Update, hpexpireat,
		"Sets the deadline of fields of a hash, in milliseconds since 1970.", "O(N) for N fields"),
	hashRead("httl", -5, "7.4.0", command.Fast, command.Access, nil, httl,
		"Returns the time to live of fields of a hash, in seconds.", "O(N) for N fields"),
	hashRead("hpttl", -5, "7.4.0", command.Fast, command.Access, nil, hpttl,
		"Returns the time to live of fields of a hash, in milliseconds.", "O(N) for N fields"),
	hashRead("hexpiretime", -5, "7.4.0", command.Fast, command.Access, nil, hexpiretime,
		"Returns the deadline of fields of a hash, in seconds since 1970.", "O(N) for N fields"),
	hashRead("hpexpiretime", -5, "7.4.0", command.Fast, command.Access, nil, hpexpiretime,
		"Returns the deadline of fields of a hash, in milliseconds since 1970.", "O(N) for N fields"),
	hashWrite("hpersist", -5, "7.4.0", 0, command.Update, hpersist,
		"Takes the deadlines of fields of a hash away.", "O(N) for N fields"),
}

const (
	errFieldsMissing = "ERR Mandatory argument FIELDS is missing or not at the right position"
	errFieldsNumber  = "ERR Number of fields must be a positive integer"
	errFieldsOver0   = "ERR Parameter `numFields` should be greater than 0" // HEXPIRE and its like say the same so
	errFieldsMatch   = "ERR The `numfields` parameter must match the number of arguments"
	errExpirePast    = "ERR invalid expire time, must be >= 0"
)

// What HEXPIRE and its like reply for a field.
const (
	fieldAbsent    = -2
	fieldUnlimited = -1 // it has no deadline
	fieldRefused   = 0  // a condition does not hold
	fieldDone      = 1
	fieldRemoved   = 2 // its new deadline has passed already
)

// parseFields reads FIELDS, a number and so many fields, to the end of the arguments. badNumber is the error of a number that
// is none or not above 0.
func parseFields(args [][]byte, badNumber string, r command.Reply) (fields [][]byte, ok bool) {
	if !word(args[0], "fields") {
		r.Error(errFieldsMissing)
		return nil, false
	}
	fields = args[2:]
	n, ok := parseInt(args[1])
	switch {
	case !ok || n < 1:
		r.Error(badNumber)
		return nil, false
	case n != int64(len(fields)):
		r.Error(errFieldsMatch)
		return nil, false
	}
	return fields, true
}

func hexpire(tx *Tx, c *command.Call, r command.Reply)    { hexpireGeneric(tx, c, r, tx.now, 1000) }
func hpexpire(tx *Tx, c *command.Call, r command.Reply)   { hexpireGeneric(tx, c, r, tx.now, 1) }
func hexpireat(tx *Tx, c *command.Call, r command.Reply)  { hexpireGeneric(tx, c, r, 0, 1000) }
func hpexpireat(tx *Tx, c *command.Call, r command.Reply) { hexpireGeneric(tx, c, r, 0, 1) }

// hexpireGeneric gives fields a deadline of base + argument*unit milliseconds.
func hexpireGeneric(tx *Tx, c *command.Call, r command.Reply, base, unit int64) {
	it, h, ok := find[*hash](tx, c.Args[1], r)
	if !ok {
		return
	}
	at, ok := fieldDeadlineArg(c, c.Args[2], base, unit, r)
	if !ok {
		return
	}
	// Redis takes one condition of a field, and as many of a key as do not contradict each other.
	rest := c.Args[3:]
	o, errText := parseExpireConditions(rest[:1])
	if errText == "" {
		rest = rest[1:]
	}
	fields, ok := parseFields(rest, errFieldsOver0, r)
	if !ok {
		return
	}
	if h, changed := tx.changeFields(h, fields, r, func(h *hash, field []byte) int { return h.limit(tx, field, at, o) }); changed {
		tx.keepLimited(c.Args[1], it, h, at)
	}
}

// changeFields replies for each field what change returns, and that it is absent where there is no hash. It returns the hash
// that change got, and whether a deadline was changed.
func (tx *Tx) changeFields(h *hash, fields [][]byte, r command.Reply, change func(h *hash, field []byte) (code int)) (
	mine *hash, changed bool,
) {
	r.Array(len(fields))
	if h == nil {
		replyAbsent(len(fields), r)
		return nil, false
	}
	h = own(tx, h, newHash)
	for _, field := range fields {
		code := change(h, field)
		changed = changed || code > fieldRefused
		r.Int(int64(code))
	}
	return h, changed
}

// fieldDeadlineArg reads a deadline of fields: base + arg*unit milliseconds since 1970. ok is false where an error was replied.
func fieldDeadlineArg(c *command.Call, arg []byte, base, unit int64, r command.Reply) (at int64, ok bool) {
	n, ok := intArg(arg, r)
	switch {
	case !ok:
		return 0, false
	case n < 0:
		r.Error(errExpirePast)
		return 0, false
	case n > fieldDeadlineMax/unit || n*unit > fieldDeadlineMax-base:
		r.Error(errExpireTime(c))
		return 0, false
	}
	return base + n*unit, true
}

// limit gives a field the deadline at, which removes the field if it has passed, and returns the reply.
func (h *hash) limit(tx *Tx, field []byte, at int64, o expireConditions) (code int) {
	name := textOf(field)
	if _, there := h.get(tx, field); !there {
		return fieldAbsent
	}
	switch {
	case !o.hold(h.deadline(name), at):
		return fieldRefused
	case at <= tx.now:
		h.remove(name, tx.now)
		return fieldRemoved
	}
	h.setDeadline(name, at)
	return fieldDone
}

// keepLimited enters a hash some of whose fields were given the deadline at, or removed because it has passed.
func (tx *Tx) keepLimited(key []byte, it *item, h *hash, at int64) {
	if at <= tx.now {
		tx.keepLess(key, it, h, command.EventHash, "hdel")
		return
	}
	tx.keep(key, it, h)
	tx.event(command.EventHash, "hexpire", key)
}

func replyAbsent(n int, r command.Reply) {
	for range n {
		r.Int(fieldAbsent)
	}
}

func hpersist(tx *Tx, c *command.Call, r command.Reply) {
	it, h, ok := find[*hash](tx, c.Args[1], r)
	if !ok {
		return
	}
	fields, ok := parseFields(c.Args[2:], errFieldsNumber, r)
	if !ok {
		return
	}
	if h, changed := tx.changeFields(h, fields, r, func(h *hash, field []byte) int { return h.unlimit(tx, field) }); changed {
		tx.keep(c.Args[1], it, h)
		tx.event(command.EventHash, "hpersist", c.Args[1])
	}
}

// unlimit takes a field's deadline away and returns the reply.
func (h *hash) unlimit(tx *Tx, field []byte) (code int) {
	if _, there := h.get(tx, field); !there {
		return fieldAbsent
	}
	if h.clearDeadline(textOf(field)) == 0 {
		return fieldUnlimited
	}
	return fieldDone
}

func httl(tx *Tx, c *command.Call, r command.Reply) {
	tx.replyFieldDeadlines(c, r, func(at int64) int64 { return secondsUp(max(0, at-tx.clock)) })
}

func hpttl(tx *Tx, c *command.Call, r command.Reply) {
	tx.replyFieldDeadlines(c, r, func(at int64) int64 { return max(0, at-tx.clock) })
}

func hexpiretime(tx *Tx, c *command.Call, r command.Reply) { tx.replyFieldDeadlines(c, r, secondsUp) }

func hpexpiretime(tx *Tx, c *command.Call, r command.Reply) {
	tx.replyFieldDeadlines(c, r, func(at int64) int64 { return at })
}

// secondsUp rounds milliseconds up, as Redis prints the times of fields; those of keys it rounds to the nearest second.
func secondsUp(ms int64) int64 { return (ms + 999) / 1000 }

// replyFieldDeadlines writes what show makes of the deadlines of fields.
func (tx *Tx) replyFieldDeadlines(c *command.Call, r command.Reply, show func(at int64) int64) {
	_, h, ok := find[*hash](tx, c.Args[1], r)
	if !ok {
		return
	}
	fields, ok := parseFields(c.Args[2:], errFieldsNumber, r)
	if !ok {
		return
	}
	r.Array(len(fields))
	for _, field := range fields {
		_, there := h.get(tx, field)
		switch {
		case !there:
			r.Int(fieldAbsent)
		case h.deadline(textOf(field)) == 0:
			r.Int(fieldUnlimited)
		default:
			r.Int(show(h.deadline(textOf(field))))
		}
	}
}
