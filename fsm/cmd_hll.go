package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/hll"
)

// The hyperloglog group of Redis 7.0. What is stored is a string, the same bytes as in Redis.
var hllCommands = []cmd{
	{command.Spec{
		Name: "pfadd", Arity: -2, Flags: command.Write | command.DenyOOM | command.Fast, Group: "hyperloglog", Since: "2.8.9",
		Keys:    oneKey(command.RW | command.Insert),
		Summary: "Adds elements to a HyperLogLog.", Complexity: "O(N) for N elements",
	}, pfadd},
	{command.Spec{
		Name: "pfcount", Arity: -2, Flags: command.ReadOnly, Group: "hyperloglog", Since: "2.8.9",
		Keys:    manyKeys(1, command.RW|command.Access),
		Summary: "Estimates how many different elements were added to HyperLogLogs.", Complexity: "O(N) for N keys",
	}, pfcount},
	{command.Spec{
		Name: "pfmerge", Arity: -2, Flags: command.Write | command.DenyOOM, Group: "hyperloglog", Since: "2.8.9",
		Keys: []command.KeySpec{keyAt(1, command.RW|command.Access|command.Insert),
			{Flags: command.RO | command.Access, Index: 2, Last: -1, Step: 1}},
		Summary: "Merges HyperLogLogs into the first of them.", Complexity: "O(N) for N keys",
	}, pfmerge},
	{command.Spec{
		Name: "pfdebug", Arity: 3, Flags: command.Write | command.DenyOOM | command.Admin, Group: "hyperloglog", Since: "2.8.9",
		Keys:    []command.KeySpec{keyAt(2, command.RW|command.Access)},
		Summary: "Looks into a HyperLogLog.", Complexity: "O(1)",
	}, pfdebug},
	{command.Spec{
		Name: "pfselftest", Arity: 1, Flags: command.Admin, Group: "hyperloglog", Since: "2.8.9",
		Summary: "Tests the estimates of HyperLogLogs.", Complexity: "O(1)",
	}, pfselftest},
}

const (
	errNotHLL     = "WRONGTYPE Key is not a valid HyperLogLog string value."
	errCorruptHLL = "INVALIDOBJ Corrupted HLL object detected"
)

// lookupHLL finds a key that holds a HyperLogLog; its registers may be corrupt. The bytes must not be changed. ok is false
// where an error was replied.
func (tx *Tx) lookupHLL(key []byte, r command.Reply) (it *item, p []byte, ok bool) {
	it, ok = tx.lookupString(key, r)
	if it == nil {
		return nil, nil, ok
	}
	v := it.value()
	s, flat := v.flat()
	if !flat {
		s = v.Slice(0, min(v.Len(), hll.BytesMax+1)) // longer ones are corrupt at that
	}
	if p = dataOf(s); !hll.Is(p) {
		r.Error(errNotHLL)
		return nil, nil, false
	}
	return it, p, true
}

// openHLL returns a sketch of what a key held: a new one where there is no item. ok is false where an error was replied.
func openHLL(it *item, p []byte, r command.Reply) (s *hll.Sketch, ok bool) {
	if it == nil {
		return hll.New(), true
	}
	if s, ok = hll.Open(p); !ok {
		r.Error(errCorruptHLL)
	}
	return s, ok
}

func pfadd(tx *Tx, c *command.Call, r command.Reply) {
	it, p, ok := tx.lookupHLL(c.Args[1], r)
	if !ok {
		return
	}
	if it != nil && len(c.Args) == 2 {
		tx.makeRaw(it)
		r.Int(0)
		return
	}
	s, ok := openHLL(it, p, r)
	if !ok {
		return
	}
	if s.Add(c.Args[2:]); !s.Changed() {
		tx.makeRaw(it)
		r.Int(0)
		return
	}
	tx.setHLL(c.Args[1], it, s)
	r.Int(1)
}

// setHLL stores a sketch to which something was added.
func (tx *Tx) setHLL(key []byte, it *item, s *hll.Sketch) {
	s.Expire()
	tx.setOrPut(key, it, rawBytes(s.Bytes()))
	tx.event(command.EventString, "pfadd", key)
}

func pfcount(tx *Tx, c *command.Call, r command.Reply) {
	if len(c.Args) == 2 {
		tx.countHLL(c.Args[1], r)
		return
	}
	if set, _, ok := tx.mergeHLLs(c.Args[1:], r); ok {
		r.Int(set.Count())
	}
}

