package resp

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// conn is one client connection. Its owner, the goroutine that serves it or its event loop (see loop.go), has every
// field to itself that is neither atomic nor under mu.
type conn struct {
	srv *Server
	id  int64
	nc  net.Conn
	in  *input
	rd  *Reader
	w   *Writer
	ev  inLoop

	// Gathered from the pipeline and not answered yet: either writes (prop, with their specs in pending) or reads.
	prop    *command.Proposal
	reads   []command.Call
	pending []pendingCall
	codes   []string // scratch of account

	bulkMax, queryMax int64 // the limits that rd has, in bytes

	session
	subs     subscriptions
	tracking *tracking // CLIENT TRACKING; nil: off
	// inbox holds what others publish for it; any goroutine may fill it.
	inbox     inbox
	lastIndex uint64 // log index of the connection's last write, for WAIT
	// led: this node led when the client came, at one of its reads or writes, or when it asked for the role. Then it is not served as by a follower once the node
	// has lost leadership, not even in the moment before the connection is closed for that.
	led bool

	// shared is what CLIENT LIST and CLIENT KILL of other connections look at.
	shared shared

	// ctx ends when the connection is closed, so that waiting commands end.
	ctx    context.Context
	cancel context.CancelFunc
}

// pendingCall remembers a gathered call for statistics and for the error that answers it.
type pendingCall struct {
	spec  *command.Spec
	args  [][]byte
	units int // 1, or 0 for the calls of a transaction after the first
}

// shared is read by other connections.
type shared struct {
	mu      sync.Mutex
	name    string
	libName string
	libVer  string

	created                   time.Time
	db, multi, watched, proto atomic.Int64
	lastUsed                  atomic.Int64 // unix nanoseconds
	lastCmd                   atomic.Pointer[command.Spec]
	queryBytes, replyBytes    atomic.Int64
	queryBuffer, argBytes     atomic.Int64 // with those below: as publish has found them last
	queuedBytes               atomic.Int64
	writerBytes, writerPeak   atomic.Int64
	subscribed                [topicKinds]atomic.Int64
	gone                      atomic.Bool // it has ended
	closing                   atomic.Bool // closed once what was read is answered
	closingReads              atomic.Bool // leadership was lost: reads would be a deposed leader's
	reading                   atomic.Bool // the goroutine waits for the client
	killed                    atomic.Bool // nothing more is executed: CLIENT KILL
	noEvict, noTouch, blocked atomic.Bool
	timed                     atomic.Bool // blocked, for a limited time
	// unblock is what CLIENT UNBLOCK asks of a blocked command, unblockTimeout or unblockError; the command that sees it
	// takes it. It is looked at every waitSlice.
	unblock atomic.Uint32
}

// input is where a connection's Reader reads from. It counts, once a system call.
type input struct {
	nc    net.Conn
	stats *stats
	// raw, if it is set, is read without waiting: an event loop has the connection. drained: nothing more had arrived
	// at the last read; toEnd: the other side has hung up, so that only a read that says so is the last one.
	raw            syscall.RawConn
	drained, toEnd bool
}

// errWouldBlock says that nothing more has arrived. The Reader goes on where it was when it is asked again.
var errWouldBlock = errors.New("resp: no input yet")

func (in *input) Read(p []byte) (n int, err error) {
	switch {
	case in.raw == nil:
		n, err = in.nc.Read(p)
	case in.drained:
		return 0, errWouldBlock
	default:
		if n, err = readNow(in.raw, p); err == nil && n == 0 {
			err = io.EOF
		}
		in.drained = err == errWouldBlock || (n < len(p) && !in.toEnd)
	}
	in.stats.reads.Add(1)
	in.stats.bytesIn.Add(int64(n))
	return n, err
}

const (
	pipelineBytesGoal = 256 << 10 // a proposal is handed over, and replies are sent, once they have grown to this
	pipelineCallsMax  = 4096      // so is a run of calls
)

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, id: s.nextID.Add(1), nc: nc, in: &input{nc: nc, stats: s.stats}, w: NewWriter()}
	c.rd = NewReader(c.in, nil)
	c.followLimits()
	c.prop = command.NewProposal(c.w)
	c.w.published = c.published
	c.led = s.backend.Leading()
	c.shared.created = s.now()
	c.shared.lastUsed.Store(c.shared.created.UnixNano())
	c.shared.proto.Store(RESP2)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.resetSession()
	return c
}

// serve reads and answers until the client or the server ends the connection. It is the goroutine of a connection that
// is in no event loop.
func (c *conn) serve() {
	defer c.release()
	if !c.handshake() {
		return
	}
	c.keepAlive()
	for {
		args, err := c.next()
		if err != nil {
			c.lastWords(err)
			return
		}
		if !c.work(args) {
			return
		}
	}
}

