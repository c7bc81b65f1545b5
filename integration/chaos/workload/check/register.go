package check

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// RegisterKind is what an operation on a register does.
type RegisterKind uint8

// The kinds.
const (
	Get RegisterKind = iota
	Set
	// CAS sets the value if it is Old. Acked: it was. One that was not executed says nothing and is not recorded:
	// WATCH may make EXEC fail without need.
	CAS
)

// RegisterOp is one operation on one register. Values of writes are distinct and not 0, which stands for an absent
// key. Of Gets only those that were answered are recorded.
type RegisterOp struct {
	Client  int
	Kind    RegisterKind
	Outcome Outcome
	Old     int64
	Value   int64
	Span
}

func (o RegisterOp) String() string {
	switch o.Kind {
	case Set:
		return fmt.Sprintf("client %d set %d, %s %s", o.Client, o.Value, o.Outcome, o.Span)
	case CAS:
		return fmt.Sprintf("client %d cas %d to %d, %s %s", o.Client, o.Old, o.Value, o.Outcome, o.Span)
	}
	return fmt.Sprintf("client %d got %d %s", o.Client, o.Value, o.Span)
}

// Verdict is what a check that may run out of time says.
type Verdict struct {
	Violations []string
	Undecided  bool
}

// Register checks one key's history for linearizability, within a limit of real time. The key is absent at first. A
// history of 1,000 operations takes milliseconds.
func Register(key string, ops []RegisterOp, limit time.Duration) Verdict {
	switch decide(ops, limit) {
	case porcupine.Ok:
		return Verdict{}
	case porcupine.Unknown:
		return Verdict{Undecided: true}
	}
	return Verdict{Violations: []string{explain(key, ops, limit)}}
}

func decide(ops []RegisterOp, limit time.Duration) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(registerModel, operations(ops), limit)
}

var registerModel = porcupine.Model{
	Init: func() any { return int64(0) },
	Step: func(state, input, _ any) (bool, any) {
		switch op := input.(*RegisterOp); op.Kind {
		case Set:
			return true, op.Value
		case CAS:
			return state.(int64) == op.Old, op.Value
		default:
			return state.(int64) == op.Value, state
		}
	},
	Hash: func(state any) uint64 { return uint64(state.(int64)) * 0x9e3779b97f4a7c15 },
}

// operations are those that count, as porcupine wants them. A refused write must not take effect, so it is left out.
// A write of unknown outcome stays open; to keep the search short it is replaced by what is known of it, which
// changes no verdict: one whose value nobody has seen may as well have come last of all, or never; one whose value
// was seen has taken effect before the first who saw it was told.
func operations(ops []RegisterOp) []porcupine.Operation {
	seen := sightings(ops)
	out := make([]porcupine.Operation, 0, len(ops))
	for i := range ops {
		op, end := &ops[i], ops[i].Return
		switch {
		case op.Outcome == Refused:
			continue
		case op.Outcome == Unknown:
			first, was := seen[op.Value]
			if !was {
				continue
			}
			end = max(first, op.Call)
		}
		out = append(out, porcupine.Operation{ClientId: op.Client, Input: op, Call: op.Call, Return: end})
	}
	return out
}

// sightings are the moments at which somebody had surely seen a value.
func sightings(ops []RegisterOp) map[int64]int64 {
	seen := make(map[int64]int64, len(ops))
	note := func(value, end int64) bool {
		if first, was := seen[value]; was && first <= end {
			return false
		}
		seen[value] = end
		return true
	}
	var open []*RegisterOp // a CAS of unknown outcome has seen its old value if its new one was seen
	for i := range ops {
		switch op := &ops[i]; {
		case op.Outcome == Refused:
		case op.Kind == Get:
			note(op.Value, op.Return)
		case op.Kind == CAS && op.Outcome == Acked:
			note(op.Old, op.Return)
		case op.Kind == CAS:
			open = append(open, op)
		}
	}
	for changed := true; changed; {
		changed = false
		for _, op := range slices.Backward(open) {
			if end, was := seen[op.Value]; was {
				changed = note(op.Old, end) || changed
			}
		}
	}
	return seen
}

// explainPart is which part of the limit each step of the search for the first violation may take.
const explainPart = 20

// explainShow is how many operations before a violation are told.
const explainShow = 12

// explain finds the first answer after which no order explains the history any more. What a history's beginning
// violates all of it does, so the search is binary.
func explain(key string, ops []RegisterOp, limit time.Duration) string {
	limit /= explainPart // a beginning that is not decided in time counts as good: then the moment told is a later one
	ends := make([]int64, 0, len(ops))
	for i := range ops {
		if ops[i].Outcome == Acked {
			ends = append(ends, ops[i].Return)
		}
	}
	slices.Sort(ends)
	first := sort.Search(len(ends), func(i int) bool { return decide(until(ops, ends[i]), limit) == porcupine.Illegal })
	moment := never
	if first < len(ends) {
		moment = ends[first]
	}
	shown := until(ops, moment)
	slices.SortFunc(shown, func(a, b RegisterOp) int { return compare(a.Return, b.Return) })
	var b strings.Builder
	fmt.Fprintf(&b, "register %s: not linearizable, from %s on (%d operations); the last of them:",
		key, at(moment), len(ops))
	for _, op := range shown[max(0, len(shown)-explainShow):] {
		b.WriteString("\n  " + op.String())
	}
	return b.String()
}

// until is the history as it stood at a moment: writes under way are open, reads under way are not known.
func until(ops []RegisterOp, moment int64) []RegisterOp {
	var out []RegisterOp
	for _, op := range ops {
		switch {
		case op.Call > moment || op.Kind == Get && op.Return > moment:
			continue
		case op.Return > moment && op.Outcome == Acked:
			op.Outcome, op.Return = Unknown, never
		}
		out = append(out, op)
	}
	return out
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
