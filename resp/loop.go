package resp

import (
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// eventLoop serves many connections with two goroutines: one reads what has arrived on any of them, gathers the commands
// and hands the writes of all over together; the other sends the replies when their entry has been applied. A goroutine
// for each connection would be woken twice for each command, which costs more than the command does:
// docs/adr/0012.
//
// Only what neither waits nor takes long is done in the loop: writes and fast reads outside of MULTI. For everything
// else (and for a client that does not take its replies) the connection is lent to a goroutine, which runs the same code
// as that of a connection outside of loops, and comes back when its input is answered.
//
// A connection is either at rest, or has one owner: the loop's reader during its turn, the log while its proposal is in
// flight, the goroutine that it is lent to. Whoever has finished with it calls park.
type eventLoop struct {
	srv    *Server
	poller *poller
	// What the reader's goroutine has gathered in this round of events.
	proposals []*command.Proposal
	rounds    []*conn // their reads wait for a read-index round

	mu     sync.Mutex
	conns  map[int64]*conn
	closed bool

	ready   handOff       // to be looked at although no event has come
	ended   handOff       // their proposals have ended
	replies chan struct{} // has room for one: there is something in ended
	wg      sync.WaitGroup
}

// handOff passes connections to one of the loop's goroutines. The zero value is ready.
type handOff struct {
	mu   sync.Mutex
	list []*conn
}

// put adds a connection and reports whether it is the first since the last takeAll: then that goroutine must be woken.
func (h *handOff) put(c *conn) (first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, c)
	return len(h.list) == 1
}

// takeAll returns what was put, and keeps the memory of the list of the time before.
func (h *handOff) takeAll(before []*conn) []*conn {
	clear(before)
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.list
	h.list = before[:0]
	return all
}

// inLoop is a connection's place in its event loop, if it has one.
type inLoop struct {
	loop  *eventLoop
	raw   syscall.RawConn
	ended func() // for command.Proposal.Ended
	since time.Time
	mark  int // where in the writer the replies to what is in flight begin

	mu     sync.Mutex
	busy   bool // has an owner
	again  bool // something has happened since: another turn is due
	hungUp bool
	rested time.Time // since when it has no owner
}

// loopsMax bounds the event loops: with more cores than this the log is the limit.
const loopsMax = 8

// startLoops starts an event loop a core; none where the platform has no poller. While the replies to an entry go out, and the
// next commands come in, the log has nothing to do: one loop would leave the other cores idle then.
func startLoops(s *Server) (loops []*eventLoop) {
	for range min(runtime.GOMAXPROCS(0), loopsMax) {
		p, err := newPoller()
		if err != nil {
			s.log.Debug("no event loop; connections have goroutines", "err", err)
			break
		}
		l := &eventLoop{srv: s, poller: p, conns: make(map[int64]*conn), replies: make(chan struct{}, 1)}
		l.wg.Go(l.read)
		l.wg.Go(l.reply)
		loops = append(loops, l)
	}
	return loops
}

// attach makes a connection, which nobody else knows yet, one of this loop's. It is false where that is not possible
// (TLS): then it needs a goroutine.
func (l *eventLoop) attach(c *conn) bool {
	sc, ok := c.nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	c.in.raw = raw
	c.ev.loop, c.ev.raw, c.ev.rested = l, raw, time.Now()
	c.ev.ended = func() { l.proposalEnded(c) }
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c.id] = c
	return true
}

// start has an attached connection served.
func (l *eventLoop) start(c *conn) {
	c.keepAlive()
	if err := l.poller.add(c.ev.raw, c.id); err != nil { // perhaps it is closed already
		l.srv.log.Debug("a connection can't be watched", "client", c.nc.RemoteAddr(), "err", err)
		c.kill()
	}
}

// close ends the loop's goroutines. Its connections have ended.
func (l *eventLoop) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.poller.wake()
	close(l.replies)
	l.wg.Wait()
	_ = l.poller.close()
}

// read is the reader's goroutine.
func (l *eventLoop) read() {
	var ready []*conn
	for {
		err := l.poller.wait(func(id int64, hungUp bool) {
			l.mu.Lock()
			c := l.conns[id]
			l.mu.Unlock()
			if c != nil && c.ev.take(hungUp) {
				l.turn(c)
			}
		})
		l.mu.Lock()
		closed := l.closed
		l.mu.Unlock()
		if closed {
			return
		}
		if err != nil { // a fault of this process; without it nobody here would be served
			l.srv.log.Error("an event loop fails", "err", err)
			time.Sleep(acceptBackoffMax)
		}
		ready = l.ready.takeAll(ready)
		for _, c := range ready {
			l.turn(c)
		}
		l.submit()
	}
}

