package cluster

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/hashicorp/raft"
)

// TestLogCacheIsTransparent compares a cached store with a plain one through appends and truncations at both ends.
func TestLogCacheIsTransparent(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	plain, cached := raft.NewInmemStore(), newLogCache(raft.NewInmemStore())
	var first, last, term uint64 = 1, 0, 1
	do := func(f func(raft.LogStore) error) {
		t.Helper()
		if err := errors.Join(f(plain), f(cached)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2000 {
		switch n := rng.Uint64N(20); {
		case n == 0 && last > first: // a conflict
			from := last - rng.Uint64N(min(last-first, 50))
			do(func(s raft.LogStore) error { return s.DeleteRange(from, last) })
			last, term = from-1, term+1
		case n == 1 && last > first: // a snapshot
			to := first + rng.Uint64N(last-first)
			do(func(s raft.LogStore) error { return s.DeleteRange(first, to) })
			first = to + 1
		default:
			var logs []*raft.Log
			for range 1 + rng.Uint64N(30) {
				last++
				logs = append(logs, &raft.Log{Index: last, Term: term, Data: make([]byte, rng.IntN(100))})
			}
			do(func(s raft.LogStore) error { return s.StoreLogs(logs) })
		}
		for range 10 {
			index := 1 + rng.Uint64N(last+60)
			var a, b raft.Log
			errA, errB := plain.GetLog(index, &a), cached.GetLog(index, &b)
			if (errA == nil) != (errB == nil) || a.Term != b.Term || len(a.Data) != len(b.Data) {
				t.Fatalf("index %d of %d to %d: %v term %d, cached %v term %d", index, first, last, errA, a.Term, errB, b.Term)
			}
		}
		bytes := 0
		for _, l := range cached.ring {
			if l != nil {
				bytes += len(l.Data)
			}
		}
		if bytes != cached.bytes {
			t.Fatalf("counted %d bytes, there are %d", cached.bytes, bytes)
		}
	}
}

// TestLogCacheBound: the cache holds no more bytes than it may, one entry excepted.
func TestLogCacheBound(t *testing.T) {
	c := newLogCache(raft.NewInmemStore())
	big := make([]byte, logCacheBytesMax/4)
	for i := uint64(1); i <= 20; i++ {
		if err := c.StoreLog(&raft.Log{Index: i, Data: big}); err != nil {
			t.Fatal(err)
		}
		if c.bytes > logCacheBytesMax {
			t.Fatalf("%d bytes after entry %d", c.bytes, i)
		}
	}
}
