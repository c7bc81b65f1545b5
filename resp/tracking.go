package resp

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/config"
)

// tracker is CLIENT TRACKING: it remembers which keys the clients of this node have read and may keep copies of, and tells
// them when the log changes one. As in Redis a key is a name, whatever its database.
//
// A read is remembered while the state machine executes it, when nothing can change (command.ReadOptions.OnRead, or an
// EventRead among the other events of an entry), and a change is told before anybody can read it. So a client hears of every
// change of what it has read since it heard of the key last, and never before the reply that the change makes old.
//
// mu is taken under the machine's lock and under the hub's.
type tracker struct {
	srv  *Server
	some atomic.Bool // somebody tracks: the state machine must tell

	mu      sync.Mutex // guards the rest, and the fields of each tracking
	clients map[command.Reply]*tracking
	keys    map[string]holders
	items   int // holders of all keys
	prefixes
}

// tracking is what one connection has asked for. Its owner may read the fields that CLIENT TRACKING sets without a lock.
type tracking struct {
	c                            *conn
	redirect                     *conn // nil: none
	bcast, optin, optout, noloop bool
	broken                       bool // redirect is gone, and there was something to tell it
	ended                        bool
	keys                         map[string]struct{} // those that it holds
	prefixes                     map[string]struct{}
	prefixBytes                  int
	onRead                       func(*command.Call) // for command.ReadOptions
}

const tableKeysSetting = "tracking-table-max-keys"

// holders are those who may have copies of a key: one, mostly.
type holders struct {
	one  *tracking
	more map[*tracking]struct{}
}

func (h *holders) len() int {
	if h.one == nil {
		return len(h.more)
	}
	return 1 + len(h.more)
}

func (h *holders) each(f func(*tracking)) {
	if h.one != nil {
		f(h.one)
	}
	for who := range h.more {
		f(who)
	}
}

func (h *holders) add(who *tracking) {
	if h.len() == 0 {
		h.one = who
		return
	}
	if h.more == nil {
		h.more = make(map[*tracking]struct{}, 1)
	}
	h.more[who] = struct{}{}
}

func (h *holders) remove(who *tracking) (was bool) {
	if h.one == who {
		h.one = nil
		return true
	}
	_, was = h.more[who]
	delete(h.more, who)
	return was
}

func newTracker(s *Server) *tracker {
	return &tracker{srv: s, clients: make(map[command.Reply]*tracking), keys: make(map[string]holders)}
}

// begin has a connection tracked by the options of o. From its return on nothing is missed.
func (t *tracker) begin(c *conn, o *trackingOptions) {
	t.mu.Lock()
	who := c.tracking
	if who == nil {
		who = &tracking{c: c, keys: make(map[string]struct{}), prefixes: make(map[string]struct{})}
		who.onRead = func(call *command.Call) { t.read(who, call) }
		t.clients[c.w] = who
		t.some.Store(true)
	}
	who.redirect, who.broken = o.redirect, false
	who.bcast, who.optin, who.optout, who.noloop = o.bcast, o.optin, o.optout, o.noloop
	for _, p := range o.added() {
		t.addPrefix(who, p)
	}
	t.mu.Unlock()
	t.srv.hub.listen()
	c.tracking = who
}

// forgetMax is how many keys are forgotten, or evicted, under one hold of the lock, for which the log has to wait.
const forgetMax = 1000

// end is the end of tracking for a connection that is tracked.
func (t *tracker) end(c *conn) {
	who := c.tracking
	c.tracking = nil
	t.mu.Lock()
	who.ended = true
	delete(t.clients, c.w)
	for p := range who.prefixes {
		t.dropPrefix(who, p)
	}
	last := len(t.clients) == 0
	t.some.Store(!last)
	t.mu.Unlock()
	for t.forget(who) {
	}
	if last {
		t.srv.hub.listen()
	}
}

// forget takes some of its keys from one who has ended. It is false when there are no more.
func (t *tracker) forget(who *tracking) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for key := range who.keys {
		if n++; n > forgetMax {
			return true
		}
		delete(who.keys, key)
		if h := t.keys[key]; h.remove(who) {
			t.put(key, h)
			t.items--
		}
	}
	return false
}

func (t *tracker) put(key string, h holders) {
	if h.len() == 0 {
		delete(t.keys, key)
		return
	}
	t.keys[key] = h
}

