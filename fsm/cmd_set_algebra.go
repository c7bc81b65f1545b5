package fsm

import (
	"cmp"
	"iter"
	"slices"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// Commands of several sets.
var setAlgebraCommands = []cmd{
	setAlgebra("sinter", "Returns the members that all of the sets have.", "O(N*M) for M sets, the smallest of which has N members", sinter),
	setAlgebra("sunion", "Returns the members that any of the sets has.", "O(N) for N members of all sets", sunion),
	setAlgebra("sdiff", "Returns the members of the first set that no other has.", "O(N) for N members of all sets", sdiff),
	setStore("sinterstore", command.RW, "Stores the members that all of the sets have in a key.",
		"O(N*M) for M sets, the smallest of which has N members", sinterstore),
	setStore("sunionstore", command.OW, "Stores the members that any of the sets has in a key.", "O(N) for N members of all sets", sunionstore),
	setStore("sdiffstore", command.OW, "Stores the members of the first set that no other has in a key.", "O(N) for N members of all sets", sdiffstore),
	{command.Spec{
		Name: "sintercard", Arity: -3, Flags: command.ReadOnly | command.MovableKeys, Group: "set", Since: "7.0.0",
		Keys:    []command.KeySpec{{Flags: command.RO | command.Access, Index: 1, KeyNum: true, FirstKey: 1, Step: 1}},
		Summary: "Counts the members that all of the sets have.", Complexity: "O(N*M) for M sets, the smallest of which has N members",
	}, sintercard},
}

func setAlgebra(name, summary, cost string, run Executor) cmd {
	return cmd{command.Spec{
		Name: name, Arity: -2, Flags: command.ReadOnly, Group: "set", Since: "1.0.0",
		Keys: manyKeys(1, command.RO|command.Access), Tips: tipsUnordered, Summary: summary, Complexity: cost,
	}, run}
}

// setStore is a command that overwrites a key. Redis 7.0 says of SINTERSTORE (use) that it reads the key, too, which it does
// not.
func setStore(name string, use command.KeyFlags, summary, cost string, run Executor) cmd {
	return cmd{command.Spec{
		Name: name, Arity: -3, Flags: command.Write | command.DenyOOM, Group: "set", Since: "1.0.0",
		Keys: []command.KeySpec{
			keyAt(1, use|command.Update),
			{Flags: command.RO | command.Access, Index: 2, Last: -1, Step: 1},
		},
		Summary: summary, Complexity: cost,
	}, run}
}

// setOperands are the sets of the keys, nil where there is none. ok is false where an error was replied.
func (tx *Tx) setOperands(keys [][]byte, r command.Reply) (sets []*memberSet, ok bool) {
	for _, key := range keys {
		_, s, ok := find[*memberSet](tx, key, r)
		if !ok {
			return nil, false
		}
		sets = append(sets, s)
	}
	return sets, true
}

// distinctSets leaves out absent sets and those that are there before: a call may name a key a million times, and must not take
// longer for it.
func distinctSets(sets []*memberSet) (out []*memberSet) {
	seen := map[*memberSet]bool{nil: true}
	for _, s := range sets {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// intersectSets walks through the members that all sets have, in the order of the smallest.
func intersectSets(sets []*memberSet) iter.Seq[string] {
	return func(yield func(string) bool) {
		if slices.Contains(sets, nil) {
			return
		}
		bySize := distinctSets(sets)
		slices.SortStableFunc(bySize, func(a, b *memberSet) int { return cmp.Compare(a.size(), b.size()) })
		for m := range bySize[0].elements() {
			lacks := func(s *memberSet) bool { return !s.has(m) }
			if !slices.ContainsFunc(bySize[1:], lacks) && !yield(m) {
				return
			}
		}
	}
}

// uniteSets lists the members of all sets, each once.
func uniteSets(sets []*memberSet) (members []string) {
	seen := map[string]bool{}
	for _, s := range distinctSets(sets) {
		for m := range s.elements() {
			if !seen[m] {
				seen[m] = true
				members = append(members, m)
			}
		}
	}
	return members
}

// subtractSets lists the members of the first set that no other has: for each it asks the others, or the first for each of
// theirs, whichever is less.
func subtractSets(sets []*memberSet) (members []string) {
	first, others := sets[0], distinctSets(sets[1:])
	if first == nil {
		return nil
	}
	theirs := 0
	for _, s := range others {
		theirs += s.size()
	}
	taken := func(m string) bool {
		return slices.ContainsFunc(others, func(s *memberSet) bool { return s.has(m) })
	}
	if theirs < first.size()*len(others) {
		gone := map[string]bool{}
		for _, s := range others {
			for m := range s.elements() {
				if first.has(m) {
					gone[m] = true
				}
			}
		}
		taken = func(m string) bool { return gone[m] }
	}
	for m := range first.elements() {
		if !taken(m) {
			members = append(members, m)
		}
	}
	return members
}

func sinter(tx *Tx, c *command.Call, r command.Reply) {
	if sets, ok := tx.setOperands(c.Args[1:], r); ok {
		replyMembers(slices.Collect(intersectSets(sets)), r)
	}
}

func sunion(tx *Tx, c *command.Call, r command.Reply) {
	if sets, ok := tx.setOperands(c.Args[1:], r); ok {
		replyMembers(uniteSets(sets), r)
	}
}

func sdiff(tx *Tx, c *command.Call, r command.Reply) {
	if sets, ok := tx.setOperands(c.Args[1:], r); ok {
		replyMembers(subtractSets(sets), r)
	}
}

func replyMembers(members []string, r command.Reply) {
	r.Set(len(members))
	for _, m := range members {
		r.BulkString(m)
	}
}

func sinterstore(tx *Tx, c *command.Call, r command.Reply) {
	if sets, ok := tx.setOperands(c.Args[2:], r); ok {
		tx.storeSet(c, slices.Collect(intersectSets(sets)), r)
	}
}

func sunionstore(tx *Tx, c *command.Call, r command.Reply) {
	if sets, ok := tx.setOperands(c.Args[2:], r); ok {
		tx.storeSet(c, uniteSets(sets), r)
	}
}

func sdiffstore(tx *Tx, c *command.Call, r command.Reply) {
	if sets, ok := tx.setOperands(c.Args[2:], r); ok {
		tx.storeSet(c, subtractSets(sets), r)
	}
}

// storeSet enters a set in the place of whatever the first key holds.
func (tx *Tx) storeSet(c *command.Call, members []string, r command.Reply) {
	key := c.Args[1]
	if len(members) > 0 {
		tx.set(key, value{obj: newSetOf(tx.m.gen, members)}, 0)
		tx.event(command.EventSet, c.Spec.Name, key)
	} else if it := tx.lookup(key); it != nil {
		tx.remove(key, it)
	}
	r.Int(int64(len(members)))
}

func sintercard(tx *Tx, c *command.Call, r command.Reply) {
	n, ok := parseInt(c.Args[1])
	if !ok || n < 1 {
		r.Error("ERR numkeys should be greater than 0")
		return
	}
	if n > int64(len(c.Args)-2) {
		r.Error("ERR Number of keys can't be greater than number of args")
		return
	}
	keys, options := c.Args[2:2+n], c.Args[2+n:]
	limit := int64(0)
	for i := 0; i < len(options); i += 2 {
		if !word(options[i], "limit") || i+1 == len(options) {
			r.Error(command.ErrSyntax)
			return
		}
		if limit, ok = parseInt(options[i+1]); !ok || limit < 0 {
			r.Error("ERR LIMIT can't be negative")
			return
		}
	}
	sets, ok := tx.setOperands(keys, r)
	if !ok {
		return
	}
	count := int64(0)
	for range intersectSets(sets) {
		if count++; count == limit { // 0 is no limit
			break
		}
	}
	r.Int(count)
}