// take makes the caller the owner of a connection at rest. If it has one, that one is told by again.
func (ev *inLoop) take(hungUp bool) bool {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	ev.hungUp = ev.hungUp || hungUp
	if ev.busy {
		ev.again = true
		return false
	}
	ev.busy = true
	return true
}

// nudge has a connection looked at. Any goroutine may call it.
func (l *eventLoop) nudge(c *conn) {
	if c.ev.take(false) {
		l.wakeFor(c)
	}
}

// wakeFor gives an owned connection a turn.
func (l *eventLoop) wakeFor(c *conn) {
	if l.ready.put(c) {
		l.poller.wake()
	}
}

// park puts a connection to rest until something arrives; if something has, it gets a turn.
func (l *eventLoop) park(c *conn) {
	c.publishBuffers()
	due := !c.in.drained || c.rd.Buffered() || c.inbox.waiting.Load()
	c.ev.mu.Lock()
	due = due || c.ev.again
	c.ev.again, c.ev.busy, c.ev.rested = false, due, time.Now()
	c.ev.mu.Unlock()
	if due {
		l.wakeFor(c)
	}
}

// closeIdle closes the connection if it has been at rest for longer than the limit.
func (c *conn) closeIdle(limit time.Duration) {
	c.ev.mu.Lock()
	idle := !c.ev.busy && time.Since(c.ev.rested) > limit && !c.subscriber()
	c.ev.busy = c.ev.busy || idle
	c.ev.mu.Unlock()
	if idle {
		c.ev.loop.end(c)
	}
}

// turn reads what has arrived on a connection and gathers it.
func (l *eventLoop) turn(c *conn) {
	if c.shared.killed.Load() || c.finished() {
		l.end(c)
		return
	}
	c.ev.mu.Lock()
	c.in.toEnd = c.ev.hungUp
	c.ev.mu.Unlock()
	c.in.drained = false
	for c.inbox.waiting.Load() {
		if c.takePushes(loopSendMax); c.w.Len() > 0 && !l.sendNow(c) {
			return
		}
	}
	c.followLimits()
	c.ev.since, c.ev.mark = time.Now(), c.w.Len()
	for {
		args, err := c.rd.Next()
		switch {
		case err == errWouldBlock:
			l.send(c)
			return
		case err != nil:
			l.lend(c, func() bool {
				if c.answer() { // what came before is executed, and told
					c.lastWords(err)
				}
				return false
			})
			return
		case c.inbox.waiting.Load(): // that was told before the command was sent
			l.lend(c, func() bool { return c.sendPushes() && c.work(args) })
			return
		case !c.gatherNow(args):
			l.lend(c, func() bool { return c.work(args) })
			return
		case !c.rd.Buffered(), len(c.reads)+len(c.pending) >= pipelineCallsMax, len(c.prop.Body) >= pipelineBytesGoal:
			// What was gathered stays where it was read until it is answered. The rest has its turn then.
			l.send(c)
			return
		}
	}
}

// gatherNow is dispatch for what an event loop does itself. False: nothing was done, it is dispatch's.
func (c *conn) gatherNow(args [][]byte) bool {
	spec := c.srv.table.Lookup(args)
	if spec == nil || c.inMulti || c.caching || c.reply != replyOn || c.srv.pauses.active.Load() || c.refuse(spec, args) != "" {
		return false
	}
	switch {
	case spec.Is(command.Blocking):
		return false
	case c.logged(spec):
		if size := callBytes(args); len(c.reads) > 0 || size > c.srv.entryMax || !c.roomForWrite(size) {
			return false
		}
		c.addWrite(spec, args)
	case spec.InFSM() && spec.Is(command.Fast) && c.prop.Units == 0 && !relayed(spec):
		c.addRead(spec, args)
	default:
		return false
	}
	c.shared.lastUsed.Store(c.srv.now().UnixNano())
	c.shared.lastCmd.Store(spec)
	return true
}

// send sees to what a turn has gathered.
func (l *eventLoop) send(c *conn) {
	switch {
	case c.prop.Units > 0:
		c.prop.Ended = c.ev.ended
		l.proposals = append(l.proposals, c.prop)
	case len(c.reads) > 0:
		l.sendReads(c)
	default:
		l.deliver(c)
	}
}

