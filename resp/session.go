package resp

import (
	"github.com/redoubtdb/redoubt/fsm/command"
)

// session is what a client has set up on its connection. RESET returns it to the beginning.
type session struct {
	db            int
	authenticated bool
	// queue holds the commands of an open MULTI; dirty: one of them was refused, EXEC will be.
	inMulti, dirty bool
	queue          []queuedCall
	queueBytes     int64
	watches        []command.Watch
	watched        map[watchedKey]struct{} // the keys of watches
	watchBytes     int64
	reply          replyMode
	// consistency overrides the setting read-consistency; "" follows it.
	consistency string
	// executing: EXEC is under way. The connection's own commands must not block then.
	executing bool
	// relaying: what is gathered in the proposal is for the leader, elsewhere.
	relaying bool
	// caching: CLIENT CACHING speaks of the command or transaction that follows. cachesAll: of the one under way, it may speak
	// within it.
	caching, cachesAll bool
	// quit: the connection ends after the replies are sent.
	quit bool
}

// watchedKey is one of WATCH's keys.
type watchedKey struct {
	db  int
	key string
}

// queuedCall is a command inside MULTI, copied from the read buffer.
type queuedCall struct {
	spec *command.Spec
	args [][]byte
}

// replyMode is CLIENT REPLY.
type replyMode uint8

const (
	replyOn replyMode = iota
	replyOff
	replySkipNext // SKIP was sent: the next command's reply is dropped
	replySkip     // the command under way is the next one
)

func (c *conn) resetSession() {
	c.session = session{authenticated: c.srv.cfg.String("requirepass") == ""}
	c.rd.SetAuthenticated(c.authenticated)
	c.w.SetProtocol(RESP2)
	c.rd.SetQueued(0)
	c.publishSession()
}

// publishSession shows the session's figures to CLIENT LIST.
func (c *conn) publishSession() {
	c.shared.db.Store(int64(c.db))
	multi := int64(-1)
	if c.inMulti {
		multi = int64(len(c.queue))
	}
	c.shared.multi.Store(multi)
	c.shared.watched.Store(int64(len(c.watches)))
	c.shared.proto.Store(int64(c.w.Protocol()))
}
