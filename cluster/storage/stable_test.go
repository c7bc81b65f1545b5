package storage

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestStable(t *testing.T) {
	o := testOptions(t.TempDir(), LogWAL)
	d := mustOpen(t, o)
	s := d.Stable()
	if v, err := s.Get([]byte("none")); v != nil || err != nil {
		t.Fatalf("got %q, %v", v, err)
	}
	if v, err := s.GetUint64([]byte("none")); v != 0 || err != nil {
		t.Fatalf("got %d, %v", v, err)
	}
	must(t, s.Set([]byte{0xFF, 0}, []byte{0xFE, 1}))
	val := []byte("abc")
	must(t, s.Set([]byte("k"), val))
	val[0] = 'x'
	if _, err := s.GetUint64([]byte("k")); err == nil {
		t.Fatal("three bytes were taken for a number")
	}
	if s.Set(nil, nil) == nil || s.Set([]byte("k"), make([]byte, stableValueBytesMax+1)) == nil ||
		s.Set([]byte(strings.Repeat("k", stableKeyBytesMax+1)), nil) == nil {
		t.Fatal("beyond the limits")
	}
	must(t, d.Err())
	mustClose(t, d)
	d = mustOpen(t, o)
	for k, want := range map[string][]byte{"k": []byte("abc"), "\xFF\x00": {0xFE, 1}} {
		if v, err := d.Stable().Get([]byte(k)); err != nil || !bytes.Equal(v, want) {
			t.Fatalf("%q: %q, %v", k, v, err)
		}
	}
	for i := range stableKeysMax + 1 {
		if err := d.Stable().Set([]byte{'n', byte(i)}, nil); (err != nil) != (i >= stableKeysMax-2) {
			t.Fatalf("key %d: %v", i, err)
		}
	}
}

// wantVote reopens a copy, as after kill -9, and checks the vote found there.
func wantVote(t *testing.T, o Options, term uint64, cand string) {
	t.Helper()
	o.Path = copyTree(t, o.Path)
	d := mustOpen(t, o)
	defer d.Close()
	gotTerm, err := d.Stable().GetUint64([]byte(keyLastVoteTerm))
	must(t, err)
	gotCand, err := d.Stable().Get([]byte(keyLastVoteCand))
	must(t, err)
	if gotTerm != term || string(gotCand) != cand {
		t.Fatalf("vote of term %d for %q, want %d for %q", gotTerm, gotCand, term, cand)
	}
}

// Term and candidate of a vote are never apart on disk: hashicorp/raft #661.
func TestVoteIsOneTransaction(t *testing.T) {
	o := testOptions(filepath.Join(t.TempDir(), "d"), LogWAL)
	d := mustOpen(t, o)
	vote := func(term uint64, cand string) {
		must(t, d.Stable().SetUint64([]byte(keyLastVoteTerm), term))
		must(t, d.Stable().Set([]byte(keyLastVoteCand), []byte(cand)))
	}
	setTerm(t, d, 5)
	vote(5, "a")
	wantVote(t, o, 5, "a")
	setTerm(t, d, 6)
	must(t, d.Stable().SetUint64([]byte(keyLastVoteTerm), 6))
	if v, err := d.Stable().GetUint64([]byte(keyLastVoteTerm)); v != 6 || err != nil {
		t.Fatalf("the held term is not seen: %d, %v", v, err)
	}
	wantVote(t, o, 5, "a") // a crash between the two calls
	must(t, d.Stable().Set([]byte(keyLastVoteCand), []byte("b")))
	wantVote(t, o, 6, "b")
	setTerm(t, d, 7)
	vote(7, "b") // the same candidate again
	wantVote(t, o, 7, "b")
}
