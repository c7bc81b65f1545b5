package cluster

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/fsm"
)

// AddressBook knows the latest raft address of each node by its id: from the log, and, sooner, from the nodes
// themselves. It lets a cluster whose nodes came back under other addresses elect a leader that can then write the
// addresses into the log. It is kept on disk, since a node that restarts has nothing of its log applied before there is
// a leader. Whatever it says is a hint: peers prove who they are. Safe for concurrent use.
type AddressBook struct {
	mu        sync.RWMutex
	nodes     map[string]BookEntry
	index     uint64        // see BookState
	wasMember bool          // see load
	changed   chan struct{} // holds one element while there is something to write to disk
}

// BookEntry is what is known of one node's address.
type BookEntry struct {
	Addr string `json:"addr"`
	// Stamp tells an older word of the node itself from a newer one, whoever passes it on: each process of a node has a
	// greater one than the process before it. 0 where the address is the log's.
	Stamp int64 `json:"stamp,omitempty"`
	// Logged is what the log said of the address at BookState.Index; empty: nothing.
	Logged string `json:"logged,omitempty"`
}

// BookState is an address book as it is kept on disk.
type BookState struct {
	// Index is a log index. What the log says before it is no news: a node that restarts reads it once more.
	Index uint64               `json:"index"`
	Nodes map[string]BookEntry `json:"nodes"`
}

// NewAddressBook returns an empty book.
func NewAddressBook() *AddressBook {
	return &AddressBook{nodes: make(map[string]BookEntry), changed: make(chan struct{}, 1)}
}

// bookEntriesMax bounds what peers can make a node remember.
const bookEntriesMax = 1024

// Load takes over what an earlier process of the node self knew. It is called before the book is used.
func (b *AddressBook) Load(self string, s BookState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.index, b.wasMember = s.Index, s.Nodes[self].Logged != ""
	for id, e := range s.Nodes {
		if id != "" && e.Addr != "" && len(b.nodes) < bookEntriesMax {
			b.nodes[id] = e
		}
	}
}

// State is what Load takes.
func (b *AddressBook) State() BookState {
	b.mu.RLock()
	defer b.mu.RUnlock()
	s := BookState{Index: b.index, Nodes: make(map[string]BookEntry, len(b.nodes))}
	for id, e := range b.nodes {
		s.Nodes[id] = e
	}
	return s
}

// setLocked changes an entry, or makes one where there is room.
func (b *AddressBook) setLocked(id string, e BookEntry) {
	old, known := b.nodes[id]
	if id == "" || e.Addr == "" || old == e || !known && len(b.nodes) >= bookEntriesMax {
		return
	}
	b.nodes[id] = e
	b.changedLocked()
}

func (b *AddressBook) changedLocked() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// put notes an address at which the node was reached, or which an operator gave.
func (b *AddressBook) put(id, addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.nodes[id]
	e.Addr = addr
	b.setLocked(id, e)
}

// heard notes what a node says of itself.
func (b *AddressBook) heard(id, addr string, stamp int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.nodes[id]
	e.Addr, e.Stamp = addr, stamp
	b.setLocked(id, e)
}

// gossip notes what one node says of others: news if it comes of a later word of the other one's, or from further on in
// the log.
func (b *AddressBook) gossip(self string, said BookState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, s := range said.Nodes {
		e, known := b.nodes[id]
		ahead := said.Index > b.index && s.Logged != e.Logged
		if id == self || known && (s.Stamp < e.Stamp || s.Stamp == e.Stamp && !ahead) {
			continue
		}
		e.Addr, e.Stamp = s.Addr, s.Stamp
		b.setLocked(id, e)
	}
}

// begin enters this node's own address and returns the stamp of its process: the time, unless the clock went back.
func (b *AddressBook) begin(self, addr string, nowMillis int64) int64 {
	b.mu.Lock()
	stamp := max(nowMillis, b.nodes[self].Stamp+1)
	b.mu.Unlock()
	b.heard(self, addr, stamp)
	return stamp
}

// learn takes addresses over from the log when the log changes its mind, and forgets nodes that the log has forgotten.
// What a node announced since then stands: it is on its way into the log. index was applied when, or after, the log said
// so.
func (b *AddressBook) learn(self string, members []fsm.Member, index uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if index < b.index {
		return // the log is being read again after a restart
	}
	b.index = index
	in := make(map[string]bool, len(members))
	for _, m := range members {
		in[m.ID] = true
		e := b.nodes[m.ID]
		if e.Logged != m.RaftAddr {
			e.Logged = m.RaftAddr
			if m.ID != self {
				e.Addr = m.RaftAddr
			}
		}
		b.setLocked(m.ID, e)
	}
	for id, e := range b.nodes {
		if !in[id] && e.Logged != "" && id != self {
			delete(b.nodes, id)
			b.changedLocked()
		}
	}
}

// fill adds an address only where none is known.
func (b *AddressBook) fill(id, addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.nodes[id]; !known {
		b.setLocked(id, BookEntry{Addr: addr})
	}
}

func (b *AddressBook) drop(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.nodes[id]; known {
		delete(b.nodes, id)
		b.changedLocked()
	}
}

func (b *AddressBook) addrOf(s raft.Server) string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if e, ok := b.nodes[string(s.ID)]; ok {
		return e.Addr
	}
	return string(s.Address)
}

// recorded reports that an earlier process of this node found itself in the log: its membership was committed.
func (b *AddressBook) recorded() bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.wasMember
}

// ServerAddr implements raft.ServerAddressProvider.
func (b *AddressBook) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	e, ok := b.nodes[string(id)]
	if !ok {
		return "", fmt.Errorf("no address known for node %s", id)
	}
	return raft.ServerAddress(e.Addr), nil
}

// keepBook is the goroutine that writes the book to disk. A failure costs a hint, nothing else: it is said, and the next
// change tries again.
func (n *Node) keepBook() {
	for {
		select {
		case <-n.book.changed:
			if err := n.cfg.SaveBook(n.book.State()); err != nil {
				n.log.Warn("the address book could not be written", "err", err)
			}
		case <-n.closing:
			return
		}
		select { // peers may tell much, disks are slow
		case <-time.After(bookPause):
		case <-n.closing:
			return
		}
	}
}

// bookPause is the least time between two writes of the book.
const bookPause = 100 * time.Millisecond
