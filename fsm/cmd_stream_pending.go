package fsm

import (
	"strconv"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/streams"
)

// What groups of consumers read, acknowledge and have pending.
var streamPendingCommands = []cmd{
	{command.Spec{
		Name: "xreadgroup", Arity: -7, Flags: command.Write | command.Blocking | command.MovableKeys, Group: "stream", Since: "5.0.0",
		Keys:       streamsKeys(4),
		Timeout:    blockOption,
		Summary:    "Returns new entries of streams, or pending ones, to a consumer of a group.",
		Complexity: "O(log N + M) a stream of N entries, M of which are returned",
	}, xreadgroup},
	streamWrite("xack", -4, "5.0.0", command.Fast, command.Update, nil, xack,
		"Acknowledges entries that were delivered to a group.", "O(log N) for each of them, for N that are pending"),
	streamRead("xpending", -3, "5.0.0", 0, command.Access, tipsVaries, xpending,
		"Returns which entries are pending in a group.", "O(log N + M) for N pending entries, M of which are returned; O(C) for C consumers where none are"),
}

// groupRead is what XREADGROUP reads of one stream.
type groupRead struct {
	key []byte
	// fresh are the entries that the group has not been given yet; otherwise the consumer's pending ones behind an ID.
	fresh  bool
	behind streams.ID
	// entries are found when it is served. One that is pending but was deleted has no fields.
	served  bool
	entries []streams.Entry
}

func xreadgroup(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := parseReadOptions(c, true, r)
	if !ok {
		return
	}
	switch tx.attempt {
	case attemptAgain:
		tx.againGroup(c, &o, r)
		return
	case attemptLast:
		r.NullArray()
		return
	}
	reads := make([]groupRead, len(o.keys))
	for i := range reads {
		if reads[i], ok = tx.parseGroupRead(&o, i, r); !ok {
			return
		}
	}
	served := 0
	for i := range reads {
		if tx.serve(&o, &reads[i]); reads[i].served {
			served++
		}
	}
	switch {
	case served == 0 && o.block:
		tx.wait(c, o.keys, r, r.NullArray)
		return
	case served == 0:
		r.NullArray()
		return
	}
	r.Entries(served)
	for i := range reads {
		if reads[i].served {
			r.Entry()
			r.Bulk(reads[i].key)
			tx.replyGroupRead(&reads[i], r)
		}
	}
}

// parseGroupRead reads the i-th key and ID. ok is false where an error was replied.
func (tx *Tx) parseGroupRead(o *readOptions, i int, r command.Reply) (read groupRead, ok bool) {
	read.key = o.keys[i]
	_, s, ok := find[*stream](tx, read.key, r)
	if !ok {
		return read, false
	}
	if s.group(o.group) == nil {
		r.Error("NOGROUP No such key '" + string(read.key) + "' or consumer group '" + string(o.group) +
			"' in XREADGROUP with GROUP option")
		return read, false
	}
	switch string(o.ids[i]) {
	case ">":
		read.fresh = true
		return read, true
	case "$":
		r.Error("ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by " +
			"specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.")
		return read, false
	}
	read.behind, ok = idArg(o.ids[i], r)
	read.fresh = read.behind == streams.Max // which is how Redis notes ">"
	return read, ok
}

// serve delivers the entries of one stream, if there are any. The group was found before.
func (tx *Tx) serve(o *readOptions, read *groupRead) {
	it := tx.lookup(read.key)
	s := it.big().obj.(*stream)
	g := s.group(o.group)
	if read.fresh {
		top, there := s.log.Last()
		if !there || top.ID.Compare(g.last) <= 0 {
			return
		}
	}
	read.served = true
	s = own(tx, s, newStream)
	g = s.ownGroup(g)
	tx.see(g, o.consumer, read.key)
	if read.fresh {
		s.readFresh(g, o, tx.now, read)
	} else {
		s.readPending(g, o, tx.now, read)
	}
	tx.keepUnwatched(it, s)
}

// readFresh delivers entries that the group has not been given.
func (s *stream) readFresh(g *group, o *readOptions, now int64, read *groupRead) {
	from, _ := g.last.Next() // there is a higher one
	for e := range s.log.Range(from, streams.Max) {
		read.entries = append(read.entries, e)
		s.deliver(g, e.ID)
		if !o.noAck {
			g.Put(streams.Pending{ID: e.ID, Consumer: textOf(o.consumer), Delivered: now, Deliveries: 1})
		}
		if len(read.entries) == o.count {
			return
		}
	}
}

// readPending delivers what is pending for the consumer once more.
func (s *stream) readPending(g *group, o *readOptions, now int64, read *groupRead) {
	from, _ := read.behind.Next() // there is a higher one, see parseGroupRead
	var again []streams.Pending
	for p := range g.Owned(string(o.consumer), from) {
		e, there := s.log.Get(p.ID)
		if there {
			p.Delivered = now
			p.Deliveries++
			again = append(again, p)
		}
		e.ID = p.ID
		if read.entries = append(read.entries, e); len(read.entries) == o.count {
			break
		}
	}
	for _, p := range again {
		g.Put(p)
	}
}

