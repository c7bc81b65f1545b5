package fsm

import (
	"encoding/json"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/script"
)

// TestDatabaseThatIsNotThere: a client may have chosen a database on a node that did not know yet how many its cluster
// has. Such a call must not stop the nodes that find it in their logs, nor a WATCH the process.
func TestDatabaseThatIsNotThere(t *testing.T) {
	m := New()
	body, err := json.Marshal(Genesis{ClusterID: "test", HashKey0: 1, HashKey1: 2, Databases: 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Apply(1, append(AppendEntryHeader(nil, EntryHeader{Kind: EntryInit}), body...), nil); err != nil {
		t.Fatal(err)
	}
	watches := m.Watch(10, [][]byte{[]byte("k")})
	if len(watches) != 1 || m.Holds(watches) {
		t.Errorf("a watched key of no database: %+v holds", watches)
	}
	set := [][]byte{[]byte("SET"), []byte("k"), []byte("v")}
	p := command.NewProposal(nil)
	p.AddCall(10, set)
	p.AddTxn(nil, []command.Call{{DB: 10, Args: set}, {DB: 3, Args: set}})
	p.AddCall(3, [][]byte{[]byte("GET"), []byte("k")})
	rec := &script.Recorder{Proto: 3}
	entry := append(AppendEntryHeader(nil, EntryHeader{Kind: EntryCalls, Time: testTime}), p.Body...)
	if err := m.Apply(2, entry, []Target{{Units: p.Units, Reply: rec}}); err != nil {
		t.Fatalf("the node would stop: %v", err)
	}
	got, ok := rec.Take()
	if !ok || len(got) != 3 {
		t.Fatalf("replies %v, complete %v", got, ok)
	}
	want := "(error) " + command.ErrDBIndex
	for i, reply := range []string{want, "[" + want + ", OK]", `"v"`} {
		if got := script.Render(got[i]); got != reply {
			t.Errorf("reply %d: %s, want %s", i, got, reply)
		}
	}
}
