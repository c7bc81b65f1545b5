package check

import (
	"testing"
	"time"
)

// second is a moment of the wall clock in hand-made histories.
func second(n float64) int64 { return int64(n * float64(time.Second)) }

// look is a read of one key, k, that takes a millisecond.
func look(e *Expiry, leading bool, mark int64, at float64, value string) {
	e.Read(Probe{
		Node: "n1", Leading: leading, Mark: mark, Keys: []string{"k"}, Values: []string{value},
		Wall: Span{second(at), second(at + 0.001)},
	})
}

func TestExpiryDoubtful(t *testing.T) {
	e := NewExpiry(0, false)
	e.Set("sure", "v", Acked, second(10), second(11))
	e.Set("moved", "v", Acked, second(10), second(11))
	e.Move("moved", Unknown, false, second(1000), second(1000))
	e.Set("unknown", "v", Unknown, second(10), second(11))
	for name, want := range map[string]bool{"sure": false, "moved": true, "unknown": true, "forgotten": true} {
		if got := e.Doubtful(name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestExpiry(t *testing.T) {
	const leader, follower = true, false
	setAt := func(e *Expiry, deadline float64) { e.Set("k", "v", Acked, second(deadline), second(deadline)) }
	for _, tc := range []struct {
		name  string
		want  string
		jumps string // the same where clocks jump
		run   func(*Expiry)
	}{
		{"there, then gone", "", "", func(e *Expiry) {
			setAt(e, 10)
			look(e, leader, 0, 1, "v")
			look(e, leader, 0, 11, "")
			look(e, leader, 0, 12, "")
		}},
		{"kept for good by a write of unknown outcome, then no deadline to take away", "", "", func(e *Expiry) {
			setAt(e, 10)
			e.Move("k", Unknown, false, NoDeadline, NoDeadline)
			e.Move("k", Acked, false, NoDeadline, NoDeadline)
			look(e, leader, 0, 20, "v")
		}},
		{"no deadline to take away where there was one: gone", "come back", "come back", func(e *Expiry) {
			setAt(e, 10)
			e.Move("k", Acked, false, NoDeadline, NoDeadline)
			look(e, leader, 0, 9, "v")
		}},
		{"gone early", "LOST", "", func(e *Expiry) {
			setAt(e, 10)
			look(e, leader, 0, 5, "")
		}},
		{"gone early at a follower", "LOST", "", func(e *Expiry) {
			setAt(e, 10)
			look(e, follower, e.Mark(), 5, "")
		}},
		{"not there yet at a follower", "", "", func(e *Expiry) {
			setAt(e, 10)
			e.Mark()
			look(e, follower, 0, 5, "")
		}},
		{"far from its deadline", "LOST", "LOST", func(e *Expiry) {
			setAt(e, 30*24*3600)
			look(e, leader, 0, 5, "")
		}},
		{"no deadline", "has no deadline", "has no deadline", func(e *Expiry) {
			setAt(e, 10)
			e.Move("k", Acked, true, NoDeadline, NoDeadline)
			look(e, leader, 0, 11, "")
		}},
		{"no deadline, there", "", "", func(e *Expiry) {
			setAt(e, 10)
			e.Move("k", Acked, true, NoDeadline, NoDeadline)
			look(e, leader, 0, 11, "v")
		}},
		{"outlives its deadline", "after its deadline", "", func(e *Expiry) {
			setAt(e, 10)
			look(e, leader, 0, 11, "v")
		}},
		{"a follower lags behind", "", "", func(e *Expiry) {
			setAt(e, 10)
			m := e.Mark()
			look(e, leader, m, 11, "")
			look(e, follower, m, 12, "v")
		}},
		{"comes back", "has come back", "has come back", func(e *Expiry) {
			setAt(e, 10)
			look(e, leader, 0, 11, "")
			look(e, leader, 0, 11.05, "v")
		}},
		{"comes back at a follower", "has come back", "has come back", func(e *Expiry) {
			setAt(e, 10)
			look(e, leader, 0, 11, "")
			look(e, follower, e.Mark(), 12, "v")
		}},
		{"gone at a follower, comes back at the leader", "has come back", "has come back", func(e *Expiry) {
			setAt(e, 10)
			look(e, follower, e.Mark(), 10.05, "")
			look(e, leader, 0, 10.06, "v")
		}},
		{"takes a new deadline after it was gone", "has come back", "has come back", func(e *Expiry) {
			setAt(e, 10)
			look(e, leader, 0, 11, "")
			e.Move("k", Acked, true, second(20), second(20))
		}},
		{"told to be gone, comes back", "has come back", "has come back", func(e *Expiry) {
			setAt(e, 10)
			e.Move("k", Acked, false, second(20), second(20))
			look(e, leader, 0, 10.05, "v")
		}},
		{"refused, there", "has come back", "has come back", func(e *Expiry) {
			e.Set("k", "v", Refused, second(10), second(10))
			look(e, leader, 0, 1, "v")
		}},
		{"unknown, comes late and stays", "", "", func(e *Expiry) {
			e.Set("k", "v", Unknown, second(10), second(10))
			look(e, leader, 0, 1, "")
			look(e, leader, 0, 12, "v")
			look(e, leader, 0, 13, "")
		}},
		{"unknown, goes and comes back", "has come back", "has come back", func(e *Expiry) {
			e.Set("k", "v", Unknown, second(10), second(10))
			look(e, leader, 0, 1, "v")
			look(e, leader, 0, 2, "")
			look(e, leader, 0, 3, "v")
		}},
		{"an unknown new deadline", "", "", func(e *Expiry) {
			setAt(e, 10)
			e.Move("k", Unknown, false, second(30), second(30))
			look(e, leader, 0, 20, "v")
			look(e, leader, 0, 21, "")
		}},
		{"somebody else's value", "holds", "holds", func(e *Expiry) {
			setAt(e, 10)
			look(e, leader, 0, 1, "w")
		}},
		{"a mark from the future", "never sent", "never sent", func(e *Expiry) { look(e, leader, 1, 1, "") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := NewExpiry(0, false)
			tc.run(e)
			judge(t, e.Violations(), tc.want)
			e = NewExpiry(0, true)
			tc.run(e)
			judge(t, e.Violations(), tc.jumps)
		})
	}
}