func (tx *Tx) replyGroupRead(read *groupRead, r command.Reply) {
	r.Array(len(read.entries))
	for _, e := range read.entries {
		if e.Fields > 0 {
			tx.replyEntry(e, r)
			continue
		}
		r.Array(2)
		tx.replyID(e.ID, r)
		r.NullArray()
	}
}

func xack(tx *Tx, c *command.Call, r command.Reply) {
	it, s, ok := find[*stream](tx, c.Args[1], r)
	if !ok {
		return
	}
	g := s.group(c.Args[2])
	if g == nil {
		r.Int(0)
		return
	}
	ids, ok := idArgs(c.Args[3:], r)
	if !ok {
		return
	}
	acked := int64(0)
	for _, id := range ids {
		if _, pending := g.Get(id); !pending {
			continue
		}
		s = own(tx, s, newStream)
		g = s.ownGroup(g)
		g.Remove(id)
		acked++
	}
	if acked > 0 {
		tx.keepUnwatched(it, s)
	}
	r.Int(acked)
}

// findPending looks up the group of a command that has the key and the group's name as its first arguments. ok is false
// where an error was replied.
func (tx *Tx) findPending(c *command.Call, r command.Reply) (it *item, s *stream, g *group, ok bool) {
	it, s, ok = find[*stream](tx, c.Args[1], r)
	if !ok {
		return nil, nil, nil, false
	}
	if g = s.group(c.Args[2]); g == nil {
		r.Error("NOGROUP No such key '" + string(c.Args[1]) + "' or consumer group '" + string(c.Args[2]) + "'")
		return nil, nil, nil, false
	}
	return it, s, g, true
}

// pendingOptions are the arguments of the long form of XPENDING.
type pendingOptions struct {
	idle     int64 // milliseconds at least
	from, to streams.ID
	count    int64
	consumer []byte // nil: of all
}

const (
	pendingArgsMin = 6
	pendingArgsMax = 9
)

func parsePending(args [][]byte, r command.Reply) (o pendingOptions, ok bool) {
	if len(args) < pendingArgsMin-1 || len(args) > pendingArgsMax {
		r.Error(command.ErrSyntax)
		return o, false
	}
	first := 3
	if word(args[3], "idle") {
		if o.idle, ok = intArg(args[4], r); !ok {
			return o, false
		}
		first += 2
	}
	if len(args) < first+3 {
		r.Error(command.ErrSyntax)
		return o, false
	}
	if o.count, ok = intArg(args[first+2], r); !ok {
		return o, false
	}
	if o.from, ok = startIDArg(args[first], r); !ok {
		return o, false
	}
	if o.to, ok = endIDArg(args[first+1], r); !ok {
		return o, false
	}
	if len(args) > first+3 {
		o.consumer = args[first+3]
	}
	return o, true
}

func xpending(tx *Tx, c *command.Call, r command.Reply) {
	if len(c.Args) == 3 {
		if _, _, g, ok := tx.findPending(c, r); ok {
			tx.replyPendingSummary(g, r)
		}
		return
	}
	o, ok := parsePending(c.Args, r)
	if !ok {
		return
	}
	if _, _, g, ok := tx.findPending(c, r); ok {
		tx.replyPending(g, &o, r)
	}
}

// replyPendingSummary is the short form: how many are pending, the first and the last, and how many each consumer has.
func (tx *Tx) replyPendingSummary(g *group, r command.Reply) {
	r.Array(4)
	r.Int(int64(g.Len()))
	if g.Len() == 0 {
		r.Null()
		r.Null()
		r.NullArray()
		return
	}
	for p := range g.Pending(streams.ID{}) {
		tx.replyID(p.ID, r)
		break
	}
	last, _ := g.Last()
	tx.replyID(last.ID, r)
	busy := 0
	for cons := range g.Consumers() {
		if cons.Pending > 0 {
			busy++
		}
	}
	r.Array(busy)
	for cons := range g.Consumers() {
		if cons.Pending > 0 {
			r.Array(2)
			r.BulkString(cons.Name)
			r.BulkString(strconv.Itoa(cons.Pending))
		}
	}
}

// replyPending is the long form.
func (tx *Tx) replyPending(g *group, o *pendingOptions, r command.Reply) {
	walk := g.Pending(o.from)
	if o.consumer != nil {
		walk = g.Owned(string(o.consumer), o.from)
	}
	var found []streams.Pending
	for p := range walk {
		if p.ID.Compare(o.to) > 0 || int64(len(found)) >= o.count {
			break
		}
		if tx.idle(p.Delivered) >= o.idle {
			found = append(found, p)
		}
	}
	r.Array(len(found))
	for _, p := range found {
		r.Array(4)
		tx.replyID(p.ID, r)
		r.BulkString(p.Consumer)
		r.Int(tx.idle(p.Delivered))
		r.Int(p.Deliveries)
	}
}

// idle is how long ago a time was, as it is shown.
func (tx *Tx) idle(since int64) int64 { return max(0, tx.clock-since) }
