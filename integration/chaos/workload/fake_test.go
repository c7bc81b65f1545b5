package workload_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fault says what a fake server does wrong. Rates are in a thousand.
type fault struct {
	// drop answers with UNKNOWN, or cuts the connection, instead of the reply; half of the writes were applied.
	drop int
	// lose acknowledges writes and does not apply them.
	lose int
	// twice applies writes twice.
	twice int
	// stale answers reads from the state of some writes ago.
	stale int
	// dirty applies writes that it refuses.
	dirty int
	// torn applies the first command only of a transaction, and acknowledges all.
	torn int
	// unwatched executes EXEC whatever has become of the watched keys.
	unwatched bool
	// immortal ignores deadlines now and then; early makes keys go before their deadlines.
	immortal, early int
	// nx ignores NX.
	nx int
}

// fake is a server of a few commands on one state, as it should be but for its fault. It leads always.
type fake struct {
	t    *testing.T
	f    fault
	l    net.Listener
	wg   sync.WaitGroup
	stop context.CancelFunc

	mu   sync.Mutex
	rng  *rand.Rand
	keys map[string]fakeValue
	old  []map[string]fakeValue // some earlier states
	ver  int64
}

type fakeValue struct {
	text    string
	expires time.Time // zero: never
	ver     int64
}

func startFake(t *testing.T, f fault) *fake {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &fake{t: t, f: f, l: l, stop: stop, rng: rand.New(rand.NewPCG(1, 1)), keys: make(map[string]fakeValue)}
	s.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			cut := context.AfterFunc(ctx, func() { _ = nc.Close() })
			s.wg.Go(func() {
				defer cut()
				defer nc.Close()
				s.serve(nc)
			})
		}
	})
	t.Cleanup(func() {
		stop()
		_ = l.Close()
		s.wg.Wait()
	})
	return s
}

func (s *fake) nodes() []string { return []string{s.l.Addr().String()} }

// session is one connection's.
type session struct {
	multi   bool
	queue   [][]string
	watched map[string]int64
}

func (s *fake) serve(nc net.Conn) {
	rd, sess := bufio.NewReader(nc), &session{watched: make(map[string]int64)}
	for {
		words, err := readCommand(rd)
		if err != nil {
			return
		}
		s.mu.Lock()
		reply := s.command(sess, words)
		s.mu.Unlock()
		if _, err := io.WriteString(nc, reply); err != nil || reply == "" {
			return
		}
	}
}

func readCommand(rd *bufio.Reader) ([]string, error) {
	number := func() (int, error) {
		line, err := rd.ReadString('\n')
		if err != nil || len(line) < 4 {
			return 0, io.ErrUnexpectedEOF
		}
		return strconv.Atoi(line[1 : len(line)-2])
	}
	n, err := number()
	words := make([]string, n)
	for i := range words {
		size, err := number()
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(rd, b); err != nil {
			return nil, err
		}
		words[i] = string(b[:size])
	}
	return words, err
}

// hit reports whether a fault strikes.
func (s *fake) hit(rate int) bool { return rate > 0 && s.rng.IntN(1000) < rate }

// command answers one command; "": the connection is cut.
func (s *fake) command(sess *session, words []string) string {
	switch name := words[0]; {
	case name == "ROLE":
		return "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
	case name == "WATCH":
		sess.watched[words[1]] = s.read(s.keys, words[1]).ver
		return "+OK\r\n"
	case name == "UNWATCH":
		clear(sess.watched)
		return "+OK\r\n"
	case name == "MULTI":
		sess.multi, sess.queue = true, nil
		return "+OK\r\n"
	case name == "EXEC":
		return s.exec(sess)
	case sess.multi:
		sess.queue = append(sess.queue, words)
		return "+QUEUED\r\n"
	}
	return s.run(false, words)
}

func (s *fake) exec(sess *session) string {
	watched, queue := sess.watched, sess.queue
	*sess = session{watched: make(map[string]int64)}
	for key, ver := range watched {
		if s.read(s.keys, key).ver != ver && !s.f.unwatched {
			return "*-1\r\n"
		}
	}
	return s.run(true, queue...)
}

