package simtest

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// History records what clients did to registers (SET and GET of keys), for a linearizability check. Safe for concurrent
// use.
type History struct {
	tick atomic.Int64 // orders calls and returns: virtual time stands still between many of them
	mu   sync.Mutex
	ops  map[string][]porcupine.Operation
}

// register is one operation on one key. Values of writes are distinct.
type register struct {
	write bool
	value string // what was written, or read ("" for none)
}

// NewHistory returns an empty history.
func NewHistory() *History { return &History{ops: make(map[string][]porcupine.Operation)} }

// Begin returns the time of a call.
func (h *History) Begin() int64 { return h.tick.Add(1) }

// Wrote records a write that began at call. unknown: whether and when it takes effect is open.
func (h *History) Wrote(client int, key, value string, call int64, unknown bool) {
	end := h.tick.Add(1)
	if unknown {
		end = math.MaxInt64
	}
	h.add(key, porcupine.Operation{ClientId: client, Input: register{write: true, value: value}, Call: call, Return: end})
}

// Read records a read that was answered.
func (h *History) Read(client int, key, value string, call int64) {
	end := h.tick.Add(1)
	h.add(key, porcupine.Operation{ClientId: client, Input: register{}, Output: register{value: value}, Call: call, Return: end})
}

func (h *History) add(key string, op porcupine.Operation) {
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

// Check fails the test if a key's history is not linearizable. Call it outside of the bubble.
func (h *History) Check(t testing.TB) {
	t.Helper()
	for key, ops := range h.ops {
		switch porcupine.CheckOperationsTimeout(registerModel, ops, checkLimit) {
		case porcupine.Illegal:
			t.Errorf("the history of %s (%d operations) is not linearizable", key, len(ops))
			for _, op := range ops {
				t.Logf("client %d: %s [%d, %d]", op.ClientId, registerModel.DescribeOperation(op.Input, orEmpty(op.Output)), op.Call, op.Return)
			}
			return
		case porcupine.Unknown:
			t.Logf("the history of %s (%d operations) was not checked within %s", key, len(ops), checkLimit)
		}
	}
}

func orEmpty(v any) any {
	if v == nil {
		return register{}
	}
	return v
}
