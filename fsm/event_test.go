package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/script"
)

// teller is a Reply that notes when the number of receivers is asked for.
type teller struct {
	script.Recorder
	told *[]string
}

func (p *teller) Published() {
	*p.told = append(*p.told, "count")
	p.Int(7)
}

// listening returns a machine whose events of some classes are noted as text.
func listening(t *testing.T, classes command.EventClass) (*replicas, *[]string) {
	r := newReplicas(t)
	told := &[]string{}
	r.m[0].OnEvents(classes, func(_ uint64, happened []command.Event) {
		for _, e := range happened {
			*told = append(*told, strings.TrimSpace(fmt.Sprintf("%d %s %s %s", e.DB, e.Name, e.Key, e.Message)))
		}
	})
	return r, told
}

// toldBy is a command line and the events that it should tell: names and keys, in their order.
type toldBy struct{ line, want string }

// testEvents executes the steps on one machine, one after the other.
func testEvents(t *testing.T, classes command.EventClass, steps []toldBy) {
	t.Helper()
	m := New()
	var told []string
	m.OnEvents(classes, func(_ uint64, happened []command.Event) {
		for _, e := range happened {
			told = append(told, e.Name+" "+e.Key)
		}
	})
	for _, s := range steps {
		told = nil
		execute(t, m, s.line)
		if got := strings.Join(told, ", "); got != s.want {
			t.Errorf("%s tells %q, want %q", s.line, got, s.want)
		}
	}
}

func body(calls ...string) (body []byte, units int) {
	p := command.NewProposal(nil)
	for _, c := range calls {
		var args [][]byte
		for _, a := range strings.Fields(c) {
			args = append(args, []byte(a))
		}
		p.AddCall(0, args)
	}
	return p.Body, p.Units
}

// A message whose publisher waits is told before its reply is written, in its place among what came before it.
func TestMessagesAreToldInOrder(t *testing.T) {
	r, told := listening(t, command.EventString|command.EventMessages)
	b, units := body("SET a 1", "PUBLISH ch one", "SET b 2", "SPUBLISH ch two", "SET c 3")
	reply := &teller{told: told}
	entry := AppendEntryHeader(nil, EntryHeader{Kind: EntryCalls, Time: testTime, Seed: 1})
	if err := r.m[0].Apply(r.index+1, append(entry, b...), []Target{{Units: units, Reply: reply}}); err != nil {
		t.Fatal(err)
	}
	want := []string{"0 set a", "0  ch one", "count", "0 set b", "0  ch two", "count", "0 set c"}
	if !slices.Equal(*told, want) {
		t.Errorf("told %q, want %q", *told, want)
	}
	got, _ := reply.Take()
	if s := fmt.Sprint(got[1].Int, got[3].Int); s != "7 7" {
		t.Errorf("replied %s", s)
	}
}

