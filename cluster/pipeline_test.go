package cluster

import (
	"testing"

	"github.com/hashicorp/raft"
)

// fullPipeline is a pipeline like raft's own: the next request is taken when the last answer has been.
type fullPipeline struct {
	requests chan raft.AppendFuture
	done     chan raft.AppendFuture
	stop     chan struct{}
}

func (p *fullPipeline) AppendEntries(*raft.AppendEntriesRequest, *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	select {
	case p.requests <- nil:
		return nil, nil
	case <-p.stop:
		return nil, raft.ErrPipelineShutdown
	}
}

func (p *fullPipeline) Consumer() <-chan raft.AppendFuture { return p.done }
func (p *fullPipeline) Close() error                       { close(p.stop); return nil }

func (p *fullPipeline) answer() {
	for {
		select {
		case f := <-p.requests:
			select {
			case p.done <- f:
			case <-p.stop:
				return
			}
		case <-p.stop:
			return
		}
	}
}

type pipelineOnly struct {
	peerTransport
	p *fullPipeline
}

func (t pipelineOnly) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return t.p, nil
}

// TestPipelineWithoutReader: raft's sender is never stuck because raft's reader has gone.
func TestPipelineWithoutReader(t *testing.T) {
	inner := &fullPipeline{requests: make(chan raft.AppendFuture), done: make(chan raft.AppendFuture), stop: make(chan struct{})}
	ended := make(chan struct{})
	go func() { inner.answer(); close(ended) }()
	p, err := guardedTransport{peerTransport: pipelineOnly{p: inner}}.AppendEntriesPipeline("n", "a")
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := p.AppendEntries(&raft.AppendEntriesRequest{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	<-p.Consumer() // the answers are still there, in order
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	<-ended
}
