package fsm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/script"
)

// strange stands for a type that is no string.
type strange struct{}

func (strange) kind() kind { return 200 }

func TestCommandsOfStringsRefuseOtherTypes(t *testing.T) {
	wrong := "(error) " + command.ErrWrongType
	for line, want := range map[string]string{
		"GET k": wrong, "GETSET k v": wrong, "GETDEL k": wrong, "GETEX k": wrong, "GETEX k EX 0": wrong,
		"SET k v GET": wrong, "SET k v NX GET": wrong, "SET k v NX": "(nil)", "SETNX k v": "(integer) 0",
		"MSETNX k v": "(integer) 0", "MGET k": "[(nil)]", "APPEND k x": wrong, "STRLEN k": wrong,
		"GETRANGE k 0 1": wrong, "GETRANGE k x 1": "(error) " + command.ErrNotInteger, "SUBSTR k 0 1": wrong,
		"SETRANGE k 0 x": wrong, "SETRANGE k -1 x": "(error) ERR offset is out of range",
		"INCR k": wrong, "DECR k": wrong, "INCRBY k 1": wrong, "INCRBY k x": "(error) " + command.ErrNotInteger,
		"DECRBY k 1": wrong, "INCRBYFLOAT k 1": wrong, "INCRBYFLOAT k x": wrong,
		"LCS k a":  "(error) ERR The specified keys must contain string values",
		"LCS a k":  "(error) ERR The specified keys must contain string values",
		"EXISTS k": "(integer) 1", "TYPE k": "unknown", "SET k v": "OK", "SET k v XX": "OK", "MSET k v": "OK",
	} {
		m := New()
		tx := &m.writeTx
		tx.begin(m, 1)
		tx.selectDB(0)
		tx.set([]byte("k"), value{obj: strange{}}, 0)
		if got := execute(t, m, line); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
		if p := m.TakePanic(); p != "" {
			t.Errorf("%s: %s", line, p)
		}
	}
}

// execute runs one command of a machine's database 0 through the log.
func execute(t *testing.T, m *Machine, line string) string {
	t.Helper()
	p := command.NewProposal(nil)
	var args [][]byte
	for _, w := range strings.Fields(line) {
		args = append(args, []byte(w))
	}
	p.AddCall(0, args)
	return applyBody(t, m, p.Body)
}

func applyBody(t *testing.T, m *Machine, body []byte) string {
	t.Helper()
	data := AppendEntryHeader(nil, EntryHeader{Kind: EntryCalls, Time: max(m.Now(), testTime), Seed: 1})
	rec := &script.Recorder{}
	if err := m.Apply(m.Index()+1, append(data, body...), []Target{{Units: 1, Reply: rec}}); err != nil {
		t.Fatal(err)
	}
	got, ok := rec.Take()
	if !ok || len(got) != 1 {
		t.Fatalf("%d replies", len(got))
	}
	return script.Render(got[0])
}

// TestWatchSeesWhatCommandsDo runs a command between WATCH k and EXEC.
func TestWatchSeesWhatCommandsDo(t *testing.T) {
	const aborted, ran = "(nil array)", `["EXEC"]`
	for _, tc := range []struct{ before, between, want string }{
		{"SET k v", "SET other v", ran},
		{"SET k v", "GET k", ran},
		{"SET k v", "SET k v", aborted},
		{"SET k v", "SET k w NX", ran},
		{"SET k v", "APPEND k x", aborted},
		{"SET k v", "SETRANGE k 0 ", ran},
		{"SET k v", "EXPIRE k 100", aborted},
		{"SET k v", "EXPIRE k 100 XX", ran},
		{"SET k v", "PERSIST k", ran},
		{"SET k v", "GETEX k", ran},
		{"SET k v", "GETEX k EX 100", aborted},
		{"SET k v", "GETEX k EXAT 1", aborted},
		{"SET k v", "DEL k", aborted},
		{"SET k v", "RENAME k x", aborted},
		{"SET k v", "RENAME k k", ran},
		{"SET k v", "MOVE k 1", aborted},
		{"SET k v", "COPY k x", ran},
		{"SET k v", "FLUSHDB", aborted},
		{"SET k v", "FLUSHALL", aborted},
		{"SET k v", "SWAPDB 0 1", aborted},
		{"SET k v", "SWAPDB 1 2", ran},
		{"SET x v", "RENAME x k", aborted},
		{"SET x v", "COPY x k", aborted},
		{"SET x v", "SET k v PXAT 1", aborted},
		{"SET x v", "DEL k", ran},
		{"SET x v", "FLUSHDB", ran},
		{"SET x v", "SETNX k v", aborted},
	} {
		m := New()
		execute(t, m, tc.before)
		w := m.Watch(0, [][]byte{[]byte("k")})
		between := strings.Split(strings.TrimSuffix(tc.between, " "), " ")
		if strings.HasSuffix(tc.between, " ") {
			between = append(between, "")
		}
		p := command.NewProposal(nil)
		args := make([][]byte, len(between))
		for i, a := range between {
			args[i] = []byte(a)
		}
		p.AddCall(0, args)
		applyBody(t, m, p.Body)
		p.Reset()
		p.AddTxn(w, []command.Call{{Args: [][]byte{[]byte("GETRANGE"), []byte("exec"), []byte("0"), []byte("0")}}})
		got := applyBody(t, m, p.Body)
		if (got == aborted) != (tc.want == aborted) {
			t.Errorf("%s, WATCH k, %s: EXEC replies %s", tc.before, tc.between, got)
		}
	}
}

