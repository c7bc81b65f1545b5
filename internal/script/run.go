package script

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

// Conn is one connection to what a script runs against.
type Conn interface {
	// Do sends a command. An error reply is a Value.
	Do(args ...string) (respclient.Value, error)
	Close() error
}

// Listener is a Conn that SEND and RECEIVE can be used on.
type Listener interface {
	Send(args ...string) error
	Receive() (respclient.Value, error)
}

// Target is what a script runs against.
type Target interface {
	// Open opens a connection in database 0 that speaks RESP2.
	Open() (Conn, error)
	// Wait lets time pass.
	Wait(d time.Duration)
}

// Difference is a reply that is not what the script says.
type Difference struct {
	Script    string
	Line      int
	Command   string
	Want, Got string
}

func (d Difference) String() string {
	return fmt.Sprintf("%s:%d: %s\n\twant %s\n\tgot  %s", d.Script, d.Line, d.Command, d.Want, d.Got)
}

// Result is what a run has found.
type Result struct {
	Differences []Difference
	// Rewritten is the script with the replies of this run.
	Rewritten []byte
}

const (
	scanAll      = "scanall"
	send         = "send"
	receive      = "receive"
	scanPagesMax = 100000
	connDefault  = "a"
)

// runner is the state of one run.
type runner struct {
	target Target
	conns  map[string]Conn
	conn   Conn
	name   string                 // of conn
	sent   map[string]chan answer // by connection: of commands whose replies come later
}

type answer struct {
	v   respclient.Value
	err error
}

// Run runs the script from empty databases. An error means that it could not be run to its end.
func (s *Script) Run(t Target) (Result, error) {
	r := &runner{target: t, conns: map[string]Conn{}, sent: map[string]chan answer{}}
	defer r.close()
	var res Result
	err := r.open(connDefault)
	if err == nil {
		_, err = r.conn.Do("FLUSHALL")
	}
	var out strings.Builder
	for i := range s.steps {
		if err != nil {
			break
		}
		st := &s.steps[i]
		out.WriteString(st.text + "\n")
		if !st.replies() {
			err = r.direct(st)
			continue
		}
		var got string
		if got, err = r.reply(st); err != nil {
			err = fmt.Errorf("%s:%d: %w", s.Name, st.line, err)
			break
		}
		out.WriteString(got + "\n")
		if got != st.want {
			res.Differences = append(res.Differences, Difference{s.Name, st.line, st.text, st.want, got})
		}
	}
	res.Rewritten = []byte(out.String())
	return res, err
}

func (r *runner) close() {
	for _, c := range r.conns {
		_ = c.Close()
	}
}

func (r *runner) open(name string) error {
	c := r.conns[name]
	if c == nil {
		var err error
		if c, err = r.target.Open(); err != nil {
			return fmt.Errorf("open connection %s: %w", name, err)
		}
		r.conns[name] = c
	}
	r.conn, r.name = c, name
	return nil
}

// direct follows a directive.
func (r *runner) direct(st *step) error {
	switch st.kind {
	case stepConn:
		return r.open(st.name)
	case stepWait:
		r.target.Wait(st.wait)
	case stepProto:
		return r.must("HELLO", strconv.Itoa(st.n))
	case stepDB:
		return r.must("SELECT", strconv.Itoa(st.n))
	case stepSend:
		return r.send(st.args)
	case stepBlocked:
		return r.blocked(st.n)
	}
	return nil
}

// send sends a command on a goroutine, which ends with the connection at the latest. A connection that is no Listener has
// nobody to wait for, and answers at once.
func (r *runner) send(args []string) error {
	if r.sent[r.name] != nil {
		return fmt.Errorf("connection %s waits for a reply", r.name)
	}
	c, got := r.conn, make(chan answer, 1)
	r.sent[r.name] = got
	do := func() {
		v, err := c.Do(args...)
		got <- answer{v, err}
	}
	if _, listens := c.(Listener); !listens {
		do()
		return nil
	}
	go do()
	return nil
}

// blockedPatience is how long so many clients may take to block, and a reply to come that is awaited.
const blockedPatience = 20 * time.Second

// blocked asks a connection of its own until so many clients are blocked.
func (r *runner) blocked(n int) error {
	c, err := r.target.Open()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	want := fmt.Sprintf("blocked_clients:%d\r\n", n)
	for end := time.Now().Add(blockedPatience); ; time.Sleep(time.Millisecond) {
		v, err := c.Do("INFO", "clients")
		if err != nil || v.Str == "" || strings.Contains(v.Str, want) { // a target without INFO blocks nobody
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("no %d clients block: %s", n, v.Str)
		}
	}
}

// await takes the reply to a command that was sent.
func (r *runner) await(name string) (respclient.Value, error) {
	got := r.sent[name]
	if got == nil {
		return respclient.Value{}, fmt.Errorf("connection %s waits for no reply", name)
	}
	delete(r.sent, name)
	select {
	case a := <-got:
		return a.v, a.err
	case <-time.After(blockedPatience):
		return respclient.Value{}, fmt.Errorf("no reply on connection %s", name)
	}
}

func (r *runner) must(args ...string) error {
	v, err := r.conn.Do(args...)
	if err == nil && v.IsError() {
		err = fmt.Errorf("%s: %s", strings.Join(args, " "), v.Str)
	}
	return err
}

func (r *runner) reply(st *step) (string, error) {
	var v respclient.Value
	var err error
	l, listens := r.conn.(Listener)
	if st.kind == stepAwait {
		v, err = r.await(st.name)
		return masked(v, st.mask), err
	}
	switch name := strings.ToLower(st.args[0]); {
	case r.sent[r.name] != nil:
		err = fmt.Errorf("connection %s waits for a reply", r.name)
	case name == scanAll:
		v, err = r.scanAll(st.args[1:])
	case name == send && listens:
		return "(sent)", l.Send(st.args[1:]...)
	case name == receive && listens:
		v, err = l.Receive()
	default:
		v, err = r.conn.Do(st.args...)
	}
	if err != nil {
		return "", err
	}
	return masked(v, st.mask), nil
}

// scanAll follows the cursor to its end.
func (r *runner) scanAll(options []string) (respclient.Value, error) {
	seen := map[string]bool{}
	cursor := "0"
	for page := 0; ; page++ {
		v, err := r.conn.Do(append([]string{"SCAN", cursor}, options...)...)
		if err != nil || v.IsError() {
			return v, err
		}
		if len(v.Elems) != 2 || page == scanPagesMax {
			return v, fmt.Errorf("page %d of SCAN: %s", page, Render(v))
		}
		for _, k := range v.Elems[1].Elems {
			seen[k.Str] = true
		}
		if cursor = v.Elems[0].Str; cursor == "0" {
			break
		}
	}
	out := respclient.Value{Kind: respclient.Array}
	for k := range seen {
		out.Elems = append(out.Elems, respclient.Value{Kind: respclient.Bulk, Str: k})
	}
	sort.Slice(out.Elems, func(i, j int) bool { return out.Elems[i].Str < out.Elems[j].Str })
	return out, nil
}
