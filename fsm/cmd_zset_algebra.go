package fsm

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/ranked"
)

// Unions, intersections and differences of sorted sets, and of sets, whose members count as having the score 1.
var zsetAlgebraCommands = []cmd{
	zsetOf("zunion", "6.2.0", zunion, "Returns the union of sorted sets.", costMerge),
	zsetOf("zinter", "6.2.0", zinter, "Returns the intersection of sorted sets.", costInter),
	zsetOf("zdiff", "6.2.0", zdiff, "Returns the members of a sorted set that are in no other.", costDiff),
	zsetOf("zintercard", "7.0.0", zintercard, "Counts the members of the intersection of sorted sets.", costInter),
	zsetStore("zunionstore", "2.0.0", zunionstore, "Stores the union of sorted sets.", costMerge),
	zsetStore("zinterstore", "2.0.0", zinterstore, "Stores the intersection of sorted sets.", costInter),
	zsetStore("zdiffstore", "6.2.0", zdiffstore, "Stores the members of a sorted set that are in no other.", costDiff),
}

const (
	costMerge = "O(N) + O(M*log(M)) for N members of all sets together, M of which differ"
	costInter = "O(N*K) + O(M*log(M)) for N members of the smallest of K sets, M of which are in all"
	costDiff  = "O(N*K) + O(M*log(M)) for N members of the first of K sets, M of which are left"
)

func zsetOf(name, since string, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: -3, Flags: command.ReadOnly | command.MovableKeys, Group: "sorted-set", Since: since,
		Keys: countedKeys(1, command.RO|command.Access), Summary: summary, Complexity: cost,
	}, run}
}

func zsetStore(name, since string, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: -4, Flags: command.Write | command.DenyOOM | command.MovableKeys, Group: "sorted-set", Since: since,
		Keys:    append(oneKey(command.OW|command.Update), countedKeys(2, command.RO|command.Access)...),
		Summary: summary, Complexity: cost,
	}, run}
}

// scored is a set with scores, as these commands see one.
type scored interface {
	size() int
	scoreOf(member string) (score float64, there bool)
	entriesOf() iter.Seq[ranked.Entry]
}

func (z *zset) scoreOf(member string) (float64, bool) { return z.members.Score(member) }
func (z *zset) entriesOf() iter.Seq[ranked.Entry]     { return z.members.Ascend(0) }

// asScored is the one place that knows which types are sets with scores; nil: this is none.
func asScored(o object) scored {
	switch o := o.(type) {
	case *zset:
		return o
	case *memberSet:
		return plainScores{o}
	}
	return nil
}

// plainScores is a set without scores: all of them are 1.
type plainScores struct{ *memberSet }

func (s plainScores) scoreOf(member string) (float64, bool) { return 1, s.has(member) }

func (s plainScores) entriesOf() iter.Seq[ranked.Entry] {
	return func(yield func(ranked.Entry) bool) {
		for member := range s.elements() {
			if !yield(ranked.Entry{Member: member, Score: 1}) {
				return
			}
		}
	}
}

// input is a set that goes into the result, with its weight.
type input struct {
	scored
	weight float64
}

// weigh multiplies a score. The conversion keeps the product from being fused with the sum that it goes into, which would
// round otherwise on some processors.
func (in *input) weigh(score float64) float64 { return float64(in.weight * score) }

// aggregates are the ways to make one score of two.
var aggregates = []struct {
	name string
	of   func(a, b float64) float64
}{
	{"sum", func(a, b float64) float64 { return orZero(a + b) }},
	{"min", func(a, b float64) float64 {
		if b < a {
			return b
		}
		return a
	}},
	{"max", func(a, b float64) float64 {
		if b > a {
			return b
		}
		return a
	}},
}

// orZero is a score, 0 where it is none: inf-inf, or inf with the weight 0.
func orZero(score float64) float64 {
	if math.IsNaN(score) {
		return 0
	}
	return score
}

// mergeQuery is what a command asks for.
type mergeQuery struct {
	inputs     []input
	aggregate  func(a, b float64) float64
	withScores bool
	limit      int64 // 0: none
}

// mergeOptions are those that a command knows.
type mergeOptions struct{ weights, withScores, limit bool }

func zunion(tx *Tx, c *command.Call, r command.Reply) {
	tx.merge(c, mergeOptions{weights: true, withScores: true}, union, r)
}

func zinter(tx *Tx, c *command.Call, r command.Reply) {
	tx.merge(c, mergeOptions{weights: true, withScores: true}, intersection, r)
}

func zdiff(tx *Tx, c *command.Call, r command.Reply) {
	tx.merge(c, mergeOptions{withScores: true}, difference, r)
}

func (tx *Tx) merge(c *command.Call, o mergeOptions, of func(*mergeQuery) []ranked.Entry, r command.Reply) {
	if q, ok := tx.parseMerge(c, 1, o, r); ok {
		replyEntries(of(&q), q.withScores, r)
	}
}

func zunionstore(tx *Tx, c *command.Call, r command.Reply) {
	tx.mergeStore(c, mergeOptions{weights: true}, union, r)
}

func zinterstore(tx *Tx, c *command.Call, r command.Reply) {
	tx.mergeStore(c, mergeOptions{weights: true}, intersection, r)
}

func zdiffstore(tx *Tx, c *command.Call, r command.Reply) {
	tx.mergeStore(c, mergeOptions{}, difference, r)
}

