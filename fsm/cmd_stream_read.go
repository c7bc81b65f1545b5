package fsm

import (
	"iter"
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/streams"
)

// Reading of the stream group.
var streamReadCommands = []cmd{
	streamRead("xrange", -4, "5.0.0", 0, command.Access, nil, xrange,
		"Returns the entries of a stream from one ID to another.", "O(log N + M) for N entries, M of which are returned"),
	streamRead("xrevrange", -4, "5.0.0", 0, command.Access, nil, xrevrange,
		"Returns the entries of a stream from one ID to another, the last one first.", "O(log N + M) for N entries, M of which are returned"),
	{command.Spec{
		Name: "xread", Arity: -4, Flags: command.ReadOnly | command.Blocking | command.MovableKeys, Group: "stream", Since: "5.0.0",
		Keys: streamsKeys(1), Timeout: blockOption,
		Summary: "Returns the entries of streams behind IDs.", Complexity: "O(log N + M) a stream of N entries, M of which are returned",
	}, xread},
}

// streamsKeys are the keys behind the word STREAMS, which is searched from an argument on: the first half of what follows.
func streamsKeys(from int) []command.KeySpec {
	return []command.KeySpec{{
		Flags: command.RO | command.Access, Keyword: "STREAMS", StartFrom: from, Last: -1, Step: 1, Limit: 2,
	}}
}

func xrange(tx *Tx, c *command.Call, r command.Reply) {
	from, ok := startIDArg(c.Args[2], r)
	if !ok {
		return
	}
	if to, ok := endIDArg(c.Args[3], r); ok {
		tx.replyRange(c, from, to, (*streams.Log).Range, r)
	}
}

func xrevrange(tx *Tx, c *command.Call, r command.Reply) {
	to, ok := endIDArg(c.Args[2], r)
	if !ok {
		return
	}
	if from, ok := startIDArg(c.Args[3], r); ok {
		tx.replyRange(c, from, to, (*streams.Log).Backward, r)
	}
}

// replyRange is XRANGE or, walking the other way, XREVRANGE.
func (tx *Tx) replyRange(c *command.Call, from, to streams.ID, walk func(l *streams.Log, from, to streams.ID) iter.Seq[streams.Entry], r command.Reply) {
	most := int64(math.MaxInt64)
	for i := 4; i < len(c.Args); i += 2 {
		if !word(c.Args[i], "count") || i+1 == len(c.Args) {
			r.Error(command.ErrSyntax)
			return
		}
		var ok bool
		if most, ok = intArg(c.Args[i+1], r); !ok {
			return
		}
	}
	s, ok := findOr[*stream](tx, c.Args[1], r, func() { r.Array(0) })
	switch {
	case !ok:
	case most <= 0:
		r.NullArray()
	default:
		tx.replyEntries(s.log.Count(from, to, int(most)), walk(&s.log, from, to), r)
	}
}

// replyEntries writes the first n entries of a walk.
func (tx *Tx) replyEntries(n int, walk iter.Seq[streams.Entry], r command.Reply) {
	r.Array(n)
	if n == 0 {
		return
	}
	for e := range walk {
		tx.replyEntry(e, r)
		if n--; n == 0 {
			return
		}
	}
}

func (tx *Tx) replyEntry(e streams.Entry, r command.Reply) {
	r.Array(2)
	tx.replyID(e.ID, r)
	r.Array(2 * e.Fields)
	for name, val := range e.All() {
		r.BulkString(name)
		r.BulkString(val)
	}
}

// readOptions are the options of XREAD and XREADGROUP.
type readOptions struct {
	count           int // of entries at most
	block, noAck    bool
	group, consumer []byte // nil for XREAD
	keys, ids       [][]byte
}

