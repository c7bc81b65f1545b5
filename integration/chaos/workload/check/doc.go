// Package check judges what clients were told: it holds the consistency checkers of the chaos workloads. It reads no
// clock, starts no goroutine and knows no network: a history goes in, violations come out, as text that names keys,
// operations and times. The same history gives the same verdict, except where Register's search runs out of time,
// which it says.
//
// Every checker errs on one side: what it calls a violation can't be explained by any order of the operations that
// the promises of the cluster allow. Times are taken by the clients, before a request is sent and after its reply has
// come, so what they say of the order of two operations is true of the cluster too.
package check

import (
	"fmt"
	"time"
)

// Outcome is what a client knows of a write.
type Outcome uint8

// The three outcomes.
const (
	Acked   Outcome = iota // answered: applied
	Refused                // answered with an error that says: not applied, and never will be
	Unknown                // the answer was lost, or said that nobody knows
)

func (o Outcome) String() string {
	switch o {
	case Acked:
		return "acked"
	case Refused:
		return "refused"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// Span is when an operation was under way, in nanoseconds since the beginning of the run. The end of an Unknown one
// is when the client gave up: the operation may take effect later.
type Span struct{ Call, Return int64 }

// before reports that one operation ended before the other began.
func (s Span) before(o Span) bool { return s.Return < o.Call }

func (s Span) String() string { return fmt.Sprintf("[%s, %s]", at(s.Call), at(s.Return)) }

// at prints a moment of the run.
func at(ns int64) string {
	if ns == never {
		return "open"
	}
	return time.Duration(ns).Round(time.Microsecond).String()
}

// never is the end of what may take effect at any time.
const never = int64(^uint64(0) >> 1)

// violationsMax is how many violations of one kind a history is good for: after the first few the rest tells nothing.
const violationsMax = 5

// findings gathers violations.
type findings struct {
	list  []string
	kinds map[string]int // how many there are of each kind, which is what the text is made by
}

func (f *findings) add(format string, a ...any) {
	if f.kinds == nil {
		f.kinds = make(map[string]int)
	}
	if f.kinds[format] < violationsMax {
		f.kinds[format]++
		f.list = append(f.list, fmt.Sprintf(format, a...))
	}
}
