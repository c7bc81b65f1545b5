package fsm

import (
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/streams"
)

// Pending entries that another consumer takes over.
var streamClaimCommands = []cmd{
	streamWrite("xclaim", -6, "5.0.0", command.Fast, command.Update, tipsVaries, xclaim,
		"Gives pending entries of a group to another consumer.", "O(log N) for each of them, for N that are pending"),
	streamWrite("xautoclaim", -6, "6.2.0", command.Fast, command.Delete, tipsVaries, xautoclaim,
		"Gives pending entries of a group that have been idle to another consumer.",
		"O(log N) for each that is looked at, for N that are pending"),
}

// claim is one consumer's taking over of pending entries.
type claim struct {
	key, consumer []byte
	idle          int64 // milliseconds for which an entry must not have been delivered
	at            int64 // when the entries count as delivered
	deliveries    int64 // that they count as having; negative: one more than they had, or (justID) as many
	justID        bool
	claimed       []streams.Entry
}

// take gives a pending entry to the consumer.
func (cl *claim) take(tx *Tx, g *group, p streams.Pending, e streams.Entry) {
	tx.see(g, cl.consumer, cl.key)
	p.Consumer, p.Delivered = textOf(cl.consumer), cl.at
	switch {
	case cl.deliveries >= 0:
		p.Deliveries = cl.deliveries
	case !cl.justID:
		p.Deliveries++
	}
	g.Put(p)
	cl.claimed = append(cl.claimed, e)
}

// reply writes the entries, or their IDs alone.
func (cl *claim) reply(tx *Tx, r command.Reply) {
	r.Array(len(cl.claimed))
	for _, e := range cl.claimed {
		if cl.justID {
			tx.replyID(e.ID, r)
		} else {
			tx.replyEntry(e, r)
		}
	}
}

// claimOptions are the arguments of XCLAIM behind the group.
type claimOptions struct {
	claim
	ids   []streams.ID
	force bool
	last  streams.ID
}

// parseIdle reads a min-idle-time, of which less than 0 is 0.
func parseIdle(arg []byte, of string, r command.Reply) (idle int64, ok bool) {
	if idle, ok = parseInt(arg); !ok {
		r.Error("ERR Invalid min-idle-time argument for " + of)
	}
	return max(0, idle), ok
}

func (tx *Tx) parseClaim(c *command.Call, r command.Reply) (o claimOptions, ok bool) {
	o.claim = claim{key: c.Args[1], consumer: c.Args[3], at: tx.now, deliveries: -1}
	if o.idle, ok = parseIdle(c.Args[4], "XCLAIM", r); !ok {
		return o, false
	}
	i := 5
	for ; i < len(c.Args); i++ {
		id, ok := parseID(c.Args[i], 0)
		if !ok {
			break
		}
		o.ids = append(o.ids, id)
	}
	for ; i < len(c.Args); i++ {
		switch opt, more := c.Args[i], i+1 < len(c.Args); {
		case word(opt, "force"):
			o.force = true
		case word(opt, "justid"):
			o.justID = true
		case more && word(opt, "lastid"):
			i++
			if o.last, ok = idArg(c.Args[i], r); !ok {
				return o, false
			}
		case more && (word(opt, "idle") || word(opt, "time") || word(opt, "retrycount")):
			i++
			if !o.parseNumber(tx, opt, c.Args[i], r) {
				return o, false
			}
		default:
			r.Error("ERR Unrecognized XCLAIM option '" + string(opt) + "'")
			return o, false
		}
	}
	return o, true
}

// parseNumber reads IDLE, TIME or RETRYCOUNT. A delivery ahead of time began or yet to come counts as one of now.
func (o *claimOptions) parseNumber(tx *Tx, opt, arg []byte, r command.Reply) bool {
	n, ok := parseInt(arg)
	switch {
	case !ok && word(opt, "idle"):
		r.Error("ERR Invalid IDLE option argument for XCLAIM")
	case !ok && word(opt, "time"):
		r.Error("ERR Invalid TIME option argument for XCLAIM")
	case !ok:
		r.Error("ERR Invalid RETRYCOUNT option argument for XCLAIM")
	case word(opt, "retrycount"):
		o.deliveries = n
	default:
		if word(opt, "idle") {
			n = tx.now - max(n, -1)
		}
		if o.at = n; n < 0 || n > tx.now {
			o.at = tx.now
		}
	}
	return ok
}