// What is told is told by every replica alike, whoever waits for the replies.
func TestEventsOfEveryReplica(t *testing.T) {
	r := newReplicas(t)
	var told [2][]command.Event
	for i := range told {
		r.m[i].OnEvents(^command.EventTracking, func(_ uint64, happened []command.Event) {
			told[i] = append(told[i], happened...)
		})
	}
	b, units := body("SET a 1 PX 5", "SET b 2", "PUBLISH ch x", "RENAME b c", "DEL c none", "HSET h f v", "HDEL h f")
	if _, err := r.apply(EntryCalls, b, []int{units}); err != nil {
		t.Fatal(err)
	}
	r.now += 10
	if _, err := r.apply(EntryExpire, []byte{10, 0, 0, 0}, nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(told[0], told[1]) || len(told[0]) != 15 || told[0][14].Name != "expired" {
		t.Errorf("%d events, the last %+v; on the other replica %d", len(told[0]), told[0][len(told[0])-1], len(told[1]))
	}
}

// Misses are told by the node that replies: in a View, unless its replies are void, and in a transaction with a write.
func TestMissesAreTold(t *testing.T) {
	r, told := listening(t, command.EventMiss)
	do := func(args ...string) {
		t.Helper()
		if _, err := r.do(3, 2, args); err != nil {
			t.Fatal(err)
		}
	}
	do("SET", "k", "v", "PX", "10")
	do("MGET", "k", "a")
	do("OBJECT", "ENCODING", "a")
	do("INCR", "n")
	do("GETSET", "b", "v")
	r.now += 20
	do("EXISTS", "k", "b") // the first View is late, and its misses are not told
	p := command.NewProposal(nil)
	p.AddTxn(nil, []command.Call{{DB: 3, Args: [][]byte{[]byte("GET"), []byte("c")}}, {DB: 3, Args: [][]byte{[]byte("INCR"), []byte("n")}}})
	if _, err := r.apply(EntryCalls, p.Body, []int{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.apply(EntryCalls, p.Body, nil); err != nil { // proposed elsewhere
		t.Fatal(err)
	}
	if want := []string{"3 keymiss a", "3 keymiss b", "3 keymiss k", "3 keymiss c"}; !slices.Equal(*told, want) {
		t.Errorf("told %q, want %q", *told, want)
	}
}

func TestPublishInAView(t *testing.T) {
	r, told := listening(t, command.EventMessages)
	call := command.Call{Args: [][]byte{[]byte("PUBLISH"), []byte("ch"), []byte("x")}}
	call.Spec = testTable().Lookup(call.Args)
	v, err := r.view(call, 2)
	if err != nil || v.Str != command.ErrReadOnly || len(*told) > 0 {
		t.Errorf("%v, %v, told %q", v, err, *told)
	}
}

func TestCountUnits(t *testing.T) {
	good, n := body("PUBLISH a b", "SET k v", "OBJECT ENCODING k")
	if got, err := CountUnits(good); got != n || err != nil {
		t.Errorf("%d units, %v", got, err)
	}
	txn := command.AppendTxn(nil, nil, []command.Call{{}, {Args: [][]byte{[]byte("GET"), []byte("k")}}})
	if got, err := CountUnits(append(txn, good...)); got != n+1 || err != nil {
		t.Errorf("with a transaction: %d units, %v", got, err)
	}
	for _, c := range []string{"NOSUCH a", "PUBLISH a", "OBJECT", "PING"} {
		b, _ := body("SET k v", c)
		if _, err := CountUnits(b); !errors.Is(err, ErrEntryVersion) {
			t.Errorf("%s: %v", c, err)
		}
	}
	for n := 1; n < len(good); n++ {
		if got, err := CountUnits(good[:n]); err == nil && got == 3 {
			t.Errorf("%d of %d bytes are %d units", n, len(good), got)
		}
	}
	if _, err := CountUnits([]byte{9}); !errors.Is(err, command.ErrCorruptUnit) {
		t.Error(err)
	}
}

// What those are told who have copies: changes and their authors, in the order of the log, among them the reads of entries.
func TestTrackingEvents(t *testing.T) {
	r := newReplicas(t)
	var told []string
	own := &script.Recorder{}
	listen := func(_ uint64, happened []command.Event) {
		for _, e := range happened {
			by := ""
			if e.By == own {
				by = " own"
			}
			told = append(told, map[command.EventClass]string{
				command.EventChange: "change", command.EventFlush: "flush", command.EventRead: "read",
			}[e.Class]+strings.TrimRight(" "+e.Key, " ")+by)
		}
	}
	r.m[0].OnEvents(command.EventTracking, listen)
	other := command.NewProposal(nil)
	for _, c := range []string{"SET a 1 PX 5", "GET a", "INCR a", "DEL none", "HSET h f v", "HDEL h f", "RPUSH list x", "XGROUP CREATE s g $ MKSTREAM"} {
		other.AddCall(0, splitWords(c))
	}
	mine := command.NewProposal(nil)
	mine.AddTxn(nil, []command.Call{{Args: splitWords("GET b")}, {Args: splitWords("SET b 1")}, {Args: splitWords("MGET b c")}})
	mine.AddCall(0, splitWords("BLPOP empty 0"))
	last := command.NewProposal(nil)
	for _, c := range []string{"RPUSH empty x", "EXISTS b", "FLUSHDB", "FLUSHALL", "SWAPDB 0 1"} {
		last.AddCall(0, splitWords(c))
	}
	entry := AppendEntryHeader(nil, EntryHeader{Kind: EntryCalls, Time: testTime, Seed: 1})
	entry = append(append(append(entry, other.Body...), mine.Body...), last.Body...)
	r.m[0].OnWaiting(oneClient{own})
	targets := []Target{{Units: other.Units, Reply: command.Discard}, {Units: mine.Units, Reply: own, Waits: func(uint64) {}}}
	if err := r.m[0].Apply(r.index+1, entry, targets); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"change a", "change a", "change h", "change h", "change list", "change s",
		"read b own", "change b own", "read b own", "read c own",
		"change empty", "change empty own", "flush", "flush", "flush",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %q\nwant %q", told, want)
	}
}

func splitWords(s string) (args [][]byte) {
	for _, a := range strings.Fields(s) {
		args = append(args, []byte(a))
	}
	return args
}

// A snapshot that takes the place of the state may have changed any key, and reads of a View are told before they are done.
func TestTrackingOfSnapshotsAndViews(t *testing.T) {
	m := New()
	told := 0
	m.OnEvents(command.EventTracking, func(_ uint64, happened []command.Event) {
		for _, e := range happened {
			if e.Class == command.EventFlush && e.By == nil {
				told++
			}
		}
	})
	if err := m.Restore(strings.NewReader("no snapshot")); err == nil || told != 0 {
		t.Fatalf("%v, told %d times", err, told)
	}
	var snapshot bytes.Buffer
	if _, err := New().Snapshot().WriteTo(&snapshot); err != nil {
		t.Fatal(err)
	}
	if err := m.Restore(&snapshot); err != nil || told != 1 {
		t.Fatalf("%v, told %d times", err, told)
	}
	var read []string
	o := command.ReadOptions{OnRead: func(c *command.Call) { read = append(read, c.Spec.Name) }}
	calls := []command.Call{
		{Spec: table.Get("get"), Args: splitWords("GET a")}, {Spec: table.Get("object|encoding"), Args: splitWords("OBJECT ENCODING a")},
		{Spec: table.Get("publish"), Args: splitWords("PUBLISH a b")},
	}
	m.View(calls, o, command.Discard)
	m.ViewTxn(nil, calls[:1], o, command.Discard)
	if want := []string{"get", "object|encoding", "get"}; !slices.Equal(read, want) {
		t.Errorf("read %q, want %q", read, want)
	}
}
