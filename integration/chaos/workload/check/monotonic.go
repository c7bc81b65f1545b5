package check

// Monotonic judges readers of two counters that one writer raises together, in one transaction.
type Monotonic struct{ findings }

// Violations are those found so far.
func (m *Monotonic) Violations() []string { return m.list }

// Session is what one connection to one node was told. Nothing it reads may be older than what it has read before: a
// node's state only moves forward, and whatever would take it back (a snapshot that it installs) must not show.
type Session struct {
	Client, Number int
	Node           string

	last MonotonicRead
}

// MonotonicRead is what one command saw of both counters.
type MonotonicRead struct {
	A, B int64
	// Sent is how many increments had been sent when the answer was there; Acked how many were acknowledged before the
	// question was asked, where the read must be linearizable, else 0.
	Sent, Acked int64
	Span
}

// Read judges the next read of a session.
func (m *Monotonic) Read(s *Session, r MonotonicRead) {
	switch {
	case r.A != r.B:
		m.add("monotonic: client %d at %s saw half a transaction: %d and %d %s", s.Client, s.Node, r.A, r.B, r.Span)
	case r.A < s.last.A:
		m.add("monotonic: client %d, connection %d to %s: went back from %d %s to %d %s",
			s.Client, s.Number, s.Node, s.last.A, s.last.Span, r.A, r.Span)
	case r.A > r.Sent:
		m.add("monotonic: client %d at %s read %d %s, when only %d increments had been sent",
			s.Client, s.Node, r.A, r.Span, r.Sent)
	case r.A < r.Acked:
		m.add("monotonic: client %d at %s read %d %s, after %d increments had been acknowledged",
			s.Client, s.Node, r.A, r.Span, r.Acked)
	}
	s.last = r
}

// Final judges what a node holds in the end.
func (m *Monotonic) Final(node string, a, b, acked, sent int64) {
	if a != b || a < acked || a > sent {
		m.add("monotonic: %s holds %d and %d in the end; %d increments were acknowledged, %d sent", node, a, b, acked, sent)
	}
}