func xclaim(tx *Tx, c *command.Call, r command.Reply) {
	it, s, g, ok := tx.findPending(c, r)
	if !ok {
		return
	}
	o, ok := tx.parseClaim(c, r)
	if !ok {
		return
	}
	s = own(tx, s, newStream)
	g = s.ownGroup(g)
	if o.last.Compare(g.last) > 0 {
		g.last = o.last
	}
	for _, id := range o.ids {
		e, there := s.log.Get(id)
		p, pending := g.Get(id)
		switch {
		case !there:
			g.Remove(id)
		case !pending && o.force:
			o.take(tx, g, streams.Pending{ID: id, Deliveries: 1}, e)
		case pending && tx.now-p.Delivered >= o.idle:
			o.take(tx, g, p, e)
		}
	}
	tx.keepUnwatched(it, s)
	o.reply(tx, r)
}

// autoClaimOptions are the arguments of XAUTOCLAIM behind the group.
type autoClaimOptions struct {
	claim
	from  streams.ID
	count int64
}

const (
	autoClaimCountDefault = 100
	autoClaimCountMax     = math.MaxInt64 / 16 // as in Redis
	autoClaimLooks        = 10                 // entries that are looked at for one that is wanted
)

func (tx *Tx) parseAutoClaim(c *command.Call, r command.Reply) (o autoClaimOptions, ok bool) {
	o.claim = claim{key: c.Args[1], consumer: c.Args[3], at: tx.now, deliveries: -1}
	o.count = autoClaimCountDefault
	if o.idle, ok = parseIdle(c.Args[4], "XAUTOCLAIM", r); !ok {
		return o, false
	}
	if o.from, ok = startIDArg(c.Args[5], r); !ok {
		return o, false
	}
	for i := 6; i < len(c.Args); i++ {
		switch opt := c.Args[i]; {
		case word(opt, "count") && i+1 < len(c.Args):
			i++
			if o.count, ok = parseInt(c.Args[i]); !ok || o.count < 1 || o.count > autoClaimCountMax {
				r.Error("ERR COUNT must be > 0")
				return o, false
			}
		case word(opt, "justid"):
			o.justID = true
		default:
			r.Error(command.ErrSyntax)
			return o, false
		}
	}
	return o, true
}

func xautoclaim(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := tx.parseAutoClaim(c, r)
	if !ok {
		return
	}
	it, s, g, ok := tx.findPending(c, r)
	if !ok {
		return
	}
	found := s.idlePending(g, &o, tx.now)
	s = own(tx, s, newStream)
	g = s.ownGroup(g)
	for i, p := range found.pending {
		o.take(tx, g, p, found.entries[i])
	}
	for _, id := range found.deleted {
		g.Remove(id)
	}
	tx.keepUnwatched(it, s)
	r.Array(3)
	tx.replyID(found.next, r)
	o.reply(tx, r)
	r.Array(len(found.deleted))
	for _, id := range found.deleted {
		tx.replyID(id, r)
	}
}

// idleFound is what XAUTOCLAIM has come by.
type idleFound struct {
	pending []streams.Pending
	entries []streams.Entry // theirs
	deleted []streams.ID    // of pending entries that are no more
	next    streams.ID      // where to go on; 0-0 at the end
}

// idlePending looks for pending entries that have been idle for long enough.
func (s *stream) idlePending(g *group, o *autoClaimOptions, now int64) (found idleFound) {
	wanted, looks := o.count, o.count*autoClaimLooks
	for p := range g.Pending(o.from) {
		if wanted == 0 || looks == 0 {
			found.next = p.ID
			break
		}
		looks--
		e, there := s.log.Get(p.ID)
		switch {
		case !there:
			found.deleted = append(found.deleted, p.ID)
		case now-p.Delivered < o.idle:
			continue
		default:
			found.pending = append(found.pending, p)
			found.entries = append(found.entries, e)
		}
		wanted--
	}
	return found
}
