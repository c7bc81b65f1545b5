package fsm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/internal/script"
	"github.com/redoubtdb/redoubt/internal/splitargs"
)

// The operations of a program.
const (
	opCall        = iota // 0: one call in the log, the most likely one
	opCall2              // again, so that half of all bytes are calls
	opEntry              // an entry of several calls and transactions
	opView               // a read, or a transaction of reads, on all replicas
	opClock              // time passes, or a leader with a slower clock takes over
	opExpire             // the leader removes what is due
	opWatch              // WATCH, for the next transaction
	opSnapshot           // a snapshot is held, the follower is restored from one, or one is kept for the end
	opCluster            // an entry about the cluster
	opKinds              // how many there are
	programOpsMax = 60
)

// FuzzCommands runs a program on three replicas, each of which comes by its state in another way: a leader that replies, a
// second that holds a snapshot while it writes, and a follower that replies to nobody and is restored from snapshots. They
// must give the same replies and end with the same digest, as must two machines that replay the log: one from its
// beginning, one from a snapshot taken on the way.
func FuzzCommands(f *testing.F) {
	v := newVocabulary(f)
	for _, p := range scriptPrograms(v) {
		f.Add(p)
	}
	for seed := range uint64(8) {
		f.Add(randomProgram(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		defer watchdog()()
		runProgram(t, v, data)
	})
}

// scriptPrograms are the behaviour scripts as programs, in pieces.
func scriptPrograms(v *vocabulary) [][]byte {
	var out [][]byte
	for calls := range slices.Chunk(v.script, programOpsMax) {
		var p []byte
		for _, c := range calls {
			p = v.appendCall(p, c)
		}
		out = append(out, p)
	}
	return out
}

func randomProgram(seed uint64) []byte {
	rng := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	p := make([]byte, 800)
	_, _ = rng.Read(p)
	return p
}

// groupProgram is calls of one group of commands as they stand in the scripts: a few in a row, and then from elsewhere, with
// snapshots among them.
func groupProgram(v *vocabulary, group string, seed uint64) []byte {
	const inARow = 12
	rng := rand.New(rand.NewPCG(seed, 1))
	calls := slices.DeleteFunc(slices.Clone(v.script), func(c scriptCall) bool { return testTable().Get(c.name).Group != group })
	var p []byte
	for range programOpsMax / inARow {
		from := rng.IntN(max(1, len(calls)-inARow))
		for _, c := range calls[from:min(from+inARow, len(calls))] {
			p = v.appendCall(p, c)
			if rng.IntN(4) == 0 {
				p = append(p, opSnapshot, byte(rng.IntN(3)))
			}
		}
	}
	return p
}

// TestProgramsReachEveryCommand: random programs call every command of the table, in the log or in a View, in a way that
// works. Each is of one group, whose commands find values of their type.
func TestProgramsReachEveryCommand(t *testing.T) {
	all := newVocabulary(t)
	answered := map[string]bool{}
	for i, name := range all.names {
		group := testTable().Get(name).Group
		v := all.only(group)
		for seed := uint64(i) << 8; !answered[name] && seed < uint64(i)<<8+200; seed++ {
			maps.Copy(answered, runProgram(t, v, randomProgram(seed)).answered)
			if !answered[name] { // what it needs another may have to make first
				maps.Copy(answered, runProgram(t, all, groupProgram(all, group, seed)).answered)
			}
		}
	}
	if none := answeredNone(answered); len(none) > 0 {
		t.Errorf("no program has a good answer from %q", none)
	}
}

func runProgram(t testing.TB, v *vocabulary, data []byte) *fleet {
	fl := newFleet(t, v)
	p := &program{rest: data}
	for n := 0; len(p.rest) > 0 && n < programOpsMax; n++ {
		fl.step(p)
	}
	fl.finish()
	return fl
}

// fleet is the replicas of one program, and what they were told.
type fleet struct {
	t      testing.TB
	v      *vocabulary
	leader *Machine
	holder *Machine
	// follower gets no targets: it writes its replies to command.Discard.
	follower *Machine
	log      [][]byte
	now      int64
	watches  []command.Watch
	held     *Snapshot // the holder's
	picture  []byte    // what it was when it was taken
	base     []byte    // a snapshot of the leader, and how many entries it has
	baseLen  int
	told     []string // for the report of a failure
	answered map[string]bool
	clients  [2]*fuzzClients // of the leader and the holder
}

func newFleet(t testing.TB, v *vocabulary) *fleet {
	fl := &fleet{t: t, v: v, leader: New(), holder: New(), follower: New(), now: testTime, answered: map[string]bool{}}
	for i, m := range fl.replicas()[:2] {
		fl.clients[i] = &fuzzClients{parked: map[uint64]*script.Recorder{}}
		m.OnWaiting(fl.clients[i])
	}
	body, err := json.Marshal(Genesis{ClusterID: "fuzz", HashKey0: 1, HashKey1: 2, Databases: fuzzDBs})
	if err != nil {
		t.Fatal(err)
	}
	fl.apply(EntryInit, body)
	return fl
}

func (fl *fleet) note(format string, a ...any) { fl.told = append(fl.told, fmt.Sprintf(format, a...)) }

func (fl *fleet) fatal(format string, a ...any) {
	fl.t.Helper()
	from := max(0, len(fl.told)-toldMax)
	fl.t.Fatalf("%s\nafter %d more:\n%s", fmt.Sprintf(format, a...), from, strings.Join(fl.told[from:], "\n"))
}

// toldMax is how many operations the report of a failure lists.
const toldMax = 200

func quotedCall(c *command.Call) string {
	words := make([]string, 0, len(c.Args)+1)
	words = append(words, fmt.Sprintf("[%d]", c.DB))
	for _, a := range c.Args {
		if len(a) > vocabularyWordMax {
			words = append(words, fmt.Sprintf("<%d bytes %.20q...>", len(a), a))
			continue
		}
		words = append(words, splitargs.Quote(string(a)))
	}
	return strings.Join(words, " ")
}

func (fl *fleet) step(p *program) {
	switch p.below(opKinds) {
	case opCall, opCall2:
		fl.logCalls(p, 1)
	case opEntry:
		fl.logCalls(p, 1+p.below(6))
	case opView:
		fl.view(p)
	case opClock:
		fl.clock(p)
		fl.apply(EntryTick, nil)
	case opExpire:
		fl.apply(EntryExpire, binary.LittleEndian.AppendUint32(nil, uint32(p.below(4))))
	case opWatch:
		fl.watch(p)
	case opSnapshot:
		fl.snapshot(p)
	case opCluster:
		fl.clusterEntry(p)
	}
}

// logCalls appends an entry of n units.
func (fl *fleet) logCalls(p *program, n int) {
	fl.now++
	prop := command.NewProposal(nil)
	var units []int    // of each proposal
	var names []string // of each unit's command, "" for a transaction
	for range n {
		if n > 1 && p.below(2) == 1 {
			calls := fl.txn(p, func(*command.Spec) bool { return true })
			fl.note("  EXEC, %d watches", len(fl.watches))
			prop.AddTxn(fl.watches, calls)
			names = append(names, "")
			fl.watches = nil
		} else if c := fl.call(p); c.Spec != nil && !nodeLocal[c.Spec.Name] {
			fl.note("  %s", quotedCall(&c))
			if more := prop.Units - sum(units); more > 0 && c.Spec.Is(command.Blocking) {
				units = append(units, more) // it has a proposal of its own
			}
			prop.AddCall(c.DB, c.Args)
			names = append(names, c.Spec.Name)
			if c.Spec.Is(command.Blocking) {
				units = append(units, 1)
			}
		}
		if more := prop.Units - sum(units); more > 0 && p.below(2) == 0 {
			units = append(units, more) // a proposal ends here
		}
	}
	if more := prop.Units - sum(units); more > 0 {
		units = append(units, more)
	}
	if prop.Units == 0 {
		return
	}
	for i, v := range fl.apply(EntryCalls, prop.Body, units...) {
		if !v.IsError() && v.Kind != waits {
			fl.answered[names[i]] = true
		}
	}
}

// call chooses a call that takes no seconds.
func (fl *fleet) call(p *program) command.Call {
	c := p.call(fl.v, fl.now)
	if c.Spec == nil || c.Spec.Name != "lcs" || c.DB >= len(fl.leader.dbs) {
		return c
	}
	cells := 1
	for _, key := range c.Args[1:3] {
		if it := fl.leader.dbs[c.DB].get(fl.leader.cluster.hash.sum(key), key); it != nil {
			cells *= it.value().Len()
		}
	}
	if cells > lcsCellsMax/100 && cells <= lcsCellsMax {
		return command.Call{}
	}
	return c
}

func sum(ns []int) (n int) {
	for _, x := range ns {
		n += x
	}
	return n
}

// txn chooses the calls of a transaction, with places for the connection's own among them.
func (fl *fleet) txn(p *program, allowed func(*command.Spec) bool) []command.Call {
	var calls []command.Call
	for range p.below(6) {
		c := fl.call(p)
		if c.Spec != nil && !nodeLocal[c.Spec.Name] && allowed(c.Spec) {
			fl.note("    %s", quotedCall(&c))
			calls = append(calls, c)
		} else if p.below(4) == 0 {
			calls = append(calls, command.Call{})
		}
	}
	return calls
}

// nodeLocal are commands whose replies follow from when a node's own clients used a key, which is no part of the state.
var nodeLocal = map[string]bool{"object|idletime": true}

// apply appends an entry to the log, compares the replies of the two replicas that give some, and returns them.
func (fl *fleet) apply(k EntryKind, body []byte, units ...int) []respclient.Value {
	fl.t.Helper()
	fl.note("entry %d: kind %d, time %d", len(fl.log)+1, k, fl.now)
	data := AppendEntryHeader(nil, EntryHeader{Kind: k, Time: fl.now, Seed: uint64(len(fl.log)+1) * 7919})
	data = append(data, body...)
	fl.log = append(fl.log, data)
	index := uint64(len(fl.log))
	var first []respclient.Value
	for i, m := range fl.replicas() {
		rec := &script.Recorder{Proto: 2 + int(index%2)}
		var targets []Target
		var waiting []int // units
		unit := 0
		for _, n := range units {
			if at := unit; m != fl.follower {
				targets = append(targets, Target{Units: n, Reply: rec, Waits: func(id uint64) {
					waiting = append(waiting, at)
					fl.clients[i].parked[id] = &script.Recorder{Proto: rec.Proto}
				}})
			}
			unit += n
		}
		if err := m.Apply(index, bytes.Clone(data), targets); err != nil {
			fl.fatal("replica %d: %v", i, err)
		}
		if what := m.TakePanic(); what != "" {
			fl.fatal("replica %d: an executor panicked: %s", i, what)
		}
		got, ok := rec.Take()
		for _, at := range waiting {
			got = slices.Insert(got, min(at, len(got)), respclient.Value{Kind: waits})
		}
		if !ok || m != fl.follower && len(got) != sum(units) {
			fl.fatal("replica %d: %d replies to %d units, complete: %t", i, len(got), sum(units), ok)
		}
		switch {
		case i == 0:
			first = got
		case m == fl.holder && !slices.EqualFunc(first, got, equalValues):
			fl.fatal("replica %d replies %.2000q, the leader %.2000q", i, rendered(got), rendered(first))
		}
	}
	fl.checkServed()
	return first
}

// waits stands for the reply of a call that waits.
const waits respclient.Kind = 0xff

func equalValues(a, b respclient.Value) bool {
	return a.Kind == b.Kind && a.Str == b.Str && a.Int == b.Int && a.Format == b.Format &&
		slices.EqualFunc(a.Elems, b.Elems, equalValues)
}
