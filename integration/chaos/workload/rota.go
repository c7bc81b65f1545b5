package workload

import "sync"

// rota hands out the keys (or groups of keys) that clients work on. Each has its share of operations; then the next
// one takes its place, and what was recorded of it is complete once the last operation on it has ended. T is a
// recorded operation.
type rota[T any] struct {
	limit int // operations begun on one share

	mu    sync.Mutex // guards what follows and the shares
	made  int
	slots []*share[T]
}

// share is one key or group. Its history belongs to whoever ended the last operation on it.
type share[T any] struct {
	number      int
	ops         []T
	begun, open int
	retired     bool
}

func newRota[T any](slots, limit int) *rota[T] {
	r := &rota[T]{limit: limit}
	for range slots {
		r.slots = append(r.slots, r.next())
	}
	return r
}

func (r *rota[T]) next() *share[T] {
	s := &share[T]{number: r.made}
	r.made++
	return s
}

// begin takes the share that has a slot for one operation, whose end must follow. full is a share that has just lost
// its slot and that nobody works on: it is the caller's.
func (r *rota[T]) begin(slot int) (s, full *share[T]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s = r.slots[slot]
	if s.begun == r.limit {
		s.retired = true
		if s.open == 0 {
			full = s
		}
		s = r.next()
		r.slots[slot] = s
	}
	s.begun++
	s.open++
	return s, full
}

// end records what came of an operation. It reports whether the history is complete; it is the caller's then.
func (r *rota[T]) end(s *share[T], ops ...T) (complete bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.ops = append(s.ops, ops...)
	s.open--
	return s.retired && s.open == 0
}

// unfinished are the shares that had their slots in the end.
func (r *rota[T]) unfinished() []*share[T] { return r.slots }
