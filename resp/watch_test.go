package resp_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/resp/resptest"
)

// TestWatchedKeysAreLimited: what is watched goes into EXEC's entry, and counts from the beginning.
func TestWatchedKeysAreLimited(t *testing.T) {
	c := resptest.Start(t).Dial(t)
	half := strings.Repeat("k", resptest.EntryBytesMax/2)
	expect(t, c, "OK", "WATCH", half)
	expect(t, c, "OK", "WATCH", half) // the same one
	if got := text(t, c, "WATCH", half+"2"); !strings.Contains(got, "raft-max-entry-bytes") {
		t.Errorf("%.200q", got)
	}
	expect(t, c, "OK", "MULTI")
	if got := text(t, c, "SET", "k", half); !strings.Contains(got, "raft-max-entry-bytes") {
		t.Errorf("%.200q", got)
	}
	expect(t, c, "OK", "DISCARD")
	expect(t, c, "OK", "WATCH", half+"2") // nothing else is watched any more
	expect(t, c, "OK", "UNWATCH")
	for i := range 20 { // WATCH after WATCH takes no longer and longer
		args := []string{"WATCH"}
		for j := range 5000 {
			args = append(args, strconv.Itoa(i*5000+j))
		}
		expect(t, c, "OK", args...)
	}
}
