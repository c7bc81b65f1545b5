package cluster

import (
	"fmt"
	"testing"

	"github.com/redoubtdb/redoubt/fsm"
)

func addrIn(b *AddressBook, id string) string { return b.State().Nodes[id].Addr }

func member(addr string) []fsm.Member { return []fsm.Member{{ID: "n2", RaftAddr: addr}} }

// TestBookReadsLogAgain: after a restart the log says again what it said long ago. That is no news.
func TestBookReadsLogAgain(t *testing.T) {
	b := NewAddressBook()
	b.Load("n1", BookState{Index: 10, Nodes: map[string]BookEntry{"n2": {Addr: "announced", Stamp: 5, Logged: "second"}}})
	for _, step := range []struct {
		index  uint64
		logged string
		want   string
	}{
		{0, "", "announced"},
		{3, "first", "announced"},
		{7, "second", "announced"},
		{10, "second", "announced"},
		{11, "third", "third"},
		{12, "third", "third"},
	} {
		var members []fsm.Member
		if step.logged != "" {
			members = member(step.logged)
		}
		b.learn("n1", members, step.index)
		if got := addrIn(b, "n2"); got != step.want {
			t.Errorf("at index %d: %q, want %q", step.index, got, step.want)
		}
	}
	b.learn("n1", nil, 13)
	if got := addrIn(b, "n2"); got != "" {
		t.Errorf("a node that the log has forgotten is at %q", got)
	}
}

// TestGossip: what others say of a node counts if it is newer than what is known.
func TestGossip(t *testing.T) {
	for name, c := range map[string]struct {
		own, said           BookEntry
		ownIndex, saidIndex uint64
		taken               bool
	}{
		"later word":                {BookEntry{"a", 1, "a"}, BookEntry{"b", 2, "a"}, 9, 3, true},
		"earlier word":              {BookEntry{"a", 2, "a"}, BookEntry{"b", 1, "b"}, 3, 9, false},
		"further on in the log":     {BookEntry{"a", 1, "a"}, BookEntry{"b", 1, "b"}, 3, 9, true},
		"not as far in the log":     {BookEntry{"a", 1, "a"}, BookEntry{"b", 1, "b"}, 9, 3, false},
		"the same log, less recent": {BookEntry{"a", 1, "x"}, BookEntry{"b", 1, "x"}, 3, 9, false},
	} {
		b := NewAddressBook()
		b.Load("n1", BookState{Index: c.ownIndex, Nodes: map[string]BookEntry{"n2": c.own}})
		b.gossip("n1", BookState{Index: c.saidIndex, Nodes: map[string]BookEntry{"n1": {"self", 99, "self"}, "n2": c.said}})
		if got := addrIn(b, "n2") == "b"; got != c.taken {
			t.Errorf("%s: taken %v, want %v", name, got, c.taken)
		}
		if addrIn(b, "n1") != "" {
			t.Errorf("%s: others said where this node is", name)
		}
	}
}

// TestBookLimit: peers can't make a node remember without end, and what is known stays changeable.
func TestBookLimit(t *testing.T) {
	b := NewAddressBook()
	nodes := make(map[string]BookEntry)
	for i := range 2 * bookEntriesMax {
		nodes[fmt.Sprint("x", i)] = BookEntry{Addr: "a", Stamp: 1}
	}
	b.heard("n2", "a", 1)
	b.gossip("n1", BookState{Nodes: nodes})
	if got := len(b.State().Nodes); got != bookEntriesMax {
		t.Errorf("%d entries", got)
	}
	b.heard("n2", "b", 2)
	if addrIn(b, "n2") != "b" {
		t.Error("a full book takes no new address of a node that is in it")
	}
}

// TestBookStamp: each process of a node has a later stamp than the one before, whatever its clock says.
func TestBookStamp(t *testing.T) {
	b := NewAddressBook()
	first := b.begin("n1", "a", 1000)
	again := NewAddressBook()
	again.Load("n1", b.State())
	if second := again.begin("n1", "b", 10); second <= first {
		t.Errorf("stamps %d, %d", first, second)
	}
	if addrIn(again, "n1") != "b" || again.recorded() {
		t.Errorf("%+v", again.State())
	}
}
