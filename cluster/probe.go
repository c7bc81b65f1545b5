package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/transport"
)

// peersSeen keeps the last answer of each node to a probe, and to the question of its status.
type peersSeen struct {
	mu     sync.Mutex
	by     map[string]peerSeen
	status map[string]statusSeen
}

type statusSeen struct {
	NodeStatus
	at time.Time
}

type peerSeen struct {
	probe
	at time.Time
	// asked is this node's commit index when it put the question: what the other had to have applied to be caught up.
	// Held against a later one, a node of a busy cluster would never be.
	asked uint64
}

func newPeersSeen() *peersSeen {
	return &peersSeen{by: make(map[string]peerSeen), status: make(map[string]statusSeen)}
}

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

func (p *peersSeen) noteStatus(st NodeStatus, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status[st.ID] = statusSeen{st, at}
}

// lastKnown is how far a node was when it last gave any answer, and when that was.
func (p *peersSeen) lastKnown(id string) (applied uint64, at time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	st, told := p.status[id]
	pr, probed := p.by[id]
	if probed && (!told || pr.at.After(st.at)) {
		return pr.applied, pr.at, true
	}
	return st.AppliedIndex, st.at, told
}

func (p *peersSeen) drop(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.by, id)
	delete(p.status, id)
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
