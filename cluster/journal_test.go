package cluster_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redoubtdb/redoubt/cluster/simtest"
	"github.com/redoubtdb/redoubt/fsm/command"
)

// journal is what one client appends to one key, a line an attempt, in pipelines. Nothing is tried again, so that each
// attempt's own outcome is put to the test.
type journal struct {
	w     *workload
	id    int
	key   string
	n     int
	lines []line
}

type line struct {
	text    string
	outcome command.Outcome
	length  string // the reply: how long the journal was then
}

func newJournal(w *workload, id int) *journal {
	j := &journal{w: w, id: id}
	j.open(0)
	return j
}

func (j *journal) open(epoch int) {
	j.key, j.lines = fmt.Sprintf("journal%d-%d", j.id, epoch), nil
}

// append writes n lines as one pipeline.
func (j *journal) append(n int) {
	m := j.w.member()
	pending := make([]*simtest.Pending, n)
	first := len(j.lines)
	for i := range pending {
		j.n++
		text := fmt.Sprintf("%d.%d;", j.id, j.n)
		j.lines = append(j.lines, line{text: text})
		pending[i] = m.Propose(simtest.Call("APPEND", j.key, text))
	}
	for i, p := range pending {
		got := p.Wait()
		j.w.tell(got)
		l := &j.lines[first+i]
		l.outcome = got.Outcome
		if got.Outcome == command.Applied {
			l.length = got.Replies[0]
		}
	}
}

// turn verifies the journal and begins the next one.
func (j *journal) turn(epoch int) {
	if len(j.lines) > 0 {
		if text, ok := j.read(); ok {
			j.verify(text)
			_, _ = j.w.write("DEL", j.key) // small states; a late line of unknown outcome may begin it anew
		}
	}
	j.open(epoch)
}

// read reads the journal from the leader. It is given up when no leader serves for long, or the run is over.
func (j *journal) read() (string, bool) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got, err := j.w.member().Read(simtest.Strong, "GET", j.key); err == nil {
			return strings.TrimPrefix(strings.TrimPrefix(got[0], "_"), "$"), true
		}
	}
	return "", false
}

// verify compares the journal with the outcomes: acknowledged lines stand there once, where their replies said; unknown
// ones once or not at all; refused ones do not.
func (j *journal) verify(text string) {
	at := map[string]int{}
	end := 0
	for _, l := range strings.SplitAfter(text, ";") {
		if l == "" {
			continue
		}
		end += len(l)
		if before, twice := at[l]; twice {
			j.w.s.Violation("%s has line %s twice, up to %d and %d", j.key, l, before, end)
		}
		at[l] = end
	}
	for _, l := range j.lines {
		stands, there := at[l.text]
		delete(at, l.text)
		switch {
		case l.outcome == command.Refused && there:
			j.w.s.Violation("%s has line %s, which was refused", j.key, l.text)
		case l.outcome == command.Applied && !there:
			j.w.s.Violation("%s has lost line %s, which was acknowledged", j.key, l.text)
		case l.outcome == command.Applied && l.length != ":"+strconv.Itoa(stands):
			j.w.s.Violation("%s has line %s up to %d; its reply was %s", j.key, l.text, stands, l.length)
		}
	}
	for l := range at {
		j.w.s.Violation("%s has line %s, which nobody wrote", j.key, l)
	}
	j.w.mu.Lock()
	defer j.w.mu.Unlock()
	j.w.journaled += len(j.lines)
	j.w.verified++
}
