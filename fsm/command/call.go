package command

import "sync/atomic"

// Call is one command to execute. Args[0] is the name as the client wrote it. Args belong to the caller: an executor
// copies what it keeps.
type Call struct {
	Spec *Spec
	Args [][]byte
	DB   int
}

// Watch is one key of a WATCH: what its version was, for EXEC to compare inside the log. Versions count modifications
// of the whole state machine, so no two states of a key share one.
type Watch struct {
	DB  int
	Key []byte
	// Version is the key's version when it was watched; 0: the key was absent.
	Version uint64
	// Born is, for an absent key, the version at which a key of its kind (a hash bucket) was last created: a key that
	// was created and deleted again between WATCH and EXEC counts as touched, as in Redis.
	Born uint64
}

// Outcome tells the three ways apart in which a proposal can end. No code path may blur them: clients retry what was
// surely not applied, and must not retry what may have been.
type Outcome uint8

const (
	// Pending: not ended yet.
	Pending Outcome = iota
	// Applied: committed and applied; the replies are written.
	Applied
	// Refused: surely not applied, now or later. No reply is written.
	Refused
	// Unknown: leadership or patience ran out while the entry was in flight; it may be applied now, later or never.
	Unknown
)

// Unblocking is how the log ends the wait of a blocking command.
type Unblocking uint8

// The ways. Their numbers stand in logs and never change.
const (
	// UnblockTimeout: the command replies that there was nothing.
	UnblockTimeout Unblocking = 1
	// UnblockError: it replies the error of CLIENT UNBLOCK.
	UnblockError Unblocking = 2
	// UnblockGone: nobody reads a reply.
	UnblockGone Unblocking = 3
)

// Proposal is a run of units (calls and transactions) of one connection that goes into the log together. The
// connection's owner fills it, hands it over and hears of its end by Done or Ended; between the two it touches neither
// the proposal nor its Reply. A Proposal is reused after Reset.
type Proposal struct {
	// Body holds Units encoded units.
	Body  []byte
	Units int
	// Reply receives the units' replies in order when the outcome is Applied, and nothing otherwise.
	Reply Reply
	// MayWait says that the only unit is a blocking command outside of a transaction. Where it has to wait in the log's
	// state Waiter is its number there, and the reply comes with a later entry. Unblock is how its wait shall end, 0: as it
	// will. Both belong to the one who applies, until the end.
	MayWait bool
	Waiter  uint64
	Unblock atomic.Uint32
	// Outcome and Err are set before Done is signalled. Err says why for Refused and Unknown.
	Outcome Outcome
	Err     error
	// Index is the log index that holds the units, for WAIT and offsets; 0 unless Applied.
	Index uint64
	// Done receives one value when the proposal has ended, unless Ended is set. It has room for it.
	Done chan struct{}
	// Ended, if it is set, is called in place of the signal, once. It runs where the proposal ends, must not block, and
	// is forgotten by Reset.
	Ended func()
}

// NewProposal returns an empty proposal whose replies go to r.
func NewProposal(r Reply) *Proposal {
	return &Proposal{Reply: r, Done: make(chan struct{}, 1)}
}

const bodyBytesKept = 64 << 10 // a larger body is given back to the collector between uses

// Reset empties the proposal for the next run.
func (p *Proposal) Reset() {
	if cap(p.Body) > bodyBytesKept {
		p.Body = nil
	}
	p.Body, p.Units, p.Outcome, p.Err, p.Index, p.Ended = p.Body[:0], 0, Pending, nil, 0, nil
	p.MayWait, p.Waiter = false, 0
	p.Unblock.Store(0)
}

// Finish ends the proposal. Only the one who owns the proposal at that moment (the proposer or the apply path) calls it.
func (p *Proposal) Finish(o Outcome, index uint64, err error) {
	p.Outcome, p.Index, p.Err = o, index, err
	if p.Ended != nil {
		p.Ended()
		return
	}
	p.Done <- struct{}{}
}

// AddCall appends one call.
func (p *Proposal) AddCall(db int, args [][]byte) {
	p.Body = AppendCall(p.Body, db, args)
	p.Units++
}

// AddTxn appends one transaction.
func (p *Proposal) AddTxn(watches []Watch, calls []Call) {
	p.Body = AppendTxn(p.Body, watches, calls)
	p.Units++
}
