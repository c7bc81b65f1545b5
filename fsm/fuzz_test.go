package fsm

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/respclient"
)

// FuzzApply applies any bytes as an entry: it may be refused by the sentinels, and nothing else may happen.
func FuzzApply(f *testing.F) {
	p := command.NewProposal(nil)
	p.AddCall(0, [][]byte{[]byte("SET"), []byte("k"), []byte("v"), []byte("PX"), []byte("5")})
	p.AddTxn([]command.Watch{{Key: []byte("k"), Version: 1}}, []command.Call{{Args: [][]byte{[]byte("INCR"), []byte("n")}}, {}})
	f.Add(append(AppendEntryHeader(nil, EntryHeader{Kind: EntryCalls, Time: testTime}), p.Body...))
	f.Add(append(AppendEntryHeader(nil, EntryHeader{Kind: EntryExpire, Time: testTime + 10}), 9, 0, 0, 0))
	f.Add(append(AppendEntryHeader(nil, EntryHeader{Kind: EntryInit}), `{"cluster_id":"x","databases":4}`...))
	f.Add(append(AppendEntryHeader(nil, EntryHeader{Kind: EntryMember}), `{"id":"n1"}`...))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if claimsMuch(data) {
			t.Skip("a string of hundreds of megabytes is allowed, and slow")
		}
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

// claimsMuch spots SETRANGE offsets that make long strings, which a digest walks through.
func claimsMuch(data []byte) bool {
	return strings.Contains(strings.ToLower(string(data)), "setrange")
}

// fuzzWords are what arguments of random calls are made of: few keys, every option, numbers at the edges.
var fuzzWords = []string{
	"a", "b", "c", "d", "e", "0", "1", "2", "-1", "10", "100", "12345", "9223372036854775807", "-9223372036854775808",
	"0.5", "1e3", "abc", "", "*", "a*", "[a-c]", "nx", "xx", "gt", "lt", "get", "ex", "px", "exat", "pxat", "keepttl",
	"persist", "replace", "db", "match", "count", "type", "string", "len", "idx", "minmatchlen", "withmatchlen", "sync",
	"async", "samples", "a\x00\xff", strings.Repeat("x", 50), strings.Repeat("long", 9000), "1700000000001", "1700000001",
}

// FuzzCalls runs random calls of the table on replicas, which must agree, and on none of which an executor may panic.
func FuzzCalls(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(binary.LittleEndian.AppendUint64(nil, seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var seed [32]byte
		copy(seed[:], data)
		r := newReplicas(t)
		r.rarely = true
		rng := rand.New(rand.NewChaCha8(seed))
		for range 60 {
			args := randomCall(rng)
			v, err := r.do(rng.IntN(2), 2, args)
			if err != nil {
				t.Fatal(err)
			}
			if v.Kind == respclient.Error && v.Str == command.ErrInternal {
				t.Fatalf("%.200q: %s", args, r.m[0].TakePanic())
			}
		}
		if err := r.agree(); err != nil {
			t.Fatal(err)
		}
	})
}

// randomCall makes a call with the right number of arguments for a command.
func randomCall(rng *rand.Rand) []string {
	specs := testTable().All()
	s := specs[rng.IntN(len(specs))]
	if len(s.Subcommands) > 0 {
		s = s.Subcommands[rng.IntN(len(s.Subcommands))]
	}
	args := strings.Split(s.Name, "|")
	n := s.Arity
	if n < 0 {
		n = -n + rng.IntN(5)
	}
	for len(args) < n {
		args = append(args, fuzzWords[rng.IntN(len(fuzzWords))])
	}
	return args
}
