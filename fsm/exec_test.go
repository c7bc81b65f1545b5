package fsm

import (
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/respclient"
	"github.com/redoubtdb/redoubt/internal/script"
)

// halfReplies are what an executor may have written when it panics.
var halfReplies = map[string]func(r command.Reply){
	"nothing":       func(command.Reply) {},
	"a header":      func(r command.Reply) { r.Array(3) },
	"half an array": func(r command.Reply) { r.Array(3); r.Int(1); r.Null() },
	"nested headers": func(r command.Reply) {
		r.Array(2)
		r.Int(1)
		r.Map(2)
		r.Bulk(nil)
		r.Set(2)
		r.Double(1)
	},
	"a whole reply": func(r command.Reply) { r.BulkString("done") },
	"an array too":  func(r command.Reply) { r.Array(2); r.Int(1); r.Int(2) },
	"two replies":   func(r command.Reply) { r.Int(1); r.Array(1); r.Null() },
	"an error":      func(r command.Reply) { r.Error("WRONGTYPE no") },
}

// panicking makes a command write what half does, change the state and panic, until the test ends.
func panicking(t *testing.T, name string, half func(r command.Reply)) {
	spec := table.Get(name)
	was := executors[spec]
	t.Cleanup(func() { executors[spec] = was })
	executors[spec] = func(tx *Tx, c *command.Call, r command.Reply) {
		half(r)
		tx.set([]byte("trace"), textValue("left"), 0)
		panic("on purpose")
	}
}

func callOf(args ...string) command.Call {
	c := command.Call{Args: make([][]byte, len(args))}
	for i, a := range args {
		c.Args[i] = []byte(a)
	}
	c.Spec = testTable().Lookup(c.Args)
	return c
}

// TestPanicTakesHalfAReplyBack: whatever an executor wrote before it panicked, its reply is one error, in its place among
// the others, on every replica; and the replicas agree on what it did to the state.
func TestPanicTakesHalfAReplyBack(t *testing.T) {
	const single, txn = "(error) " + command.ErrInternal, "[OK, DEFERRED, (error) " + command.ErrInternal + ", DEFERRED, 2]"
	for name, half := range halfReplies {
		t.Run(name, func(t *testing.T) {
			panicking(t, "append", half)
			r := newReplicas(t)
			p := command.NewProposal(nil)
			bad, set, incr := callOf("APPEND", "k", "x"), callOf("SET", "k", "1"), callOf("INCR", "k")
			p.AddCall(0, set.Args)
			p.AddCall(0, bad.Args)
			p.AddTxn(nil, []command.Call{set, {}, bad, {}, incr})
			p.AddCall(0, incr.Args)
			got, err := r.apply(EntryCalls, p.Body, []int{p.Units}) // compares the replies of all replicas
			if err != nil {
				t.Fatal(err)
			}
			if texts := rendered(got); len(texts) != 4 || texts[1] != single || texts[2] != txn || texts[3] != "(integer) 3" {
				t.Errorf("%q", texts)
			}
			for i, m := range r.m {
				if m.TakePanic() != "command append: on purpose" {
					t.Errorf("replica %d does not tell of the panic", i)
				}
			}
			if v, err := r.do(0, 2, []string{"GET", "trace"}); err != nil || v.Str != "left" {
				t.Errorf("%+v, %v", v, err)
			}
			if err := r.agree(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPanicOfARead: the same in a View and in a transaction of reads.
func TestPanicOfARead(t *testing.T) {
	for name, half := range halfReplies {
		t.Run(name, func(t *testing.T) {
			spec := table.Get("strlen")
			was := executors[spec]
			t.Cleanup(func() { executors[spec] = was })
			executors[spec] = func(_ *Tx, _ *command.Call, r command.Reply) { half(r); panic("on purpose") }

			m := New()
			calls := []command.Call{callOf("GET", "k"), callOf("STRLEN", "k"), callOf("EXISTS", "k")}
			rec := &script.Recorder{Proto: 3}
			if !m.View(calls, command.ReadOptions{}, rec) || !m.ViewTxn(nil, calls, command.ReadOptions{}, rec) {
				t.Fatal("late")
			}
			got, ok := rec.Take()
			want := "(error) " + command.ErrInternal
			texts := rendered(got)
			if !ok || len(texts) != 4 || texts[1] != want || texts[2] != "(integer) 0" ||
				texts[3] != "[(nil), "+want+", 0]" {
				t.Errorf("%q, whole: %t", texts, ok)
			}
		})
	}
}

func rendered(vs []respclient.Value) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = script.Render(v)
	}
	return out
}
