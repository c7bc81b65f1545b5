package simtest

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// ledger holds what Raft promises never to do twice, as it was seen anywhere in a run: who led each term, what stood at
// each place of any log, what was applied, and the digests. It is told as things happen and notes whatever does not
// agree. Safe for concurrent use.
type ledger struct {
	note func(format string, args ...any) // takes a violation
	// before is called before any disk changes: what has been applied until then must be safe on the disks as they are.
	before func()

	mu      sync.Mutex
	leaders map[uint64]string // by term
	authors map[uint64]string // by term: in whose messages or log its entries are seen first
	stands  map[place]standing
	applied map[uint64]witness // by index: the term
	digests map[uint64]witness // by index: the digest
	counts  Counts
	safeTo  uint64 // up to here entries have been found safe, see Sim.checkApplied
}

// Counts says how much a run has checked: an invariant that was never put to the test proves nothing.
type Counts struct {
	Terms, Entries, Applied, Safe, Answers, Digests, DigestPairs, Installs, Crashes, Fatal, Duplicates int
}

// place is where an entry stands: there is one entry for an index and a term.
type place struct{ index, term uint64 }

// standing is an entry in short, and the term of the one before it (0: not known).
type standing struct {
	sum, before uint64
	who         string
	synced      []string // instances of the disks that have synced it at any time
}

type witness struct {
	who  string
	term uint64
	sum  string
}

func newLedger(note func(string, ...any)) *ledger {
	return &ledger{
		note: note, before: func() {}, leaders: make(map[uint64]string), authors: make(map[uint64]string), stands: make(map[place]standing),
		applied: make(map[uint64]witness), digests: make(map[uint64]witness),
	}
}

// sends: who sends entries in a term is its leader (Raft's Election Safety). What it sends it need not have on its disk yet
// (Raft thesis, section 10.2.1), but it is as much a part of its log as what is there (Log Matching).
func (l *ledger) sends(who string, req *raft.AppendEntriesRequest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leadsLocked(who, req.Term)
	before := req.PrevLogTerm
	for _, e := range req.Entries {
		l.standsLocked(who, e, before)
		before = e.Term
	}
}

func (l *ledger) leadsLocked(who string, term uint64) {
	switch other := l.leaders[term]; other {
	case who:
	case "":
		l.leaders[term] = who
		l.counts.Terms++
		if author := l.authors[term]; author != "" && author != who {
			l.note("%s leads term %d, of which %s has made entries", who, term, author)
		}
	default:
		l.note("two leaders of term %d: %s and %s", term, other, who)
	}
}

// stored: entries are about to be added to a log (Log Matching).
func (l *ledger) stored(who string, log extent, entries []*raft.Log) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var before uint64
	if len(entries) > 0 {
		if e := log.get(entries[0].Index - 1); e != nil {
			before = e.Term
		}
	}
	for _, e := range entries {
		l.standsLocked(who, e, before)
		before = e.Term
	}
}

func (l *ledger) standsLocked(who string, e *raft.Log, before uint64) {
	at, now := place{e.Index, e.Term}, standing{sum: entrySum(e), before: before, who: who}
	old, known := l.stands[at]
	if !known {
		l.stands[at] = now
		l.counts.Entries++
		l.authorLocked(who, e)
		return
	}
	if old.sum != now.sum {
		l.note("two entries at index %d of term %d: of %s and %s", e.Index, e.Term, old.who, who)
	}
	if old.before != 0 && before != 0 && old.before != before {
		l.note("the entry at index %d of term %d follows term %d at %s and term %d at %s",
			e.Index, e.Term, old.before, old.who, before, who)
	}
	if old.before == 0 {
		old.before = before
		l.stands[at] = old
	}
}

// authorLocked: only a term's leader makes entries of it. Nobody else has one before its leader has sent it.
func (l *ledger) authorLocked(who string, e *raft.Log) {
	author := l.authors[e.Term]
	if author == "" {
		author = l.leaders[e.Term]
	}
	switch author {
	case who, "":
		l.authors[e.Term] = who
	default:
		l.note("the entry at index %d of term %d comes from %s; others of that term from %s", e.Index, e.Term, who, author)
	}
}

func entrySum(e *raft.Log) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte{byte(e.Type)})
	_, _ = h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(e.Data))))
	_, _ = h.Write(e.Data)
	_, _ = h.Write(e.Extensions)
	return h.Sum64()
}

// appliedEntry: a node has applied an entry of a term at an index (State Machine Safety).
func (l *ledger) appliedEntry(who string, index, term uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, known := l.applied[index]
	if !known {
		l.applied[index] = witness{who: who, term: term}
		l.counts.Applied++
	} else if old.term != term {
		l.note("index %d was applied as of term %d by %s and as of term %d by %s", index, old.term, old.who, term, who)
	}
}

// digest: a node's state machine at an index.
func (l *ledger) digest(who string, index uint64, sum string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, known := l.digests[index]
	switch {
	case !known:
		l.digests[index] = witness{who: who, sum: sum}
		l.counts.Digests++
	case old.sum != sum:
		l.note("the state machines of %s and %s differ at index %d", old.who, who, index)
	case old.who != who:
		l.counts.DigestPairs++
	}
}

func (l *ledger) count(f func(c *Counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.counts)
}

// lookPeriod is how often every node's state is looked at.
const lookPeriod = 100 * time.Millisecond

// virtualLimit is longer than any run takes, in virtual time: what waits for ever is found.
const virtualLimit = 3 * time.Hour

// look compares what the nodes have applied, until stop is closed.
func (s *Sim) look(stop <-chan struct{}) {
	tick := time.NewTicker(lookPeriod)
	defer tick.Stop()
	seen := make(map[*process]uint64)
	for {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
		if time.Since(bubbleStart) > virtualLimit {
			now := time.Since(bubbleStart)
			panic("a simulated run has no end\n" + s.describe() + s.trace.window(now, now)) // prints all goroutines, too
		}
		for _, m := range s.Members() {
			if p := m.process(); p != nil {
				seen[p] = s.lookAt(p, seen[p])
			}
		}
	}
}

// lookAt reports what a process has applied since it was looked at last, as far as its log still has it.
func (s *Sim) lookAt(p *process, after uint64) uint64 {
	index, sum := p.node.Machine().DigestAt()
	if index == 0 || p.killed() || p.node.Failed() != nil {
		return after
	}
	p.disk.ledger.digest(p.m.ID, index, sum)
	if p.ep.installing.Load() > 0 {
		return index // a snapshot is in place and the log not yet fitted to it
	}
	var l raft.Log
	log := p.disk.Log()
	first, _ := log.FirstIndex()
	for i := max(after+1, first); i <= index; i++ {
		if log.GetLog(i, &l) == nil {
			p.disk.ledger.appliedEntry(p.m.ID, i, l.Term)
		}
	}
	return index
}

func (c Counts) String() string {
	return fmt.Sprintf("%d terms, %d entries, %d applied, %d looks at what is safe, %d answers, %d digests (%d compared), "+
		"%d installs, %d crashes, %d ends by themselves, %d duplicates",
		c.Terms, c.Entries, c.Applied, c.Safe, c.Answers, c.Digests, c.DigestPairs, c.Installs, c.Crashes, c.Fatal, c.Duplicates)
}
