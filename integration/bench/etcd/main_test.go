package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	l, err := parse(strings.Fields("-endpoint a:1 -op get -conns 2 -pipeline 3 -size 4 -keys 5 -time 6s"))
	if want := (load{"a:1", opGet, 2, 3, 4, 5, 6 * time.Second}); err != nil || l != want {
		t.Errorf("%+v, %v", l, err)
	}
	for _, bad := range []string{
		"", "-endpoint a:1 surplus", "-endpoint a:1 -op del", "-endpoint a:1 -conns 0", "-endpoint a:1 -conns 10001",
		"-endpoint a:1 -pipeline 0", "-endpoint a:1 -size 0", "-endpoint a:1 -keys 0", "-endpoint a:1 -time 0s", "-unknown",
	} {
		if _, err := parse(strings.Fields(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if err := run(t.Context(), []string{"-op", "get"}, io.Discard); err == nil {
		t.Error("a run without an endpoint")
	}
}

func TestSummarize(t *testing.T) {
	var took []time.Duration
	for i := 1000; i > 0; i-- {
		took = append(took, time.Duration(i))
	}
	r := summarize(took, time.Second, time.Minute)
	if want := (report{1000, time.Second, 501, 991, 1000, time.Minute}); r != want {
		t.Errorf("%+v, want %+v", r, want)
	}
	if r := summarize(nil, 0, 0); r != (report{}) {
		t.Errorf("nothing gives %+v", r)
	}
}

func TestKey(t *testing.T) {
	if key(1234) != "key:000000001234" {
		t.Error(key(1234))
	}
}
