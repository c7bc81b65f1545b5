package resp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// dispatch is the one gate that every command of every client passes: it is looked up, checked in Redis's order
// (unknown, arity, authentication, MULTI, replicas, role, pause), and gathered, queued or executed. It is false when
// the connection is to be closed.
func (c *conn) dispatch(args [][]byte) bool {
	now := c.srv.now()
	c.shared.lastUsed.Store(now.UnixNano())
	spec := c.srv.table.Lookup(args)
	if spec == nil && isHTTP(args[0]) {
		c.srv.log.Warn("a browser or an attacker speaks HTTP to the RESP port; closed", "client", c.nc.RemoteAddr())
		return false
	}
	if c.reply == replySkipNext {
		c.flush()
		c.reply = replySkip
	}
	if text := c.refuse(spec, args); text != "" {
		c.reject(spec, text)
		return c.afterCommand(spec)
	}
	c.shared.lastCmd.Store(spec)
	switch {
	case c.inMulti && !unqueued[spec.Name]:
		c.enqueue(spec, args)
	case spec.Is(command.Write) && c.blocks(spec, args):
		c.block(spec, args)
	case c.logged(spec):
		if c.relaying {
			c.flush()
		}
		c.gatherWrite(spec, args)
	case relayed(spec):
		c.gatherRelayed(spec, args)
	case spec.InFSM() && c.blocks(spec, args):
		c.blockRead(spec, args)
	case spec.InFSM():
		c.gatherRead(spec, args)
	default:
		c.flush()
		if spec.Name == "wait" {
			c.beforeWaiting()
		}
		if heldAsWrite[spec.Name] && !c.srv.pauses.waitWrites(c.ctx) {
			c.quit = true
			break
		}
		c.execute(spec, args, now)
	}
	return c.afterCommand(spec)
}

// logged reports whether a command goes through the log from here: a write always, which a follower refuses, and on the
// leader also what may have to. A follower executes that as a read; its executor refuses what would write.
func (c *conn) logged(spec *command.Spec) bool {
	return spec.Is(command.Write) || spec.MayLog() && c.srv.backend.Leading()
}

func (c *conn) afterCommand(spec *command.Spec) bool {
	c.endCaching(spec)
	if c.reply != replyOn {
		c.flush() // drops what was answered, by the mode
		if c.reply == replySkip {
			c.reply = replyOn
		}
	}
	return !c.quit && !c.shared.killed.Load()
}

// isHTTP recognizes what a browser sends: Redis's guard against cross-protocol scripting.
func isHTTP(name []byte) bool {
	return strings.EqualFold(string(name), "post") || strings.EqualFold(string(name), "host:")
}

// refuse returns the error text of the first check that fails, "" if all pass.
func (c *conn) refuse(spec *command.Spec, args [][]byte) string {
	switch {
	case spec == nil:
		return command.ErrUnknownCommand(args)
	case len(spec.Subcommands) > 0 && len(args) >= 2:
		return command.ErrUnknownSubcommand(spec, args[1])
	case !spec.ArityOK(len(args)):
		return command.ErrWrongArgs(spec)
	case len(spec.Subcommands) > 0 && handlers[spec] == nil:
		return command.ErrWrongArgs(spec)
	case !c.authenticated && !spec.Is(command.NoAuth) && c.mustLogIn():
		return "NOAUTH Authentication required."
	case spec.Is(command.Admin) && spec.Name == "debug" && !c.debugAllowed():
		return errDebugOff
	case c.inMulti && spec.Is(command.NoMulti):
		return "ERR Command not allowed inside a transaction"
	}
	if spec.Is(command.Write) {
		if text := c.refuseWrite(); text != "" {
			return text
		}
	}
	if text := c.refuseSubscriber(spec); text != "" || spec.Is(command.Write) {
		return text
	}
	switch {
	case spec.InFSM() && !spec.Is(command.Stale):
		return c.refuseStale()
	case spec.InFSM() && !spec.Is(command.Loading) && !c.srv.backend.Leading():
		return c.refuseLoading()
	}
	return ""
}

// refuseWrite is what stops a write before the log.
func (c *conn) refuseWrite() string {
	if !c.srv.backend.Leading() {
		return command.ErrReadOnly
	}
	if min := c.srv.live.minReplicas.Int(); min > 0 && c.goodReplicas() < min {
		return "NOREPLICAS Not enough good replicas to write."
	}
	return ""
}

func (c *conn) goodReplicas() int64 {
	good, lagMax := int64(0), time.Duration(c.srv.live.minReplicasLag.Int())*time.Second
	for _, r := range c.srv.backend.Replicas() {
		if r.Online && r.Lag <= lagMax {
			good++
		}
	}
	return good
}