// run executes one command, or those of a MULTI, with the faults.
func (s *fake) run(multi bool, cmds ...[]string) string {
	writes := slices.ContainsFunc(cmds, func(words []string) bool { return words[0] != "GET" && words[0] != "MGET" })
	if !writes {
		from := s.keys
		if s.hit(s.f.stale) && len(s.old) > 0 {
			from = s.old[0]
		}
		return s.replies(from, cmds, multi)
	}
	s.snapshot()
	var before map[string]fakeValue
	if s.f.lose > 0 || s.f.torn > 0 {
		before = s.clone()
	}
	switch {
	case s.hit(s.f.drop):
		if s.rng.IntN(2) == 0 {
			s.replies(s.keys, cmds, multi)
		}
		if s.rng.IntN(2) == 0 {
			return ""
		}
		return "-UNKNOWN the write may or may not have been applied: a fault\r\n"
	case s.hit(s.f.dirty):
		s.replies(s.keys, cmds, multi)
		return "-CLUSTERDOWN a fault; nothing was done\r\n"
	}
	if s.hit(s.f.twice) {
		s.replies(s.keys, cmds, multi)
	}
	out := s.replies(s.keys, cmds, multi)
	switch {
	case s.hit(s.f.lose):
		s.keys = before
	case len(cmds) > 1 && s.hit(s.f.torn):
		s.keys = before
		s.replies(s.keys, cmds[:1], multi)
	}
	return out
}

const fakeStale = 20 // how many writes stale reads lag behind

func (s *fake) clone() map[string]fakeValue {
	m := make(map[string]fakeValue, len(s.keys))
	for k, v := range s.keys {
		m[k] = v
	}
	return m
}

func (s *fake) snapshot() {
	if s.f.stale == 0 {
		return
	}
	if s.old = append(s.old, s.clone()); len(s.old) > fakeStale {
		s.old = s.old[1:]
	}
}

func (s *fake) replies(keys map[string]fakeValue, cmds [][]string, multi bool) string {
	if !multi {
		return s.one(keys, cmds[0])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(cmds))
	for _, words := range cmds {
		b.WriteString(s.one(keys, words))
	}
	return b.String()
}

// read is a key as it is now.
func (s *fake) read(keys map[string]fakeValue, key string) fakeValue {
	v := keys[key]
	left := time.Until(v.expires)
	if v.expires.IsZero() || left > 0 && !(left < 5*time.Second && s.hit(s.f.early)) || left <= 0 && s.hit(s.f.immortal) {
		return v
	}
	return fakeValue{}
}

func (s *fake) write(key, text string, expires time.Time) {
	s.ver++
	s.keys[key] = fakeValue{text, expires, s.ver}
}

func (s *fake) one(keys map[string]fakeValue, words []string) string {
	bulk := func(v fakeValue) string {
		if v.ver == 0 {
			return "$-1\r\n"
		}
		return fmt.Sprintf("$%d\r\n%s\r\n", len(v.text), v.text)
	}
	number := func(text string) int64 {
		n, _ := strconv.ParseInt(text, 10, 64)
		return n
	}
	was := s.read(keys, words[1])
	switch words[0] {
	case "GET":
		return bulk(was)
	case "MGET":
		out := fmt.Sprintf("*%d\r\n", len(words)-1)
		for _, key := range words[1:] {
			out += bulk(s.read(keys, key))
		}
		return out
	case "SET":
		if slices.Contains(words, "NX") && was.ver > 0 && !s.hit(s.f.nx) {
			return "$-1\r\n"
		}
		var expires time.Time
		if i := slices.Index(words, "PX"); i > 0 {
			expires = time.Now().Add(time.Duration(number(words[i+1])) * time.Millisecond)
		}
		s.write(words[1], words[2], expires)
		return "+OK\r\n"
	case "MSETNX":
		for i := 1; was.ver == 0 && i < len(words); i += 2 {
			s.write(words[i], words[i+1], time.Time{})
		}
		return ":1\r\n"
	case "APPEND":
		s.write(words[1], was.text+words[2], was.expires)
		return fmt.Sprintf(":%d\r\n", len(was.text+words[2]))
	case "INCR", "INCRBY", "DECRBY":
		d := int64(1)
		if len(words) > 2 {
			d = number(words[2])
		}
		if words[0] == "DECRBY" {
			d = -d
		}
		n := number(was.text) + d
		s.write(words[1], strconv.FormatInt(n, 10), was.expires)
		return fmt.Sprintf(":%d\r\n", n)
	case "DEL":
		delete(s.keys, words[1])
		return ":1\r\n"
	case "PERSIST", "PEXPIREAT":
		if was.ver == 0 {
			return ":0\r\n"
		}
		var expires time.Time
		if words[0] == "PEXPIREAT" {
			expires = time.UnixMilli(number(words[2]))
		}
		s.write(words[1], was.text, expires)
		return ":1\r\n"
	}
	return "-ERR unknown command " + words[0] + "\r\n"
}
