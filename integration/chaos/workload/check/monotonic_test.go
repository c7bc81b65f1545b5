package check

import "testing"

func TestMonotonic(t *testing.T) {
	pair := func(v, sent, acked int64) MonotonicRead { return MonotonicRead{A: v, B: v, Sent: sent, Acked: acked} }
	for _, tc := range []struct {
		name, want string
		reads      []MonotonicRead
	}{
		{"forward", "", []MonotonicRead{pair(0, 0, 0), pair(3, 5, 0), pair(3, 5, 0), pair(5, 5, 5)}},
		{"back", "went back from 4", []MonotonicRead{pair(4, 5, 0), pair(3, 5, 0)}},
		{"half", "half a transaction", []MonotonicRead{{A: 2, B: 1, Sent: 2}}},
		{"future", "only 5 increments had been sent", []MonotonicRead{pair(6, 5, 0)}},
		{"stale at the leader", "after 4 increments", []MonotonicRead{pair(3, 5, 4)}},
		{"lagging at a follower", "", []MonotonicRead{pair(3, 5, 0)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var m Monotonic
			s := &Session{}
			for _, r := range tc.reads {
				m.Read(s, r)
			}
			judge(t, m.Violations(), tc.want)
		})
	}
}

func TestMonotonicSessionsStandAlone(t *testing.T) {
	var m Monotonic
	m.Read(&Session{Number: 1}, MonotonicRead{A: 4, B: 4, Sent: 5})
	m.Read(&Session{Number: 2}, MonotonicRead{A: 3, B: 3, Sent: 5})
	judge(t, m.Violations(), "")
}

func TestMonotonicFinal(t *testing.T) {
	for v, want := range map[int64]string{3: "", 4: "", 2: "holds 2", 5: "holds 5"} {
		var m Monotonic
		m.Final("n1", v, v, 3, 4)
		judge(t, m.Violations(), want)
	}
	var m Monotonic
	m.Final("n1", 3, 4, 3, 4)
	judge(t, m.Violations(), "3 and 4")
}
