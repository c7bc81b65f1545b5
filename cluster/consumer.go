package cluster

import (
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"
)

// inbound stands between the transport and raft's main loop, for what the loop must not see.
//
// Snapshots that this node does not need: a node whose log has the snapshot's last entry, or that has applied it, keeps
// its log and says so (Raft thesis, section 5.1, the rule for InstallSnapshot). hashicorp/raft v1.7.3 installs such a
// snapshot all the same. With a monotonic log store it then removes the whole log, entries behind the snapshot that this
// node has acknowledged included, which could lose a committed write; and it goes on with a last index that is gone,
// which ends in a panic ("log not found") or in refusals for ever (issue 697). A repeated or late InstallSnapshot does it.
//
// Entries and snapshots for which there is no room; see space.go.
//
// Commit indexes beyond what their message verifies: a follower may take as committed the lesser of the leader's commit
// index and the index of the message's last entry (Raft paper, figure 2). hashicorp/raft v1.7.3 takes the lesser of the
// commit index and the end of its own log (raft.go, appendEntries), where a deposed leader has entries that nobody else
// has; it would apply them. Leaders do send such messages: which entries to send is read before the commit index is.
//
// Anything while this node is still writing what it had stored as the leader when the message came (parallelLog): raft
// answers for its whole log.
//
// Anything at all once the log store has failed: after a failed append raft's idea of the log may be wrong, and the next
// message would act on it.
type inbound struct {
	n   *Node
	in  <-chan raft.RPC
	out chan raft.RPC
	// handing is held shared by whoever hands a message to raft, from the look at n.broken until raft has it or not.
	handing sync.RWMutex
}

func (n *Node) newInbound(in <-chan raft.RPC) *inbound {
	return &inbound{n: n, in: in, out: make(chan raft.RPC)}
}

// handlerTransport is a transport that gives messages to a handler, on the goroutines that read them.
type handlerTransport interface {
	SetHandler(h func(raft.RPC))
}

// start begins to let messages pass.
func (b *inbound) start() {
	if t, ok := b.n.cfg.Transport.(handlerTransport); ok {
		t.SetHandler(b.pass)
		return
	}
	b.n.goOwned(b.run)
}

// run is a goroutine of the node's.
func (b *inbound) run() {
	for {
		select {
		case rpc := <-b.in:
			b.pass(rpc)
		case <-b.n.closing:
			return
		}
	}
}

// pass may be called by several goroutines at once. It returns when raft has the message, or it was answered, or the
// node closes.
func (b *inbound) pass(rpc raft.RPC) {
	if b.n.logs.catchUp() != nil {
		rpc.Respond(nil, ErrFailed)
		return
	}
	if req, ok := rpc.Command.(*raft.InstallSnapshotRequest); ok && b.n.covers(req) {
		b.decline(rpc, req)
		return
	}
	if why := b.n.space.decline(rpc); why != nil {
		rpc.Respond(nil, why)
		return
	}
	if req, ok := rpc.Command.(*raft.AppendEntriesRequest); ok {
		limitCommit(req)
	}
	if !b.hand(rpc) {
		rpc.Respond(nil, ErrFailed)
	}
}

// hand returns false if the log store has failed.
func (b *inbound) hand(rpc raft.RPC) bool {
	b.handing.RLock()
	defer b.handing.RUnlock()
	select {
	case <-b.n.broken:
		return false
	default:
	}
	select {
	case b.out <- rpc:
	case <-b.n.broken:
		return false
	case <-b.n.closing:
	}
	return true
}

// settle waits, once n.broken is closed, for those who had looked at it before: raft calls it from the write that has
// failed, so none of them can hand it a message after that.
func (b *inbound) settle() {
	b.handing.Lock()
	defer b.handing.Unlock()
}

// limitCommit lowers the commit index of a message to what the message verifies.
func limitCommit(req *raft.AppendEntriesRequest) {
	verified := req.PrevLogEntry
	if n := len(req.Entries); n > 0 {
		verified = req.Entries[n-1].Index
	}
	req.LeaderCommitIndex = min(req.LeaderCommitIndex, verified)
}

// covers reports whether this node has everything that a snapshot holds. An older leader's is for raft to refuse.
func (n *Node) covers(req *raft.InstallSnapshotRequest) bool {
	if req.Term < n.raft.CurrentTerm() {
		return false
	}
	if n.machine.Index() >= req.LastLogIndex && n.applier.poison() == nil {
		return true // applied, so committed: there is one such prefix
	}
	var l raft.Log
	err := n.cfg.Storage.Log().GetLog(req.LastLogIndex, &l)
	return err == nil && l.Term == req.LastLogTerm // so all before it agree, too
}

// decline answers as if the snapshot had been installed, which is true of its content, and takes it from the stream.
func (b *inbound) decline(rpc raft.RPC, req *raft.InstallSnapshotRequest) {
	_, err := io.Copy(io.Discard, rpc.Reader)
	b.n.log.Info("a snapshot that is not needed was declined", "index", req.LastLogIndex, "applied", b.n.machine.Index())
	resp := &raft.InstallSnapshotResponse{RPCHeader: req.RPCHeader, Term: b.n.raft.CurrentTerm(), Success: err == nil}
	if err != nil {
		err = fmt.Errorf("read the snapshot: %w", err)
	}
	rpc.Respond(resp, err)
}

// checkLogEnd stops a node whose raft believes in entries that its log does not have: a snapshot that conflicted with the
// end of the log was installed (hashicorp/raft #697). Started again, it finds the log as it is and goes on.
func (n *Node) checkLogEnd() {
	last, err := n.logs.LastIndex()
	if err != nil {
		return
	}
	believed := n.raft.LastIndex()
	if believed <= max(last, n.snapshotIndex()) {
		n.logEndOff = 0
		return
	}
	if n.logEndOff++; n.logEndOff >= logEndTicks {
		n.fatal(fmt.Errorf("%w: the log ends at %d where raft believes in %d, because a snapshot has replaced its end (hashicorp/raft #697); started again the node goes on", ErrFailed, last, believed))
	}
}

// logEndTicks is how often in a row the ends must differ: an append is seen by the one before the other.
const logEndTicks = 4
