package cluster

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// peerTransport is what a node needs of its raft transport. Without WithPreVote raft would turn pre-votes off and say
// nothing; without WithClose a node that has failed could not leave its group.
type peerTransport interface {
	raft.Transport
	raft.WithPreVote
	raft.WithClose
}

func isPeerTransport(t raft.Transport) bool {
	_, ok := t.(peerTransport)
	return ok
}

// guardedTransport keeps raft from waiting for ever for another node, in two places.
//
// Pipelines: raft's pipelined replication (v1.7.3, replication.go) stops reading a pipeline's answers at the first refusal, while
// its sender may be about to send once more. The transport's reader then waits for somebody to take the next answer, the
// sender waits for the reader, and nobody is left to close the pipeline: the follower gets no more entries for the rest
// of the term although heartbeats go on, a transfer to it hangs for ever, and so does raft's shutdown. So answers are
// always taken here.
//
// Leadership transfers: raft refuses all writes until the message to the target was answered, although it has given the
// transfer up long before (raft.go, leaderLoop, where it waits for doneCh). So the answer is waited for no longer than
// transferLimit here.
type guardedTransport struct {
	peerTransport
	transferLimit time.Duration
	run           func(f func()) // starts a goroutine that the node's Close waits for
	inbound       *inbound
}

// Consumer implements raft.Transport.
func (t guardedTransport) Consumer() <-chan raft.RPC {
	if t.inbound == nil {
		return t.peerTransport.Consumer()
	}
	return t.inbound.out
}

var errTransferLimit = errors.New("the node that was to take leadership over did not answer in time")

// TimeoutNow implements raft.Transport.
func (t guardedTransport) TimeoutNow(id raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	var answer raft.TimeoutNowResponse
	done := make(chan error, 1)
	t.run(func() { done <- t.peerTransport.TimeoutNow(id, target, args, &answer) })
	limit := time.NewTimer(t.transferLimit)
	defer limit.Stop()
	select {
	case err := <-done:
		*resp = answer
		return err
	case <-limit.C:
		return errTransferLimit
	}
}

// AppendEntriesPipeline implements raft.Transport.
func (t guardedTransport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.peerTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	d := &drainedPipeline{AppendPipeline: p, answers: make(chan raft.AppendFuture), stop: make(chan struct{}), ended: make(chan struct{})}
	go d.run()
	return d, nil
}

// drainedPipeline is a pipeline whose answers wait in memory. There are few: raft sends one at a time, and stops sending
// soon after it has stopped reading. Raft, its owner, closes it.
type drainedPipeline struct {
	raft.AppendPipeline
	answers   chan raft.AppendFuture
	stop      chan struct{}
	ended     chan struct{}
	closeOnce sync.Once
}

// Consumer implements raft.AppendPipeline.
func (d *drainedPipeline) Consumer() <-chan raft.AppendFuture { return d.answers }

// Close implements raft.AppendPipeline.
func (d *drainedPipeline) Close() error {
	d.closeOnce.Do(func() { close(d.stop) })
	<-d.ended
	return d.AppendPipeline.Close()
}

func (d *drainedPipeline) run() {
	defer close(d.ended)
	var waiting []raft.AppendFuture
	for {
		var out chan<- raft.AppendFuture
		var first raft.AppendFuture
		if len(waiting) > 0 {
			out, first = d.answers, waiting[0]
		}
		select {
		case f := <-d.AppendPipeline.Consumer():
			waiting = append(waiting, f)
		case out <- first:
			waiting = waiting[1:]
		case <-d.stop:
			return
		}
	}
}
