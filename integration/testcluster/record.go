package testcluster

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

// Record is what the clients of a Load were told.
type Record struct {
	l *Load
	// Acked, Refused, Unknown and Closed count the writes by their fates.
	Acked, Refused, Unknown, Closed int
}

// Stop ends the load and returns its record.
func (l *Load) Stop() Record {
	l.halt()
	r := Record{l: l}
	for _, w := range l.writers {
		r.Acked += w.counts[Acked]
		r.Refused += w.counts[Refused]
		r.Unknown += w.counts[Unknown]
		r.Closed += w.counts[Closed]
	}
	return r
}

func (r Record) String() string {
	return fmt.Sprintf("%d acknowledged, %d refused, %d UNKNOWN, %d unanswered", r.Acked, r.Refused, r.Unknown, r.Closed)
}

// fateOf reads an error reply as the documentation has it: what clients retry by themselves was surely not applied.
func fateOf(text string) Fate {
	if strings.HasPrefix(text, "UNKNOWN ") {
		return Unknown
	}
	return Refused
}

const (
	verifyBatch = 500 // keys a question
	verifyShow  = 10  // failures that are told one by one
)

// Verify reads everything back from the leader: acknowledged writes must be there, refused ones must not. Should
// leadership move meanwhile it goes on at the next leader.
func (r Record) Verify(c *Cluster) {
	c.t.Helper()
	r.verify(c, &source{c: c, node: c.Leader})
}

// VerifyAt reads from one node, which must have applied everything.
func (r Record) VerifyAt(c *Cluster, n *Node) {
	c.t.Helper()
	r.verify(c, &source{c: c, node: func() *Node { return n }})
}

// source reads from a node, and again where the node closes the connection or refuses the read, as one does that loses
// leadership.
type source struct {
	c    *Cluster
	node func() *Node
	conn *respclient.Conn
}

func (s *source) ask(args ...string) (texts []string) {
	s.c.t.Helper()
	s.c.Await(args[0]+" is answered", func() bool {
		if s.conn == nil {
			s.conn = s.node().Dial()
		}
		v, err := s.conn.Do(args...)
		switch {
		case err != nil || strings.HasPrefix(v.Str, "CLUSTERDOWN"):
			_ = s.conn.Close()
			s.conn = nil
			return false
		case v.IsError():
			s.c.t.Fatalf("%s: %s", args[0], v.Str)
		}
		texts = v.Strings()
		return true
	})
	return texts
}

func (r Record) verify(c *Cluster, s *source) {
	c.t.Helper()
	bad := append([]string(nil), r.l.bad...)
	for _, w := range r.l.writers {
		bad = append(bad, w.verifyCounter(s)...)
		for from := 0; from < len(w.sets); from += verifyBatch {
			to := min(from+verifyBatch, len(w.sets))
			args := []string{"MGET"}
			for i := from; i < to; i++ {
				args = append(args, w.key(i))
			}
			for i, got := range s.ask(args...) {
				bad = append(bad, w.judge(from+i, got)...)
			}
		}
	}
	for i, b := range bad {
		if i == verifyShow {
			c.t.Errorf("and %d more", len(bad)-i)
			break
		}
		c.t.Error(b)
	}
}

func (w *writer) verifyCounter(s *source) []string {
	got := int64(0)
	if text := s.ask("MGET", w.name+":n")[0]; text != "" {
		var err error
		if got, err = strconv.ParseInt(text, 10, 64); err != nil {
			return []string{err.Error()}
		}
	}
	if got < w.counter || got > w.counter+w.open {
		return []string{fmt.Sprintf("%s: the counter is %d; %d increments were acknowledged, %d are open", w.name, got, w.counter, w.open)}
	}
	return nil
}

// judge holds one key's value against the fate of the write that set it.
func (w *writer) judge(i int, got string) []string {
	want, fate := w.value(i), w.sets[i]
	switch {
	case got != "" && got != want:
		return []string{fmt.Sprintf("%s holds %q, which nobody wrote", w.key(i), got)}
	case fate == Acked && got == "":
		return []string{fmt.Sprintf("%s: LOST: the write was acknowledged and is not there", w.key(i))}
	case fate == Refused && got != "":
		return []string{fmt.Sprintf("%s: the write was refused, and is there", w.key(i))}
	}
	return nil
}
