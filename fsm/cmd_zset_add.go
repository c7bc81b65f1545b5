package fsm

import (
	"math"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// addOptions are the options of ZADD.
type addOptions struct{ nx, xx, gt, lt, ch, incr bool }

func zadd(tx *Tx, c *command.Call, r command.Reply) {
	var o addOptions
	rest := o.parse(c.Args[2:])
	if len(rest) == 0 || len(rest)%2 != 0 {
		r.Error(command.ErrSyntax)
		return
	}
	if why := o.conflict(len(rest) / 2); why != "" {
		r.Error(why)
		return
	}
	tx.addPairs(c.Args[1], rest, o, r)
}

func zincrby(tx *Tx, c *command.Call, r command.Reply) {
	tx.addPairs(c.Args[1], c.Args[2:], addOptions{incr: true}, r)
}

// addPairs is ZADD and ZINCRBY: pairs are scores and members.
func (tx *Tx) addPairs(key []byte, pairs [][]byte, o addOptions, r command.Reply) {
	members, scores := make([][]byte, 0, 8), make([]float64, 0, 8) // on the stack for few of them
	for i := 0; i < len(pairs); i += 2 {
		score, ok := doubleArg(pairs[i], command.ErrNotFloat, r)
		if !ok {
			return
		}
		members, scores = append(members, pairs[i+1]), append(scores, score)
	}
	tx.addScores(key, members, scores, o, r)
}

// parse reads the options in front of the scores and returns what follows them.
func (o *addOptions) parse(args [][]byte) (rest [][]byte) {
	for i, opt := range args {
		switch {
		case word(opt, "nx"):
			o.nx = true
		case word(opt, "xx"):
			o.xx = true
		case word(opt, "ch"):
			o.ch = true
		case word(opt, "incr"):
			o.incr = true
		case word(opt, "gt"):
			o.gt = true
		case word(opt, "lt"):
			o.lt = true
		default:
			return args[i:]
		}
	}
	return nil
}

// conflict says why options can't stand together, with so many members; "": they can.
func (o *addOptions) conflict(members int) string {
	switch {
	case o.nx && o.xx:
		return "ERR XX and NX options at the same time are not compatible"
	case o.gt && o.nx, o.lt && o.nx, o.gt && o.lt:
		return "ERR GT, LT, and/or NX options at the same time are not compatible"
	case o.incr && members > 1:
		return "ERR INCR option supports a single increment-element pair"
	}
	return ""
}

const errNaN = "ERR resulting score is not a number (NaN)"

// addition is a ZADD under way.
type addition struct {
	addOptions
	tx             *Tx
	z              *zset // nil: there is none yet
	added, updated int
	score          float64 // of the last member that was not left out
	left           bool    // the last member was left out
}

// addScores adds members, or changes their scores, as the options allow.
func (tx *Tx) addScores(key []byte, members [][]byte, scores []float64, o addOptions, r command.Reply) {
	it, z, ok := find[*zset](tx, key, r)
	if !ok {
		return
	}
	a := addition{addOptions: o, tx: tx, z: z}
	for i, score := range scores {
		if !a.put(members[i], score) {
			r.Error(errNaN) // with INCR, which has one member: nothing has changed
			return
		}
	}
	if a.added+a.updated > 0 {
		tx.keep(key, it, a.z)
		event := "zadd"
		if o.incr {
			event = "zincr"
		}
		tx.event(command.EventZset, event, key)
	}
	a.reply(r)
}

// put adds a member, or changes its score, as the options allow. It is false where the score would be NaN.
func (a *addition) put(member []byte, score float64) bool {
	old, there := a.z.score(member)
	a.left = !there && a.xx || there && a.nx
	if a.left {
		return true
	}
	if there && a.incr {
		score += old
	}
	if math.IsNaN(score) {
		return false
	}
	if a.left = there && (a.gt && score <= old || a.lt && score >= old); a.left {
		return true
	}
	a.score = score
	switch {
	case !there:
		a.z = own(a.tx, a.z, newZset)
		a.z.add(member, score)
		a.added++
	case score != old:
		a.z = own(a.tx, a.z, newZset)
		a.z.members.Put(textOf(member), score)
		a.updated++
	}
	return true
}

func (a *addition) reply(r command.Reply) {
	switch {
	case a.incr && a.left:
		r.Null()
	case a.incr:
		r.Double(a.score)
	case a.ch:
		r.Int(int64(a.added + a.updated))
	default:
		r.Int(int64(a.added))
	}
}
