package fsm

import (
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
		r.m[i].OnEvents(^command.EventClass(0), func(_ uint64, happened []command.Event) {
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
