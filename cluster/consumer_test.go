package cluster

import (
	"sync"
	"testing"

	"github.com/hashicorp/raft"
)

// TestNothingPassesABrokenLog: raft is given no message behind a failed write, whoever was about to hand one over.
func TestNothingPassesABrokenLog(t *testing.T) {
	for range 3000 {
		n := &Node{broken: make(chan struct{}), closing: make(chan struct{})}
		n.space, n.inbound = newSpace(n), n.newInbound(nil)
		n.logs = newParallelLog(nil, nil, nil)
		var streams sync.WaitGroup
		for range 4 {
			streams.Go(func() {
				for range 3 {
					answer := make(chan raft.RPCResponse, 1)
					n.inbound.pass(raft.RPC{Command: &raft.AppendEntriesRequest{}, RespChan: answer})
				}
			})
		}
		ended := make(chan struct{})
		go func() { streams.Wait(); close(ended) }()
		<-n.inbound.out // raft writes, the write fails, and it goes on to the next message
		n.breakOff()
		select {
		case <-n.inbound.out:
			t.Fatal("raft was given a message after a write had failed")
		case <-ended:
		}
	}
}

// TestPassAnswers: a message that does not reach raft is answered, unless the node closes.
func TestPassAnswers(t *testing.T) {
	n := &Node{broken: make(chan struct{}), closing: make(chan struct{})}
	n.space, n.inbound = newSpace(n), n.newInbound(nil)
	n.logs = newParallelLog(nil, nil, nil)
	pass := func() (<-chan raft.RPCResponse, <-chan struct{}) {
		answer, passed := make(chan raft.RPCResponse, 1), make(chan struct{})
		go func() {
			n.inbound.pass(raft.RPC{Command: &raft.RequestVoteRequest{}, RespChan: answer})
			close(passed)
		}()
		return answer, passed
	}
	waiting, passed := pass()
	n.breakOff()
	<-passed
	late, passedToo := pass()
	<-passedToo
	for _, answer := range []<-chan raft.RPCResponse{waiting, late} {
		if a := <-answer; a.Error != ErrFailed {
			t.Error(a)
		}
	}
	n.broken = make(chan struct{})
	_, passed = pass()
	close(n.closing)
	<-passed
}
