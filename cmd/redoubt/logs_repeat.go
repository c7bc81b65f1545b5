package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	repeatPause    = time.Minute
	repeatsKnown   = 256 // messages remembered; past that all are forgotten
	repeatArgsUsed = 2   // name and value of the first thing that a message is about, the peer as a rule
)

// repeats leaves out what raft has said a moment ago: a leader complains of a node that is down with every heartbeat,
// some five times a second for as long as it lasts.
type repeats struct {
	now func() time.Time

	mu   sync.Mutex
	said map[string]time.Time
}

func newRepeats(now func() time.Time) *repeats {
	return &repeats{now: now, said: make(map[string]time.Time)}
}

// exclude is a hclog.LoggerOptions.Exclude.
func (r *repeats) exclude(level hclog.Level, msg string, args ...any) bool {
	if level < hclog.Warn {
		return false
	}
	key := msg + fmt.Sprint(args[:min(len(args), repeatArgsUsed)]...)
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.said[key]; ok && now.Sub(last) < repeatPause {
		return true
	}
	if len(r.said) >= repeatsKnown {
		clear(r.said)
	}
	r.said[key] = now
	return false
}
