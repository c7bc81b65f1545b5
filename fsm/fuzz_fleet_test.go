package fsm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/internal/script"
)

func (fl *fleet) replicas() []*Machine { return []*Machine{fl.leader, fl.holder, fl.follower} }

// view asks all replicas the same at the same log index.
func (fl *fleet) view(p *program) {
	readOnly := func(s *command.Spec) bool { return !s.Is(command.Write) }
	o := command.ReadOptions{Clock: fl.now + int64(p.below(3)), Strict: p.below(2) == 1, NoTouch: p.below(2) == 1, Seed: uint64(p.byte())}
	if p.below(4) == 0 {
		calls := fl.txn(p, readOnly)
		fl.note("  read EXEC, %d watches, %+v", len(fl.watches), o)
		fl.compareViews(false, func(m *Machine, r command.Reply) bool { return m.ViewTxn(fl.watches, calls, o, r) })
		fl.watches = nil
		return
	}
	c := fl.call(p)
	if c.Spec == nil || !readOnly(c.Spec) {
		return
	}
	fl.note("  read %s, %+v", quotedCall(&c), o)
	local := nodeLocal[c.Spec.Name]
	got := fl.compareViews(local, func(m *Machine, r command.Reply) bool { return m.View([]command.Call{c}, o, r) })
	if got != nil && !got.IsError() {
		fl.answered[c.Spec.Name] = true
	}
}

// compareViews returns the reply of all replicas, nil where they are late: a connection drops what was written then. The
// replies of a command that is local to a node need only be of one kind.
func (fl *fleet) compareViews(local bool, view func(m *Machine, r command.Reply) bool) (first *respclient.Value) {
	fl.t.Helper()
	for i, m := range fl.replicas() {
		rec := &script.Recorder{Proto: 3}
		held := view(m, rec)
		all, ok := rec.Take()
		if what := m.TakePanic(); what != "" {
			fl.fatal("replica %d: an executor panicked: %s", i, what)
		}
		var got *respclient.Value
		if held {
			if !ok || len(all) != 1 {
				fl.fatal("replica %d: %d replies, complete: %t", i, len(all), ok)
			}
			got = &all[0]
		}
		if i == 0 {
			first = got
			continue
		}
		if (got == nil) != (first == nil) || got != nil && !equalValues(*got, *first) && !(local && got.Kind == first.Kind) {
			fl.fatal("replica %d replies %.2000q, the leader %.2000q", i, printedView(got), printedView(first))
		}
	}
	return first
}

func printedView(v *respclient.Value) string {
	if v == nil {
		return "too late"
	}
	return script.Render(*v)
}

// clock lets time pass: a while, or until right before, at or behind the next deadline. It may also go back, as the clock of
// a new leader does; log time does not.
func (fl *fleet) clock(p *program) {
	steps := []int64{0, 1, 100, 1000, 60_000, 86_400_000, -1, -5000}
	n := p.below(2 * len(steps))
	if n < len(steps) {
		fl.now += steps[n]
		return
	}
	ks := fl.leader.dbs[n%len(fl.leader.dbs)]
	d, ok := ks.nextDeadline()
	if field, some := ks.fields.Min(); some && (!ok || field.at < d.at) {
		d, ok = field, true
	}
	if ok && d.at < fl.now+steps[5] {
		fl.now = d.at - 1 + int64(p.below(3))
	}
}

// watch is WATCH of a few keys, which must look the same everywhere.
func (fl *fleet) watch(p *program) {
	db, keys := p.below(3), make([][]byte, 1+p.below(3))
	for i := range keys {
		keys[i] = []byte(fuzzKeys[p.below(len(fuzzKeys))])
	}
	ws := fl.leader.Watch(db, keys)
	for i, m := range fl.replicas() {
		if got := m.Watch(db, keys); !reflect.DeepEqual(got, ws) {
			fl.fatal("replica %d watches %+v, the leader %+v", i, got, ws)
		}
		if holds, want := m.Holds(fl.watches), fl.leader.Holds(fl.watches); holds != want {
			fl.fatal("replica %d: the watches hold: %t, of the leader: %t", i, holds, want)
		}
	}
	fl.note("WATCH %q in %d", keys, db)
	fl.watches = append(fl.watches, ws...)
}

