package transport

import (
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// Append streams: a leader's pipelined AppendEntries, which are nearly all that nodes say to each other, have streams of
// their own, with a lean encoding (appendwrite.go draws it) and as few hand-offs between goroutines as there can be
// (docs/adr/0013). All else of raft's is rare and goes the way of raft's own transport.

// pipelineInFlightMin is the depth from which requests overlap at all.
const pipelineInFlightMin = 2

// AppendEntriesPipeline implements raft.Transport. The peer's address is found as for all other messages.
func (r *RaftTransport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	if r.inFlightMax < pipelineInFlightMin {
		return nil, raft.ErrPipelineReplicationNotSupported
	}
	s, err := r.layer.dial(raft.ServerAddress(r.EncodePeer(id, target)), purposeAppend, r.timeout)
	if err != nil {
		return nil, err
	}
	p, err := startAppendPipeline(s, r.timeout, r.inFlightMax)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// serveAppends answers the requests of an inbound append stream, one by one, until the stream ends.
func (r *RaftTransport) serveAppends(s *stream) {
	in, out := newAppendReader(s.Conn), &appendWriter{}
	for {
		err := r.serveAppend(s, in, out)
		if err == nil {
			continue
		}
		if !isNetworkError(err) {
			s.t.cfg.Logger.Warn("closed an append stream", "peer", s.peer.NodeID, "error", err)
		}
		_ = s.Close() // err is what counts
		return
	}
}

func (r *RaftTransport) serveAppend(s *stream, in *appendReader, out *appendWriter) error {
	req, err := in.request()
	if err != nil {
		return err
	}
	answers := make(chan raft.RPCResponse, 1) // a new one each time: no late answer may become that of the next request
	r.deliver(raft.RPC{Command: req, RespChan: answers})
	select {
	case a := <-answers:
		if err := encodeAnswer(out, a); err != nil {
			return err
		}
	case <-r.layer.ctx.Done():
		return ErrClosed
	}
	_ = s.SetWriteDeadline(time.Now().Add(r.timeout)) // fails on a closed connection only
	return out.writeTo(s.Conn)
}

func encodeAnswer(out *appendWriter, a raft.RPCResponse) error {
	text := ""
	if a.Error != nil {
		if text = a.Error.Error(); text == "" {
			text = "unknown error"
		}
	}
	resp, ok := a.Response.(*raft.AppendEntriesResponse)
	switch {
	case ok && resp != nil:
	case a.Error != nil:
		resp = &raft.AppendEntriesResponse{}
	default:
		return fmt.Errorf("raft has answered AppendEntries with %T", a.Response)
	}
	return out.answer(resp, text)
}