// parseReadOptions reads the arguments. ok is false where an error was replied.
func parseReadOptions(c *command.Call, ofGroup bool, r command.Reply) (o readOptions, ok bool) {
	o.count = math.MaxInt
	for i := 1; i < len(c.Args) && o.keys == nil; i++ {
		opt, more := c.Args[i], len(c.Args)-1-i
		ok = true
		switch {
		case word(opt, "block") && more > 0:
			i++
			ok, o.block = checkBlock(c.Args[i], r), true
		case word(opt, "count") && more > 0:
			i++
			o.count, ok = countArg(c.Args[i], r)
		case word(opt, "streams") && more > 0:
			ok = o.parseStreams(c.Args[i+1:], r)
		case word(opt, "group") && more > 1 && ofGroup:
			o.group, o.consumer = c.Args[i+1], c.Args[i+2]
			i += 2
		case word(opt, "noack") && ofGroup:
			o.noAck = true
		default:
			replyReadOption(opt, more, r)
			ok = false
		}
		if !ok {
			return o, false
		}
	}
	switch {
	case o.keys == nil:
		r.Error(command.ErrSyntax)
	case ofGroup && o.group == nil:
		r.Error("ERR Missing GROUP option for XREADGROUP")
	default:
		return o, true
	}
	return o, false
}

// replyReadOption is the error for an option that is not there, or that XREAD does not have.
func replyReadOption(opt []byte, more int, r command.Reply) {
	switch {
	case word(opt, "group") && more > 1:
		r.Error("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
	case word(opt, "noack"):
		r.Error("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
	default:
		r.Error(command.ErrSyntax)
	}
}

// checkBlock checks BLOCK's milliseconds.
func checkBlock(arg []byte, r command.Reply) bool {
	n, ok := parseInt(arg)
	switch {
	case !ok:
		r.Error("ERR timeout is not an integer or out of range")
	case n < 0:
		r.Error("ERR timeout is negative")
	default:
		return true
	}
	return false
}

// countArg reads COUNT's number, of which 0 and less are none.
func countArg(arg []byte, r command.Reply) (n int, ok bool) {
	count, ok := intArg(arg, r)
	if count <= 0 {
		return math.MaxInt, ok
	}
	return int(count), ok
}

func (o *readOptions) parseStreams(rest [][]byte, r command.Reply) bool {
	if len(rest)%2 == 1 {
		r.Error("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.")
		return false
	}
	o.keys, o.ids = rest[:len(rest)/2], rest[len(rest)/2:]
	return true
}

// part is what XREAD returns of one stream: n entries behind an ID.
type part struct {
	key  []byte
	s    *stream
	from streams.ID
	n    int
}

func xread(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := parseReadOptions(c, false, r)
	if !ok {
		return
	}
	parts := make([]part, 0, len(o.keys))
	for i, key := range o.keys {
		_, s, ok := find[*stream](tx, key, r)
		if !ok {
			return
		}
		behind, ok := behindArg(o.ids[i], s, r)
		if !ok {
			return
		}
		from, more := behind.Next()
		if s == nil || !more {
			continue
		}
		if n := s.log.Count(from, streams.Max, o.count); n > 0 {
			parts = append(parts, part{key, s, from, n})
		}
	}
	switch {
	case len(parts) == 0 && o.block:
		o.settle(tx)
		tx.wait(c, o.keys, r, r.NullArray)
		return
	case len(parts) == 0:
		r.NullArray()
		return
	}
	r.Entries(len(parts))
	for _, p := range parts {
		r.Entry()
		r.Bulk(p.key)
		tx.replyEntries(p.n, p.s.log.Range(p.from, streams.Max), r)
	}
}

// behindArg reads the ID behind which XREAD reads; "$" is the last one. There may be no stream.
func behindArg(arg []byte, s *stream, r command.Reply) (id streams.ID, ok bool) {
	switch {
	case string(arg) == ">":
		r.Error("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
		return id, false
	case string(arg) != "$":
		return idArg(arg, r)
	case s != nil:
		return s.last, true
	}
	return id, true
}
