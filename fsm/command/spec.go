// Package command is the vocabulary that the state machine, the Raft node and the RESP facade share: what a command is
// (Spec, Table), what is asked (Call, Proposal), how an answer is written (Reply) and the error texts of Redis. It is a
// leaf: it imports nothing of the project, starts no goroutine and reads no clock.
package command

import "strings"

// Flags are Redis 7.0's command flags, as COMMAND INFO prints them.
type Flags uint32

// The flags in the order in which COMMAND INFO lists them.
const (
	Write Flags = 1 << iota
	ReadOnly
	DenyOOM
	Module
	Admin
	PubSub
	NoScript
	Blocking
	Loading
	Stale
	SkipMonitor
	SkipSlowlog
	Asking
	Fast
	NoAuth
	MayReplicate
	NoMandatoryKeys
	NoAsyncLoading
	NoMulti
	MovableKeys
	AllowBusy
)

var flagNames = []string{
	"write", "readonly", "denyoom", "module", "admin", "pubsub", "noscript", "blocking", "loading", "stale",
	"skip_monitor", "skip_slowlog", "asking", "fast", "no_auth", "may_replicate", "no_mandatory_keys",
	"no_async_loading", "no_multi", "movablekeys", "allow_busy",
}

// Names lists the flags by their Redis names, as COMMAND INFO does: without MayReplicate.
func (f Flags) Names() []string { return bitNames(uint64(f), flagNames) }

func bitNames(bits uint64, names []string) []string {
	var out []string
	for i, n := range names {
		if bits&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// KeyFlags say what a command does with the keys of one KeySpec (Redis 7.0 key specifications).
type KeyFlags uint32

// The key flags in the order in which COMMAND INFO lists them.
const (
	RO KeyFlags = 1 << iota // reads the value
	RW                      // reads and writes
	OW                      // overwrites
	RM                      // removes
	Access
	Update
	Insert
	Delete
	NotKey
	Incomplete
	VariableFlags
)

var keyFlagNames = []string{
	"RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key", "incomplete", "variable_flags",
}

// Names lists the key flags by their Redis names.
func (f KeyFlags) Names() []string { return bitNames(uint64(f), keyFlagNames) }

// KeySpec says where keys stand in a command's arguments, as Redis 7.0's key specifications do. Begin: at argument
// Index, or after Keyword (searched from argument StartFrom; negative: from the end backwards). Find: a range of keys
// (Last counts from the first key, negative from the end; every Step-th argument; Limit 0, or 2 for the first half...),
// or, where KeyNum is set, a count at KeyNumIndex (counted from the beginning) and keys from FirstKey on.
type KeySpec struct {
	Flags     KeyFlags
	Index     int
	Keyword   string
	StartFrom int

	Last, Step, Limit int

	KeyNum                bool
	KeyNumIndex, FirstKey int
}

// Spec is one command: a line of the table. Everything that must agree on a command (arity check, routing, COMMAND,
// ACL categories, the reference page) is derived from it.
type Spec struct {
	// Name is in lower case; a subcommand's is "container|sub".
	Name string
	// Arity counts the name itself; negative: at least.
	Arity int
	Flags Flags
	Keys  []KeySpec
	// KeysFunc finds the keys where Keys cannot say it all. args has passed the arity check.
	KeysFunc func(args [][]byte) []KeyRef
	// Timeout says of a blocking command how long it waits: milliseconds, 0 for ever. It is false where args ask for no wait,
	// or say no time.
	Timeout func(args [][]byte) (millis int64, ok bool)
	Group   string
	Since   string
	// Categories are ACL categories beyond those that follow from flags and group, without the "@".
	Categories []string
	// Tips are Redis 7.0's command tips.
	Tips []string
	// Deprecated is the version since which the command is deprecated, ReplacedBy what to use instead.
	Deprecated, ReplacedBy string
	Summary                string
	Complexity             string
	// Subcommands makes the command a container.
	Subcommands []*Spec
	// Parent is the container of a subcommand. Table.Add sets it.
	Parent *Spec
	// FSM: the state machine executes the command. Its package sets it.
	FSM bool
}

// Is reports whether any of the flags is set.
func (s *Spec) Is(f Flags) bool { return s.Flags&f != 0 }

// InFSM reports whether the state machine executes the command; the others are the connection's or the server's.
func (s *Spec) InFSM() bool { return s.FSM }

// MayLog reports whether the command goes through the log on the leader although it is no write: what it does may be for
// all nodes (PUBLISH), or may turn out to be a write (a script). What is flagged readonly, as PFCOUNT is beside, does not.
func (s *Spec) MayLog() bool { return s.FSM && s.Is(MayReplicate) && !s.Is(Write|ReadOnly) }

// ArityOK checks a number of arguments that counts the name.
func (s *Spec) ArityOK(argc int) bool {
	if s.Arity < 0 {
		return argc >= -s.Arity
	}
	return argc == s.Arity
}

// DisplayName is the name as Redis's error texts print it ("config|get").
func (s *Spec) DisplayName() string { return s.Name }

// Table holds every command by name. It is filled before it is shared and read-only from then on.
type Table struct {
	byName map[string]*Spec
	list   []*Spec
}

// NewTable returns an empty table.
func NewTable() *Table { return &Table{byName: make(map[string]*Spec)} }

// Add enters a command and its subcommands. A name registered twice is a programming error: it panics.
func (t *Table) Add(s *Spec) {
	t.put(s)
	t.list = append(t.list, s)
	for _, sub := range s.Subcommands {
		sub.Parent = s
		if !strings.HasPrefix(sub.Name, s.Name+"|") {
			panic("command: subcommand " + sub.Name + " does not start with " + s.Name + "|")
		}
		t.put(sub)
	}
}

func (t *Table) put(s *Spec) {
	if _, dup := t.byName[s.Name]; dup {
		panic("command: " + s.Name + " registered twice")
	}
	t.byName[s.Name] = s
}

// All returns the commands in the order of registration, without subcommands.
func (t *Table) All() []*Spec { return t.list }

// Get finds a command or ("container|sub") a subcommand by its lower-case name.
func (t *Table) Get(name string) *Spec { return t.byName[name] }

const nameBytesMax = 64 // longer than any command's name; longer input is unknown without a look

// Lookup finds the command that args name, in any case: the subcommand where the command is a container and the
// second argument names one; the container itself where it does not. nil: unknown command.
func (t *Table) Lookup(args [][]byte) *Spec {
	var buf [2*nameBytesMax + 1]byte
	if len(args) == 0 || len(args[0]) > nameBytesMax {
		return nil
	}
	name := appendLower(buf[:0], args[0])
	s := t.byName[string(name)]
	if s == nil || s.Parent != nil {
		return nil
	}
	if len(s.Subcommands) == 0 || len(args) < 2 || len(args[1]) > nameBytesMax {
		return s
	}
	name = appendLower(append(name, '|'), args[1])
	if sub := t.byName[string(name)]; sub != nil {
		return sub
	}
	return s
}

func appendLower(dst, src []byte) []byte {
	for _, c := range src {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
