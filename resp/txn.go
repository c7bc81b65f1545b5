package resp

import (
	"slices"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// The transactions group of Redis 7.0. A transaction is one unit of one log entry: atomic, and applied with its WATCH
// check on every node alike. A transaction of reads alone is one confirmed read.
var transactionCommands = []entry{
	{Spec: command.Spec{
		Name: "multi", Arity: 1, Flags: command.NoScript | command.Loading | command.Stale | command.Fast | command.AllowBusy,
		Group: "transactions", Since: "1.2.0", Summary: "Starts a transaction.", Complexity: "O(1)",
	}, run: multi},
	{Spec: command.Spec{
		Name: "exec", Arity: 1, Flags: command.NoScript | command.Loading | command.Stale | command.SkipSlowlog,
		Group: "transactions", Since: "1.2.0", Summary: "Executes all commands of a transaction.", Complexity: "Depends on commands in the transaction",
	}, run: exec},
	{Spec: command.Spec{
		Name: "discard", Arity: 1, Flags: command.NoScript | command.Loading | command.Stale | command.Fast | command.AllowBusy,
		Group: "transactions", Since: "2.0.0", Summary: "Discards a transaction.", Complexity: "O(N), when N is the number of queued commands",
	}, run: discard},
	{Spec: command.Spec{
		Name: "watch", Arity: -2, Flags: command.NoScript | command.Loading | command.Stale | command.Fast | command.AllowBusy,
		Group: "transactions", Since: "2.2.0", Summary: "Makes EXEC depend on keys staying as they are.", Complexity: "O(1) for every key.",
		Keys: []command.KeySpec{{Flags: command.RO, Index: 1, Last: -1, Step: 1}},
	}, run: watch},
	{Spec: command.Spec{
		Name: "unwatch", Arity: 1, Flags: command.NoScript | command.Loading | command.Stale | command.Fast | command.AllowBusy,
		Group: "transactions", Since: "2.2.0", Summary: "Forgets watched keys.", Complexity: "O(1)",
	}, run: unwatch},
}

// unqueued commands act at once inside MULTI.
var unqueued = map[string]bool{"exec": true, "discard": true, "multi": true, "watch": true, "quit": true, "reset": true}

func multi(c *conn, _ [][]byte) {
	if c.inMulti {
		c.w.Error("ERR MULTI calls can not be nested")
		return
	}
	c.inMulti = true
	c.w.Simple("OK")
}

func discard(c *conn, _ [][]byte) {
	if !c.inMulti {
		c.w.Error("ERR DISCARD without MULTI")
		return
	}
	c.endMulti()
	c.w.Simple("OK")
}

// endMulti drops the queue and the watched keys.
func (c *conn) endMulti() {
	c.inMulti, c.dirty, c.queue, c.queueBytes = false, false, nil, 0
	c.endWatch()
	c.rd.SetQueued(0)
}

func watch(c *conn, args [][]byte) {
	if c.inMulti {
		c.w.Error("ERR WATCH inside MULTI is not allowed")
		return
	}
	keys, size := c.unwatched(args[1:])
	if c.watchBytes+size > int64(c.srv.entryMax) { // EXEC's entry carries them
		c.w.Error(c.tooLarge(int(c.watchBytes + size)))
		return
	}
	if c.watched == nil {
		c.watched = make(map[watchedKey]struct{}, len(keys))
	}
	for _, k := range keys {
		c.watched[watchedKey{c.db, string(k)}] = struct{}{}
	}
	c.watchBytes += size
	// The state watched may be older than what a confirmed read would see: then EXEC fails, which is safe.
	c.watches = append(c.watches, c.srv.backend.Watch(c.db, keys)...)
	c.w.Simple("OK")
}

const watchOverheadBytes = 32 // database, versions and lengths beside a watched key in an entry

// unwatched are those of the keys that are not watched yet, and the bytes that they take in an entry. A key that is
// watched already keeps its first note.
func (c *conn) unwatched(keys [][]byte) (fresh [][]byte, size int64) {
	fresh = make([][]byte, 0, len(keys))
	for _, k := range keys {
		if _, ok := c.watched[watchedKey{c.db, string(k)}]; !ok {
			fresh = append(fresh, k)
			size += int64(len(k)) + watchOverheadBytes
		}
	}
	return fresh, size
}

func (c *conn) endWatch() { c.watches, c.watched, c.watchBytes = nil, nil, 0 }

func unwatch(c *conn, _ [][]byte) {
	c.endWatch()
	c.w.Simple("OK")
}

// enqueue keeps a command for EXEC. Its arguments are copied: the read buffer moves on.
func (c *conn) enqueue(spec *command.Spec, args [][]byte) {
	c.flush()
	mark := c.w.Len()
	size := callBytes(args)
	if whole := c.watchBytes + c.queueBytes + int64(size); whole > int64(c.srv.entryMax) {
		c.reject(spec, c.tooLarge(int(whole)))
		return
	}
	copied := make([][]byte, len(args))
	for i, a := range args {
		copied[i] = append([]byte(nil), a...)
	}
	c.queue = append(c.queue, queuedCall{spec, copied})
	c.queueBytes += int64(size)
	c.rd.SetQueued(c.queueBytes)
	c.w.Simple("QUEUED")
	c.dropMuted(mark)
	c.publishSession()
}

func exec(c *conn, _ [][]byte) {
	if !c.inMulti {
		c.w.Error("ERR EXEC without MULTI")
		return
	}
	queue, watches, dirty := c.queue, c.watches, c.dirty
	c.endMulti()
	if dirty {
		c.w.Error("EXECABORT Transaction discarded because of previous errors.")
		return
	}
	t := c.plan(queue)
	if t.writes && !c.srv.backend.Leading() {
		c.w.Error(command.ErrReadOnly)
		return
	}
	wait := c.srv.pauses.waitAll
	if t.writes || slices.ContainsFunc(queue, func(q queuedCall) bool { return heldAsWrite[q.spec.Name] }) {
		wait = c.srv.pauses.waitWrites
	}
	c.cachesAll = t.tracks
	defer func() { c.cachesAll = false }()
	switch {
	case !wait(c.ctx):
		c.quit = true // killed: not executed any more
	case t.writes:
		c.execWrites(t, watches)
	default:
		c.execReads(t, watches)
	}
}

// txn is a transaction made ready: calls of the state machine, and places (empty calls) for the connection's own.
type txn struct {
	calls  []command.Call
	locals []queuedCall
	fsm    []queuedCall
	writes bool
	// protocols are those that locals change to, 0 for most; nil: none changes it.
	protocols []int
	// tracks: what is tracked changes within it.
	tracks bool
}

// plan follows the databases that SELECT chooses on the way, and the protocols that HELLO does: the replies of the state
// machine are written before HELLO is run.
func (c *conn) plan(queue []queuedCall) txn {
	t := txn{calls: make([]command.Call, len(queue))}
	db := c.db
	for i, q := range queue {
		if !q.spec.InFSM() || relayed(q.spec) && !c.logged(q.spec) {
			t.locals = append(t.locals, q)
			switch q.spec.Name {
			case "select":
				if n, err := c.parseDB(q.args[1]); err == "" {
					db = n
				}
			case "hello":
				t.switchTo(c.helloProtocol(q.args))
			case "client|caching", "client|tracking":
				t.tracks = true
			}
			continue
		}
		t.calls[i] = command.Call{Spec: q.spec, Args: q.args, DB: db}
		t.fsm = append(t.fsm, q)
		t.writes = t.writes || c.logged(q.spec)
	}
	return t
}

// switchTo notes that the last of the locals changes the protocol, unless it is 0.
func (t *txn) switchTo(proto int) {
	if proto != 0 {
		t.protocols = append(t.protocols, make([]int, len(t.locals)-len(t.protocols))...)
		t.protocols[len(t.locals)-1] = proto
	}
}

func (c *conn) execWrites(t txn, watches []command.Watch) {
	start, mark := time.Now(), c.w.Len()
	c.prop.AddTxn(watches, t.calls)
	c.executing = true
	c.w.SwitchAtMarks(t.protocols)
	c.srv.backend.Propose(c.prop)
	<-c.prop.Done
	c.w.SwitchAtMarks(nil)
	c.executing = false
	if c.prop.Outcome == command.Applied {
		c.lastIndex, c.led = c.prop.Index, true
		c.finishTxn(t, time.Since(start))
	} else {
		c.dropReplies(mark)
		c.w.Error(outcomeText(c.prop.Outcome, c.prop.Err))
	}
	c.prop.Reset()
}

func (c *conn) execReads(t txn, watches []command.Watch) {
	start := time.Now()
	view := func(o command.ReadOptions) bool { return c.srv.backend.ViewTxn(watches, t.calls, o, c.w) }
	var err error
	c.w.SwitchAtMarks(t.protocols)
	if len(t.fsm) == 0 && len(watches) == 0 {
		err = c.view(false, view) // nothing of the data is read: no majority is needed
	} else {
		err = c.read(view)
	}
	c.w.SwitchAtMarks(nil)
	if err != nil {
		c.w.Error(readErrorText(err))
		return
	}
	c.finishTxn(t, time.Since(start))
}

// finishTxn counts the calls and lets the connection's own commands answer in their places. Where the transaction was
// not executed (a watched key had changed) there are no places.
func (c *conn) finishTxn(t txn, took time.Duration) {
	executed := len(c.w.Marks()) == len(t.locals)
	codes := c.w.TakeCalls(nil)
	if executed && len(codes) == len(t.fsm) {
		for i, q := range t.fsm {
			c.observe(q.spec, q.args, took/time.Duration(len(t.fsm)), codes[i])
		}
	}
	times := make([]time.Duration, len(t.locals))
	c.executing = true
	c.w.FillDeferred(func(i int) {
		q, start := t.locals[i], time.Now()
		if q.spec.InFSM() {
			c.publishInExec(q.spec, q.args)
		} else {
			handlers[q.spec](c, q.args)
		}
		c.w.EndCall()
		times[i] = time.Since(start)
	})
	c.executing = false
	for i, code := range c.w.TakeCalls(nil) {
		c.observe(t.locals[i].spec, t.locals[i].args, times[i], code)
	}
}
