package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/quicklist"
)

// Sorting, of the generic group.
var sortCommands = []cmd{
	{command.Spec{
		Name: "sort", Arity: -2, Flags: command.Write | command.DenyOOM | command.MovableKeys, Group: "generic", Since: "1.0.0",
		Keys: append(sortKeys(), command.KeySpec{Flags: command.OW | command.Update}), KeysFunc: findSortKeys,
		Categories: sortCategories,
		Summary:    "Sorts the elements of a list, a set or a sorted set, and replies or stores them.",
		Complexity: "O(N*log(N)) for N elements, O(N) where they are taken as they come",
	}, sortOrStore},
	{command.Spec{
		Name: "sort_ro", Arity: -2, Flags: command.ReadOnly | command.MovableKeys, Group: "generic", Since: "7.0.0",
		Keys: sortKeys(), KeysFunc: func(args [][]byte) []command.KeyRef { return findSortKeys(args)[:1] },
		Categories: sortCategories,
		Summary:    "Sorts the elements of a list, a set or a sorted set.",
		Complexity: "O(N*log(N)) for N elements, O(N) where they are taken as they come",
	}, sortOnly},
}

var sortCategories = []string{"set", "sortedset", "list", "dangerous"}

// sortKeys are the key that is sorted, and those that patterns name.
func sortKeys() []command.KeySpec {
	return []command.KeySpec{keyAt(1, command.RO|command.Access), {Flags: command.RO | command.Access}}
}

// findSortKeys finds the key that is sorted and that of the last STORE. What an option takes is none.
func findSortKeys(args [][]byte) []command.KeyRef {
	keys := []command.KeyRef{{Pos: 1, Flags: command.RO | command.Access}}
	for i := 2; i < len(args); i++ {
		switch {
		case word(args[i], "limit"):
			i += 2
		case word(args[i], "get"), word(args[i], "by"):
			i++
		case word(args[i], "store") && i+1 < len(args):
			keys = append(keys[:1], command.KeyRef{Pos: i + 1, Flags: command.OW | command.Update})
			i++
		}
	}
	return keys
}

// parseSort reads the options of SORT and (readOnly) SORT_RO. ok is false where an error was replied.
func parseSort(args [][]byte, readOnly bool, r command.Reply) (o sortOptions, ok bool) {
	o.count = -1
	for i := 0; i < len(args); i++ {
		left := len(args) - i - 1
		switch opt := args[i]; {
		case word(opt, "asc"):
			o.desc = false
		case word(opt, "desc"):
			o.desc = true
		case word(opt, "alpha"):
			o.alpha = true
		case word(opt, "limit") && left >= 2:
			if o.offset, ok = intArg(args[i+1], r); !ok {
				return o, false
			}
			if o.count, ok = intArg(args[i+2], r); !ok {
				return o, false
			}
			i += 2
		case word(opt, "store") && left >= 1 && !readOnly:
			i++
			o.stores, o.store = true, args[i]
		case word(opt, "by") && left >= 1:
			i++
			by := parseSortPattern(args[i])
			o.by, o.asTheyCome = &by, o.asTheyCome || !by.named
		case word(opt, "get") && left >= 1:
			i++
			o.gets = append(o.gets, parseSortPattern(args[i]))
		default:
			r.Error(command.ErrSyntax)
			return o, false
		}
	}
	return o, true
}

func sortOnly(tx *Tx, c *command.Call, r command.Reply) {
	if rows, _, ok := tx.sort(c, true, r); ok {
		replyRows(rows, r)
	}
}

func sortOrStore(tx *Tx, c *command.Call, r command.Reply) {
	rows, o, ok := tx.sort(c, false, r)
	switch {
	case !ok:
	case o.stores:
		tx.storeRows(o.store, rows, r)
	default:
		replyRows(rows, r)
	}
}

// sort does what both commands have in common. ok is false where an error was replied.
func (tx *Tx) sort(c *command.Call, readOnly bool, r command.Reply) (rows []sortText, o sortOptions, ok bool) {
	o, ok = parseSort(c.Args[2:], readOnly, r)
	if !ok {
		return nil, o, false
	}
	it, q, ok := find[sequence](tx, c.Args[1], r)
	if !ok || it == nil {
		return nil, o, ok
	}
	if o.asTheyCome && o.stores && q.kind() == kindSet {
		// So does Redis, whose sets have no order that its replicas share.
		o.asTheyCome, o.by, o.alpha = false, nil, true
	}
	s := sorter{tx: tx, sortOptions: &o, work: sortWorkMax}
	elems, errText := s.elements(q)
	if errText == "" {
		rows, errText = s.rows(elems)
	}
	if errText != "" {
		r.Error(errText)
		return nil, o, false
	}
	return rows, o, true
}

func replyRows(rows []sortText, r command.Reply) {
	r.Array(len(rows))
	for _, f := range rows {
		if f.there {
			r.BulkString(f.text)
		} else {
			r.Null()
		}
	}
}

// storeRows enters a list in the place of whatever key holds. What was not there is an empty element.
func (tx *Tx) storeRows(key []byte, rows []sortText, r command.Reply) {
	if len(rows) > 0 {
		l := newList(tx.m.gen)
		for _, f := range rows {
			l.elems.Push(quicklist.Back, dataOf(f.text))
		}
		tx.set(key, value{obj: l}, 0)
		tx.event(command.EventList, "sortstore", key)
	} else if it := tx.lookup(key); it != nil {
		tx.remove(key, it)
	}
	r.Int(int64(len(rows)))
}
