package streams

// Trim says which of the oldest entries go: as many as leave MaxLen, or (ByID) those ahead of MinID.
type Trim struct {
	MaxLen int64
	MinID  ID
	ByID   bool
	// Approx keeps the entries of a node that would not go as a whole.
	Approx bool
	// Limit is how many entries may go; 0: any number. It is for nodes, and never goes without Approx.
	Limit int64
}

// Trim removes entries and returns how many.
func (l *Log) Trim(t Trim) (removed int) {
	for {
		n := l.head()
		if n == nil || t.enough(l.n) || t.Limit > 0 && int64(removed+n.Count) > t.Limit {
			return removed
		}
		if t.wholeNode(n, l.n) {
			l.n -= n.Count
			removed += n.Count
			l.remove(n.Base)
			continue
		}
		if !t.Approx {
			removed += l.trimNode(*n, t)
		}
		return removed
	}
}

// enough reports whether a log of length entries has none too many.
func (t *Trim) enough(length int) bool { return !t.ByID && int64(length) <= t.MaxLen }

// wholeNode reports whether the first node goes as a whole. By its ID it does only where the last entry that was ever in
// it does.
func (t *Trim) wholeNode(n *Node, length int) bool {
	if t.ByID {
		return n.Last.Compare(t.MinID) < 0
	}
	return int64(length-n.Count) >= t.MaxLen
}

// trimNode removes the first entries of the first node. A node whose last entries were deleted may be left without any: it
// stays until it goes as a whole, as in Redis.
func (l *Log) trimNode(n Node, t Trim) (removed int) {
	cut := 0
	n.all(func(e Entry, from, _ int) bool {
		cut = from
		if t.enough(l.n-removed) || t.ByID && e.ID.Compare(t.MinID) >= 0 {
			return false
		}
		removed++
		cut = len(n.Packed) // unless there is a next one
		return true
	})
	if removed > 0 {
		n.Packed = n.Packed[cut:]
		n.Count -= removed
		l.n -= removed
		l.set(n)
	}
	return removed
}
