package check

import "time"

// Expiry judges keys with deadlines, as one client sees them: only this client writes its keys, each once, one
// operation at a time, and it reads many of them at once, together with a mark that it raises now and then. A read
// that sees the mark at a number shows a state that contains everything that had ended before that mark was sent, on
// whatever node it was read and however far that node lags behind. So what followers say can be judged, too, without
// a clock.
//
// What is held against the cluster: a key that was seen to be gone never comes back; a key is there until its
// deadline; on the leader it is gone after it. The last two compare log time with this machine's clock. With
// ClockJumps they can't: when a leader's clock jumps ahead log time follows at once, and deadlines pass early; when
// it jumps back, or a leader with a slow clock takes over, log time goes on from where it was, and they pass late.
// Then only keys without a deadline, or with one further away than ClockJumpMax, must stay. That a key which is gone
// stays gone depends on no clock.
type Expiry struct {
	Client     int
	ClockJumps bool

	now   int             // operations so far
	keys  map[string]*key // those that may be read
	marks []int           // by number: what had ended before the mark was sent
	findings
}

// Deadlines are moments of the wall clock, in nanoseconds since 1970.
const (
	// NoDeadline is that of a key which stays.
	NoDeadline = never
	// ClockJumpMax is how far a clock may jump in a run with ClockJumps.
	ClockJumpMax = 24 * time.Hour
	// expirySlack is what the nodes' idea of the time may differ from the clients': rounding to milliseconds, a machine's
	// clock that is being corrected.
	expirySlack = int64(100 * time.Millisecond)
)

type key struct {
	value string
	// least and most bound the deadline.
	least, most int64
	setAt       int // when it was certain to be there; 0: it never was
	goneAt      int // when it was certain to be gone; 0: it never was
	seen        bool
}

// NewExpiry returns a judge of one client's keys.
func NewExpiry(client int, clockJumps bool) *Expiry {
	return &Expiry{Client: client, ClockJumps: clockJumps, keys: make(map[string]*key), marks: []int{0}}
}

// Violations are those found so far.
func (e *Expiry) Violations() []string { return e.list }

// Set notes that a key was set, with a deadline between least and most (both: NoDeadline). Where it is not known
// whether it was, it may be there, or come to be there, until it is seen to be gone after having been seen.
func (e *Expiry) Set(name, value string, outcome Outcome, least, most int64) {
	e.now++
	k := &key{value: value, least: least, most: most}
	switch outcome {
	case Acked:
		k.setAt = e.now
	case Unknown:
		k.least, k.most = 0, never // it may be applied late
	case Refused:
		k.goneAt = e.now // it must never be there
	}
	e.keys[name] = k
}

// Move notes a new deadline (NoDeadline: none any more) for a key. moved is false if the reply said that the key was
// not there; to one who takes a deadline away it may also have said that there was none.
func (e *Expiry) Move(name string, outcome Outcome, moved bool, least, most int64) {
	e.now++
	k := e.keys[name]
	switch {
	case outcome == Unknown:
		k.least, k.most = min(k.least, least), max(k.most, most)
	case outcome == Acked && !moved && least == NoDeadline && k.most == NoDeadline: // there may have been none
	case outcome == Acked && !moved:
		if k.setAt > 0 && k.goneAt == 0 {
			k.goneAt = e.now
		}
	case outcome == Acked && k.goneAt > 0:
		e.add("expiry: client %d: %s was gone and has come back: a new deadline was taken", e.Client, name)
	case outcome == Acked:
		k.setAt, k.least, k.most = e.now, least, most
	}
}

// Mark notes that a new mark is about to be sent, and returns its number.
func (e *Expiry) Mark() int64 {
	e.now++
	e.marks = append(e.marks, e.now)
	return int64(len(e.marks) - 1)
}

// Probe is one read of a mark and several keys.
type Probe struct {
	Node string
	// Leading: the read must be linearizable.
	Leading bool
	Mark    int64
	Keys    []string
	Values  []string // "" for those that were not there
	// Wall is when the read was under way, by the wall clock in nanoseconds since 1970.
	Wall Span
}

// Read judges a read.
func (e *Expiry) Read(p Probe) {
	e.now++
	if p.Mark < 0 || p.Mark >= int64(len(e.marks)) {
		e.add("expiry: client %d: mark %d at %s was never sent", e.Client, p.Mark, p.Node)
		return
	}
	horizon := e.marks[p.Mark] // what lies before it is in the state that was read
	if p.Leading {
		horizon = e.now
	}
	for i, name := range p.Keys {
		if k := e.keys[name]; k != nil && p.Values[i] != "" {
			e.present(&p, k, name, p.Values[i], horizon)
		} else if k != nil {
			e.absent(&p, k, name, horizon)
		}
	}
}

func (e *Expiry) present(p *Probe, k *key, name, value string, horizon int) {
	switch {
	case value != k.value:
		e.add("expiry: %s holds %q at %s, and %q was written", name, value, p.Node, k.value)
	case k.goneAt > 0 && k.goneAt < horizon:
		e.add("expiry: client %d: %s was gone and has come back at %s (leading: %t)", e.Client, name, p.Node, p.Leading)
	case p.Leading && !e.ClockJumps && k.most != never && p.Wall.Call > k.most+expirySlack:
		e.add("expiry: client %d: %s is there at %s, %s after its deadline",
			e.Client, name, p.Node, time.Duration(p.Wall.Call-k.most))
	}
	k.seen = k.seen || k.setAt == 0 && p.Leading
}

func (e *Expiry) absent(p *Probe, k *key, name string, horizon int) {
	was := k.setAt > 0 && k.setAt < horizon // in the state that was read, or before it
	if !was && !(k.seen && p.Leading) {
		return
	}
	switch limit := k.least - expirySlack; {
	case k.goneAt > 0 || !was:
	case k.least == NoDeadline:
		e.add("expiry: client %d: LOST: %s is not there at %s (leading: %t), and has no deadline",
			e.Client, name, p.Node, p.Leading)
	case e.ClockJumps && p.Wall.Return < limit-int64(ClockJumpMax), !e.ClockJumps && p.Wall.Return < limit:
		e.add("expiry: client %d: LOST: %s is not there at %s (leading: %t), %s before its deadline",
			e.Client, name, p.Node, p.Leading, time.Duration(k.least-p.Wall.Return))
	}
	if k.goneAt == 0 {
		k.goneAt = e.now
	}
}

// Gone reports whether a key is known to be gone.
func (e *Expiry) Gone(name string) bool {
	k := e.keys[name]
	return k != nil && k.goneAt > 0
}

// Doubtful reports whether it is not known if a key was ever there, or within a minute when it goes.
func (e *Expiry) Doubtful(name string) bool {
	k := e.keys[name]
	return k == nil || k.setAt == 0 || k.most-k.least > int64(time.Minute)
}

// Forget drops a key that will not be read any more.
func (e *Expiry) Forget(name string) { delete(e.keys, name) }
