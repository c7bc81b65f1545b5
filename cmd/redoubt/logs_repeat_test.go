package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

func TestRaftRepeatsAreLeftOut(t *testing.T) {
	now := time.Now()
	var out bytes.Buffer
	l := hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Debug, Exclude: newRepeats(func() time.Time { return now }).exclude})
	lines := func() int { return strings.Count(out.String(), "\n") }
	for i := range 10 {
		l.Error("failed to heartbeat to", "peer", "a", "error", i)
		l.Error("failed to heartbeat to", "peer", "b")
		l.Debug("detail")
	}
	if lines() != 12 {
		t.Errorf("%d lines:\n%s", lines(), out.String())
	}
	now = now.Add(repeatPause)
	l.Error("failed to heartbeat to", "peer", "a")
	if lines() != 13 {
		t.Errorf("%d lines:\n%s", lines(), out.String())
	}
}
