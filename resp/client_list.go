package resp

import (
	"cmp"
	"crypto/tls"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// clientType is the word of TYPE in CLIENT LIST and CLIENT KILL.
type clientType uint8

const (
	typeNormal clientType = iota
	typeMaster
	typeReplica
	typePubSub
)

func parseClientType(arg []byte) (t clientType, errText string) {
	switch strings.ToLower(string(arg)) {
	case "normal":
		return typeNormal, ""
	case "master":
		return typeMaster, ""
	case "slave", "replica":
		return typeReplica, ""
	case "pubsub":
		return typePubSub, ""
	}
	return 0, "ERR Unknown client type '" + clipText(arg) + "'"
}

// clientType: nodes talk to one another over another port, so that no client is a master or a replica.
func (c *conn) clientType() clientType {
	if c.subscriber() {
		return typePubSub
	}
	return typeNormal
}

// conn finds a connection by its number; nil if there is none, or it is being closed.
func (s *Server) conn(id int64) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.conns[id]; c != nil && !c.shared.killed.Load() {
		return c
	}
	return nil
}

// sortedConns are the connections that are not being killed, oldest first.
func (s *Server) sortedConns() []*conn {
	var all []*conn
	s.each(func(c *conn) {
		if !c.shared.killed.Load() {
			all = append(all, c)
		}
	})
	slices.SortFunc(all, func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
	return all
}

func clientInfo(c *conn, args [][]byte) {
	c.publishCall(args)
	c.w.Verbatim("txt", string(c.appendInfo(nil, c.srv.now())))
}

func clientList(c *conn, args [][]byte) {
	c.publishCall(args)
	var chosen []*conn
	switch {
	case len(args) == 2:
		chosen = c.srv.sortedConns()
	case len(args) == 4 && word(args[2], "type"):
		t, errText := parseClientType(args[3])
		if errText != "" {
			c.w.Error(errText)
			return
		}
		chosen = slices.DeleteFunc(c.srv.sortedConns(), func(o *conn) bool { return o.clientType() != t })
	case len(args) > 3 && word(args[2], "id"):
		for _, a := range args[3:] {
			id, ok := ParseInt64(a)
			if !ok {
				c.w.Error("ERR Invalid client ID")
				return
			}
			if o := c.srv.conn(id); o != nil {
				chosen = append(chosen, o)
			}
		}
	default:
		c.w.Error(command.ErrSyntax)
		return
	}
	var b []byte
	now := c.srv.now()
	for _, o := range chosen {
		b = o.appendInfo(b, now)
	}
	c.w.Verbatim("txt", string(b))
}

// bufferFigures are what a connection's goroutine shows of its buffers, in bytes.
type bufferFigures struct{ query, queryBuffer, args, queued, reply int64 }

// publishBuffers shows the connection's buffers to CLIENT LIST. It is called before the goroutine waits for input.
func (c *conn) publishBuffers() {
	c.publish(bufferFigures{query: int64(c.rd.Pending())})
}

// publishCall shows the buffers as they are while a command looks at them.
func (c *conn) publishCall(args [][]byte) {
	f := bufferFigures{query: int64(c.rd.Pending())}
	for _, a := range args {
		f.args += int64(len(a))
	}
	f.query += requestBytes(args)
	c.publish(f)
}

func (c *conn) publish(f bufferFigures) {
	f.queryBuffer, f.reply, f.queued = int64(c.rd.BufferBytes()), int64(c.w.Cap()), c.queueBytes
	sh := &c.shared
	sh.queryBytes.Store(f.query)
	sh.queryBuffer.Store(f.queryBuffer)
	sh.argBytes.Store(f.args)
	sh.queuedBytes.Store(f.queued)
	sh.writerBytes.Store(f.reply)
	if f.reply > sh.writerPeak.Load() {
		sh.writerPeak.Store(f.reply)
	}
}

// requestBytes is what a command takes on the wire as an array of strings.
func requestBytes(args [][]byte) int64 {
	digits := func(n int) int { return len(strconv.Itoa(n)) }
	n := digits(len(args)) + 3
	for _, a := range args {
		n += digits(len(a)) + len(a) + 5
	}
	return int64(n)
}

// connBaseBytes is about what a connection takes besides its buffers: its structures and the goroutine's stack.
const connBaseBytes = 10 << 10

// appendInfo appends the connection's line of CLIENT LIST, with the fields of Redis 7.0 in their order and those of 7.2
// behind them.
func (c *conn) appendInfo(b []byte, now time.Time) []byte {
	sh := &c.shared
	sh.mu.Lock()
	name, libName, libVer := sh.name, sh.libName, sh.libVer
	sh.mu.Unlock()
	text := func(field, v string) { b = append(append(append(append(b, field...), '='), v...), ' ') }
	number := func(field string, n int64) { text(field, strconv.FormatInt(n, 10)) }

	number("id", c.id)
	text("addr", c.nc.RemoteAddr().String())
	text("laddr", c.nc.LocalAddr().String())
	number("fd", descriptor(c.nc))
	text("name", name)
	number("age", wholeSeconds(now.Sub(sh.created)))
	number("idle", wholeSeconds(now.Sub(time.Unix(0, sh.lastUsed.Load()))))
	tracked, redirect := c.srv.tracker.shown(c)
	text("flags", c.flagLetters(tracked))
	number("db", sh.db.Load())
	number("sub", sh.subscribed[ofChannels].Load())
	number("psub", sh.subscribed[ofPatterns].Load())
	number("ssub", sh.subscribed[ofShards].Load())
	number("multi", sh.multi.Load())

	query, buffer, writer, out := sh.queryBytes.Load(), sh.queryBuffer.Load(), sh.writerBytes.Load(), sh.replyBytes.Load()
	number("qbuf", query)
	number("qbuf-free", max(buffer-query, 0))
	number("argv-mem", sh.argBytes.Load())
	number("multi-mem", sh.queuedBytes.Load())
	number("rbs", writer)
	number("rbp", sh.writerPeak.Load())
	number("obl", out)
	// There is one buffer for replies; what is published waits in a list behind it.
	pushes, pushBytes := c.inbox.figures()
	number("oll", int64(pushes))
	number("omem", pushBytes)
	number("tot-mem", connBaseBytes+buffer+sh.argBytes.Load()+sh.queuedBytes.Load()+max(writer, out)+pushBytes)
	events := "r"
	if out > 0 {
		events = "w"
	}
	text("events", events)
	cmd := "NULL"
	if spec := sh.lastCmd.Load(); spec != nil {
		cmd = spec.Name
	}
	text("cmd", cmd)
	text("user", "default")
	number("redir", redirect)
	number("resp", sh.proto.Load())
	text("lib-name", libName)
	text("lib-ver", libVer)
	b[len(b)-1] = '\n'
	return b
}

func wholeSeconds(d time.Duration) int64 { return int64(max(d, 0) / time.Second) }

// flagLetters are Redis's letters for what a connection is doing; tracked are those of CLIENT TRACKING.
func (c *conn) flagLetters(tracked string) string {
	var b []byte
	sh := &c.shared
	for _, f := range []struct {
		set     bool
		letters string
	}{
		{c.subscriber(), "P"}, {sh.multi.Load() >= 0, "x"}, {sh.blocked.Load(), "b"}, {true, tracked}, {sh.closing.Load(), "c"},
		{sh.noEvict.Load(), "e"}, {sh.noTouch.Load(), "T"},
	} {
		if f.set {
			b = append(b, f.letters...)
		}
	}
	if len(b) == 0 {
		return "N"
	}
	return string(b)
}

// descriptor is a connection's file descriptor, -1 where it has none.
func descriptor(nc net.Conn) int64 {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return -1
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1
	}
	n := int64(-1)
	if raw.Control(func(fd uintptr) { n = int64(fd) }) != nil {
		return -1
	}
	return n
}