// refuseStale is replica-serve-stale-data: a follower that hears of no leader may be told not to answer. One that has no
// data yet never does.
func (c *conn) refuseStale() string {
	if c.srv.live.serveStale.Bool() || c.srv.backend.Leading() {
		return c.refuseLoading()
	}
	if up, _ := c.srv.backend.LinkUp(); !up {
		return "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
	}
	return c.refuseLoading()
}

func (c *conn) refuseLoading() string {
	switch b := c.srv.backend; {
	case b.Removed():
		return "CLUSTERDOWN this node was removed from its cluster"
	case b.Loading():
		return "LOADING Redis is loading the dataset in memory"
	}
	return ""
}

// errExecRefused stands before the reason where EXEC itself does not pass the gate, which ends its transaction.
const errExecRefused = "EXECABORT Transaction discarded because of: "

// reject answers a command that did not pass the gate. Inside MULTI it makes EXEC fail.
func (c *conn) reject(spec *command.Spec, text string) {
	c.flush()
	if spec != nil && spec.Name == "exec" {
		c.endMulti()
		text = errExecRefused + strings.TrimPrefix(text, "ERR ")
	} else if c.inMulti {
		c.dirty = true
	}
	c.srv.stats.rejectedCall(spec, ErrorCode(text))
	mark := c.w.Len()
	c.w.Error(text)
	c.w.TakeCalls(nil) // counted above
	c.dropMuted(mark)
}

// gatherWrite adds a write to the proposal under way.
func (c *conn) gatherWrite(spec *command.Spec, args [][]byte) {
	if len(c.reads) > 0 {
		c.flushReads()
	}
	if !c.srv.pauses.waitWrites(c.ctx) {
		c.quit = true // killed: neither this nor what follows it is executed
		return
	}
	size := callBytes(args)
	if size > c.srv.entryMax {
		c.reject(spec, c.tooLarge(size))
		return
	}
	if !c.roomForWrite(size) {
		c.flushWrites()
	}
	c.addWrite(spec, args)
}

// roomForWrite reports whether a call of that size still belongs to the proposal under way.
func (c *conn) roomForWrite(size int) bool {
	return c.prop.Units == 0 ||
		(len(c.prop.Body)+size <= min(pipelineBytesGoal, c.srv.entryMax) && len(c.pending) < pipelineCallsMax)
}

func (c *conn) addWrite(spec *command.Spec, args [][]byte) {
	c.prop.AddCall(c.db, args)
	c.pending = append(c.pending, pendingCall{spec: spec, args: args, units: 1})
}

const unitOverheadBytes = 64 // entry header, unit head and varints of a call with few arguments

// callBytes is at least what a call takes in an entry.
func callBytes(args [][]byte) int {
	n := unitOverheadBytes
	for _, a := range args {
		n += len(a) + 10
	}
	return n
}

func (c *conn) tooLarge(size int) string {
	return fmt.Sprintf("ERR the command or transaction takes %d bytes, more than the %d that one log entry may hold (raft-max-entry-bytes)", size, c.srv.entryMax)
}

// gatherRead adds a read to the run under way.
func (c *conn) gatherRead(spec *command.Spec, args [][]byte) {
	if c.prop.Units > 0 {
		c.flushWrites()
	}
	if !c.srv.pauses.waitFor(c.ctx, spec) {
		c.quit = true
		return
	}
	if len(c.reads) >= pipelineCallsMax {
		c.flushReads()
	}
	c.addRead(spec, args)
}

func (c *conn) addRead(spec *command.Spec, args [][]byte) {
	c.reads = append(c.reads, command.Call{Spec: spec, Args: args, DB: c.db})
}

// flush answers everything gathered.
func (c *conn) flush() {
	if c.prop.Units > 0 {
		c.flushWrites()
	}
	if len(c.reads) > 0 {
		c.flushReads()
	}
}

// flushWrites proposes the gathered writes and waits for their end.
func (c *conn) flushWrites() {
	start, mark := time.Now(), c.w.Len()
	if c.relaying {
		c.relay()
	} else {
		c.srv.backend.Propose(c.prop)
		<-c.prop.Done
	}
	c.endWrites(start, mark)
}

