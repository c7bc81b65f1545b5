package cluster

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/redoubtdb/redoubt/transport"
)

// Methods of node-to-node calls. The numbers are part of the protocol between nodes and never change.
const (
	methodProbe     = 1 // read index and lease: nothing -> probe, fixed binary
	methodAnnounce  = 2 // a node tells its addresses: JSON fsm.Member -> nothing
	methodAdmin     = 3 // an operator's request on its way to the leader: JSON adminRequest -> nothing
	methodStatus    = 4 // nothing -> JSON NodeStatus
	methodReadIndex = 5 // a follower's linearizable read: nothing -> u64 index, after a round of the leader
	methodRemoved   = 6 // the leader tells a node that it was removed: nothing -> nothing
	methodPropose   = 7 // a follower's client has something for the log: units -> relayEnd, see its encode
)

// probe is a voter's answer to "which term are you in", little endian: term u64, last log index u64, applied index u64,
// milliseconds since it heard of the leader of that term u64, wall clock in milliseconds u64.
type probe struct {
	term, lastIndex, applied uint64
	contactAge               time.Duration
	wallMillis               int64
}

const probeBytes = 40

func (p probe) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, p.term)
	dst = binary.LittleEndian.AppendUint64(dst, p.lastIndex)
	dst = binary.LittleEndian.AppendUint64(dst, p.applied)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(p.contactAge/time.Millisecond))
	return binary.LittleEndian.AppendUint64(dst, uint64(p.wallMillis))
}

var errBadAnswer = errors.New("a node gave an answer of the wrong form")

func decodeProbe(b []byte) (probe, error) {
	if len(b) != probeBytes {
		return probe{}, errBadAnswer
	}
	return probe{
		term:       binary.LittleEndian.Uint64(b),
		lastIndex:  binary.LittleEndian.Uint64(b[8:]),
		applied:    binary.LittleEndian.Uint64(b[16:]),
		contactAge: time.Duration(binary.LittleEndian.Uint64(b[24:])) * time.Millisecond,
		wallMillis: int64(binary.LittleEndian.Uint64(b[32:])),
	}, nil
}

// noContact is the answer of a node that knows no leader: raft notes a contact when it votes or steps down, too, and
// would then vote for anybody.
const noContact = time.Hour

// answerProbe runs on the transport's goroutine: it never waits for raft.
func (n *Node) answerProbe(_ transport.Identity, _, dst []byte) ([]byte, error) {
	p := probe{term: n.raft.CurrentTerm(), contactAge: noContact}
	// raft reads the machine's clock
	age := max(time.Since(n.raft.LastContact()), 0)
	if _, leader := n.raft.LeaderWithID(); leader != "" && n.raft.CurrentTerm() == p.term { // so it is this term's leader
		p.contactAge = min(age, noContact)
	}
	p.lastIndex, p.applied, p.wallMillis = n.raft.LastIndex(), n.logs.limit(n.raft.AppliedIndex()), n.cfg.Clock.Now().UnixMilli()
	return p.append(dst), nil
}

// call is a node-to-node call that waits for its answer.
func (n *Node) call(ctx context.Context, addr string, method byte, req []byte) ([]byte, error) {
	type answer struct {
		resp []byte
		err  error
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = n.cfg.Clock.Now().Add(callTimeout)
	}
	done := make(chan answer, 1)
	n.cfg.Peers.Go(addr, method, req, deadline, func(resp []byte, _ transport.Identity, err error) {
		done <- answer{append([]byte(nil), resp...), err}
	})
	select {
	case a := <-done:
		return a.resp, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-n.closing:
		return nil, ErrClosed
	}
}

const callTimeout = 3 * time.Second

func (n *Node) callJSON(ctx context.Context, addr string, method byte, req, resp any) error {
	var body []byte
	if req != nil {
		var err error
		if body, err = json.Marshal(req); err != nil {
			return err
		}
	}
	out, err := n.call(ctx, addr, method, body)
	if err != nil || resp == nil {
		return err
	}
	return json.Unmarshal(out, resp)
}
