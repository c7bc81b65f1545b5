package resp

import (
	crand "crypto/rand"
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/config"
)

// stats are the counters that INFO prints and CONFIG RESETSTAT clears.
type stats struct {
	connections, rejected      atomic.Int64
	protocolErrors, queryLimit atomic.Int64
	outputLimit                atomic.Int64
	bytesIn, bytesOut          atomic.Int64
	commands, errors           atomic.Int64
	reads, writes              atomic.Int64 // of sockets

	// keys are the state machine's counters, which only grow; reset notes where they stood, in keysBase.
	keys     func() KeyCounters
	tracking config.Live // latency-tracking

	// byCmd is replaced whole, under mu, when a command is called for the first time: counting must not take a lock.
	byCmd atomic.Pointer[map[*command.Spec]*cmdStats]

	mu     sync.Mutex
	byCode map[string]int64
	// keysBase is under mu.
	keysBase KeyCounters
}

// cmdStats are one command's counters. The time of a write runs from the hand-over to Raft to the reply, that of a
// pipelined command is its share of the run that it was answered with.
type cmdStats struct {
	calls, failed, rejected atomic.Int64
	micros                  atomic.Int64
	latency                 latencyHist
}

// errorCodesMax bounds errorstats: scripts can make up codes.
const errorCodesMax = 128

func newStats(keys func() KeyCounters, tracking config.Live) *stats {
	s := &stats{byCode: make(map[string]int64), keys: keys, tracking: tracking}
	s.byCmd.Store(&map[*command.Spec]*cmdStats{})
	return s
}

// keyCounters are the state machine's counters since the last reset.
func (s *stats) keyCounters() KeyCounters {
	s.mu.Lock()
	base := s.keysBase
	s.mu.Unlock()
	now := s.keys()
	return KeyCounters{Hits: now.Hits - base.Hits, Misses: now.Misses - base.Misses, Expired: now.Expired - base.Expired}
}

func (s *stats) of(spec *command.Spec) *cmdStats {
	if c := (*s.byCmd.Load())[spec]; c != nil {
		return c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := maps.Clone(*s.byCmd.Load())
	c := all[spec]
	if c == nil {
		c = &cmdStats{}
		all[spec] = c
		s.byCmd.Store(&all)
	}
	return c
}

// call counts an executed call; code is its error's, "" if it succeeded.
func (s *stats) call(spec *command.Spec, took time.Duration, code string) {
	c := s.of(spec)
	s.commands.Add(1)
	c.calls.Add(1)
	c.micros.Add(took.Microseconds())
	if s.tracking.Bool() {
		c.latency.record(took)
	}
	if code != "" {
		c.failed.Add(1)
		s.countError(code)
	}
}

// rejectedCall counts a call that did not pass the gate.
func (s *stats) rejectedCall(spec *command.Spec, code string) {
	if spec != nil {
		s.of(spec).rejected.Add(1)
	}
	s.countError(code)
}

func (s *stats) countError(code string) {
	s.errors.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.byCode[code]; known || len(s.byCode) < errorCodesMax {
		s.byCode[code]++
	}
}

// reset clears what CONFIG RESETSTAT clears.
func (s *stats) reset() {
	for _, c := range []*atomic.Int64{&s.connections, &s.rejected, &s.protocolErrors, &s.queryLimit, &s.outputLimit,
		&s.bytesIn, &s.bytesOut, &s.reads, &s.writes, &s.commands, &s.errors} {
		c.Store(0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keysBase = s.keys()
	s.byCmd.Store(&map[*command.Spec]*cmdStats{})
	clear(s.byCode)
}

// cmdLine is one line of INFO commandstats.
type cmdLine struct {
	name                            string
	calls, micros, failed, rejected int64
	latency                         *latencyHist
}

func (s *stats) cmdLines() []cmdLine {
	byCmd := *s.byCmd.Load()
	out := make([]cmdLine, 0, len(byCmd))
	for spec, c := range byCmd {
		out = append(out, cmdLine{spec.Name, c.calls.Load(), c.micros.Load(), c.failed.Load(), c.rejected.Load(), &c.latency})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

// errorLine is one line of INFO errorstats.
type errorLine struct {
	code  string
	count int64
}

func (s *stats) errorLines() []errorLine {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]errorLine, 0, len(s.byCode))
	for code, n := range s.byCode {
		out = append(out, errorLine{code, n})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].code < out[j].code })
	return out
}

func randomUint64() uint64 { return rand.Uint64() }

// randomHex returns n random bytes in hexadecimal digits.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = crand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}
