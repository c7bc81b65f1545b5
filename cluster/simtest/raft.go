package simtest

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// raftTransport is raft.Transport over the simulated network. Like the real one it has no fast path for heartbeats,
// unless fast is set: then it does as raft's own transports do.
type raftTransport struct {
	e    *endpoint
	fast bool
}

var (
	_ raft.Transport   = raftTransport{}
	_ raft.WithPreVote = raftTransport{}
	_ raft.WithClose   = raftTransport{}
)

func (t raftTransport) Consumer() <-chan raft.RPC     { return t.e.consumer }
func (t raftTransport) LocalAddr() raft.ServerAddress { return raft.ServerAddress(t.e.addr) }

// SetHeartbeatHandler implements raft.Transport.
func (t raftTransport) SetHeartbeatHandler(h func(rpc raft.RPC)) {
	if t.fast {
		t.e.heartbeats.Store(&h)
	}
}

// Close implements raft.WithClose: raft neither sends nor hears any more, but the process stays reachable for calls.
func (t raftTransport) Close() error {
	t.e.raftOnce.Do(func() { close(t.e.raftStopped) })
	return nil
}

// EncodePeer and DecodePeer do as raft.NetworkTransport does.
func (t raftTransport) EncodePeer(id raft.ServerID, addr raft.ServerAddress) []byte {
	return []byte(t.e.resolve(id, addr))
}

func (t raftTransport) DecodePeer(b []byte) raft.ServerAddress { return raft.ServerAddress(b) }

func (e *endpoint) resolve(id raft.ServerID, addr raft.ServerAddress) string {
	if a, err := e.book.ServerAddr(id); err == nil {
		return string(a)
	}
	return string(addr)
}

func (t raftTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	t.e.ledger.sends(t.e.id, args)
	return call(t.e, id, target, args, nil, resp)
}

func (t raftTransport) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return call(t.e, id, target, args, nil, resp)
}

func (t raftTransport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return call(t.e, id, target, args, nil, resp)
}

func (t raftTransport) TimeoutNow(id raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	return call(t.e, id, target, args, nil, resp)
}

func (t raftTransport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	all, err := io.ReadAll(data)
	if err != nil {
		return err
	}
	return call(t.e, id, target, args, all, resp)
}

// copyCommand copies a request deeply: nodes share no memory.
func copyCommand(cmd any) any {
	switch c := cmd.(type) {
	case *raft.AppendEntriesRequest:
		return copyAppend(c)
	case *raft.RequestVoteRequest:
		d := *c
		return &d
	case *raft.RequestPreVoteRequest:
		d := *c
		return &d
	case *raft.TimeoutNowRequest:
		d := *c
		return &d
	case *raft.InstallSnapshotRequest:
		d := *c
		d.Configuration = bytes.Clone(c.Configuration)
		return &d
	}
	panic(fmt.Sprintf("simulated network: a request of type %T", cmd))
}

func copyAppend(a *raft.AppendEntriesRequest) *raft.AppendEntriesRequest {
	c := *a
	c.Entries = make([]*raft.Log, len(a.Entries))
	for i, l := range a.Entries {
		c.Entries[i] = copyLog(l)
	}
	return &c
}

func copyLog(l *raft.Log) *raft.Log {
	c := *l
	c.Data, c.Extensions = bytes.Clone(l.Data), bytes.Clone(l.Extensions)
	return &c
}

// call is one exchange of messages.
func call[R any](e *endpoint, id raft.ServerID, target raft.ServerAddress, cmd any, data []byte, resp *R) error {
	t := time.NewTimer(e.timeout)
	defer t.Stop()
	to, answers, err := e.deliver(e.resolve(id, target), cmd, data, t.C)
	if err != nil {
		return err
	}
	out, err := e.await(to, cmd, answers, t.C)
	if err != nil {
		return err
	}
	*resp = *out.(*R)
	return nil
}

// deliver brings a request to the raft at addr.
func (e *endpoint) deliver(addr string, cmd any, data []byte, limit <-chan time.Time) (*endpoint, <-chan raft.RPCResponse, error) {
	select {
	case <-e.raftStopped: // the real layer closes its streams
		return nil, nil, errStopped
	default:
	}
	sent := copyCommand(cmd)
	to, err := e.dial(addr, limit)
	if err != nil {
		return nil, nil, err
	}
	if late, yes := e.net.twice(); yes {
		second := copyCommand(sent)
		e.net.again(to, late, func() { _, _ = e.hand(to, second, data, nil) })
	}
	answers, err := e.hand(to, sent, data, limit)
	return to, answers, err
}

// hand gives a request to another process's raft.
func (e *endpoint) hand(to *endpoint, cmd any, data []byte, limit <-chan time.Time) (<-chan raft.RPCResponse, error) {
	answers := make(chan raft.RPCResponse, 1)
	rpc := raft.RPC{Command: cmd, RespChan: answers}
	switch req := cmd.(type) {
	case *raft.InstallSnapshotRequest:
		rpc.Reader = bytes.NewReader(data)
		rpc.RespChan = to.watchInstall(answers)
	case *raft.AppendEntriesRequest:
		if h := to.heartbeats.Load(); h != nil && isHeartbeat(req) {
			e.net.run(func() { (*h)(rpc) })
			return answers, nil
		}
	}
	err := errRefused
	select {
	case to.consumer <- rpc:
		return answers, nil
	case <-to.stopped:
	case <-to.raftStopped:
	case <-e.stopped:
		err = errStopped
	case <-limit:
		err = errTimeout
	}
	rpc.Respond(nil, err) // nobody else will
	return nil, err
}