// read remembers the keys of a call. The state machine calls it.
func (t *tracker) read(who *tracking, call *command.Call) {
	refs, err := call.Spec.FindKeys(call.Args)
	if err != nil {
		return // there are none
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, ref := range refs {
		t.remember(who, call.Args[ref.Pos])
	}
	t.evict(len(refs) + forgetMax)
}

func (t *tracker) remember(who *tracking, key []byte) {
	if _, there := who.keys[string(key)]; there || who.ended {
		return
	}
	name := string(key)
	h := t.keys[name]
	h.add(who)
	t.keys[name], who.keys[name] = h, struct{}{}
	t.items++
}

// evict has some of the keys forgotten that are more than tracking-table-max-keys, and tells who holds them. It is false when
// there are no more.
func (t *tracker) evict(some int) bool {
	limit := int(t.srv.live.trackedKeys.Int())
	if limit == 0 || len(t.keys) <= limit {
		return false
	}
	d := t.srv.hub.delivery()
	for key := range t.keys {
		if some--; some < 0 || len(t.keys) <= limit {
			break
		}
		t.invalidate(&d, key, nil)
	}
	return len(t.keys) > limit
}

// shrink follows a lower tracking-table-max-keys.
func (t *tracker) shrink() {
	for again := true; again; {
		t.mu.Lock()
		again = t.evict(forgetMax)
		t.mu.Unlock()
	}
}

// tell is told of one of command.EventTracking, where the log is applied; broadcast follows the last of them.
func (t *tracker) tell(d *delivery, e *command.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e.Class {
	case command.EventChange:
		t.note(e)
		t.invalidate(d, e.Key, e.By)
	case command.EventFlush:
		t.flushed(d)
	case command.EventRead:
		if who := t.clients[e.By]; who != nil && who.c.remembers() { // its owner waits for the entry's end
			t.remember(who, []byte(e.Key))
			t.evict(1 + forgetMax)
		}
	}
}

// invalidate tells who holds a key that it has changed, and forgets them. One that has asked for NOLOOP does not hear of what
// it has changed itself, and goes on holding the key: it may have a copy of what it has written.
func (t *tracker) invalidate(d *delivery, key string, by command.Reply) {
	h, there := t.keys[key]
	if !there {
		return
	}
	var stay holders
	inv := invalidation{keys: []string{key}, bytes: int64(len(key))}
	h.each(func(who *tracking) {
		if who.noloop && who.is(by) {
			stay.add(who)
			return
		}
		t.send(d, who, &inv)
		delete(who.keys, key)
	})
	t.items -= h.len() - stay.len()
	t.put(key, stay)
}

// is reports whether a Reply is the connection's.
func (who *tracking) is(by command.Reply) bool { return by == command.Reply(who.c.w) }

// flushed tells everybody that nothing is as it was. As in Redis that is for NOLOOP, too.
func (t *tracker) flushed(d *delivery) {
	var inv invalidation
	for _, who := range t.clients {
		t.send(d, who, &inv)
		who.keys = make(map[string]struct{})
	}
	t.keys, t.items = make(map[string]holders), 0
}

// dropAll tells one connection that nothing is as it was.
func (t *tracker) dropAll(who *tracking) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.srv.hub.delivery()
	t.send(&d, who, &invalidation{})
}

// send queues an invalidation for a connection, or for the one that it redirects them to.
func (t *tracker) send(d *delivery, who *tracking, inv *invalidation) {
	to := who.c
	switch {
	case who.ended:
		return
	case who.redirect == nil:
	case who.redirect.over():
		who.broken = true
		inv = &invalidation{broken: who.redirect.id}
	default:
		to = who.redirect
		redirected := *inv
		redirected.redirected = true
		inv = &redirected
	}
	if to.shared.proto.Load() == RESP3 || inv.redirected && to.subscriber() {
		d.one(to, push{invalid: inv})
	}
}

// trackingFigures are for INFO and CLIENT LIST.
type trackingFigures struct{ clients, keys, items, prefixes int }

func (t *tracker) figures() trackingFigures {
	t.mu.Lock()
	defer t.mu.Unlock()
	return trackingFigures{len(t.clients), len(t.keys), t.items, len(t.prefixes.named)}
}

// shown is what CLIENT LIST shows of a connection: its letters, and where invalidations go; -1: nowhere.
func (t *tracker) shown(c *conn) (letters string, redirect int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who := t.clients[c.w]
	if who == nil {
		return "", -1
	}
	letters = "t"
	if who.broken {
		letters += "R"
	}
	if who.bcast {
		letters += "B"
	}
	return letters, who.redirectID()
}

func (who *tracking) redirectID() int64 {
	if who.redirect == nil {
		return 0
	}
	return who.redirect.id
}

// remembers reports whether what the connection reads now is to be remembered.
func (c *conn) remembers() bool {
	switch who := c.tracking; {
	case who == nil || who.bcast:
		return false
	case c.cachesAll:
		return true
	case who.optin:
		return c.caching
	case who.optout:
		return !c.caching
	}
	return true
}

