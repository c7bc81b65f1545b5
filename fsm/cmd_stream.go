package fsm

import (
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/streams"
)

// Entries of the stream group of Redis 7.0. Reading is in cmd_stream_read.go, groups of consumers in the files behind it.
var streamCommands = []cmd{
	streamWrite("xadd", -5, "5.0.0", command.DenyOOM|command.Fast, command.Update, tipsVaries, xadd,
		"Appends an entry to a stream.", "O(1), and O(N) for N entries that are trimmed"),
	streamWrite("xdel", -3, "5.0.0", command.Fast, command.Delete, nil, xdel,
		"Removes entries from a stream.", "O(log N) for each of them, for N entries in the stream"),
	streamWrite("xtrim", -4, "5.0.0", 0, command.Delete, tipsVaries, xtrim,
		"Removes the oldest entries of a stream.", "O(N) for N entries that are removed"),
	streamWrite("xsetid", -3, "5.0.0", command.DenyOOM|command.Fast, command.Update, nil, xsetid,
		"Sets the last ID of a stream. For internal use.", "O(1)"),
	streamRead("xlen", 2, "5.0.0", command.Fast, 0, nil, xlen,
		"Counts the entries of a stream.", "O(1)"),
}

func streamWrite(name string, arity int, since string, more command.Flags, use command.KeyFlags, tips []string, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.Write | more, Group: "stream", Since: since,
		Keys: oneKey(command.RW | use), Tips: tips, Summary: summary, Complexity: cost,
	}, run}
}

func streamRead(name string, arity int, since string, more command.Flags, use command.KeyFlags, tips []string, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.ReadOnly | more, Group: "stream", Since: since,
		Keys: oneKey(command.RO | use), Tips: tips, Summary: summary, Complexity: cost,
	}, run}
}

// xaddOptions are the options of XADD and, as far as they are about trimming, of XTRIM.
type xaddOptions struct {
	trims     bool
	trim      streams.Trim
	limit     int64 // -1: none was given
	noStream  bool  // NOMKSTREAM
	auto      bool  // "*"
	autoSeq   bool  // "5-*"
	id        streams.ID
	fieldsPos int // of XADD's first field in the arguments
}

// trimLimitDefault bounds an approximate trim that was given no LIMIT: Redis's hundred nodes.
const trimLimitDefault = 100 * 100

// parseAddOptions reads what follows the key. ok is false where an error was replied.
func parseAddOptions(c *command.Call, add bool, r command.Reply) (o xaddOptions, ok bool) {
	o.limit = -1
	for i := 2; i < len(c.Args) && o.fieldsPos == 0; i++ {
		opt, more := c.Args[i], len(c.Args)-1-i
		switch {
		case add && len(opt) == 1 && opt[0] == '*':
			o.auto, o.fieldsPos, ok = true, i+1, true
		case word(opt, "maxlen") && more > 0, word(opt, "minid") && more > 0:
			i, ok = o.parseTrim(c.Args, i, r)
		case word(opt, "limit") && more > 0:
			i++
			ok = o.parseLimit(c.Args[i], r)
		case add && word(opt, "nomkstream"):
			o.noStream, ok = true, true
		case add:
			o.fieldsPos = i + 1
			ok = o.parseNewID(opt, r)
		default:
			r.Error(command.ErrSyntax)
			ok = false
		}
		if !ok {
			return o, false
		}
	}
	return o, o.checkTrim(add, r)
}

// parseTrim reads MAXLEN or MINID, which stands at i, and returns where its last argument does.
func (o *xaddOptions) parseTrim(args [][]byte, i int, r command.Reply) (at int, ok bool) {
	if o.trims {
		r.Error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
		return i, false
	}
	o.trims, o.trim.ByID = true, word(args[i], "minid")
	i++
	if mark := args[i]; len(mark) == 1 && (mark[0] == '~' || mark[0] == '=') && i+1 < len(args) {
		o.trim.Approx = mark[0] == '~'
		i++
	}
	if o.trim.ByID {
		o.trim.MinID, ok = idArg(args[i], r)
		return i, ok
	}
	if o.trim.MaxLen, ok = intArg(args[i], r); ok && o.trim.MaxLen < 0 {
		r.Error("ERR The MAXLEN argument must be >= 0.")
		return i, false
	}
	return i, ok
}

func (o *xaddOptions) parseLimit(arg []byte, r command.Reply) (ok bool) {
	if o.limit, ok = intArg(arg, r); ok && o.limit < 0 {
		r.Error("ERR The LIMIT argument must be >= 0.")
		return false
	}
	return ok
}

// parseNewID reads the ID of an entry that is to be added.
func (o *xaddOptions) parseNewID(arg []byte, r command.Reply) (ok bool) {
	if n := len(arg); n > 2 && arg[n-2] == '-' && arg[n-1] == '*' {
		o.autoSeq = true
		arg = arg[:n-2]
	}
	o.id, ok = idArg(arg, r)
	return ok
}

// checkTrim checks what the options say together.
func (o *xaddOptions) checkTrim(add bool, r command.Reply) bool {
	switch {
	case o.limit >= 0 && !o.trims:
		r.Error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
		return false
	case !add && !o.trims:
		r.Error("ERR syntax error, XTRIM must be called with a trimming strategy")
		return false
	case o.limit >= 0 && !o.trim.Approx:
		r.Error("ERR syntax error, LIMIT cannot be used without the special ~ option")
		return false
	case o.limit >= 0:
		o.trim.Limit = o.limit
	case o.trim.Approx:
		o.trim.Limit = trimLimitDefault
	}
	return true
}

