package resp

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/internal/config"
)

// slowlog keeps the newest commands that took longer than slowlog-log-slower-than. The time of a write is that until
// its reply, the commit included: that is what its client waited.
type slowlog struct {
	mu      sync.Mutex
	nextID  int64
	entries []slowEntry // oldest first
}

type slowEntry struct {
	id           int64
	at           time.Time
	took         time.Duration
	args         []string
	client, name string
}

// As in Redis 7.0: at most 32 arguments of at most 128 bytes are kept.
const (
	slowArgsMax     = 32
	slowArgBytesMax = 128
)

func (l *slowlog) add(c *conn, args [][]byte, took time.Duration) {
	keep := int(c.srv.cfg.Int("slowlog-max-len"))
	c.shared.mu.Lock()
	name := c.shared.name
	c.shared.mu.Unlock()
	e := slowEntry{at: c.srv.now(), took: took, args: slowArgs(redact(args)), client: c.nc.RemoteAddr().String(), name: name}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.id = l.nextID
	l.nextID++
	l.entries = append(l.entries, e)
	if extra := len(l.entries) - keep; extra > 0 {
		l.entries = append(l.entries[:0], l.entries[extra:]...)
	}
}

const redactedText = "(redacted)"

// redact hides what no log may show: passwords of AUTH, HELLO and CONFIG SET.
func redact(args [][]byte) [][]byte {
	var hide []int
	switch {
	case word(args[0], "auth"):
		for i := range args[1:] {
			hide = append(hide, i+1)
		}
	case word(args[0], "hello"):
		for i := 2; i+2 < len(args); i++ {
			if word(args[i], "auth") {
				hide = append(hide, i+1, i+2)
			}
		}
	case word(args[0], "config") && len(args) > 3 && word(args[1], "set"):
		for i := 2; i+1 < len(args); i += 2 {
			if s, ok := config.Lookup(string(args[i])); ok && s.Sensitive {
				hide = append(hide, i+1)
			}
		}
	}
	if len(hide) == 0 {
		return args
	}
	args = slices.Clone(args)
	for _, i := range hide {
		args[i] = []byte(redactedText)
	}
	return args
}

func slowArgs(args [][]byte) []string {
	n := min(len(args), slowArgsMax)
	out := make([]string, 0, n)
	for i := range n {
		if n != len(args) && i == n-1 {
			out = append(out, fmt.Sprintf("... (%d more arguments)", len(args)-n+1))
			break
		}
		a := args[i]
		if len(a) > slowArgBytesMax {
			out = append(out, fmt.Sprintf("%s... (%d more bytes)", a[:slowArgBytesMax], len(a)-slowArgBytesMax))
			continue
		}
		out = append(out, string(a))
	}
	return out
}

// get returns the newest n entries, newest first; n < 0: all.
func (l *slowlog) get(n int) []slowEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 || n > len(l.entries) {
		n = len(l.entries)
	}
	out := make([]slowEntry, 0, n)
	for i := range n {
		out = append(out, l.entries[len(l.entries)-1-i])
	}
	return out
}

func (l *slowlog) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

func (l *slowlog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = nil
}