// endCaching ends what CLIENT CACHING has said, behind the command or transaction that it was for.
func (c *conn) endCaching(spec *command.Spec) {
	if !c.caching || c.inMulti || spec != nil && spec.Parent != nil && spec.Parent.Name == "client" {
		return
	}
	c.flush()
	c.caching = false
}

// invalidation is a message of CLIENT TRACKING. It is shared by all that it is for.
type invalidation struct {
	keys       []string // nil: all keys
	bytes      int64    // of keys
	redirected bool     // for another connection than the one that tracks
	broken     int64    // not 0: invalidations can't go to this connection any more
}

// invalidationChannel is where a subscriber in RESP2 seems to get them from.
const invalidationChannel = "__redis__:invalidate"

// writeTo writes the message, unless the connection has changed meanwhile in such a way that it can't understand it. listens:
// it has subscriptions.
func (inv *invalidation) writeTo(w *Writer, listens bool) {
	switch {
	case w.Protocol() != RESP3:
		if !inv.redirected || !listens {
			return
		}
		w.Push(3)
		w.BulkString("message")
		w.BulkString(invalidationChannel)
	case inv.broken != 0:
		w.Push(2)
		w.BulkString("tracking-redir-broken")
		w.Int(inv.broken)
		return
	default:
		w.Push(2)
		w.BulkString("invalidate")
	}
	if inv.keys == nil {
		w.Null()
		return
	}
	w.Array(len(inv.keys))
	for _, key := range inv.keys {
		w.BulkString(key)
	}
}

// prefixes are those of BCAST. They are under the tracker's lock.
type prefixes struct {
	named   map[string]*prefix
	lengths []int // of the names, ascending, each once
	count   map[int]int
	dirty   []*prefix // something has changed under them that nobody was told yet
}

type prefix struct {
	name    string
	clients map[*tracking]struct{}
	// changed are the keys to be told, each with whose call has changed it: nil where several have.
	changed map[string]command.Reply
}

func (p *prefixes) addPrefix(who *tracking, name string) {
	if _, there := who.prefixes[name]; there {
		return
	}
	if p.named == nil {
		p.named, p.count = make(map[string]*prefix), make(map[int]int)
	}
	own := p.named[name]
	if own == nil {
		own = &prefix{name: name, clients: make(map[*tracking]struct{}), changed: make(map[string]command.Reply)}
		p.named[name] = own
		if p.count[len(name)]++; p.count[len(name)] == 1 {
			at, _ := slices.BinarySearch(p.lengths, len(name))
			p.lengths = slices.Insert(p.lengths, at, len(name))
		}
	}
	own.clients[who] = struct{}{}
	who.prefixes[name] = struct{}{}
	who.prefixBytes += len(name)
}

func (p *prefixes) dropPrefix(who *tracking, name string) {
	own := p.named[name]
	if delete(own.clients, who); len(own.clients) > 0 {
		return
	}
	delete(p.named, name)
	if p.count[len(name)]--; p.count[len(name)] == 0 {
		delete(p.count, len(name))
		at, _ := slices.BinarySearch(p.lengths, len(name))
		p.lengths = slices.Delete(p.lengths, at, at+1)
	}
}

// note keeps a changed key for the prefixes that it has.
func (p *prefixes) note(e *command.Event) {
	for _, n := range p.lengths {
		if n > len(e.Key) {
			return
		}
		own := p.named[e.Key[:n]]
		if own == nil {
			continue
		}
		if len(own.changed) == 0 {
			p.dirty = append(p.dirty, own)
		}
		by, there := own.changed[e.Key]
		if !there {
			by = e.By
		} else if by != e.By {
			by = nil
		}
		own.changed[e.Key] = by
	}
}

// broadcast tells what has changed since the last time, each prefix's keys in one message.
func (t *tracker) broadcast(d *delivery) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortFunc(t.dirty, func(a, b *prefix) int { return strings.Compare(a.name, b.name) })
	for _, p := range t.dirty {
		all := newInvalidation(slices.Sorted(maps.Keys(p.changed)))
		for who := range p.clients {
			inv := all
			if who.noloop {
				inv = newInvalidation(slices.DeleteFunc(slices.Clone(all.keys), func(key string) bool { return who.is(p.changed[key]) }))
			}
			if len(inv.keys) > 0 {
				t.send(d, who, inv)
			}
		}
		p.changed = make(map[string]command.Reply)
	}
	t.dirty = t.dirty[:0]
}

func newInvalidation(keys []string) *invalidation {
	inv := &invalidation{keys: keys}
	for _, key := range keys {
		inv.bytes += int64(len(key)) + pushOverheadBytes/4
	}
	return inv
}

// delivery is for what is sent now.
func (h *hub) delivery() delivery { return delivery{limit: h.srv.cfg.OutputLimit(config.PubSubClient)} }