// snapshot has one of three things happen that must change nothing.
func (fl *fleet) snapshot(p *program) {
	switch p.below(3) {
	case 0:
		fl.note("the second replica's snapshot")
		fl.checkHeld()
		fl.held = fl.holder.Snapshot()
		fl.picture = fl.bytesOf(fl.held)
	case 1:
		fl.note("the follower is restored")
		b := fl.bytesOf(fl.holder.Snapshot())
		fl.follower = New()
		fl.restore(fl.follower, b)
	case 2:
		fl.note("a snapshot is kept for the end")
		fl.base, fl.baseLen = fl.bytesOf(fl.leader.Snapshot()), len(fl.log)
	}
}

func (fl *fleet) bytesOf(s *Snapshot) []byte {
	b, err := snapshotBytes(s)
	if err != nil {
		fl.fatal("%v", err)
	}
	return b
}

func (fl *fleet) restore(m *Machine, b []byte) {
	fl.t.Helper()
	if err := m.Restore(bytes.NewReader(b)); err != nil {
		fl.fatal("restore: %v", err)
	}
}

// checkHeld: a snapshot shows what it showed when it was taken.
func (fl *fleet) checkHeld() {
	fl.t.Helper()
	if fl.held != nil && !bytes.Equal(fl.bytesOf(fl.held), fl.picture) {
		fl.fatal("a snapshot changed after it was taken")
	}
}

// fuzzClients are a replica's clients that wait.
type fuzzClients struct {
	parked map[uint64]*script.Recorder
	served []string
}

func (c *fuzzClients) Reply(id uint64) command.Reply {
	if rec := c.parked[id]; rec != nil {
		return rec
	}
	return nil
}

func (c *fuzzClients) Served(id uint64) {
	if rec := c.parked[id]; rec != nil {
		got, ok := rec.Take()
		c.served = append(c.served, fmt.Sprint(id, ok, rendered(got)))
		delete(c.parked, id)
	}
}

// checkServed: the same clients are served with the same everywhere.
func (fl *fleet) checkServed() {
	fl.t.Helper()
	a, b := fl.clients[0], fl.clients[1]
	if !slices.Equal(a.served, b.served) {
		fl.fatal("the second replica serves %q, the leader %q", b.served, a.served)
	}
	for _, what := range a.served {
		fl.note("    served: %s", what)
	}
	a.served, b.served = nil, nil
}

// clusterEntry is one of those that the cluster writes about itself.
func (fl *fleet) clusterEntry(p *program) {
	id := string('a' + rune(p.below(3)))
	var body []byte
	var kind EntryKind
	var err error
	switch p.below(6) {
	case 4, 5: // more often than not of one who waits, or did
		kind, body = EntryUnblock, AppendUnblock(nil, uint64(p.below(10)), command.Unblocking(1+p.below(3)))
	case 0:
		kind = EntryMember
		body, err = json.Marshal(Member{ID: id, RespAddr: p.bytes(3), Drained: p.below(2) == 1})
	case 1:
		kind, body = EntryForget, []byte(id)
	case 2:
		kind = EntryLead
		body, err = json.Marshal(Lead{Term: uint64(p.below(5)), NodeID: id})
	case 3: // a second beginning, which changes nothing
		kind = EntryInit
		body, err = json.Marshal(Genesis{ClusterID: id, Databases: 1 + p.below(20)})
	}
	if err != nil {
		fl.fatal("%v", err)
	}
	fl.apply(kind, body)
}

