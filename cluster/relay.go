package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/fsm"
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/transport"
)

// relayRetry is the pause before the leader is looked for again, where nothing was put into the log.
const relayRetry = 20 * time.Millisecond

// Relay has the leader, wherever it is, put a proposal into the log; nothing is written to the proposal's Reply. It returns
// when the proposal has ended, by ctx at the latest. While the cluster has no leader it waits for one. Where the outcome is
// Applied this node has applied the proposal too, unless ctx has ended meanwhile.
func (n *Node) Relay(ctx context.Context, p *command.Proposal) {
	for {
		end := n.relayOnce(ctx, p)
		if end.outcome == command.Refused && end.again && n.pause(ctx, relayRetry) {
			continue
		}
		if errors.Is(end.err, ErrNotLeader) {
			end.err = ErrLeaderUnknown // to a client that asked a follower it does not matter who is none
		}
		if end.outcome == command.Applied {
			_ = n.WaitApplied(ctx, end.index) // it stays applied, if this node is late
		}
		p.Finish(end.outcome, end.index, end.err)
		return
	}
}

// pause is false where ctx or the node has ended.
func (n *Node) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-n.closing:
	}
	return false
}

// relayEnd is how a proposal has ended elsewhere. again: another try may succeed.
type relayEnd struct {
	outcome command.Outcome
	index   uint64
	err     error
	again   bool
}

func (n *Node) relayOnce(ctx context.Context, p *command.Proposal) relayEnd {
	if n.Leading() {
		return n.proposeFor(p.Body, p.Units)
	}
	addr := n.leaderRaftAddr()
	if addr == "" || addr == n.cfg.RaftAddr {
		return relayEnd{outcome: command.Refused, err: ErrLeaderUnknown, again: true}
	}
	answer, err := n.call(ctx, addr, methodPropose, p.Body)
	switch {
	case err == nil:
		return decodeRelayEnd(answer)
	case errors.Is(err, transport.ErrTooLarge):
		return relayEnd{outcome: command.Refused, err: fmt.Errorf("%w: %w", command.ErrRelayTooLarge, err)}
	case transport.NeverSent(err):
		return relayEnd{outcome: command.Refused, err: err, again: true}
	}
	return relayEnd{outcome: command.Unknown, err: err}
}

// proposeFor puts what another node's client asks for into the log.
func (n *Node) proposeFor(body []byte, units int) relayEnd {
	p := command.NewProposal(command.Discard)
	p.Body, p.Units = body, units
	n.Propose(p)
	<-p.Done
	return relayEnd{p.Outcome, p.Index, p.Err, errors.Is(p.Err, ErrNotLeader) || errors.Is(p.Err, ErrHandingOver)}
}

// answerPropose checks the body: the log must hold nothing that nodes of this version cannot apply.
func (n *Node) answerPropose(_ transport.Identity, body []byte) ([]byte, error) {
	units, err := fsm.CountUnits(body)
	if err != nil {
		return relayEnd{outcome: command.Refused, err: err}.encode(), nil
	}
	return n.proposeFor(body, units).encode(), nil
}

// relayErrors are the errors that keep their meaning on the way; their places are part of the protocol between nodes.
var relayErrors = []error{
	nil, ErrNotLeader, ErrHandingOver, ErrTooLarge, ErrQueueFull, command.ErrNoRoom, ErrClosed, ErrLeadershipLost, ErrWriteTimeout, ErrFailed,
}

// relayedError is an error as the leader's text has it.
type relayedError struct {
	kind error
	text string
}

func (e *relayedError) Error() string { return e.text }
func (e *relayedError) Unwrap() error { return e.kind }

const (
	relayAgain     = 1 // of the flags
	relayHeadBytes = 11
)

// encode makes the answer to methodPropose: outcome u8, flags u8 (1: another try may succeed), place of the error in
// relayErrors u8 (0: another one, or none), log index u64 little endian, the error's text.
func (e relayEnd) encode() []byte {
	b := []byte{byte(e.outcome), 0, 0}
	if e.again {
		b[1] = relayAgain
	}
	for i, known := range relayErrors[1:] {
		if errors.Is(e.err, known) {
			b[2] = byte(i + 1)
			break
		}
	}
	b = binary.LittleEndian.AppendUint64(b, e.index)
	if e.err != nil {
		b = append(b, e.err.Error()...)
	}
	return b
}

// decodeRelayEnd takes an answer that it does not understand as one that leaves everything open.
func decodeRelayEnd(b []byte) relayEnd {
	if len(b) < relayHeadBytes {
		return relayEnd{outcome: command.Unknown, err: errBadAnswer}
	}
	e := relayEnd{outcome: command.Outcome(b[0]), again: b[1]&relayAgain != 0, index: binary.LittleEndian.Uint64(b[3:])}
	switch e.outcome {
	case command.Applied:
		return e
	case command.Refused:
	default:
		e.outcome = command.Unknown
	}
	kind := errBadAnswer
	if i := int(b[2]); i < len(relayErrors) {
		kind = relayErrors[i]
	}
	e.err = &relayedError{kind, string(b[relayHeadBytes:])}
	return e
}
