package workload

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/redoubtdb/redoubt/integration/chaos/workload/check"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

const (
	ttlMin = 200 * time.Millisecond
	ttlMax = 3 * time.Second
	ttlFar = 30 * 24 * time.Hour
	// How many keys of each sort a client looks at, and keeps to the end.
	expiryLive    = 30
	expiryStay    = 40
	expiryGone    = 1000
	expiryGoneAsk = 20 // of those that are gone, in one read
)

// expiry has clients set keys with deadlines, move deadlines, and look at their keys on all nodes.
type expiry struct {
	*run
	clients []*expiring
}

// expiring is one client's keys.
type expiring struct {
	*client
	judged *check.Expiry
	mark   string
	made   int
	live   []string // may go at any time
	stay   []string // are far from their deadlines, or have none
	gone   []string // the last ones that went
}

func newExpiry(r *run) Workload { return &expiry{run: r, clients: make([]*expiring, r.o.Clients)} }

// Run implements Workload.
func (w *expiry) Run(ctx context.Context) {
	w.drive(ctx, func(c *client) {
		mark := w.prefix + strconv.Itoa(c.id) + ":mark"
		x := &expiring{client: c, judged: check.NewExpiry(c.id, w.o.ClockJumps), mark: mark}
		w.clients[c.id] = x
		for x.begin() {
			x.operate()
		}
	})
}

func (x *expiring) operate() {
	switch n := x.rng.IntN(20); {
	case n < 6:
		x.create()
	case n < 9:
		x.move()
	case n < 11:
		x.raise()
	case n < 16:
		x.look(true)
	default:
		x.look(false)
	}
}

func wall() int64 { return time.Now().UnixNano() }

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// create sets a new key: mostly one that goes soon.
func (x *expiring) create() {
	if len(x.live) >= expiryLive {
		x.look(true)
		x.dropDoubtful()
		return
	}
	x.made++
	key := x.prefix + strconv.Itoa(x.id) + ":" + strconv.Itoa(x.made)
	value := strconv.Itoa(x.made)
	ttl := (ttlMin + time.Duration(x.rng.Int64N(int64(ttlMax-ttlMin)))).Truncate(time.Millisecond)
	stays := len(x.stay) < expiryStay && x.rng.IntN(4) == 0
	if stays {
		ttl = ttlFar
	}
	begin := wall()
	_, outcome, _ := x.write("SET", key, value, "PX", millis(ttl))
	x.judged.Set(key, value, outcome, begin+int64(ttl), wall()+int64(ttl))
	if stays && outcome == check.Acked {
		x.stay = append(x.stay, key)
	} else {
		x.live = append(x.live, key)
	}
}

// move gives a key another deadline: one soon, one far away, or none.
func (x *expiring) move() {
	if len(x.live) == 0 {
		return
	}
	i := x.rng.IntN(len(x.live))
	key := x.live[i]
	words, at := []string{"PERSIST", key}, check.NoDeadline
	soon := len(x.stay) >= expiryStay || x.rng.IntN(2) == 0
	switch {
	case soon:
		at = x.deadline(ttlMax)
		words = []string{"PEXPIREAT", key, strconv.FormatInt(at/int64(time.Millisecond), 10)}
	case x.rng.IntN(2) == 0:
		at = x.deadline(ttlFar)
		words = []string{"PEXPIREAT", key, strconv.FormatInt(at/int64(time.Millisecond), 10)}
	}
	v, outcome, _ := x.write(words...)
	x.judged.Move(key, outcome, v.Int == 1, at, at)
	if !soon && outcome == check.Acked && v.Int == 1 {
		x.live = slices.Delete(x.live, i, i+1)
		x.stay = append(x.stay, key)
	}
	x.sort()
}

// deadline is a moment of the wall clock in whole milliseconds.
func (x *expiring) deadline(in time.Duration) int64 {
	return (wall() + int64(in)) / int64(time.Millisecond) * int64(time.Millisecond)
}

// raise writes the next mark.
func (x *expiring) raise() {
	x.write("SET", x.mark, strconv.FormatInt(x.judged.Mark(), 10))
}

// look reads the mark, all keys that may go, and some of the others, at the leader or at any node.
func (x *expiring) look(leading bool) {
	keys := slices.Clone(x.live)
	keys = append(keys, x.stay...)
	for range min(len(x.gone), expiryGoneAsk) {
		keys = append(keys, x.gone[x.rng.IntN(len(x.gone))])
	}
	p := check.Probe{Node: x.addr, Leading: leading && !x.o.StaleReads, Keys: keys}
	words := append([]string{"MGET", x.mark}, keys...)
	var v respclient.Value
	var ok bool
	p.Wall.Call = wall()
	if leading {
		v, _, ok = x.query(words...)
	} else {
		v, _, p.Node, ok = x.queryAnywhere(words...)
	}
	p.Wall.Return = wall()
	if ok {
		x.judge(p, v.Elems)
		x.sort()
	}
}

func (x *expiring) judge(p check.Probe, values []respclient.Value) {
	p.Mark, _ = strconv.ParseInt(values[0].Str, 10, 64) // absent: 0
	for _, v := range values[1:] {
		p.Values = append(p.Values, v.Str)
	}
	x.judged.Read(p)
}

// sort puts the keys that have gone apart, and forgets the oldest of them.
func (x *expiring) sort() {
	x.live = slices.DeleteFunc(x.live, func(key string) bool {
		if !x.judged.Gone(key) {
			return false
		}
		x.gone = append(x.gone, key)
		return true
	})
	if n := len(x.gone) - expiryGone; n > 0 {
		for _, key := range x.gone[:n] {
			x.judged.Forget(key)
		}
		x.gone = slices.Delete(x.gone, 0, n)
	}
}

// dropDoubtful forgets keys that may never come or never go, and would take the place of others for ever.
func (x *expiring) dropDoubtful() {
	x.live = slices.DeleteFunc(x.live, func(key string) bool {
		if !x.judged.Doubtful(key) {
			return false
		}
		x.judged.Forget(key)
		return true
	})
}

// Final implements Workload.
func (w *expiry) Final(ctx context.Context) error {
	for _, x := range w.clients {
		if x == nil {
			continue
		}
		// The last mark is behind everything, so each node's state shows all of it.
		if err := w.insist(ctx, "SET", x.mark, strconv.FormatInt(x.judged.Mark(), 10)); err != nil {
			return err
		}
		keys := append(append(slices.Clone(x.stay), x.gone...), x.live...)
		p := check.Probe{Wall: check.Span{Call: wall()}}
		err := w.atEach(ctx, append([]string{x.mark}, keys...), func(node string, from int, values []respclient.Value) {
			if from == 0 {
				p.Mark, _ = strconv.ParseInt(values[0].Str, 10, 64)
				values = values[1:]
				from = 1
			}
			p.Node, p.Keys, p.Values = node, keys[from-1:from-1+len(values)], nil
			for _, v := range values {
				p.Values = append(p.Values, v.Str)
			}
			p.Wall.Return = wall()
			x.judged.Read(p)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Check implements Workload.
func (w *expiry) Check() Report {
	out := w.result()
	for _, x := range w.clients {
		if x != nil {
			out.Violations = append(out.Violations, x.judged.Violations()...)
		}
	}
	return out
}
