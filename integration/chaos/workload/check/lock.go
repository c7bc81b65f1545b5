package check

import (
	"fmt"
	"slices"
)

// Hold is one lease of a lock as its holder may believe in it: from the moment that it was told to the earliest
// moment at which the lease may end, counted from before it asked, or at which it gave the lock back, whichever came
// first. The server's time of the lease's beginning lies between question and answer, so the holder's belief is the
// narrower one.
type Hold struct {
	Client int
	// Token is the fencing token: every acquisition gets a higher one.
	Token       int64
	From, Until int64 // nanoseconds
	// Asked is when the acquisition was sent.
	Asked int64
}

func (h Hold) String() string {
	return fmt.Sprintf("client %d, token %d, asked for at %s, held %s",
		h.Client, h.Token, at(h.Asked), Span{h.From, h.Until})
}

// LockSlack is what two clocks may differ by over the length of a lease, with the rounding of log time to
// milliseconds.
const LockSlack = int64(5e6)

// Lock checks one lock's history. Tokens are distinct and grow in real time, whatever clocks do. No two clients hold
// the lock at a time; with clockJumps this is left out: a lease is as long as log time says, and when the leader's
// clock jumps ahead it ends early in real time, which is why there are fencing tokens.
func Lock(key string, holds []Hold, clockJumps bool) []string {
	var f findings
	byToken := slices.Clone(holds)
	slices.SortFunc(byToken, func(a, b Hold) int { return compare(a.Token, b.Token) })
	var first Hold // of those with a higher token, the one that was told first
	for i, h := range slices.Backward(byToken) {
		if i > 0 && byToken[i-1].Token == h.Token {
			f.add("lock %s: one fencing token twice: %s; %s", key, byToken[i-1], h)
		}
		if first.Token > h.Token && first.From < h.Asked {
			f.add("lock %s: fencing tokens went back: %s; then %s", key, first, h)
		}
		if i == len(byToken)-1 || h.From < first.From {
			first = h
		}
	}
	if !clockJumps {
		overlaps(&f, key, holds)
	}
	return f.list
}

func overlaps(f *findings, key string, holds []Hold) {
	byFrom := slices.Clone(holds)
	slices.SortFunc(byFrom, func(a, b Hold) int { return compare(a.From, b.From) })
	var longest Hold
	for i, h := range byFrom {
		if h.Until <= h.From {
			continue // over before its holder was told
		}
		if i > 0 && h.From < longest.Until-LockSlack {
			f.add("lock %s: two holders: %s; %s", key, longest, h)
		}
		if h.Until > longest.Until {
			longest = h
		}
	}
}