// TestWatchOfAStaleKey: a key whose deadline has passed for the leader, but not yet in log time, is watched as absent.
func TestWatchOfAStaleKey(t *testing.T) {
	deadline := int64(testTime + 1000)
	for _, tc := range []struct {
		clock int64
		holds bool
	}{{0, false}, {deadline - 1, false}, {deadline, true}} {
		m := New()
		execute(t, m, "SET k v PXAT "+strconv.FormatInt(deadline, 10))
		w := m.WatchAt(0, [][]byte{[]byte("k")}, tc.clock)
		tick := AppendEntryHeader(nil, EntryHeader{Kind: EntryTick, Time: deadline, Seed: 1})
		if err := m.Apply(m.Index()+1, tick, nil); err != nil {
			t.Fatal(err)
		}
		if got := m.Holds(w); got != tc.holds {
			t.Errorf("watched at %d, with the deadline at %d: EXEC runs: %t", tc.clock, deadline, got)
		}
		execute(t, m, "SET k w")
		if m.Holds(w) {
			t.Errorf("watched at %d: a new value is not noticed", tc.clock)
		}
	}
}

// TestScanSeesEveryKeyThatStays walks with keys coming and going between the pages.
func TestScanSeesEveryKeyThatStays(t *testing.T) {
	m := New()
	m.cluster.hash = hashKey{1, 2}
	for i := range 500 {
		execute(t, m, fmt.Sprintf("SET stay:%d v", i))
		execute(t, m, fmt.Sprintf("SET go:%d v", i))
	}
	seen := map[string]int{}
	cursor := "0"
	for page := 0; ; page++ {
		c := command.Call{Spec: testTable().Get("scan"), Args: [][]byte{[]byte("scan"), []byte(cursor), []byte("COUNT"), []byte("7")}}
		rec := &script.Recorder{}
		m.View([]command.Call{c}, command.ReadOptions{}, rec)
		got, _ := rec.Take()
		for _, k := range got[0].Elems[1].Elems {
			seen[k.Str]++
		}
		if cursor = got[0].Elems[0].Str; cursor == "0" {
			break
		}
		execute(t, m, fmt.Sprintf("DEL go:%d", page))
		execute(t, m, fmt.Sprintf("SET new:%d v", page))
	}
	for i := range 500 {
		if n := seen["stay:"+strconv.Itoa(i)]; n != 1 {
			t.Errorf("stay:%d was seen %d times", i, n)
		}
	}
}

// TestScanKeepsAHashTogether gives all keys one of two hashes.
func TestScanKeepsAHashTogether(t *testing.T) {
	m := New()
	ks := m.dbs[0]
	for i := range 20 {
		ks.put(uint64(5+i%2*4), newItem(strconv.Itoa(i), rawValue("v"), 0, 0))
	}
	tx := m.readTx(command.ReadOptions{})
	tx.selectDB(0)
	rec := &script.Recorder{}
	scan(&tx, &command.Call{Args: [][]byte{[]byte("scan"), []byte("0"), []byte("COUNT"), []byte("1")}}, rec)
	scan(&tx, &command.Call{Args: [][]byte{[]byte("scan"), []byte("9"), []byte("COUNT"), []byte("1")}}, rec)
	pages, _ := rec.Take()
	for i, want := range []string{"9", "0"} {
		got := pages[i].Elems[1].Strings()
		if pages[i].Elems[0].Str != want || len(got) != 10 || !slices.IsSorted(got) {
			t.Errorf("page %d: %s", i, script.Render(pages[i]))
		}
	}
}

// TestStrictViewIsLate asks at a time between log time and a deadline, and behind it.
func TestStrictViewIsLate(t *testing.T) {
	m := New()
	execute(t, m, "SET k v PX 1000")
	execute(t, m, "SET stays v")
	for _, tc := range []struct {
		line       string
		late, held bool // with a clock behind the deadline, and before it
	}{
		{"GET k", false, true}, {"GET stays", true, true}, {"TTL k", false, true}, {"EXISTS stays k", false, true},
		{"DBSIZE", false, true}, {"KEYS *", false, true}, {"KEYS s*", true, true}, {"SCAN 0", false, true},
		{"SCAN 0 MATCH s*", true, true}, {"OBJECT ENCODING k", false, true}, {"MEMORY USAGE k", false, true},
		{"TOUCH k", false, true}, {"TYPE k", false, true}, {"STRLEN k", false, true}, {"LCS stays k", false, true},
	} {
		var args [][]byte
		for _, w := range strings.Fields(tc.line) {
			args = append(args, []byte(w))
		}
		call := command.Call{Spec: testTable().Lookup(args), Args: args}
		view := func(clock int64) bool {
			return m.View([]command.Call{call}, command.ReadOptions{Clock: clock, Strict: true}, &script.Recorder{})
		}
		if got := view(testTime + 1000); got != tc.late {
			t.Errorf("%s behind the deadline: %t", tc.line, got)
		}
		if got := view(testTime + 999); got != tc.held {
			t.Errorf("%s before the deadline: %t", tc.line, got)
		}
	}
}

func TestContainersTakeSubcommandsOfOthers(t *testing.T) {
	for range 2 { // each table is its own
		tab := command.NewTable()
		Commands(tab, &command.Spec{Name: "memory|doctor", Arity: 2})
		doctor := tab.Lookup([][]byte{[]byte("MEMORY"), []byte("doctor")})
		if doctor == nil || doctor.Name != "memory|doctor" || doctor.Parent != tab.Get("memory") || Executes(doctor) {
			t.Fatalf("memory|doctor: %+v", doctor)
		}
		usage := tab.Lookup([][]byte{[]byte("memory"), []byte("usage"), []byte("k")})
		if usage == nil || !Executes(usage) || Executes(tab.Get("memory")) {
			t.Fatalf("memory|usage: %+v", usage)
		}
	}
}
