package cluster

import (
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/transport"
)

// Raft is the library's node, for tests that must know what it does.
func (n *Node) Raft() *raft.Raft { return n.raft }

// PretendLease has the node believe that it leads a term and was promised a lease of so long.
func (n *Node) PretendLease(term uint64, d time.Duration) {
	n.lead.Store(&lead{term: term, done: make(chan struct{})})
	n.reader.leaseMu.Lock()
	defer n.reader.leaseMu.Unlock()
	n.reader.lease = n.cfg.Clock.Now().Add(d)
}

// BeginTerm is beginTerm on a node whose log has it that another node leads the term.
func (n *Node) BeginTerm(term uint64, other string) error {
	if err := n.applyEntry(fsm.EntryLead, fsm.Lead{Term: term, NodeID: other}, 0); err != nil {
		return err
	}
	return n.beginTerm(&lead{term: term, done: make(chan struct{})})
}

// ContactAge is what the node answers to a probe.
func (n *Node) ContactAge() (time.Duration, error) {
	b, err := n.answerProbe(transport.Identity{}, nil, nil)
	if err != nil {
		return 0, err
	}
	p, err := decodeProbe(b)
	return p.contactAge, err
}
