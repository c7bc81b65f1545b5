package simtest

import (
	"regexp"
	"runtime"
	"strings"
)

// leftOver is how synctest says that a bubble's goroutines are left when it ends.
const leftOver = "blocked goroutines remain"

var bubbleMark = regexp.MustCompile(`synctest bubble \d+\]`)

// bubbleName is how stack traces name the bubble that the caller runs in.
func bubbleName() string {
	buf := make([]byte, 1<<10)
	return bubbleMark.FindString(string(buf[:runtime.Stack(buf, false)]))
}

// stacksMax bounds the memory of a dump of all goroutines.
const stacksMax = 64 << 20

// leftByRaft reports whether whatever is left of a bubble waits for what the library never says: for an entry that was
// committed when raft was shut down and is dropped (fsm.go, runFSM), or, if stuck, in a transfer that hangs (issue 696).
func leftByRaft(bubble string, stuck bool) bool {
	known := []string{"raft.(*deferError).Error("}
	if stuck {
		known = append(known, "raft.(*Raft).leadershipTransfer(", "raft.(*Raft).leaderLoop.func2(")
	}
	buf := make([]byte, stacksMax)
	buf = buf[:runtime.Stack(buf, true)]
	if bubble == "" || len(buf) == stacksMax {
		return false
	}
	for _, stack := range strings.Split(string(buf), "\n\n") {
		head, frames, _ := strings.Cut(stack, "\n")
		top, _, _ := strings.Cut(frames, "\n")
		if !strings.Contains(head, bubble) {
			continue
		}
		ok := false
		for _, k := range known {
			ok = ok || strings.Contains(top, k)
		}
		if !ok {
			return false
		}
	}
	return true
}
