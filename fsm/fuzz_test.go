package fsm

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// inputPatience is how long one input may take: far beyond what any does, so that a hang is a finding and not a wait.
const inputPatience = time.Minute

// watchdog turns a hang into a panic, which the fuzzer keeps the input of. The result ends it.
func watchdog() (stop func() bool) {
	return time.AfterFunc(inputPatience, func() {
		panic(fmt.Sprintf("an input is at work for %s", inputPatience))
	}).Stop
}

// FuzzApply applies any bytes as an entry: it may be refused by the sentinels, and nothing else may happen.
func FuzzApply(f *testing.F) {
	p := command.NewProposal(nil)
	p.AddCall(0, [][]byte{[]byte("SET"), []byte("k"), []byte("v"), []byte("PX"), []byte("5")})
	p.AddTxn([]command.Watch{{Key: []byte("k"), Version: 1}}, []command.Call{{Args: [][]byte{[]byte("INCR"), []byte("n")}}, {}})
	f.Add(append(AppendEntryHeader(nil, EntryHeader{Kind: EntryCalls, Time: testTime}), p.Body...))
	f.Add(append(AppendEntryHeader(nil, EntryHeader{Kind: EntryExpire, Time: testTime + 10}), 9, 0, 0, 0))
	f.Add(append(AppendEntryHeader(nil, EntryHeader{Kind: EntryInit}), `{"cluster_id":"x","databases":4}`...))
	f.Add(append(AppendEntryHeader(nil, EntryHeader{Kind: EntryMember}), `{"id":"n1"}`...))
	f.Add(entryOf(testTime, 0, []string{"SETRANGE", "k", "536870911", "x"}, []string{"APPEND", "k", ""}))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, data []byte) {
		defer watchdog()()
		a, b := New(), New()
		errA, errB := a.Apply(1, data, nil), b.Apply(1, data, nil)
		if (errA == nil) != (errB == nil) {
			t.Fatalf("%v here, %v there", errA, errB)
		}
		if errA != nil && !errors.Is(errA, ErrEntryCorrupt) && !errors.Is(errA, ErrEntryVersion) {
			t.Fatal(errA)
		}
		if p := a.TakePanic(); p != "" {
			t.Fatal(p)
		}
		if errA == nil && a.Digest() != b.Digest() {
			t.Fatal("the digests differ")
		}
	})
}
