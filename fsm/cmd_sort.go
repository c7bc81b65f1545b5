package fsm

import (
	"github.com/redoubtdb/redoubt/fsm/command"
)

// Sorting, of the generic group: SORT_RO.
var sortCommands = []cmd{
	{command.Spec{
		Name: "sort_ro", Arity: -2, Flags: command.ReadOnly | command.MovableKeys, Group: "generic", Since: "7.0.0",
		Keys:       []command.KeySpec{keyAt(1, command.RO|command.Access), {Flags: command.RO | command.Access}}, // and what patterns name
		KeysFunc:   func([][]byte) []command.KeyRef { return []command.KeyRef{{Pos: 1, Flags: command.RO | command.Access}} },
		Categories: []string{"set", "sortedset", "list", "dangerous"},
		Summary:    "Sorts the elements of a list, a set or a sorted set.",
		Complexity: "O(N*log(N)) for N elements, O(N) where they are taken as they come",
	}, sortOnly},
}

// parseSort reads the options of SORT_RO. ok is false where an error was replied.
func parseSort(args [][]byte, r command.Reply) (o sortOptions, ok bool) {
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
	o, ok := parseSort(c.Args[2:], r)
	if !ok {
		return
	}
	q, ok := findOr[sequence](tx, c.Args[1], r, func() { r.Array(0) })
	if !ok {
		return
	}
	s := sorter{tx: tx, sortOptions: &o, work: sortWorkMax}
	elems, errText := s.elements(q)
	var rows []sortText
	if errText == "" {
		rows, errText = s.rows(elems)
	}
	if errText != "" {
		r.Error(errText)
		return
	}
	replyRows(rows, r)
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
