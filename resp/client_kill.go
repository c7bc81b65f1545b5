package resp

import (
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// killFilter are the options of CLIENT KILL; all that are set must fit.
type killFilter struct {
	id          int64   // 0: any
	addr, laddr *string // nil: any; the empty text fits none
	kind        clientType
	typed       bool
	maxAge      time.Duration // 0: any
	withSelf    bool
}

const defaultUser = "default"

// parseKill reads option by option, so that the first one that is wrong decides the error.
func parseKill(args [][]byte) (f killFilter, errText string) {
	for i := 0; i < len(args); i += 2 {
		if i+1 == len(args) {
			return f, command.ErrSyntax
		}
		option, value := args[i], args[i+1]
		switch {
		case word(option, "id"):
			n, ok := ParseInt64(value)
			if !ok || n < 1 {
				return f, "ERR client-id should be greater than 0"
			}
			f.id = n
		case word(option, "type"):
			if f.kind, errText = parseClientType(value); errText != "" {
				return f, errText
			}
			f.typed = true
		case word(option, "addr"):
			f.addr = textOf(value)
		case word(option, "laddr"):
			f.laddr = textOf(value)
		case word(option, "user"):
			if string(value) != defaultUser {
				return f, "ERR No such user '" + clipText(value) + "'"
			}
		case word(option, "maxage"):
			n, ok := ParseInt64(value)
			if !ok || n < 1 {
				return f, "ERR maxage should be greater than 0"
			}
			f.maxAge = millis(min(n, maxAgeSeconds) * 1000)
		case word(option, "skipme") && word(value, "yes"):
			f.withSelf = false
		case word(option, "skipme") && word(value, "no"):
			f.withSelf = true
		default:
			return f, command.ErrSyntax
		}
	}
	return f, ""
}

func textOf(b []byte) *string {
	s := string(b)
	return &s
}

const maxAgeSeconds = 100 * 365 * 24 * 3600 // older than any connection; keeps the arithmetic in range

func (f *killFilter) fits(self, o *conn) bool {
	switch {
	case o == self && !f.withSelf,
		f.id != 0 && o.id != f.id,
		f.typed && o.clientType() != f.kind,
		f.addr != nil && o.nc.RemoteAddr().String() != *f.addr,
		f.laddr != nil && o.nc.LocalAddr().String() != *f.laddr,
		f.maxAge != 0 && self.srv.now().Sub(o.shared.created) < f.maxAge:
		return false
	}
	return true
}

// clientKill is CLIENT KILL in its old form (an address: OK or an error) and its new one (filters: how many).
func clientKill(c *conn, args [][]byte) {
	old := len(args) == 3
	f := killFilter{withSelf: true}
	if old {
		f.addr = textOf(args[2])
	} else {
		var errText string
		if f, errText = parseKill(args[2:]); errText != "" {
			c.w.Error(errText)
			return
		}
	}
	killed := int64(0)
	for _, o := range c.srv.sortedConns() {
		if !f.fits(c, o) {
			continue
		}
		killed++
		if o == c {
			c.quit = true // after the reply
			continue
		}
		o.dismiss()
	}
	switch {
	case !old:
		c.w.Int(killed)
	case killed == 0:
		c.w.Error("ERR No such client")
	default:
		c.w.Simple("OK")
	}
}

// dismissTimeout is how long a killed connection may take to send the answer to what it is doing.
const dismissTimeout = time.Second

// dismiss ends a connection from outside: waits end, no further command is executed, but the outcome of a write that is
// in flight is still sent: a client that loses it to a closed socket might repeat the write. Safe from any goroutine.
func (c *conn) dismiss() {
	c.shared.killed.Store(true)
	c.cancel()
	c.closeWhenAnswered()
	// A client that reads nothing must not keep its connection by that.
	_ = c.nc.SetWriteDeadline(time.Now().Add(dismissTimeout))
}
