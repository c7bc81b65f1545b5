package cluster

import (
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// parking keeps the proposals of this node's clients whose calls wait in the log's state (fsm.Waiting): their entry is
// applied, and their reply comes with a later one. Such a proposal ends
//
//   - applied, when a write that it waits for has served it, when its time is over, when CLIENT UNBLOCK or the next term ends
//     its wait (an error that says that it was not served): all of that is the log's doing, and the same on all nodes;
//   - unknown, where this node can't learn which of these it was: leadership was lost and nothing is heard of the next term,
//     the state was replaced by a snapshot, the node closes or has failed.
type parking struct {
	n *Node

	mu     sync.Mutex
	parked map[uint64]*command.Proposal // by waiter
	wanted []unblocking                 // to be put into the log
	served []*command.Proposal          // of the entries being applied, ended when the machine's lock is released
	wake   chan struct{}                // has room for one: something is wanted
}

type unblocking struct {
	waiter uint64
	how    command.Unblocking
}

// parkedPatience is for how many election time outs a node that has lost leadership waits for the next term to end its
// clients' waits.
const parkedPatience = 5

// unblockBatch bounds the waits that one entry ends.
const unblockBatch = 1000

func newParking(n *Node) *parking {
	return &parking{n: n, parked: make(map[uint64]*command.Proposal), wake: make(chan struct{}, 1)}
}

// park keeps a proposal. The one who applies its entry calls it.
func (p *parking) park(waiter uint64, prop *command.Proposal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	prop.Waiter = waiter
	p.parked[waiter] = prop
	if how := prop.Unblock.Load(); how != 0 {
		p.wantLocked(waiter, command.Unblocking(how))
	}
}

// Reply implements fsm.Waiting.
func (p *parking) Reply(waiter uint64) command.Reply {
	p.mu.Lock()
	defer p.mu.Unlock()
	if prop := p.parked[waiter]; prop != nil {
		return prop.Reply
	}
	return nil
}

// Served implements fsm.Waiting.
func (p *parking) Served(waiter uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if prop := p.parked[waiter]; prop != nil {
		delete(p.parked, waiter)
		p.served = append(p.served, prop)
	}
}

// finish ends what was served up to an entry that is applied. Proposals that were parked and served by entries of one batch
// are among them, so it comes behind the end of the batch's flights.
func (p *parking) finish(index uint64) {
	p.mu.Lock()
	served := p.served
	p.served = nil
	p.mu.Unlock()
	for _, prop := range served {
		prop.Finish(command.Applied, index, nil)
	}
}

// abandon ends what is parked, but for those that keep speaks for, as unknown.
func (p *parking) abandon(err error, keep func(waiter uint64) bool) {
	p.mu.Lock()
	var lost []*command.Proposal
	for waiter, prop := range p.parked {
		if keep == nil || !keep(waiter) {
			lost = append(lost, prop)
			delete(p.parked, waiter)
		}
	}
	p.mu.Unlock()
	for _, prop := range lost {
		prop.Finish(command.Unknown, 0, err)
	}
}

// Unblock has the log end the wait of a blocking command's proposal, at once or as soon as it waits. The proposal still
// ends by itself, and may have been served before.
func (n *Node) Unblock(prop *command.Proposal, how command.Unblocking) {
	p := n.parking
	prop.Unblock.Store(uint32(how))
	p.mu.Lock()
	defer p.mu.Unlock()
	if prop.Waiter != 0 && p.parked[prop.Waiter] == prop {
		p.wantLocked(prop.Waiter, how)
	}
}

func (p *parking) wantLocked(waiter uint64, how command.Unblocking) {
	p.wanted = append(p.wanted, unblocking{waiter, how})
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run is a goroutine of the node's: it puts what is wanted into the log, all that there is at a time.
func (p *parking) run() {
	for {
		select {
		case <-p.wake:
		case <-p.n.closing:
			return
		}
		for p.step() {
		}
	}
}

// step is false when nothing is wanted. What can't be put into the log is dropped: leadership is lost then, and the next
// term's first entry ends the wait; or it is put in at the next try.
func (p *parking) step() bool {
	p.mu.Lock()
	batch := p.wanted[:min(len(p.wanted), unblockBatch)]
	p.mu.Unlock()
	if len(batch) == 0 {
		return false
	}
	var body []byte
	for _, u := range batch {
		body = fsm.AppendUnblock(body, u.waiter, u.how)
	}
	if err := p.n.applyRaw(fsm.EntryUnblock, body, p.n.proposer.stamp()); err != nil && p.n.Leading() {
		select {
		case <-time.After(keeperPeriod):
			return true
		case <-p.n.closing:
			return false
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = p.wanted[len(batch):]
	return len(p.wanted) > 0
}

// demoted gives the next term some time to end the waits of this node's clients.
func (p *parking) demoted() {
	p.n.goOwned(func() {
		select {
		case <-time.After(parkedPatience * p.n.cfg.Profile.Election):
		case <-p.n.closing:
		}
		if !p.n.Leading() {
			p.abandon(ErrNotLeader, nil)
		}
	})
}
