// Package config is the one table of settings: what each is called, what it takes, its default, whether it may change
// at run time and what it means here. Configuration files (the syntax of redis.conf), flags, CONFIG GET, CONFIG SET,
// CONFIG REWRITE and the documentation are all derived from that table. The package knows nothing of who uses the
// settings.
//
// A Config starts with the defaults (New), takes a file (ParseFile) and then the flags (ApplyFlags), is checked as a
// whole (Validate) and is shared from then on. Loading is done by one goroutine before the Config is shared. After
// that every method is safe for concurrent use. Getters never block, so hooks may call them; Set, Rewrite and OnChange
// exclude one another and must not be called from a hook. No goroutine is started.
//
// Getters take the name of a setting of the right kind; any other name is a mistake of the program and panics.
package config

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Config holds a value for every setting.
type Config struct {
	cells []cell // one for each line of the table; read without the lock

	mu         sync.Mutex // held by Set, Rewrite, OnChange and loading; guards the fields below and writes to cells
	hooks      [][]Hook   // by the position in the table
	file       string     // absolute path of the file, empty without
	directives []Directive
}

// cell is one value. num repeats val.num so that hot paths read it with one atomic load.
type cell struct {
	val atomic.Pointer[value]
	num atomic.Int64
}

func (c *cell) store(v *value) {
	c.val.Store(v)
	c.num.Store(v.num)
}

// Directive is a line of a file that is no setting but belongs to another part of the server: "user".
type Directive struct {
	File string
	Line int // from 1
	Args []string
}

// defaults are parsed once; values are never changed, so every Config may share them.
var defaults = defaultValues()

func defaultValues() []*value {
	vals := make([]*value, len(table))
	for i, s := range table {
		var old *value
		if s.merge {
			old = &value{}
		}
		v, err := s.parse(old, []string{s.Default})
		if err != nil {
			panic("config: default of " + s.Name + ": " + err.Error())
		}
		vals[i] = v
	}
	return vals
}

// New returns the defaults.
func New() *Config {
	c := &Config{cells: make([]cell, len(table)), hooks: make([][]Hook, len(table))}
	for i, v := range defaults {
		c.cells[i].store(v)
	}
	return c
}

// must finds the cell of a setting that the program names.
func (c *Config) must(name string, kinds ...Kind) (*Setting, *cell) {
	r, ok := byName[name]
	if !ok {
		panic("config: no setting is named " + name)
	}
	s := table[r.index]
	for _, k := range kinds {
		if s.Kind == k {
			return s, &c.cells[r.index]
		}
	}
	if len(kinds) > 0 {
		panic(fmt.Sprintf("config: %s is not of a kind that this getter reads", name))
	}
	return s, &c.cells[r.index]
}

// Bool reads a Bool.
func (c *Config) Bool(name string) bool {
	_, cell := c.must(name, Bool)
	return cell.num.Load() != 0
}

// Int reads an Int in its unit, an Octal, the index of an Enum or the bits of an EnumSet.
func (c *Config) Int(name string) int64 {
	_, cell := c.must(name, Int, Octal, Enum, EnumSet)
	return cell.num.Load()
}

// Bytes reads a Memory or, as -N for N percent, a Percent.
func (c *Config) Bytes(name string) int64 {
	_, cell := c.must(name, Memory, Percent)
	return cell.num.Load()
}

// Duration reads an Int that counts time. A negative number (slowlog-log-slower-than -1) is a negative duration.
func (c *Config) Duration(name string) time.Duration { return c.Live(name).Duration() }

// String reads any setting as CONFIG GET prints it.
func (c *Config) String(name string) string {
	s, cell := c.must(name)
	if s.expand != nil {
		return c.respAddr()
	}
	return cell.val.Load().text
}

// Words reads a setting of several words. The caller must not change the slice.
func (c *Config) Words(name string) []string {
	_, cell := c.must(name, Words, Special, EnumSet)
	return cell.val.Load().words
}

// OutputLimit reads client-output-buffer-limit.
func (c *Config) OutputLimit(class ClientClass) OutputLimit {
	_, cell := c.must("client-output-buffer-limit")
	return cell.val.Load().limits[class]
}

// EventLetters are the letters of notify-keyspace-events, "n" behind "A" among them, which String leaves out.
func (c *Config) EventLetters() string {
	_, cell := c.must("notify-keyspace-events")
	return cell.val.Load().letters
}

// NodeTLS reports whether nodes talk TLS to one another, by either of the names of that setting.
func (c *Config) NodeTLS() bool { return c.Bool("node-tls") || c.Bool("tls-replication") }

// JoinAddrs are the members to join, from join and from replicaof, as host:port.
func (c *Config) JoinAddrs() []string {
	addrs := append([]string(nil), c.Words("join")...)
	if host := c.Words("replicaof"); len(host) == 2 {
		addrs = append(addrs, net.JoinHostPort(host[0], host[1]))
	}
	return addrs
}

// Live is a numeric setting that a hot path holds on to: each read is one atomic load. The zero value is not usable.
type Live struct {
	num    *atomic.Int64
	period time.Duration
}

// Live returns a setting of a kind that is a number: every kind but Text, Words and Special.
func (c *Config) Live(name string) Live {
	s, cell := c.must(name, Bool, Int, Memory, Percent, Octal, Enum, EnumSet)
	return Live{num: &cell.num, period: s.period()}
}

// Int is the number in the setting's unit.
func (l Live) Int() int64 { return l.num.Load() }

// Bool reads a Bool.
func (l Live) Bool() bool { return l.num.Load() != 0 }

// Duration reads a time. It panics where the setting counts none. A number that is too large gives the longest time.
func (l Live) Duration() time.Duration {
	if l.period == 0 {
		panic("config: the setting counts no time")
	}
	n := l.num.Load()
	if n > maxI64/int64(l.period) {
		return maxI64
	}
	return time.Duration(n) * l.period
}

// LogText is a value fit for a log: a sensitive one is masked.
func (c *Config) LogText(name string) string {
	s, cell := c.must(name)
	if s.Sensitive && cell.val.Load().text != "" {
		return masked
	}
	return c.String(name)
}

const masked = "(hidden)"

// Changed lists the settings that differ from their defaults, by name, with values fit for a log.
func (c *Config) Changed() [][2]string {
	return c.list(func(i int, v *value) bool { return v.text != defaults[i].text }, c.LogText)
}

// Agreed lists the settings on which the nodes of a cluster must agree, by name, with their values: two nodes compare
// theirs to tell the operator of a difference. Secrets are left out.
func (c *Config) Agreed() [][2]string {
	return c.list(func(i int, _ *value) bool { return table[i].Agree && !table[i].Sensitive }, c.String)
}

func (c *Config) list(take func(int, *value) bool, text func(string) string) [][2]string {
	var out [][2]string
	for _, r := range names {
		if r.name == table[r.index].Name && take(r.index, c.cells[r.index].val.Load()) {
			out = append(out, [2]string{r.name, text(r.name)})
		}
	}
	return out
}

// Users are the "user" lines of the file, in order, without the word "user". They belong to the access control lists.
func (c *Config) Users() []Directive {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Directive(nil), c.directives...)
}

// File is the absolute path of the file that was loaded, empty without.
func (c *Config) File() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.file
}
