package resp

import (
	"sort"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// latencyMonitor remembers events that took at least latency-monitor-threshold: commands, apart for those that are
// marked fast. The zero value is empty; all methods may be called from any goroutine.
type latencyMonitor struct {
	mu     sync.Mutex
	events map[string]*latencyEvents
}

const latencySamplesMax = 160 // samples kept of an event, one a second, as in Redis

// latencyEvents are one event's samples, oldest first.
type latencyEvents struct {
	samples []latencySample
	maximum int64 // ms, of all samples since the last reset
}

type latencySample struct{ at, millis int64 } // at: seconds since 1970

// The events that are measured.
const (
	eventCommand     = "command"
	eventFastCommand = "fast-command"
)

func latencyEvent(s *command.Spec) string {
	if s.Is(command.Fast) {
		return eventFastCommand
	}
	return eventCommand
}

// add notes an event. Of those within one second the longest counts.
func (m *latencyMonitor) add(event string, took time.Duration, now time.Time) {
	s := latencySample{now.Unix(), took.Milliseconds()}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.events[event]
	if e == nil {
		if m.events == nil {
			m.events = make(map[string]*latencyEvents)
		}
		e = &latencyEvents{}
		m.events[event] = e
	}
	e.maximum = max(e.maximum, s.millis)
	if n := len(e.samples); n > 0 && e.samples[n-1].at == s.at {
		e.samples[n-1].millis = max(e.samples[n-1].millis, s.millis)
		return
	}
	if len(e.samples) == latencySamplesMax {
		e.samples = append(e.samples[:0], e.samples[1:]...)
	}
	e.samples = append(e.samples, s)
}

// history returns an event's samples, oldest first, and the longest time ever; nil if there are none.
func (m *latencyMonitor) history(event string) (samples []latencySample, maximum int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.events[event]
	if e == nil {
		return nil, 0
	}
	return append(samples, e.samples...), e.maximum
}

// names lists the events that have samples.
func (m *latencyMonitor) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]string, 0, len(m.events))
	for n := range m.events {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// reset forgets events, all without names, and returns how many there were.
func (m *latencyMonitor) reset(names ...string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(names) == 0 {
		n := len(m.events)
		m.events = nil
		return n
	}
	n := 0
	for _, name := range names {
		if m.events[name] != nil {
			delete(m.events, name)
			n++
		}
	}
	return n
}
