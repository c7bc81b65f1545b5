package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/streams"
)

// Deletions that look at who has entries pending, of Redis 8.2: of the stream group.
var streamDeleteCommands = []cmd{
	streamWrite("xdelex", -5, "8.2.0", command.Fast, command.Delete, nil, xdelex,
		"Removes entries of a stream, and what groups have of them, or those that all groups are done with.",
		"O(log N) for each of them, for N entries; O(G) more for G groups, unless references are kept"),
	streamWrite("xackdel", -6, "8.2.0", command.Fast, command.Update|command.Delete, nil, xackdel,
		"Acknowledges entries that were delivered to a group, and removes them from the stream.",
		"O(log N) for each of them, for N entries; O(G) more for G groups, unless references are kept"),
}

// references says what happens to those that groups have pending of an entry that is to be deleted.
type references uint8

const (
	keepReferences references = iota + 1
	dropReferences
	noReferences // an entry that any group has pending, or has not been given yet, is not deleted
)

var referenceWords = []string{keepReferences: "keepref", dropReferences: "delref", noReferences: "acked"}

// What XDELEX and XACKDEL reply for an ID.
const (
	entryAbsent  = -1 // of XACKDEL: it is not pending in the group
	entryDeleted = 1
	entryKept    = 2
)

// referencesWorkMax bounds in how many groups an entry of a call is looked for, all entries together: a short call of many
// IDs on a stream of many groups could keep all nodes busy for long.
const referencesWorkMax = 1 << 26

// deletion is an XDELEX or XACKDEL.
type deletion struct {
	references
	ids []streams.ID
	// unread is the lowest last ID of a group: what is behind it some group has not been given. It is not looked at where
	// there are no groups.
	unread streams.ID
}

// parseDeletion reads what follows the key, or the group. ok is false where an error was replied.
func parseDeletion(args [][]byte, r command.Reply) (o deletion, idWords [][]byte, ok bool) {
	for len(args) > 0 {
		if refs := referencesOf(args[0]); refs != 0 && o.references == 0 {
			o.references = refs
			args = args[1:]
			continue
		}
		if !word(args[0], "ids") || idWords != nil || len(args) < 2 {
			r.Error(command.ErrSyntax)
			return o, nil, false
		}
		n, ok := parseInt(args[1])
		switch {
		case !ok || n < 1:
			r.Error("ERR Number of IDs must be a positive integer")
			return o, nil, false
		case n > int64(len(args)-2):
			r.Error("ERR The `numids` parameter must match the number of arguments")
			return o, nil, false
		}
		idWords, args = args[2:2+n], args[2+n:]
	}
	if idWords == nil {
		r.Error(command.ErrSyntax)
	}
	if o.references == 0 {
		o.references = keepReferences
	}
	return o, idWords, idWords != nil
}

func referencesOf(arg []byte) references {
	for i, name := range referenceWords {
		if name != "" && word(arg, name) {
			return references(i)
		}
	}
	return 0
}

// findDeletion reads the arguments from the one called from on and looks up the stream. ok is false where it has replied.
func findDeletion(tx *Tx, c *command.Call, from int, r command.Reply) (it *item, s *stream, o deletion, ok bool) {
	o, idWords, ok := parseDeletion(c.Args[from:], r)
	if !ok {
		return nil, nil, o, false
	}
	if it, s, ok = find[*stream](tx, c.Args[1], r); !ok {
		return nil, nil, o, false
	}
	if o.ids, ok = idArgs(idWords, r); !ok {
		return nil, nil, o, false
	}
	if s == nil {
		replyCodes(len(o.ids), entryAbsent, r)
		return nil, nil, o, false
	}
	if o.references != keepReferences && len(o.ids) > referencesWorkMax/max(1, s.groups.Len()) {
		r.Error("ERR too many IDs for a stream of so many groups")
		return nil, nil, o, false
	}
	o.unread = streams.Max
	s.groups.Scan(func(g *group) bool {
		if g.last.Compare(o.unread) < 0 {
			o.unread = g.last
		}
		return true
	})
	return it, s, o, true
}

func replyCodes(n, code int, r command.Reply) {
	r.Array(n)
	for range n {
		r.Int(int64(code))
	}
}

// delete deletes an entry of a stream that may be changed, as far as those who have it pending let it.
func (o *deletion) delete(s *stream, id streams.ID) (code int, deleted bool) {
	_, there := s.log.Get(id)
	switch {
	case o.references == noReferences && there && (s.groups.Len() == 0 || id.Compare(o.unread) > 0 || s.pendingSomewhere(id)):
		return entryKept, false
	case o.references == dropReferences:
		s.dropPending(id)
	}
	if !there {
		return entryAbsent, false
	}
	s.delete(id)
	return entryDeleted, true
}

// pendingSomewhere reports whether any group has an entry pending.
func (s *stream) pendingSomewhere(id streams.ID) (pending bool) {
	s.groups.Scan(func(g *group) bool {
		_, pending = g.Get(id)
		return !pending
	})
	return pending
}

// dropPending makes all groups forget an entry, as if each had acknowledged it.
func (s *stream) dropPending(id streams.ID) {
	var having []*group
	s.groups.Scan(func(g *group) bool {
		if _, pending := g.Get(id); pending {
			having = append(having, g)
		}
		return true
	})
	for _, g := range having {
		s.ownGroup(g).Remove(id)
	}
}

// keepDeletion enters the stream once the calls of delete are done.
func (tx *Tx) keepDeletion(key []byte, it *item, s *stream, deleted bool) {
	if !deleted {
		tx.keepUnwatched(it, s)
		return
	}
	tx.keep(key, it, s)
	tx.event(command.EventStream, "xdel", key)
}

func xdelex(tx *Tx, c *command.Call, r command.Reply) {
	it, s, o, ok := findDeletion(tx, c, 2, r)
	if !ok {
		return
	}
	s = own(tx, s, newStream)
	some := false
	r.Array(len(o.ids))
	for _, id := range o.ids {
		code, deleted := o.delete(s, id)
		some = some || deleted
		r.Int(int64(code))
	}
	tx.keepDeletion(c.Args[1], it, s, some)
}

func xackdel(tx *Tx, c *command.Call, r command.Reply) {
	it, s, o, ok := findDeletion(tx, c, 3, r)
	if !ok {
		return
	}
	g := s.group(c.Args[2])
	if g == nil {
		replyCodes(len(o.ids), entryAbsent, r)
		return
	}
	s = own(tx, s, newStream)
	g = s.ownGroup(g)
	some := false
	r.Array(len(o.ids))
	for _, id := range o.ids {
		if !g.Remove(id) {
			r.Int(entryAbsent)
			continue
		}
		code, deleted := o.delete(s, id)
		if code == entryAbsent { // deleted before it was acknowledged
			code = entryDeleted
		}
		some = some || deleted
		r.Int(int64(code))
	}
	tx.keepDeletion(c.Args[1], it, s, some)
}