func xadd(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := parseAddOptions(c, true, r)
	if !ok {
		return
	}
	fields := c.Args[min(len(c.Args), max(o.fieldsPos, 2)):]
	if o.fieldsPos == 0 || len(fields) < 2 || len(fields)%2 == 1 {
		r.Error(command.ErrWrongArgs(c.Spec))
		return
	}
	if !o.auto && !o.autoSeq && o.id.IsZero() {
		r.Error("ERR The ID specified in XADD must be greater than 0-0")
		return
	}
	it, s, ok := find[*stream](tx, c.Args[1], r)
	if !ok {
		return
	}
	if s == nil && o.noStream {
		r.Null()
		return
	}
	s = own(tx, s, newStream)
	id, problem := s.newID(&o, uint64(tx.now))
	if problem != "" {
		r.Error(problem)
		return
	}
	s.add(id, fields)
	trimmed := o.trims && s.log.Trim(o.trim) > 0
	tx.keep(c.Args[1], it, s)
	tx.event(command.EventStream, "xadd", c.Args[1])
	if trimmed {
		tx.event(command.EventStream, "xtrim", c.Args[1])
	}
	tx.replyID(id, r)
}

// newID chooses the ID of the next entry, or says why there is none.
func (s *stream) newID(o *xaddOptions, now uint64) (id streams.ID, problem string) {
	if s.last == streams.Max {
		return id, "ERR The stream has exhausted the last possible ID, unable to add more items"
	}
	switch {
	case o.auto && now > s.last.Ms:
		return streams.ID{Ms: now}, ""
	case o.auto:
		id, _ = s.last.Next()
		return id, ""
	case o.autoSeq && o.id.Ms == s.last.Ms && s.last.Seq == math.MaxUint64:
		return id, "ERR Elements are too large to be stored" // sic, in Redis
	case o.autoSeq && o.id.Ms == s.last.Ms:
		id, _ = s.last.Next()
		return id, ""
	}
	if o.id.Compare(s.last) <= 0 {
		return id, "ERR The ID specified in XADD is equal or smaller than the target stream top item"
	}
	return o.id, ""
}

func xlen(tx *Tx, c *command.Call, r command.Reply) {
	if s, ok := findOr[*stream](tx, c.Args[1], r, func() { r.Int(0) }); ok {
		r.Int(int64(s.size()))
	}
}

func xdel(tx *Tx, c *command.Call, r command.Reply) {
	it, s, ok := find[*stream](tx, c.Args[1], r)
	if !ok {
		return
	}
	if s == nil {
		r.Int(0)
		return
	}
	ids, ok := idArgs(c.Args[2:], r)
	if !ok {
		return
	}
	deleted := int64(0)
	for _, id := range ids {
		if _, there := s.log.Get(id); !there {
			continue
		}
		s = own(tx, s, newStream)
		s.delete(id)
		deleted++
	}
	if deleted > 0 {
		tx.keep(c.Args[1], it, s)
		tx.event(command.EventStream, "xdel", c.Args[1])
	}
	r.Int(deleted)
}

func xtrim(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := parseAddOptions(c, false, r)
	if !ok {
		return
	}
	it, s, ok := find[*stream](tx, c.Args[1], r)
	if !ok {
		return
	}
	if s == nil {
		r.Int(0)
		return
	}
	s = own(tx, s, newStream)
	removed := s.log.Trim(o.trim)
	if removed > 0 {
		tx.keep(c.Args[1], it, s)
		tx.event(command.EventStream, "xtrim", c.Args[1])
	}
	r.Int(int64(removed))
}

// setIDOptions are the options of XSETID.
type setIDOptions struct {
	id, maxDeleted streams.ID
	added          int64 // -1: as it is
}

func parseSetID(c *command.Call, r command.Reply) (o setIDOptions, ok bool) {
	o.added = -1
	if o.id, ok = idArg(c.Args[2], r); !ok {
		return o, false
	}
	for i := 3; i < len(c.Args); i += 2 {
		opt, more := c.Args[i], i+1 < len(c.Args)
		switch {
		case word(opt, "entriesadded") && more:
			if o.added, ok = intArg(c.Args[i+1], r); ok && o.added < 0 {
				r.Error("ERR entries_added must be positive")
				ok = false
			}
		case word(opt, "maxdeletedid") && more:
			if o.maxDeleted, ok = idArg(c.Args[i+1], r); ok && o.id.Compare(o.maxDeleted) < 0 {
				r.Error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
				ok = false
			}
		default:
			r.Error(command.ErrSyntax)
			ok = false
		}
		if !ok {
			return o, false
		}
	}
	return o, true
}

func xsetid(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := parseSetID(c, r)
	if !ok {
		return
	}
	it, s, ok := find[*stream](tx, c.Args[1], r)
	if !ok {
		return
	}
	if s == nil {
		r.Error(command.ErrNoSuchKey)
		return
	}
	if top, there := s.log.Last(); there && o.id.Compare(top.ID) < 0 {
		r.Error("ERR The ID specified in XSETID is smaller than the target stream top item")
		return
	}
	if o.added != -1 && o.added < int64(s.log.Len()) {
		r.Error("ERR The entries_added specified in XSETID is smaller than the target stream length")
		return
	}
	s = own(tx, s, newStream)
	s.last = o.id
	if o.added != -1 {
		s.added = o.added
	}
	if !o.maxDeleted.IsZero() {
		s.maxDeleted = o.maxDeleted
	}
	tx.keepUnwatched(it, s)
	tx.event(command.EventStream, "xsetid", c.Args[1])
	r.Simple("OK")
}
