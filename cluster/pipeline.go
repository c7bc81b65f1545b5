package cluster

import (
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// peerTransport is what a node needs of its raft transport. Without WithPreVote raft would turn pre-votes off and say
// nothing; without WithClose a node that has failed could not leave its group. And what no type says: AppendEntries and
// Close of its pipelines must not wait for raft to take answers, since raft stops taking them at the first refusal
// (transport.appendPipeline says what would hang).
type peerTransport interface {
	raft.Transport
	raft.WithPreVote
	raft.WithClose
}

func isPeerTransport(t raft.Transport) bool {
	_, ok := t.(peerTransport)
	return ok
}

// guardedTransport has raft hear what inbound lets pass, and keeps it from waiting for ever in leadership transfers: raft
// refuses all writes until the message to the target was answered, although it has given the transfer up long before
// (raft.go, leaderLoop, where it waits for doneCh). So the answer is waited for no longer than transferLimit here.
type guardedTransport struct {
	peerTransport
	logs          *parallelLog // see parallelsend.go
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