// endWrites answers the gathered writes once their proposal has ended. mark is where their replies begin.
func (c *conn) endWrites(start time.Time, mark int) {
	if c.prop.Outcome == command.Applied {
		c.lastIndex, c.led = c.prop.Index, c.led || !c.relaying
	} else {
		c.dropReplies(mark)
		text := outcomeText(c.prop.Outcome, c.prop.Err)
		for i := range c.pending {
			if c.pending[i].units > 0 {
				c.w.Error(text)
			}
			c.w.EndCall()
		}
	}
	c.account(time.Since(start))
	c.dropMuted(mark)
	clear(c.pending)
	c.pending = c.pending[:0]
	c.prop.Reset()
	c.relaying = false
}

// dropReplies drops what the state machine wrote from mark on and does not stand for.
func (c *conn) dropReplies(mark int) {
	c.w.Truncate(mark)
	c.codes = c.w.TakeCalls(c.codes[:0])
}

// outcomeText puts the end of a proposal that was not applied into Redis's words. Codes that clients retry by
// themselves stand for "surely not applied" only.
func outcomeText(o command.Outcome, err error) string {
	if o == command.Unknown {
		return fmt.Sprintf("UNKNOWN the write may or may not have been applied: %v", err)
	}
	switch {
	case errors.Is(err, command.ErrNotLeader), errors.Is(err, command.ErrHandingOver):
		return command.ErrReadOnly
	case errors.Is(err, command.ErrRelayTooLarge):
		return "ERR the message is " + err.Error()
	case errors.Is(err, command.ErrTooLarge):
		return "ERR the command or transaction is larger than one log entry may be (raft-max-entry-bytes)"
	case errors.Is(err, command.ErrNoRoom):
		return err.Error()
	case errors.Is(err, command.ErrQueueFull):
		return "TRYAGAIN too many bytes wait to be written; nothing was done"
	}
	return fmt.Sprintf("CLUSTERDOWN %v; nothing was done", err)
}

// readRunMax is how many reads are executed before their replies are looked at, so that a pipeline of small requests
// for large values takes no more memory than the replies of one run. Once replies are large a run is one read.
const readRunMax = 32

// flushReads confirms and executes the gathered reads.
func (c *conn) flushReads() {
	start := time.Now()
	strict, err := c.confirm()
	c.endReads(start, strict, err)
}

// endReads answers the gathered reads once they are confirmed, or refused. Replies that have grown large are sent in
// between; the rest of the reads is confirmed again then, for the client may have taken its time.
func (c *conn) endReads(start time.Time, strict bool, err error) {
	run := readRunMax
	for left := c.reads; len(left) > 0 && !c.quit; {
		calls := left[:min(run, len(left))]
		left = left[len(calls):]
		bytes := c.executeReads(calls, strict, err, start)
		run = readRunMax
		if bytes/len(calls) > pipelineBytesGoal/readRunMax {
			run = 1
		}
		if len(left) > 0 && c.w.Len() >= pipelineBytesGoal {
			c.quit = !c.send()
			strict, err = c.confirm()
		}
		start = time.Now()
	}
	clear(c.reads)
	c.reads = c.reads[:0]
}

// executeReads runs reads, or answers them with the error that their confirmation ended with, and returns the bytes of
// their replies.
func (c *conn) executeReads(calls []command.Call, strict bool, err error, start time.Time) (bytes int) {
	mark := c.w.Len()
	for i := range calls {
		c.pending = append(c.pending, pendingCall{spec: calls[i].Spec, args: calls[i].Args})
	}
	if err == nil {
		err = c.view(strict, func(o command.ReadOptions) bool { return c.srv.backend.View(calls, o, c.w) })
	}
	if err != nil {
		for range calls {
			c.w.Error(readErrorText(err))
			c.w.EndCall()
		}
	}
	bytes = c.w.Len() - mark
	c.account(time.Since(start))
	c.dropMuted(mark)
	clear(c.pending)
	c.pending = c.pending[:0]
	return bytes
}

// read confirms that this node may serve reads at the consistency asked for, and runs view until its replies hold.
func (c *conn) read(view func(command.ReadOptions) bool) error {
	strict, err := c.confirm()
	if err != nil {
		return err
	}
	return c.view(strict, view)
}

// readOptions are those of a read at this moment.
func (c *conn) readOptions(strict bool) command.ReadOptions {
	o := command.ReadOptions{Clock: c.srv.now().UnixMilli(), Strict: strict, NoTouch: c.shared.noTouch.Load(), Seed: randomUint64()}
	if strict {
		o.Clock = c.srv.backend.LogTime()
	}
	if c.remembers() {
		o.OnRead = c.tracking.onRead
	}
	return o
}