// sendReads executes reads that need not wait, and sees to it that the others are confirmed.
func (l *eventLoop) sendReads(c *conn) {
	mode, strict, err := c.readMode()
	switch {
	case err != nil, len(c.reads) > readRunMax:
		l.lend(c, c.answer)
	case mode == readRound, mode == readLease && !l.srv.backend.LeaseHolds():
		l.rounds = append(l.rounds, c)
	case mode == readFollower:
		l.lend(c, c.answer)
	case !c.readsNow(strict):
		l.lend(c, c.answer)
	default:
		l.deliver(c)
	}
}

// readsNow executes the gathered reads unless the log time has to advance for them.
func (c *conn) readsNow(strict bool) bool {
	if !c.viewOnce(strict, c.reads) {
		return false
	}
	for i := range c.reads {
		c.pending = append(c.pending, pendingCall{spec: c.reads[i].Spec, args: c.reads[i].Args})
	}
	c.account(time.Since(c.ev.since))
	clear(c.pending)
	clear(c.reads)
	c.pending, c.reads = c.pending[:0], c.reads[:0]
	return true
}

// submit hands over what the turns have gathered, all together: writes share an entry, reads a round.
func (l *eventLoop) submit() {
	if len(l.proposals) > 0 {
		l.srv.backend.Propose(l.proposals...)
		clear(l.proposals)
		l.proposals = l.proposals[:0]
	}
	if len(l.rounds) > 0 {
		waiting := slices.Clone(l.rounds)
		clear(l.rounds)
		l.rounds = l.rounds[:0]
		go l.confirmed(waiting)
	}
}

// confirmed answers reads after one round for all of them.
func (l *eventLoop) confirmed(waiting []*conn) {
	err := l.srv.backend.ConfirmRead()
	for _, c := range waiting {
		if err == nil && c.readsNow(true) {
			l.deliver(c)
			continue
		}
		l.lend(c, func() bool {
			c.endReads(c.ev.since, true, err)
			return c.send()
		})
	}
}

// proposalEnded is called where the log is applied; the reply goroutine goes on.
func (l *eventLoop) proposalEnded(c *conn) {
	if l.ended.put(c) {
		l.replies <- struct{}{} // has room: the reply goroutine takes all at once
	}
}

// reply is the goroutine that answers writes.
func (l *eventLoop) reply() {
	var ended []*conn
	for range l.replies {
		ended = l.ended.takeAll(ended)
		for _, c := range ended {
			c.endWrites(c.ev.since, c.ev.mark)
			l.deliver(c)
		}
	}
}

// loopSendMax is how many bytes of replies a loop sends itself: more may take the client's time.
const loopSendMax = 64 << 10

// deliver sends the replies of an owned connection without waiting, and the pushes behind them, and puts it to rest.
func (l *eventLoop) deliver(c *conn) {
	c.takePushes(loopSendMax)
	if c.w.Len() == 0 || l.sendNow(c) {
		l.rest(c)
	}
}

// sendNow sends what is written without waiting. It is false where a goroutine has the connection for that now, or it has
// ended.
func (l *eventLoop) sendNow(c *conn) bool {
	n := c.w.Len()
	if n > loopSendMax {
		l.lend(c, c.send)
		return false
	}
	c.publishBuffers()
	sent, err := writeNow(c.ev.raw, c.w.Bytes())
	c.srv.stats.bytesOut.Add(int64(sent))
	c.srv.stats.writes.Add(1)
	switch {
	case err == errWouldBlock, err == nil && sent < n:
		l.lend(c, func() bool {
			defer c.w.Reset()
			return c.sendFrom(sent)
		})
	case err != nil:
		l.end(c)
	default:
		c.w.Reset()
		return true
	}
	return false
}

// rest parks a connection, or ends it where that was asked for meanwhile.
func (l *eventLoop) rest(c *conn) {
	if c.quit || c.shared.killed.Load() || c.finished() {
		l.end(c)
		return
	}
	l.park(c)
}

// lend gives a connection a goroutine for as long as f takes. f is false when the connection is over.
func (l *eventLoop) lend(c *conn, f func() bool) {
	go func() {
		if f() {
			l.rest(c)
		} else {
			l.end(c)
		}
	}()
}

// end closes an owned connection. That may take its time: see linger.
func (l *eventLoop) end(c *conn) {
	l.mu.Lock()
	delete(l.conns, c.id)
	l.mu.Unlock()
	go func() {
		c.release()
		l.srv.forget(c)
	}()
}
