package transport

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// appendUntakenMax is how many answers may wait for raft to take them. Raft takes each at once while it takes any.
const appendUntakenMax = 128

var (
	errRefusedAnswer = fmt.Errorf("transport: a follower has refused entries, after which raft takes no answer: %w", raft.ErrPipelineShutdown)
	errUntaken       = fmt.Errorf("transport: raft takes no answers: %w", raft.ErrPipelineShutdown)
	errPipelineEnd   = fmt.Errorf("transport: %w", raft.ErrPipelineShutdown)
)

// appendPipeline is the sending end of an append stream: a raft.AppendPipeline.
//
// AppendEntries and Close never wait for raft to take an answer. Raft's own pipeline does, and hangs: raft (v1.7.3,
// replication.go) stops taking answers at the first refusal, while its sender may be about to send once more. The
// transport's reader then waits for somebody to take the next answer, the sender waits for the reader, and nobody is
// left to close the pipeline: the follower gets no more entries for the rest of the term although heartbeats go on, a
// transfer to it hangs for ever, and so does raft's shutdown. Here the reader never waits, and ends the pipeline at the
// first refusal, whereupon AppendEntries fails.
type appendPipeline struct {
	s       *stream
	timeout time.Duration
	max     int          // requests in flight
	out     appendWriter // of AppendEntries, which raft calls from one goroutine
	answers chan raft.AppendFuture
	ended   chan struct{} // closed when read has returned

	mu      sync.Mutex
	changed sync.Cond       // there are fewer in flight, or err is set
	flying  []*appendFuture // oldest first
	since   time.Time       // when flying[0] became the oldest
	err     error           // why nothing more is sent
}

// startAppendPipeline takes s over.
func startAppendPipeline(s *stream, timeout time.Duration, inFlightMax int) (*appendPipeline, error) {
	p := &appendPipeline{
		s: s, timeout: timeout, max: inFlightMax,
		answers: make(chan raft.AppendFuture, appendUntakenMax+inFlightMax), ended: make(chan struct{}),
	}
	p.changed.L = &p.mu
	if !s.t.spawn(p.read) {
		_ = s.Close() // not used
		return nil, ErrClosed
	}
	return p, nil
}

// AppendEntries implements raft.AppendPipeline: it sends, and returns once there is room for another in flight.
func (p *appendPipeline) AppendEntries(req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	if err := p.out.request(req); err != nil {
		return nil, err
	}
	f := &appendFuture{start: time.Now(), req: req, resp: resp}
	f.ended.Add(1)
	if err := p.launch(f); err != nil {
		return nil, err
	}
	// A write that gets stuck is ended as a missing answer is: the request is in flight already.
	if err := p.out.writeTo(p.s.Conn); err != nil {
		return nil, p.end(lost(err))
	}
	if err := p.awaitRoom(); err != nil {
		return nil, err
	}
	return f, nil
}

// launch notes a request before it is sent, for its answer may come at once.
func (p *appendPipeline) launch(f *appendFuture) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	if len(p.flying) == 0 {
		p.since = f.start
	}
	p.flying = append(p.flying, f)
	return nil
}

func (p *appendPipeline) awaitRoom() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.flying) >= p.max && p.err == nil {
		p.changed.Wait()
	}
	return p.err
}

// Consumer implements raft.AppendPipeline.
func (p *appendPipeline) Consumer() <-chan raft.AppendFuture { return p.answers }

// Close implements raft.AppendPipeline. What is in flight fails.
func (p *appendPipeline) Close() error {
	_ = p.end(errPipelineEnd) // which it was, or something else
	<-p.ended
	return nil
}

// end lets nothing more be sent and closes the stream. It returns why: err, or what has ended it before.
func (p *appendPipeline) end(err error) error {
	p.mu.Lock()
	if p.err == nil {
		p.err = err
	}
	err = p.err
	p.changed.Broadcast()
	p.mu.Unlock()
	_ = p.s.Close() // gone either way
	return err
}

// read is the pipeline's goroutine. What is in flight when the stream ends fails, but is not given to raft, which would
// count it as a sign of life (replication.go, pipelineDecode). Raft notices when it sends again, a commit time out later
// at most.
func (p *appendPipeline) read() {
	defer close(p.ended)
	err := p.end(p.readAnswers())
	for f := p.land(); f != nil; f = p.land() {
		f.complete(appendAnswer{}, err)
	}
}

func (p *appendPipeline) readAnswers() error {
	_ = p.s.SetReadDeadline(time.Now().Add(p.timeout)) // fails on a closed connection only
	for in := newAppendReader(p.s.Conn); ; {
		a, err := in.answer(p.overdue)
		if err != nil {
			return lost(err)
		}
		f := p.land()
		if f == nil {
			return fmt.Errorf("%w: an answer to nothing", ErrProtocol)
		}
		f.complete(a, a.err())
		switch refused := !f.resp.Success || f.resp.Term > f.req.Term; { // as raft sees it
		case !p.pass(f):
			return errUntaken
		case refused:
			return errRefusedAnswer
		}
	}
}

// land takes the oldest request out of the air, nil if there is none.
func (p *appendPipeline) land() *appendFuture {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.flying) == 0 {
		return nil
	}
	f := p.flying[0]
	n := copy(p.flying, p.flying[1:])
	p.flying[n] = nil
	p.flying = p.flying[:n]
	if n > 0 {
		p.since = time.Now()
	}
	p.changed.Signal()
	return f
}

// pass gives an answer to raft, without waiting for it, or returns false.
func (p *appendPipeline) pass(f *appendFuture) bool {
	select {
	case p.answers <- f:
		return true
	default:
		return false
	}
}

// overdue is asked when the read deadline has passed. It sets the next, unless an answer has not come in time. So the
// deadline is set once in a while and not for each message.
func (p *appendPipeline) overdue() error {
	now := time.Now()
	p.mu.Lock()
	end := now.Add(p.timeout)
	if len(p.flying) > 0 {
		end = p.since.Add(p.timeout)
	}
	p.mu.Unlock()
	if !now.Before(end) {
		return ErrTimeout
	}
	return p.s.SetReadDeadline(end)
}

// lost says that a stream has ended, for which reason.
func lost(err error) error {
	if errors.Is(err, ErrProtocol) || errors.Is(err, ErrTimeout) {
		return err
	}
	if isTimeout(err) {
		return ErrTimeout
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}

// appendFuture is a raft.AppendFuture.
type appendFuture struct {
	start time.Time
	req   *raft.AppendEntriesRequest
	resp  *raft.AppendEntriesResponse
	ended sync.WaitGroup
	err   error // once it has ended
}

func (f *appendFuture) complete(a appendAnswer, err error) {
	*f.resp, f.err = a.resp, err
	f.ended.Done()
}

// Error implements raft.Future: it waits for the answer.
func (f *appendFuture) Error() error {
	f.ended.Wait()
	return f.err
}

// Start implements raft.AppendFuture.
func (f *appendFuture) Start() time.Time { return f.start }

// Request implements raft.AppendFuture.
func (f *appendFuture) Request() *raft.AppendEntriesRequest { return f.req }

// Response implements raft.AppendFuture. Where Error returns something it is no success.
func (f *appendFuture) Response() *raft.AppendEntriesResponse { return f.resp }
