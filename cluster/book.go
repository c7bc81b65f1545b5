package cluster

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/transport"
)

// AddressBook knows the latest raft address of each node by its id: from the log, and, sooner, from the nodes
// themselves. It lets a cluster whose nodes came back under other addresses elect a leader that can then write the
// addresses into the log. Safe for concurrent use.
type AddressBook struct {
	mu    sync.RWMutex
	addrs map[string]string
}

// NewAddressBook returns an empty book.
func NewAddressBook() *AddressBook { return &AddressBook{addrs: make(map[string]string)} }

// bookEntriesMax bounds what peers can make a node remember.
const bookEntriesMax = 1024

func (b *AddressBook) put(id, addr string) {
	if id == "" || addr == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.addrs[id]; known || len(b.addrs) < bookEntriesMax {
		b.addrs[id] = addr
	}
}

// fill adds an address only where none is known.
func (b *AddressBook) fill(id, addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.addrs[id]; !known && len(b.addrs) < bookEntriesMax {
		b.addrs[id] = addr
	}
}

func (b *AddressBook) drop(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.addrs, id)
}

func (b *AddressBook) addrOf(s raft.Server) string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if a, ok := b.addrs[string(s.ID)]; ok {
		return a
	}
	return string(s.Address)
}

func (b *AddressBook) all() map[string]string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return maps.Clone(b.addrs)
}

// ServerAddr implements raft.ServerAddressProvider.
func (b *AddressBook) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	a, ok := b.addrs[string(id)]
	if !ok {
		return "", fmt.Errorf("no address known for node %s", id)
	}
	return raft.ServerAddress(a), nil
}

// peersSeen keeps the last answer of each node to a probe.
type peersSeen struct {
	mu sync.Mutex
	by map[string]peerSeen
}

type peerSeen struct {
	probe
	at time.Time
	// asked is this node's commit index when it put the question: what the other had to have applied to be caught up.
	// Held against a later one, a node of a busy cluster would never be.
	asked uint64
}

func newPeersSeen() *peersSeen { return &peersSeen{by: make(map[string]peerSeen)} }

func (p *peersSeen) note(id string, pr probe, at time.Time, asked uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.by[id] = peerSeen{pr, at, asked}
}

func (p *peersSeen) get(id string) (peerSeen, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.by[id]
	return s, ok
}

func (p *peersSeen) drop(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.by, id)
}

// probePeers asks every other server how far it is, for INFO, promotion and transfers. It does not wait.
func (n *Node) probePeers(servers []raft.Server) { n.probeEach(servers, func() {}) }

// probeEach is probePeers that calls done once for each node other than this one, when it has answered or will not.
func (n *Node) probeEach(servers []raft.Server, done func()) {
	now, commit := n.cfg.Clock.Now(), n.raft.CommitIndex()
	for _, s := range servers {
		id := string(s.ID)
		if id == n.cfg.NodeID {
			continue
		}
		n.cfg.Peers.Go(n.book.addrOf(s), methodProbe, nil, now.Add(callTimeout), func(resp []byte, peer transport.Identity, err error) {
			defer done()
			if err != nil || peer.NodeID != id {
				return
			}
			if pr, perr := decodeProbe(resp); perr == nil {
				n.peersSeen.note(id, pr, n.cfg.Clock.Now(), commit)
			}
		})
	}
}

// lookAround probes the other nodes and waits for their answers, for a heartbeat's length at most. A decision that goes by
// who is reachable begins with it: what a leader that was just elected knows of the others is old, or nothing.
func (n *Node) lookAround(ctx context.Context) { n.lookAroundFor(ctx, n.cfg.Profile.Heartbeat) }

func (n *Node) lookAroundFor(ctx context.Context, limit time.Duration) {
	servers := n.configuration().Servers
	answered := make(chan struct{}, len(servers))
	n.probeEach(servers, func() { answered <- struct{}{} })
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for _, s := range servers {
		if string(s.ID) == n.cfg.NodeID {
			continue
		}
		select {
		case <-answered:
		case <-timeout.C:
			return
		case <-ctx.Done():
			return
		case <-n.closing:
			return
		}
	}
}
