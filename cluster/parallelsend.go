package cluster

import "github.com/hashicorp/raft"

// A leader's raft may call an entry committed that this disk is still writing (parallelLog). Messages to other nodes do not.

// AppendEntries implements raft.Transport.
func (t guardedTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	t.logs.limitCommit(args)
	return t.peerTransport.AppendEntries(id, target, args, resp)
}

// AppendEntriesPipeline implements raft.Transport.
func (t guardedTransport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.peerTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return limitedPipeline{p, t.logs}, nil
}

type limitedPipeline struct {
	raft.AppendPipeline
	logs *parallelLog
}

// AppendEntries implements raft.AppendPipeline.
func (l limitedPipeline) AppendEntries(req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	l.logs.limitCommit(req)
	return l.AppendPipeline.AppendEntries(req, resp)
}

// limitCommit lowers the commit index of a message to what is committed in truth. Raft has set it for this message, before.
func (p *parallelLog) limitCommit(req *raft.AppendEntriesRequest) {
	if c := p.limit(req.LeaderCommitIndex); c < req.LeaderCommitIndex {
		req.LeaderCommitIndex = c
	}
}
