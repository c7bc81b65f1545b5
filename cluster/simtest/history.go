package simtest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// History records what clients did to registers (SET and GET of keys), for a linearizability check. Safe for concurrent
// use.
type History struct {
	tick  atomic.Int64 // orders calls and returns: virtual time stands still between many of them
	trace *trace       // of the same run; nil: none
	mu    sync.Mutex
	ops   map[string][]porcupine.Operation
}

// Began is the beginning of an operation.
type Began struct {
	tick int64
	at   time.Duration
}

// span is when an operation was under way, in virtual time.
type span struct{ from, to time.Duration }

// register is one operation on one key. Values of writes are distinct.
type register struct {
	write bool
	value string // what was written, or read ("" for none)
}

// NewHistory returns an empty history.
func (s *Sim) NewHistory() *History {
	return &History{trace: s.trace, ops: make(map[string][]porcupine.Operation)}
}

// Begin is the beginning of a call.
func (h *History) Begin() Began { return Began{h.tick.Add(1), time.Since(bubbleStart)} }

// Wrote records a write that has ended. unknown: whether and when it takes effect is open.
func (h *History) Wrote(client int, key, value string, call Began, unknown bool) {
	end := h.tick.Add(1)
	if unknown {
		end = math.MaxInt64
	}
	in := register{write: true, value: value}
	h.add(key, call, porcupine.Operation{ClientId: client, Input: in, Output: register{}, Return: end})
}

// Read records a read that was answered.
func (h *History) Read(client int, key, value string, call Began) {
	end := h.tick.Add(1)
	h.add(key, call, porcupine.Operation{ClientId: client, Input: register{}, Output: register{value: value}, Return: end})
}

func (h *History) add(key string, call Began, op porcupine.Operation) {
	op.Call, op.Metadata = call.tick, span{call.at, time.Since(bubbleStart)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops[key] = append(h.ops[key], op)
}

// Len is the number of operations.
func (h *History) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, ops := range h.ops {
		n += len(ops)
	}
	return n
}

var registerModel = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		in := input.(register)
		if in.write {
			return true, in.value
		}
		return output.(register).value == state.(string), state
	},
	DescribeOperation: func(input, output any) string {
		if in := input.(register); in.write {
			return "set " + in.value
		}
		return fmt.Sprintf("get -> %q", output.(register).value)
	},
}

// checkLimit is how long one key's history may take to check, in real time.
const checkLimit = 20 * time.Second

// Check fails the test if a key's history is not linearizable, or could not be checked. Call it outside of the bubble.
func (h *History) Check(t testing.TB) {
	t.Helper()
	if why := h.Verdict(); why != "" {
		t.Error(why)
	}
}

// Verdict is the first key's history that is not linearizable or could not be checked; "" if there is none.
func (h *History) Verdict() string {
	for _, key := range slices.Sorted(maps.Keys(h.ops)) {
		ops := h.ops[key]
		switch porcupine.CheckOperationsTimeout(registerModel, ops, checkLimit) {
		case porcupine.Illegal:
			return fmt.Sprintf("the history of %s (%d operations) is not linearizable:\n%s", key, len(ops), h.describe(ops))
		case porcupine.Unknown:
			return fmt.Sprintf("the history of %s (%d operations) could not be checked within %s", key, len(ops), checkLimit)
		}
	}
	return ""
}

// describe is a key's history and what happened meanwhile.
func (h *History) describe(ops []porcupine.Operation) string {
	var b strings.Builder
	from, to := time.Duration(math.MaxInt64), time.Duration(0)
	for _, op := range ops {
		d := op.Metadata.(span)
		from, to = min(from, d.from), max(to, d.to)
		fmt.Fprintf(&b, "%10.4f to %10.4f  client %d: %s [%d, %d]\n", d.from.Seconds(), d.to.Seconds(), op.ClientId,
			registerModel.DescribeOperation(op.Input, op.Output), op.Call, op.Return)
	}
	if h.trace != nil {
		b.WriteString("meanwhile:\n" + h.trace.window(from, to))
	}
	return b.String()
}