// watchInstall counts a snapshot as being installed until its answer passes.
func (e *endpoint) watchInstall(answers chan<- raft.RPCResponse) chan<- raft.RPCResponse {
	e.installing.Add(1)
	e.net.ledger.count(func(c *Counts) { c.Installs++ })
	from := make(chan raft.RPCResponse, 1)
	e.net.run(func() {
		select {
		case a := <-from:
			e.installing.Add(-1)
			answers <- a
		case <-e.stopped:
		case <-e.raftStopped:
		}
	})
	return from
}

// isHeartbeat recognizes heartbeats as raft's own transport does.
func isHeartbeat(a *raft.AppendEntriesRequest) bool {
	return a.Term != 0 && a.PrevLogEntry == 0 && a.PrevLogTerm == 0 && len(a.Entries) == 0 && a.LeaderCommitIndex == 0
}

// await brings the answer back.
func (e *endpoint) await(to *endpoint, cmd any, answers <-chan raft.RPCResponse, limit <-chan time.Time) (any, error) {
	select {
	case a := <-answers:
		if to.isStopped() {
			return nil, errRefused // the process ended before the answer was sent
		}
		to.answered(cmd, a.Response)
		if err := e.net.travel(to, e, limit); err != nil {
			return nil, err
		}
		return a.Response, a.Error
	case <-to.stopped:
		return nil, errRefused
	case <-e.stopped:
		return nil, errStopped
	case <-limit:
		return nil, errTimeout
	}
}

// pipelineDepth is how many requests of a pipeline may be under way.
const pipelineDepth = 4

// pipeline is one connection that carries requests and answers in order. After the first failure all else fails.
type pipeline struct {
	e      *endpoint
	id     raft.ServerID
	target raft.ServerAddress
	sends  chan *pipelined
	waits  chan *pipelined
	done   chan raft.AppendFuture
	stop   chan struct{}
	once   sync.Once
}

// pipelined is one request of a pipeline; it implements raft.AppendFuture.
type pipelined struct {
	start   time.Time
	req     *raft.AppendEntriesRequest
	resp    *raft.AppendEntriesResponse
	to      *endpoint
	answers <-chan raft.RPCResponse
	limit   *time.Timer
	err     error
	ended   chan struct{}
}

func (f *pipelined) Start() time.Time                      { return f.start }
func (f *pipelined) Request() *raft.AppendEntriesRequest   { return f.req }
func (f *pipelined) Response() *raft.AppendEntriesResponse { return f.resp }
func (f *pipelined) Error() error                          { <-f.ended; return f.err }
func (p *pipeline) Consumer() <-chan raft.AppendFuture     { return p.done }
func (p *pipeline) Close() error                           { p.once.Do(func() { close(p.stop) }); return nil }

// AppendEntriesPipeline implements raft.Transport.
func (t raftTransport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	limit := time.NewTimer(t.e.timeout)
	defer limit.Stop()
	if _, err := t.e.dial(t.e.resolve(id, target), limit.C); err != nil {
		return nil, err
	}
	p := &pipeline{
		e: t.e, id: id, target: target,
		sends: make(chan *pipelined, pipelineDepth), waits: make(chan *pipelined, pipelineDepth),
		done: make(chan raft.AppendFuture, 16*pipelineDepth), stop: make(chan struct{}),
	}
	t.e.net.run(p.send)
	t.e.net.run(p.receive)
	return p, nil
}

// AppendEntries implements raft.AppendPipeline.
func (p *pipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	f := &pipelined{start: time.Now(), req: args, resp: resp, limit: time.NewTimer(p.e.timeout), ended: make(chan struct{})}
	select {
	case <-p.stop:
		return nil, raft.ErrPipelineShutdown
	case p.sends <- f:
		return f, nil
	}
}

func (p *pipeline) send() {
	var broken error
	for {
		select {
		case f := <-p.sends:
			if broken == nil {
				p.e.ledger.sends(p.e.id, f.req)
				f.to, f.answers, broken = p.e.deliver(p.e.resolve(p.id, p.target), f.req, nil, f.limit.C)
			}
			f.err = broken
			select {
			case p.waits <- f:
			case <-p.stop:
				return
			}
		case <-p.stop:
			return
		}
	}
}

func (p *pipeline) receive() {
	var broken error
	for {
		select {
		case f := <-p.waits:
			if broken == nil {
				broken = f.err
			}
			if broken == nil {
				var out any
				if out, broken = p.e.await(f.to, f.req, f.answers, f.limit.C); broken == nil {
					*f.resp = *out.(*raft.AppendEntriesResponse)
				}
			}
			f.err = broken
			f.limit.Stop()
			close(f.ended)
			select {
			case p.done <- f:
			default: // raft takes answers no more, and must not be waited for
				_ = p.Close()
				return
			}
		case <-p.stop:
			return
		}
	}
}
