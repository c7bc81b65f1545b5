package fsm

import (
	"bytes"
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
)

var listPosCommands = []cmd{
	listRead("lpos", -3, "6.0.6", 0, command.Access, lpos,
		"Returns the indexes of elements of a list by their value.", "O(N) for N elements that are compared"),
}

// posOptions are the options of LPOS.
type posOptions struct {
	// rank is the match to begin with, 1 being the first; negative: from the end of the list.
	rank int64
	// count is how many matches are wanted, 0: all. many says that it was given.
	count int64
	many  bool
	// compared bounds how many elements are compared; 0: all.
	compared int64
}

func parsePosOptions(args [][]byte, r command.Reply) (o posOptions, ok bool) {
	o.rank = 1
	for i := 0; i < len(args); i += 2 {
		if i+1 == len(args) {
			r.Error(command.ErrSyntax)
			return o, false
		}
		switch opt, arg := args[i], args[i+1]; {
		case word(opt, "rank"):
			if o.rank, ok = intArg(arg, r); ok && o.rank == 0 {
				r.Error("ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
					"or use negative to start from the end of the list")
				ok = false
			}
		case word(opt, "count"):
			o.many = true
			o.count, ok = notNegative(arg, "COUNT", r)
		case word(opt, "maxlen"):
			o.compared, ok = notNegative(arg, "MAXLEN", r)
		default:
			r.Error(command.ErrSyntax)
			ok = false
		}
		if !ok {
			return o, false
		}
	}
	return o, true
}

// notNegative reads the number of an option. Redis has one text for all that it does not take.
func notNegative(arg []byte, option string, r command.Reply) (n int64, ok bool) {
	if n, ok = parseInt(arg); !ok || n < 0 {
		r.Error("ERR " + option + " can't be negative")
		return 0, false
	}
	return n, true
}

func lpos(tx *Tx, c *command.Call, r command.Reply) {
	o, ok := parsePosOptions(c.Args[3:], r)
	if !ok {
		return
	}
	_, l, ok := find[*list](tx, c.Args[1], r)
	if !ok {
		return
	}
	var found []int
	if l != nil {
		found = l.positions(c.Args[2], o)
	}
	switch {
	case o.many:
		r.Array(len(found))
		for _, at := range found {
			r.Int(int64(at))
		}
	case len(found) == 0:
		r.Null()
	default:
		r.Int(int64(found[0]))
	}
}

// positions lists the indexes of the elements that are s, as the options say.
func (l *list) positions(s []byte, o posOptions) (found []int) {
	elems, rank := l.elems.From(0), o.rank
	if rank < 0 {
		elems, rank = l.elems.Backward(), -rank
	}
	wanted := o.count
	switch {
	case !o.many:
		wanted = 1
	case wanted == 0:
		wanted = math.MaxInt64
	}
	compared, matches := int64(0), int64(0)
	for i, elem := range elems {
		if o.compared > 0 && compared == o.compared {
			break
		}
		compared++
		if !bytes.Equal(elem, s) {
			continue
		}
		if matches++; matches < rank {
			continue
		}
		if found = append(found, i); int64(len(found)) == wanted {
			break
		}
	}
	return found
}