func (tx *Tx) mergeStore(c *command.Call, o mergeOptions, of func(*mergeQuery) []ranked.Entry, r command.Reply) {
	if q, ok := tx.parseMerge(c, 2, o, r); ok {
		tx.storeEntries(c.Args[1], of(&q), c.Spec.Name, r)
	}
}

func zintercard(tx *Tx, c *command.Call, r command.Reply) {
	q, ok := tx.parseMerge(c, 1, mergeOptions{limit: true}, r)
	if !ok {
		return
	}
	n := int64(0)
	for range q.common() {
		if n++; n == q.limit {
			break
		}
	}
	r.Int(n)
}

// parseMerge reads the arguments from the number of keys on, which stands at at. Redis looks at the keys before it looks at
// the options.
func (tx *Tx) parseMerge(c *command.Call, at int, o mergeOptions, r command.Reply) (q mergeQuery, ok bool) {
	n, ok := intArg(c.Args[at], r)
	switch {
	case !ok:
		return q, false
	case n < 1:
		r.Error("ERR at least 1 input key is needed for '" + c.Spec.Name + "' command")
		return q, false
	case n > int64(len(c.Args)-at-1):
		r.Error(command.ErrSyntax)
		return q, false
	}
	keys, rest := c.Args[at+1:at+1+int(n)], c.Args[at+1+int(n):]
	q.aggregate = aggregates[0].of
	return q, tx.addInputs(&q, keys, r) && q.parseOptions(rest, o, r)
}

// addInputs finds the sets. An absent key is an empty one.
func (tx *Tx) addInputs(q *mergeQuery, keys [][]byte, r command.Reply) bool {
	q.inputs = make([]input, 0, len(keys))
	for _, key := range keys {
		var s scored = &zset{}
		if it := tx.lookup(key); it != nil {
			s = asScored(it.value().obj)
		}
		if s == nil {
			r.Error(command.ErrWrongType)
			return false
		}
		q.inputs = append(q.inputs, input{s, 1})
	}
	return true
}

func (q *mergeQuery) parseOptions(args [][]byte, o mergeOptions, r command.Reply) bool {
	for len(args) > 0 {
		opt := args[0]
		args = args[1:]
		ok := false
		switch {
		case o.weights && word(opt, "weights") && len(args) >= len(q.inputs):
			ok = q.parseWeights(args, r)
			args = args[len(q.inputs):]
		case o.weights && word(opt, "aggregate") && len(args) > 0:
			ok = q.parseAggregate(args[0], r)
			args = args[1:]
		case o.withScores && word(opt, "withscores"):
			q.withScores, ok = true, true
		case o.limit && word(opt, "limit") && len(args) > 0:
			if q.limit, ok = parseInt(args[0]); !ok || q.limit < 0 {
				ok = false
				r.Error("ERR LIMIT can't be negative")
			}
			args = args[1:]
		default:
			r.Error(command.ErrSyntax)
		}
		if !ok {
			return false
		}
	}
	return true
}

func (q *mergeQuery) parseWeights(args [][]byte, r command.Reply) (ok bool) {
	for i := range q.inputs {
		if q.inputs[i].weight, ok = doubleArg(args[i], "ERR weight value is not a float", r); !ok {
			return false
		}
	}
	return true
}

func (q *mergeQuery) parseAggregate(arg []byte, r command.Reply) bool {
	for _, a := range aggregates {
		if word(arg, a.name) {
			q.aggregate = a.of
			return true
		}
	}
	r.Error(command.ErrSyntax)
	return false
}

// bySize puts the smallest input first. Scores are added up in this order, which shows in their last digits.
func (q *mergeQuery) bySize() {
	slices.SortStableFunc(q.inputs, func(a, b input) int { return cmp.Compare(a.size(), b.size()) })
}

func sorted(entries []ranked.Entry) []ranked.Entry {
	slices.SortFunc(entries, ranked.Compare)
	return entries
}

func union(q *mergeQuery) []ranked.Entry {
	q.bySize()
	var out []ranked.Entry
	at := map[string]int{} // where a member is in out
	for _, in := range q.inputs {
		for e := range in.entriesOf() {
			score := orZero(in.weigh(e.Score))
			if i, there := at[e.Member]; there {
				out[i].Score = q.aggregate(out[i].Score, score)
				continue
			}
			at[e.Member] = len(out)
			out = append(out, ranked.Entry{Member: e.Member, Score: score})
		}
	}
	return sorted(out)
}

func intersection(q *mergeQuery) []ranked.Entry {
	return sorted(slices.Collect(q.common()))
}

// common walks through the members that are in all inputs.
func (q *mergeQuery) common() iter.Seq[ranked.Entry] {
	q.bySize()
	first, others := &q.inputs[0], q.inputs[1:]
	return func(yield func(ranked.Entry) bool) {
		for e := range first.entriesOf() {
			score, there := orZero(first.weigh(e.Score)), true
			for i := 0; i < len(others) && there; i++ {
				var other float64
				other, there = others[i].scoreOf(e.Member)
				score = q.aggregate(score, others[i].weigh(other))
			}
			if there && !yield(ranked.Entry{Member: e.Member, Score: score}) {
				return
			}
		}
	}
}

func difference(q *mergeQuery) []ranked.Entry {
	var out []ranked.Entry
	for e := range q.inputs[0].entriesOf() {
		elsewhere := func(in input) bool {
			_, there := in.scoreOf(e.Member)
			return there
		}
		if !slices.ContainsFunc(q.inputs[1:], elsewhere) {
			out = append(out, e)
		}
	}
	return sorted(out)
}
