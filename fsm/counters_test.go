package fsm

import (
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
)

func words(args ...string) [][]byte {
	out := make([][]byte, len(args))
	for i, a := range args {
		out[i] = []byte(a)
	}
	return out
}

// counterMachine applies transactions and reads, and remembers the log's index.
type counterMachine struct {
	t *testing.T
	*Machine
	index uint64
	now   int64
}

func (m *counterMachine) apply(reply command.Reply, calls ...[][]byte) {
	m.t.Helper()
	p := command.NewProposal(reply)
	cs := make([]command.Call, len(calls))
	for i, c := range calls {
		cs[i] = command.Call{Args: c}
	}
	p.AddTxn(nil, cs)
	m.entry(EntryCalls, p.Body, []Target{{Units: 1, Reply: reply}})
}

func (m *counterMachine) entry(kind EntryKind, body []byte, targets []Target) {
	m.t.Helper()
	m.index++
	data := AppendEntryHeader(nil, EntryHeader{Kind: kind, Time: m.now})
	if err := m.Apply(m.index, append(data, body...), targets); err != nil {
		m.t.Fatal(err)
	}
}

func (m *counterMachine) view(o command.ReadOptions, args ...string) {
	m.View([]command.Call{{Spec: table.Get(args[0]), Args: words(args...)}}, o, command.Discard)
}

// ownReply is the reply of a node that proposed: it drops everything, but is not command.Discard.
type ownReply struct{ command.Reply }

func TestCounters(t *testing.T) {
	m := &counterMachine{t: t, Machine: New(), now: 1000}
	expect := func(what string, want Counters) {
		t.Helper()
		if got := m.Counters(); got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	own := ownReply{command.Discard}
	m.apply(own, words("set", "a", "1"), words("set", "b", "2", "px", "500"), words("incr", "n"))
	expect("writes count for nothing", Counters{})
	m.view(command.ReadOptions{}, "exists", "a", "b", "c")
	m.view(command.ReadOptions{}, "get", "a")
	m.view(command.ReadOptions{}, "type", "c")
	expect("reads count every key", Counters{Hits: 3, Misses: 2})
	m.apply(own, words("set", "x", "1"), words("get", "x"), words("get", "y"))
	expect("reads in a transaction that was proposed here", Counters{Hits: 4, Misses: 3})
	m.apply(command.Discard, words("set", "x", "1"), words("get", "x"), words("get", "y"))
	expect("those of another node", Counters{Hits: 4, Misses: 3})
	m.view(command.ReadOptions{Strict: true, Clock: 1600}, "get", "b")
	expect("a read that is done again", Counters{Hits: 4, Misses: 3})
	m.now = 1600
	m.entry(EntryExpire, []byte{10, 0, 0, 0}, nil)
	m.view(command.ReadOptions{}, "get", "b")
	expect("a key that expired", Counters{Hits: 4, Misses: 4, Expired: 1})
}