// work executes a command and all that is buffered behind it, and sends the replies. It is false when the connection is
// over.
func (c *conn) work(args [][]byte) bool {
	open := c.dispatch(args)
	for open && c.rd.Buffered() {
		args, err := c.rd.Next()
		if err != nil {
			if c.answer() { // what came before is executed, and told
				c.lastWords(err)
			}
			return false
		}
		open = c.dispatch(args)
		open = c.sendLarge() && open
	}
	return c.answer() && open && !c.finished()
}

// finished: the connection is to be closed, what has arrived is answered, and what was published for it is taken.
func (c *conn) finished() bool {
	return c.shared.closing.Load() && !c.rd.Buffered() && !c.inbox.waiting.Load()
}

// over: nobody finds the connection any more. Any goroutine may ask.
func (c *conn) over() bool { return c.shared.killed.Load() || c.shared.gone.Load() }

func (c *conn) release() {
	c.shared.gone.Store(true)
	c.unsubscribeAll()
	c.endTracking()
	c.inbox.close()
	c.cancel()
	c.linger()
	_ = c.nc.Close()
}

const lingerTimeout = 500 * time.Millisecond

// linger closes in a way that lets the replies arrive: closing a socket that has unread input resets it, and a reset
// may destroy answers on their way, which for a write would make a known outcome unknown.
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(lingerTimeout))
	_, _ = io.CopyN(io.Discard, c.nc, 1<<20)
}

// handshake completes TLS under a deadline.
func (c *conn) handshake() bool {
	t, ok := c.nc.(interface {
		HandshakeContext(context.Context) error
	})
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(c.ctx, tlsHandshakeTimeout)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		c.srv.log.Debug("TLS handshake", "client", c.nc.RemoteAddr(), "err", err)
		return false
	}
	return true
}

const tlsHandshakeTimeout = 10 * time.Second

func (c *conn) keepAlive() {
	t, ok := c.nc.(*net.TCPConn)
	if !ok {
		return
	}
	if s := c.srv.cfg.Int("tcp-keepalive"); s > 0 {
		every := time.Duration(s) * time.Second
		_ = t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: every, Interval: max(every/3, time.Second), Count: 3})
	}
}

// kill cuts the connection off. Safe from any goroutine.
func (c *conn) kill() {
	c.cancel()
	_ = c.nc.Close()
	if c.ev.loop != nil {
		c.ev.loop.nudge(c)
	}
}

// lastWords answers a protocol error; other ends need no answer.
func (c *conn) lastWords(err error) {
	var pe *ProtocolError
	if errors.As(err, &pe) {
		c.w.Error(pe.Reply())
		c.srv.stats.protocolErrors.Add(1)
		c.send()
		return
	}
	if errors.Is(err, ErrQueryBufferLimit) {
		c.srv.stats.queryLimit.Add(1)
		c.srv.log.Warn("a client's query buffer reached its limit; it is closed", "client", c.nc.RemoteAddr())
	}
}

// answer flushes what was gathered and sends all replies, and pushes behind them.
func (c *conn) answer() bool {
	c.flush()
	c.takePushes(pipelineBytesGoal)
	return c.send()
}

// sendLarge sends before the pipeline has ended where much has gathered, so that memory is bounded by one command's
// reply and the socket paces the client.
func (c *conn) sendLarge() bool {
	if c.w.Len() < pipelineBytesGoal {
		return true
	}
	return c.answer()
}

// send writes the replies to the socket. It is false when the connection is over.
func (c *conn) send() bool {
	n := int64(c.w.Len())
	if n == 0 {
		return true
	}
	defer c.w.Reset()
	c.publishBuffers() // before the client can know that its command was executed
	limit := c.srv.cfg.OutputLimit(c.outputClass())
	if limit.HardBytes > 0 && n > limit.HardBytes {
		c.srv.stats.outputLimit.Add(1)
		c.srv.log.Warn("a client's replies passed client-output-buffer-limit; it is closed", "client", c.nc.RemoteAddr(), "bytes", n)
		return false
	}
	if limit.SoftBytes > 0 && n > limit.SoftBytes && limit.SoftTime > 0 {
		_ = c.nc.SetWriteDeadline(time.Now().Add(limit.SoftTime))
		defer func() { _ = c.nc.SetWriteDeadline(time.Time{}) }()
	}
	return c.sendFrom(0)
}

// sendFrom sends the replies but for the first bytes, which are sent already, and waits as long as it takes.
func (c *conn) sendFrom(sent int) bool {
	left := c.w.Bytes()[sent:]
	c.shared.replyBytes.Store(int64(len(left)))
	if len(left) >= pipelineBytesGoal {
		c.publishBuffers() // the client may take its time
	}
	_, err := c.nc.Write(left)
	c.shared.replyBytes.Store(0)
	c.srv.stats.bytesOut.Add(int64(len(left)))
	c.srv.stats.writes.Add(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.srv.stats.outputLimit.Add(1)
	}
	return err == nil
}