// countHLL replies the cardinality that stands in a header, but leaves it as it is where it is out of date: a read changes
// nothing.
func (tx *Tx) countHLL(key []byte, r command.Reply) {
	it, p, ok := tx.lookupHLL(key, r)
	if !ok {
		return
	}
	if it == nil {
		r.Int(0)
		return
	}
	if n, ok := hll.Cached(p); ok {
		r.Int(int64(n))
	} else if n, ok := hll.Count(p); ok {
		r.Int(n)
	} else {
		r.Error(errCorruptHLL)
	}
}

// mergeHLLs merges the HyperLogLogs of keys. dense tells whether one of them is. ok is false where an error was replied.
func (tx *Tx) mergeHLLs(keys [][]byte, r command.Reply) (set *hll.Set, dense, ok bool) {
	set = new(hll.Set)
	merged := make(map[string]bool, len(keys)) // a key that is named again costs nothing
	for _, key := range keys {
		if merged[textOf(key)] {
			continue
		}
		merged[textOf(key)] = true
		it, p, ok := tx.lookupHLL(key, r)
		if !ok {
			return nil, false, false
		}
		if it == nil {
			continue
		}
		if !set.Merge(p) {
			r.Error(errCorruptHLL)
			return nil, false, false
		}
		dense = dense || hll.Dense(p)
	}
	return set, dense, true
}

func pfmerge(tx *Tx, c *command.Call, r command.Reply) {
	set, dense, ok := tx.mergeHLLs(c.Args[1:], r)
	if !ok {
		return
	}
	it, p, ok := tx.lookupHLL(c.Args[1], r)
	if !ok {
		return
	}
	s, ok := openHLL(it, p, r)
	if !ok {
		return
	}
	if dense {
		s.MakeDense()
	}
	s.Merge(set)
	tx.setHLL(c.Args[1], it, s)
	r.Simple("OK")
}

func pfdebug(tx *Tx, c *command.Call, r command.Reply) {
	it, p, ok := tx.lookupHLL(c.Args[2], r)
	if !ok {
		return
	}
	if it == nil {
		r.Error("ERR The specified key does not exist")
		return
	}
	switch sub := c.Args[1]; {
	case word(sub, "getreg"):
		tx.debugRegisters(it, p, r)
	case word(sub, "decode"):
		debugDecode(p, r)
	case word(sub, "encoding") && hll.Dense(p):
		r.Simple("dense")
	case word(sub, "encoding"):
		r.Simple("sparse")
	case word(sub, "todense"):
		if was := hll.Dense(p); tx.makeDense(it, p, r) {
			r.Int(boolInt(!was))
		}
	default:
		r.Error("ERR Unknown PFDEBUG subcommand '" + string(sub) + "'")
	}
}

// debugRegisters is PFDEBUG GETREG, which leaves the HyperLogLog dense, as in Redis.
func (tx *Tx) debugRegisters(it *item, p []byte, r command.Reply) {
	set := new(hll.Set)
	if ok := set.Merge(p); !ok {
		r.Error(errCorruptHLL)
		return
	}
	if !tx.makeDense(it, p, r) {
		return
	}
	r.Array(len(set))
	for _, rank := range set {
		r.Int(int64(rank))
	}
}

func debugDecode(p []byte, r command.Reply) {
	if hll.Dense(p) {
		r.Error("ERR HLL encoding is not sparse")
		return
	}
	text, ok := hll.Describe(p)
	if !ok {
		r.Error(errCorruptHLL)
		return
	}
	r.BulkString(text)
}

// makeDense has an item hold the dense encoding of p. It is false where an error was replied.
func (tx *Tx) makeDense(it *item, p []byte, r command.Reply) bool {
	s, ok := openHLL(it, p, r)
	if !ok {
		return false
	}
	if s.MakeDense(); s.Changed() {
		tx.put(it, rawBytes(s.Bytes()))
	}
	return true
}

func pfselftest(_ *Tx, _ *command.Call, r command.Reply) {
	if err := hll.SelfTest(); err != nil {
		r.Error("ERR the test of HyperLogLogs failed: " + err.Error())
		return
	}
	r.Simple("OK")
}