// view runs a confirmed read until its replies hold.
func (c *conn) view(strict bool, view func(command.ReadOptions) bool) error {
	mark := c.w.Len()
	o := c.readOptions(strict)
	for {
		if view(o) {
			return nil
		}
		// A key's deadline has passed by the leader's clock but not by the log's: the log moves first. The clock stays:
		// by a later one a read of many keys would find others that have expired meanwhile, again and again.
		c.dropReplies(mark)
		if err := c.srv.backend.AdvanceTime(); err != nil {
			return err
		}
	}
}

// viewOnce is view without the wait for the log: false where that is needed.
func (c *conn) viewOnce(strict bool, calls []command.Call) bool {
	mark := c.w.Len()
	if c.srv.backend.View(calls, c.readOptions(strict), c.w) {
		return true
	}
	c.dropReplies(mark)
	return false
}

const followerReadTimeout = 5 * time.Second

// readMode is what a read has to wait for.
type readMode uint8

const (
	readHere     readMode = iota // nothing: the applied state will do
	readLease                    // the leader's lease, or a round
	readRound                    // a read-index round of the leader
	readFollower                 // the leader's word to this follower
)

// readMode says what reads of this connection have to wait for now, and whether they are a leader's: then its clock
// decides expiry.
func (c *conn) readMode() (m readMode, strict bool, err error) {
	if c.shared.closingReads.Load() {
		return readHere, false, command.ErrNotLeader
	}
	if !c.srv.backend.Leading() {
		switch {
		case c.led:
			return readHere, false, command.ErrNotLeader // Demoted is about to say so
		case c.srv.cfg.String("follower-read-consistency") != "linearizable" || c.consistency == "stale":
			return readHere, false, nil
		}
		return readFollower, false, nil
	}
	c.led = true
	switch c.readConsistency() {
	case "stale":
		return readHere, true, nil
	case "lease":
		return readLease, true, nil
	}
	return readRound, true, nil
}

// confirm waits until reads may be served.
func (c *conn) confirm() (strict bool, err error) {
	mode, strict, err := c.readMode()
	if err != nil {
		return strict, err
	}
	switch b := c.srv.backend; mode {
	case readLease:
		err = b.ConfirmLease()
	case readRound:
		err = b.ConfirmRead()
	case readFollower:
		ctx, cancel := context.WithTimeout(c.ctx, followerReadTimeout)
		defer cancel()
		err = b.ConfirmFollowerRead(ctx)
	}
	return strict, err
}

func (c *conn) readConsistency() string {
	if c.consistency != "" {
		return c.consistency
	}
	return c.srv.cfg.String("read-consistency")
}

// readErrorText is a refusal that clients may retry anywhere.
func readErrorText(err error) string {
	return fmt.Sprintf("CLUSTERDOWN the read was not served: %v", err)
}

// execute runs a connection or server command.
func (c *conn) execute(spec *command.Spec, args [][]byte, start time.Time) {
	mark := c.w.Len()
	handlers[spec](c, args)
	c.w.EndCall()
	c.pending = append(c.pending, pendingCall{spec: spec, args: args})
	c.account(c.srv.now().Sub(start))
	clear(c.pending)
	c.pending = c.pending[:0]
	if !confirms(spec) || len(c.codes) > 0 && c.codes[0] != "" {
		c.dropMuted(mark)
	}
	c.publishSession()
}

// account counts the calls in pending, which took the time together, for INFO and the slow log.
func (c *conn) account(took time.Duration) {
	c.codes = c.w.TakeCalls(c.codes[:0])
	if len(c.pending) == 0 {
		return
	}
	each := took / time.Duration(len(c.pending))
	for i := range c.pending {
		p := &c.pending[i]
		code := ""
		if i < len(c.codes) {
			code = c.codes[i]
		}
		c.observe(p.spec, p.args, each, code)
	}
}

// observe counts one call, and notes it where it was slow. code is its error's, "" if it succeeded.
func (c *conn) observe(spec *command.Spec, args [][]byte, took time.Duration, code string) {
	s := c.srv
	s.stats.call(spec, took, code)
	if limit := s.live.slowerThan.Int(); limit >= 0 && took.Microseconds() >= limit && !spec.Is(command.SkipSlowlog) {
		s.slow.add(c, args, took)
	}
	if limit := s.live.latencyMin.Int(); limit > 0 && took.Milliseconds() >= limit {
		s.latency.add(latencyEvent(spec), took, s.now())
	}
}

// dropMuted drops replies from mark on where CLIENT REPLY asks for it.
func (c *conn) dropMuted(mark int) {
	if c.reply == replyOff || c.reply == replySkip {
		c.w.Truncate(mark)
	}
}
