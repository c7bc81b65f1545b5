package fsm

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/script"
)

// modelField is a field of the model that random hashes are compared with.
type modelField struct {
	val string
	at  int64
}

// hashModel is a few hashes as plain maps.
type hashModel struct {
	rng    *rand.Rand
	r      *replicas
	fields map[string]map[string]modelField
}

// TestRandomFieldDeadlines changes hashes at random, on replicas that hold snapshots and are restored, while time passes and
// the log removes some of what is due.
func TestRandomFieldDeadlines(t *testing.T) {
	for seed := range uint64(8) {
		m := hashModel{rand.New(rand.NewPCG(seed, 7)), newReplicas(t), map[string]map[string]modelField{}}
		m.r.rarely = seed%2 == 0
		for step := range 250 {
			if err := m.step(); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
			if err := m.compare(); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
		}
		if err := m.r.agree(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i, machine := range m.r.m {
			if what := machine.dbs[0].inconsistency(); what != "" {
				t.Fatalf("seed %d, replica %d: %s", seed, i, what)
			}
		}
	}
}

// passTime drops what expires in the model.
func (m *hashModel) passTime(ms int64) {
	m.r.now += ms
	for _, h := range m.fields {
		maps.DeleteFunc(h, func(_ string, f modelField) bool { return f.at != 0 && f.at <= m.r.now })
	}
}

func (m *hashModel) step() error {
	m.passTime(1) // as do will
	m.r.now--
	key := string('a' + rune(m.rng.IntN(3)))
	field := fmt.Sprint(m.rng.IntN(6 + 200*m.rng.IntN(2)))
	h := m.fields[key]
	if h == nil {
		h = map[string]modelField{}
		m.fields[key] = h
	}
	old, there := h[field]
	var args []string
	switch op := m.rng.IntN(12); op {
	case 0, 1, 2:
		h[field] = modelField{val: "7"}
		args = []string{"HSET", key, field, "7"}
	case 3:
		n, _ := parseInt(old.val)
		h[field] = modelField{formatInt(n + 1), old.at}
		args = []string{"HINCRBY", key, field, "1"}
	case 4:
		delete(h, field)
		args = []string{"HDEL", key, field}
	case 5, 6, 7:
		at := m.r.now + 1 + int64(m.rng.IntN(40))
		if there && at > m.r.now+1 {
			h[field] = modelField{old.val, at}
		} else {
			delete(h, field)
		}
		args = []string{"HPEXPIREAT", key, formatInt(at), "FIELDS", "1", field}
	case 8:
		if there {
			h[field] = modelField{val: old.val}
		}
		args = []string{"HPERSIST", key, "FIELDS", "1", field}
	case 9:
		m.passTime(1 + int64(m.rng.IntN(20)))
		_, err := m.r.apply(EntryTick, nil, nil)
		return err
	case 10:
		m.r.now++
		_, err := m.r.apply(EntryExpire, binary.LittleEndian.AppendUint32(nil, uint32(m.rng.IntN(4))), nil)
		return err
	case 11:
		m.fields["c"] = maps.Clone(h)
		if key != "c" && len(h) > 0 {
			args = []string{"COPY", key, "c", "REPLACE"}
			break
		}
		m.fields["c"] = nil
		args = []string{"DEL", "c"}
	}
	_, err := m.r.do(0, 2, args)
	return err
}

// compare asks for all hashes, without letting time pass.
func (m *hashModel) compare() error {
	some := 0
	for key, h := range m.fields {
		var want []string
		for name, f := range h {
			want = append(want, fmt.Sprint(name, "=", f.val, "@", f.at))
		}
		slices.Sort(want)
		if len(h) > 0 {
			some++
		}
		for i, machine := range m.r.m {
			if got := presentFields(machine, key); !slices.Equal(got, want) {
				return fmt.Errorf("replica %d has %s: %q, want %q", i, key, got, want)
			}
		}
	}
	n, err := m.r.view(callOf("DBSIZE"), 2)
	if err == nil && n.Int != int64(some) {
		err = fmt.Errorf("DBSIZE is %d, want %d", n.Int, some)
	}
	return err
}

// presentFields lists the fields of a hash with values and deadlines, as a reader finds them.
func presentFields(m *Machine, key string) (out []string) {
	tx := m.readTx(command.ReadOptions{})
	tx.selectDB(0)
	it := tx.peek([]byte(key))
	if it == nil {
		return nil
	}
	h := it.hash()
	for field, val := range h.present(&tx) {
		out = append(out, fmt.Sprint(field, "=", val, "@", h.deadline(field)))
	}
	slices.Sort(out)
	n, at := h.byRank(&tx)
	if n != len(out) || n != h.length(&tx) || n == 0 {
		return append(out, "of another length")
	}
	first, _ := at(0)
	if _, there := h.get(&tx, []byte(first)); !there {
		out = append(out, "not found")
	}
	return out
}

// TestDueFields: the leader finds fields that are due, and the log removes no more of them than it says.
func TestDueFields(t *testing.T) {
	r := newReplicas(t)
	args := []string{"HSET", "h"}
	limit := []string{"HPEXPIREAT", "h", formatInt(testTime + 1000), "FIELDS", "300"}
	for i := range 301 {
		args = append(args, fmt.Sprint(i), "v")
		if i < 300 {
			limit = append(limit, fmt.Sprint(i))
		}
	}
	for _, a := range [][]string{args, limit} {
		if _, err := r.do(0, 2, a); err != nil {
			t.Fatal(err)
		}
	}
	m := r.m[0]
	if a, b, c := m.Due(testTime+999, 10), m.Due(testTime+1000, 10), m.Due(testTime+1000, 1000); a != 0 || b != 10 || c != 300 {
		t.Errorf("due are %d, %d and %d", a, b, c)
	}
	r.now = testTime + 1000
	for _, want := range []int{201, 101, 1, 1} {
		if _, err := r.apply(EntryExpire, binary.LittleEndian.AppendUint32(nil, 100), nil); err != nil {
			t.Fatal(err)
		}
		it := m.dbs[0].get(m.cluster.hash.sum([]byte("h")), []byte("h"))
		if n := it.hash().size(); n != want {
			t.Errorf("%d fields are left, want %d", n, want)
		}
		if got := len(presentFields(m, "h")); got != 1 {
			t.Errorf("%d fields are there", got)
		}
	}
	if err := r.agree(); err != nil {
		t.Error(err)
	}
}

// TestReadsWaitForFields: a strict read does not answer from a field whose deadline the leader's clock has passed and log time
// has not; one that looks at other fields does.
func TestReadsWaitForFields(t *testing.T) {
	m := New()
	mustApply(t, m, 1, entryOf(testTime, 0, []string{"HSET", "h", "f", "v", "g", "w"}, []string{"HPEXPIRE", "h", "10", "FIELDS", "1", "f"},
		[]string{"HSET", "whole", "f", "v"}, []string{"HPEXPIRE", "whole", "10", "FIELDS", "1", "f"}))
	late := func(words string, strict bool, clock int64) bool {
		c := callOf(strings.Fields(words)...)
		return !m.View([]command.Call{c}, command.ReadOptions{Clock: clock, Strict: strict}, &script.Recorder{})
	}
	for _, words := range []string{
		"HGET h f", "HMGET h g f", "HEXISTS h f", "HSTRLEN h f", "HLEN h", "HGETALL h", "HKEYS h", "HVALS h", "HSCAN h 0",
		"HRANDFIELD h", "HTTL h FIELDS 1 f", "EXISTS whole", "TYPE whole", "KEYS *", "DBSIZE", "HLEN whole",
	} {
		if !late(words, true, testTime+10) || late(words, true, testTime+9) || late(words, false, testTime+10) {
			t.Errorf("%s does not wait when it should, or waits when it should not", words)
		}
	}
	for _, words := range []string{"HGET h g", "HEXISTS h g", "EXISTS h", "HTTL h FIELDS 1 g"} {
		if late(words, true, testTime+10) {
			t.Errorf("%s waits for a field that it does not look at", words)
		}
	}
	ws := m.Watch(0, words("h"))
	if m.ViewTxn(ws, []command.Call{callOf("HGET", "h", "g")}, command.ReadOptions{Clock: testTime + 10, Strict: true}, &script.Recorder{}) {
		t.Error("a watch of a hash does not wait for its fields")
	}
}

// TestWatchesOfFields: a field that has expired since WATCH makes EXEC fail; one that had before does not.
func TestWatchesOfFields(t *testing.T) {
	m := New()
	mustApply(t, m, 1, entryOf(testTime, 0, []string{"HSET", "h", "f", "v", "g", "w"}, []string{"HPEXPIRE", "h", "10", "FIELDS", "1", "f"}))
	before, ahead := m.Watch(0, words("h")), m.WatchAt(0, words("h"), testTime+10)
	if !m.Holds(before) || m.Holds(ahead) {
		t.Errorf("before the deadline: %t, %t", m.Holds(before), m.Holds(ahead))
	}
	mustApply(t, m, 2, entryOf(testTime+10, 0))
	if m.Holds(before) || !m.Holds(ahead) {
		t.Errorf("after it: %t, %t", m.Holds(before), m.Holds(ahead))
	}
}

// TestFieldEvents: what listeners are told of fields with deadlines.
func TestFieldEvents(t *testing.T) {
	r, told := listening(t, command.EventHash|command.EventGeneric)
	step := func(after int64, kind EntryKind, b []byte, units int, want ...string) {
		t.Helper()
		r.now += after
		if _, err := r.apply(kind, b, []int{units}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(*told, want) {
			t.Errorf("told %q, want %q", *told, want)
		}
		*told = nil
	}
	calls := func(after int64, call string, want ...string) {
		t.Helper()
		b, units := body(call)
		step(after, EntryCalls, b, units, want...)
	}
	ten := binary.LittleEndian.AppendUint32(nil, 10)
	calls(0, "HSET h a 1 b 2 c 3 d 4", "0 hset h")
	calls(0, "HPEXPIRE h 10 FIELDS 2 a nofield", "0 hexpire h")
	calls(0, "HPEXPIRE h 10 NX FIELDS 1 a")
	calls(0, "HPERSIST h FIELDS 2 b a", "0 hpersist h")
	calls(0, "HPERSIST h FIELDS 2 b a")
	calls(0, "HPEXPIRE h 0 FIELDS 1 a", "0 hdel h")
	calls(0, "HPEXPIRE h 10 FIELDS 2 b c", "0 hexpire h")
	step(10, EntryExpire, ten, 0, "0 hexpired h")
	calls(0, "HEXPIREAT h 1 FIELDS 1 d", "0 hdel h", "0 del h")
	calls(0, "HSET h a 1", "0 hset h")
	calls(0, "HPEXPIRE h 10 FIELDS 1 a", "0 hexpire h")
	step(10, EntryExpire, ten, 0, "0 hexpired h", "0 del h")
	calls(0, "HSET h a 1", "0 hset h")
	calls(0, "HPEXPIRE h 10 FIELDS 1 a", "0 hexpire h")
	calls(10, "HSET h b 1", "0 hexpired h", "0 del h", "0 hset h")
	calls(0, "HSETEX h EX 10 FIELDS 1 c 1", "0 hset h", "0 hexpire h")
	calls(0, "HGETEX h FIELDS 1 c")
	calls(0, "HGETEX h PERSIST FIELDS 2 b c", "0 hpersist h")
	calls(0, "HGETEX h EX 10 FIELDS 1 b", "0 hexpire h")
	calls(0, "HSETEX h EX 0 FIELDS 1 b 1", "0 hset h", "0 hdel h")
	calls(0, "HGETDEL h FIELDS 1 none")
	calls(0, "HGETDEL h FIELDS 1 c", "0 hdel h", "0 del h")
}

// TestMalformedFieldDeadlines: what no writer makes is refused.
func TestMalformedFieldDeadlines(t *testing.T) {
	for name, c := range map[string]struct {
		form byte
		data string
		good bool
	}{
		"a deadline":        {hashSmallExpiring, "\x02\x01a\x01v\x05\x01b\x01w\x00", true},
		"none any more":     {hashBigExpiring, "\x01\x01a\x01v\x00", true},
		"cut off":           {hashSmallExpiring, "\x01\x01a\x01v", false},
		"too late":          {hashSmallExpiring, "\x01\x01a\x01v\xff\xff\xff\xff\xff\xff\x7f", false},
		"a field twice":     {hashSmallExpiring, "\x02\x01a\x01v\x05\x01a\x01v\x05", false},
		"no field":          {hashSmallExpiring, "\x00", false},
		"of no such form":   {hashBigExpiring + 1, "\x01\x01a\x01v\x00", false},
		"no room for so":    {hashSmallExpiring, "\x7f\x01a\x01v\x05", false},
		"without deadlines": {hashSmall, "\x01\x01a\x01v\x05", true}, // the rest is the next key's
	} {
		d := decoder{rest: []byte(c.data)}
		h := decodeHash(&d, c.form)
		if d.bad == c.good {
			t.Errorf("%s: bad is %t", name, d.bad)
		}
		if again := h.appendTo(nil); c.good && !strings.HasPrefix(c.data, string(again)) {
			t.Errorf("%s: written as %q", name, again)
		}
	}
}

// TestHashesWithoutDeadlinesDoNotGrow: those are what most hashes are.
func TestHashesWithoutDeadlinesDoNotGrow(t *testing.T) {
	if n := unsafe.Sizeof(hash{}); n > 48 {
		t.Errorf("a hash takes %d bytes, which the runtime rounds up", n)
	}
}
