package main

import "fmt"

// generator is who makes a load.
type generator int

const (
	byRedisBenchmark generator = iota
	byOwn                      // our own generator
	byEtcd                     // the program in the directory etcd, with etcd's client
)

func (g generator) String() string { return [...]string{"redis-benchmark", "own", "etcd's client"}[g] }

// measure is a column of the report: a system, what is done to it and by which generator.
type measure struct {
	system systemID
	op     operation
	by     generator
	wait   bool // WAIT 1 after the SETs; own generator only
	lease  bool // reads by lease, not by a read-index round; ours only
}

// The measures, in the order in which a round takes them. Systems that are compared follow one another.
var (
	setRedoubt = measure{system: redoubt, op: opSet}
	setSingle  = measure{system: single, op: opSet}
	setTrio    = measure{system: trio, op: opSet}
	ownRedoubt = measure{system: redoubt, op: opSet, by: byOwn}
	ownSingle  = measure{system: single, op: opSet, by: byOwn}
	ownWait    = measure{system: trio, op: opSet, by: byOwn, wait: true}
	putEtcd    = measure{system: etcd, op: opSet, by: byEtcd}
	getRedoubt = measure{system: redoubt, op: opGet}
	getSingle  = measure{system: single, op: opGet}
	getLease   = measure{system: redoubt, op: opGet, lease: true}
	getEtcd    = measure{system: etcd, op: opGet, by: byEtcd}

	measures = []measure{
		setRedoubt, setSingle, setTrio, ownRedoubt, ownSingle, ownWait, putEtcd, getRedoubt, getSingle, getLease, getEtcd,
	}
)

func (m measure) String() string {
	op := string(m.op)
	if m.wait {
		op += "+WAIT 1"
	}
	if m.lease {
		op += " by lease"
	}
	return fmt.Sprintf("%s %s (%s)", m.system, op, m.by)
}

// aim is a ratio that the project wants to reach, at a shape without its size: it holds for every size.
type aim struct {
	name            string
	of, than        measure
	conns, pipeline int
	limit           float64
	latency         bool // the ratio of the medians of latency, at most the limit; otherwise of rates, at least the limit
}

const (
	besideWait   = "SET beside the Redis trio's SET + WAIT 1"
	besideTrio   = "SET beside the Redis trio without WAIT"
	besideEtcd   = "SET beside etcd's put"
	besideSingle = "linearizable GET beside one Redis"
	leaseSingle  = "GET by lease beside one Redis"
	p50Wait      = "p50 of SET beside that of SET + WAIT 1"
	farAim       = "far aim: SET beside one Redis"
)

// The first aims are those that the project set itself at its beginning; the others came with its work on speed.
var aims = []aim{
	{name: "first aim: " + besideWait, of: ownRedoubt, than: ownWait, conns: 50, pipeline: 1, limit: 1.5},
	{name: "first aim: " + besideSingle, of: getRedoubt, than: getSingle, conns: 50, pipeline: 1, limit: 0.4},
	{name: besideWait, of: ownRedoubt, than: ownWait, conns: 50, pipeline: 1, limit: 2},
	{name: besideWait, of: ownRedoubt, than: ownWait, conns: 200, pipeline: 1, limit: 2},
	{name: besideWait, of: ownRedoubt, than: ownWait, conns: 50, pipeline: 16, limit: 4},
	{name: besideTrio, of: setRedoubt, than: setTrio, conns: 50, pipeline: 1, limit: 0.8},
	{name: besideTrio, of: setRedoubt, than: setTrio, conns: 200, pipeline: 1, limit: 0.8},
	{name: besideTrio, of: setRedoubt, than: setTrio, conns: 50, pipeline: 16, limit: 0.8},
	{name: besideEtcd, of: ownRedoubt, than: putEtcd, conns: 50, pipeline: 1, limit: 5},
	{name: besideEtcd, of: ownRedoubt, than: putEtcd, conns: 200, pipeline: 1, limit: 5},
	{name: besideSingle, of: getRedoubt, than: getSingle, conns: 50, pipeline: 1, limit: 0.55},
	{name: besideSingle, of: getRedoubt, than: getSingle, conns: 50, pipeline: 16, limit: 0.7},
	{name: leaseSingle, of: getLease, than: getSingle, conns: 50, pipeline: 1, limit: 0.65},
	{name: leaseSingle, of: getLease, than: getSingle, conns: 50, pipeline: 16, limit: 0.85},
	{name: p50Wait, of: ownRedoubt, than: ownWait, conns: 1, pipeline: 1, limit: 1.2, latency: true},
	{name: farAim, of: setRedoubt, than: setSingle, conns: 50, pipeline: 1, limit: 1},
	{name: farAim, of: setRedoubt, than: setSingle, conns: 200, pipeline: 1, limit: 1},
	{name: farAim, of: setRedoubt, than: setSingle, conns: 50, pipeline: 16, limit: 1},
}

// versus is a table of the report: the first measure beside the others.
type versus struct {
	title    string
	measures []measure
	names    []string // of the columns, one for each measure
}

var tables = []versus{
	{
		"SET, by redis-benchmark",
		[]measure{setRedoubt, setSingle, setTrio}, []string{"redoubt", "one Redis", "trio"},
	},
	{
		"SET and SET + WAIT 1, by our own generator",
		[]measure{ownRedoubt, ownSingle, ownWait}, []string{"redoubt SET", "one Redis SET", "trio SET + WAIT"},
	},
	{
		"GET, by redis-benchmark (ours linearizable, on the leader)",
		[]measure{getRedoubt, getSingle}, []string{"redoubt", "one Redis"},
	},
	{
		"GET, by redis-benchmark (ours by lease, on the leader)",
		[]measure{getLease, getSingle}, []string{"redoubt by lease", "one Redis"},
	},
	{
		"SET beside etcd (ours by our own generator)",
		[]measure{ownRedoubt, putEtcd}, []string{"redoubt SET", "etcd put"},
	},
	{
		"GET beside etcd (both linearizable, ours by redis-benchmark)",
		[]measure{getRedoubt, getEtcd}, []string{"redoubt GET", "etcd get"},
	},
}
