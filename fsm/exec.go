package fsm

import (
	"fmt"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// Executor runs one command: it reads and changes the state through tx alone, and writes exactly one reply. The call
// has passed the arity check. It never panics on input; what panics all the same becomes one error reply, the same on
// every node.
type Executor func(tx *Tx, c *command.Call, r command.Reply)

// cmd is a line of a command table.
type cmd struct {
	command.Spec
	run Executor
}

// groups are the command tables of the state machine, each in the file that holds its executors.
var groups = [][]cmd{
	stringCommands, stringIfCommands, stringRangeCommands, counterCommands,
	genericCommands, expireCommands, scanCommands, flushCommands, sortCommands,
	hashCommands, hashExpireCommands, hashExCommands,
	listCommands, listPosCommands, listMoveCommands, listBlockCommands,
	setCommands, setAlgebraCommands, setRandomCommands,
	zsetCommands, zsetRangeCommands, zsetAlgebraCommands, zsetBlockCommands,
	bitmapCommands, hllCommands,
	geoCommands,
	streamCommands, streamReadCommands, streamPendingCommands, streamClaimCommands, streamDeleteCommands,
	publishCommands,
	scriptCommands, fcallCommands,
}

var (
	table     = command.NewTable()
	executors = map[*command.Spec]Executor{}
)

func init() {
	for _, g := range groups {
		for i := range g {
			register(&g[i].Spec, g[i].run)
		}
	}
	for i := range containers {
		c := &containers[i]
		for j := range c.subs {
			c.Subcommands = append(c.Subcommands, &c.subs[j].Spec)
			c.subs[j].FSM = true
			executors[&c.subs[j].Spec] = c.subs[j].run
		}
		register(&c.Spec, nil)
	}
}

func register(s *command.Spec, run Executor) {
	table.Add(s)
	if run != nil {
		s.FSM = true
		executors[s] = run
	}
}

// Commands enters the state machine's commands into t, which routing, COMMAND and the reference page are derived from.
// more are subcommands ("memory|doctor") that others add to the containers here; each table gets containers of its own.
func Commands(t *command.Table, more ...*command.Spec) {
	for _, s := range table.All() {
		if len(s.Subcommands) > 0 {
			s = withSubcommands(s, more)
		}
		t.Add(s)
	}
}

func withSubcommands(s *command.Spec, more []*command.Spec) *command.Spec {
	c := *s
	c.Subcommands = nil
	for _, sub := range s.Subcommands {
		own := *sub
		c.Subcommands = append(c.Subcommands, &own)
	}
	for _, sub := range more {
		if strings.HasPrefix(sub.Name, s.Name+"|") {
			c.Subcommands = append(c.Subcommands, sub)
		}
	}
	return &c
}

// executor finds what runs a command; spec may stand in any table made by Commands. nil: it is not the state machine's.
func executor(spec *command.Spec) Executor {
	if run := executors[spec]; run != nil {
		return run
	}
	return executors[table.Get(spec.Name)]
}

// Executes reports whether the state machine runs a command itself.
func Executes(spec *command.Spec) bool { return executor(spec) != nil }

// CountUnits counts the units of an entry of calls, and checks that this build can execute them: an entry that it cannot
// execute would stop every node.
func CountUnits(body []byte) (units int, err error) {
	var r command.UnitReader
	r.Reset(body)
	for u := r.Next(); u != nil; u = r.Next() {
		units++
		for i := range u.Calls {
			c := &u.Calls[i]
			if u.Txn && len(c.Args) == 0 {
				continue
			}
			if c.Spec = table.Lookup(c.Args); !executable(c) {
				return 0, fmt.Errorf("%w: %.64q", ErrEntryVersion, c.Args)
			}
		}
	}
	return units, r.Err()
}

// executable reports whether a call of the log can be executed.
func executable(c *command.Call) bool {
	return c.Spec != nil && executors[c.Spec] != nil && c.Spec.ArityOK(len(c.Args))
}

// runUnit executes a call or a transaction of the log.
func (m *Machine) runUnit(tx *Tx, u *command.Unit, r command.Reply) error {
	tx.waits = false
	if !u.Txn {
		tx.attempt = attemptFirst
		err := m.runLogged(tx, &u.Calls[0], r)
		tx.attempt = attemptNone
		return err
	}
	if !m.watchesHold(u.Watches) {
		r.NullArray()
		return nil
	}
	r.Array(len(u.Calls))
	for i := range u.Calls {
		if len(u.Calls[i].Args) == 0 {
			r.Deferred()
			continue
		}
		if err := m.runLogged(tx, &u.Calls[i], r); err != nil {
			return err
		}
	}
	return nil
}

// runLogged executes a call that stands in the log. A command that this build does not know is no input error: the
// proposer knew it, so going on would diverge. A database that is not there is one: how many there are is part of the
// state, and a client may have chosen its own before the node knew.
func (m *Machine) runLogged(tx *Tx, c *command.Call, r command.Reply) error {
	if c.Spec = table.Lookup(c.Args); !executable(c) {
		return ErrEntryVersion
	}
	if c.DB < 0 || c.DB >= len(m.dbs) {
		r.Error(command.ErrDBIndex)
		r.EndCall()
		return nil
	}
	tx.nextCall(c.DB)
	tx.replies = r != command.Discard
	tx.reads = tx.replies && c.Spec.Is(command.ReadOnly)
	run(tx, c, r)
	return nil
}

// run is the one way to an executor. A panic takes back what was written of the reply, or the error after it would shift
// every later reply of the connection. What the executor has done to the state stays done: it is the same on every node,
// since an executor sees nothing that differs between them.
func run(tx *Tx, c *command.Call, r command.Reply) {
	r.BeginCall()
	defer func() {
		if p := recover(); p != nil {
			tx.panicked(c, p)
			r.Retract()
			r.Error(command.ErrInternal)
			tx.waits = false
		}
		if !tx.waits {
			r.EndCall()
		}
	}()
	tx.reading(c)
	executor(c.Spec)(tx, c, r)
}

// watchesHold reports whether every watched key is as it was.
func (m *Machine) watchesHold(ws []command.Watch) bool {
	for i := range ws {
		w := &ws[i]
		if w.DB < 0 || w.DB >= len(m.dbs) {
			return false
		}
		version, born := m.watchState(w.DB, w.Key, m.now)
		if version != w.Version || born != w.Born {
			return false
		}
	}
	return true
}

// watchState is what a WATCH notes of a key at a moment. Beside the version of a hash stands how many of its fields have
// expired without being removed yet, which is no modification.
func (m *Machine) watchState(db int, key []byte, now int64) (version, born uint64) {
	if db >= len(m.dbs) {
		return 0, 0
	}
	hash := m.cluster.hash.sum(key)
	if it := m.dbs[db].get(hash, key); it != nil && !it.expired(now) {
		return it.version, uint64(it.fieldsDue(now))
	}
	return 0, m.born[bornBucket(hash, db)]
}

func bornBucket(hash uint64, db int) int {
	return int((hash + uint64(db)*0x9e3779b97f4a7c15) % bornBuckets)
}