// finish compares everything that the replicas, and machines that replay the log, have come to.
func (fl *fleet) finish() {
	fl.t.Helper()
	fl.checkHeld()
	replayed := New()
	fl.replay(replayed, 0)
	all := append(fl.replicas(), replayed)
	if fl.base != nil {
		later := New()
		fl.restore(later, fl.base)
		fl.replay(later, fl.baseLen)
		all = append(all, later)
	}
	want := fl.leader.Digest()
	for i, m := range all {
		if got := m.Digest(); got != want || m.Index() != fl.leader.Index() || m.Now() != fl.leader.Now() {
			fl.fatal("machine %d has digest %s at %d, time %d, the leader %s at %d, time %d",
				i, got, m.Index(), m.Now(), want, fl.leader.Index(), fl.leader.Now())
		}
		if !reflect.DeepEqual(m.Cluster(), fl.leader.Cluster()) {
			fl.fatal("machine %d knows another cluster: %+v, the leader %+v", i, m.Cluster(), fl.leader.Cluster())
		}
		for db, ks := range m.dbs {
			if what := ks.inconsistency(); what != "" {
				fl.fatal("machine %d, database %d: %s", i, db, what)
			}
		}
	}
}

func (fl *fleet) replay(m *Machine, from int) {
	fl.t.Helper()
	for i, data := range fl.log[from:] {
		if err := m.Apply(uint64(from+i+1), bytes.Clone(data), nil); err != nil {
			fl.fatal("replay: %v", err)
		}
		if what := m.TakePanic(); what != "" {
			fl.fatal("replay: an executor panicked: %s", what)
		}
	}
}

// inconsistency says what does not fit in a keyspace; "" if all does.
func (ks *keyspace) inconsistency() string {
	keys, deadlines, fields, what := 0, 0, 0, ""
	ks.items.Scan(func(hash uint64, first *item) bool {
		chain := sortedChain(first)
		keys += len(chain)
		for i, it := range chain {
			if at := it.expireAt(); at != 0 {
				deadlines++
				d, ok := ks.deadlines.Get(deadline{at, hash, it.key()})
				if !ok {
					what = "the deadline of a key is not in order"
				} else if d.key != "" && unsafe.StringData(d.key) != unsafe.StringData(it.key()) {
					what = "a deadline keeps an item that is no more"
				}
			}
			if h := it.hash(); h != nil && h.firstDeadline() != 0 {
				fields++
				if _, ok := ks.fields.Get(deadline{h.firstDeadline(), hash, it.key()}); !ok || h.deadlines.order.Len() != h.deadlines.at.Len() {
					what = "the deadline of a field is not in order"
				}
			}
			if i > 0 && chain[i-1].key() == it.key() {
				what = "a key is there twice"
			}
			if b, ok := it.value().obj.(*blob); ok && (b.n <= blobBytesMin || len(b.chunks) != (b.n+chunkBytes-1)/chunkBytes) {
				what = "a blob of the wrong size"
			}
		}
		return true
	})
	switch {
	case what != "":
	case keys != ks.keys:
		what = "the keys are counted wrong"
	case deadlines != ks.deadlines.Len():
		what = "a deadline has no key"
	case fields != ks.fields.Len():
		what = "a deadline has no field"
	}
	return what
}

// refuses are commands that only ever answer an error, and one that random programs do not come to, since the group that it
// needs is gone again by then: the scripts of streams call it.
var refuses = map[string]bool{"script|kill": true, "function|kill": true, "xgroup|delconsumer": true}

// answeredNone lists the commands that no program has had a good answer to.

func answeredNone(answered map[string]bool) (none []string) {
	for _, s := range testTable().All() {
		for _, spec := range append(slices.Clone(s.Subcommands), s) {
			if Executes(spec) && !answered[spec.Name] && !refuses[spec.Name] {
				none = append(none, spec.Name)
			}
		}
	}
	return none
}
