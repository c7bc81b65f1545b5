package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/redoubtdb/redoubt/integration/internal/child"
)

// What a filling resumes from leaves no key out, wherever it was interrupted.
func TestFillResumes(t *testing.T) {
	const keys = 10 * fillConns * fillBatchMax
	for range 5 {
		var mu sync.Mutex
		seen := map[string]bool{}
		refuseAt, counted := 1+rand.IntN(keys), 0
		addr := fakeServer(t, func(command string) string {
			mu.Lock()
			defer mu.Unlock()
			if counted++; counted == refuseAt {
				return "-UNKNOWN leadership was lost\r\n"
			}
			seen[command] = true
			return "+OK\r\n"
		})
		f := setKeys(2, 0, keys)
		f.addr = addr
		at, err := f.from(t.Context(), 0)
		if !errors.Is(err, errLeaderLost) {
			t.Fatalf("interrupted by %v", err)
		}
		if _, err := f.from(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		for i := range keys {
			if !seen["SET "+keyName(i)+" "+filler(2)] {
				t.Fatalf("refused at %d, resumed at %d: key %d is missing", refuseAt, at, i)
			}
		}
	}
}

// A system whose leader is lost while it is filled is filled by the next one, and it is told how often that happened.
func TestFillFollowsTheLeader(t *testing.T) {
	var mu sync.Mutex
	refused, got := 0, 0
	addr := fakeServer(t, func(command string) string {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case command == "ROLE":
			return "*1\r\n$6\r\nmaster\r\n"
		case strings.HasPrefix(command, "WAIT"):
			return ":0\r\n"
		case strings.HasPrefix(command, "SET key:") && refused < 2:
			refused++
			return "-READONLY You can't write against a read only replica.\r\n"
		}
		got++
		return "+OK\r\n"
	})
	s := &system{id: single, procs: []*process{{addr: addr, Process: &child.Process{Name: "fake"}}}}
	n, err := fillSystem(t.Context(), s, setKeys(2, 0, 1))
	if err != nil || n != 2 || got < 1 {
		t.Errorf("%d interruptions, %d writes, %v", n, got, err)
	}
	mu.Lock()
	refused = -fillInterruptionsMax
	mu.Unlock()
	if _, err := fillSystem(t.Context(), s, setKeys(2, 0, 1)); !errors.Is(err, errLeaderLost) {
		t.Errorf("a node that never leads: %v", err)
	}
}

func TestFillErrorsThatStay(t *testing.T) {
	for reply, lost := range map[string]bool{"-TRYAGAIN x": true, "-CLUSTERDOWN x": true, "-ERR unknown command": false, "-WRONGTYPE x": false} {
		addr := fakeServer(t, func(string) string { return fmt.Sprint(reply, "\r\n") })
		f := setKeys(2, 0, 5)
		f.addr = addr
		if err := f.run(t.Context()); !errors.Is(err, errReply) || errors.Is(err, errLeaderLost) != lost {
			t.Errorf("%s: %v", reply, err)
		}
	}
}

func TestFillerIsNoRunOfOneLetter(t *testing.T) {
	letters := map[rune]bool{}
	text, again := filler(100), filler(100)
	for _, r := range text {
		letters[r] = true
	}
	if len(text) != 100 || len(letters) < 30 || text != again {
		t.Errorf("%q, %q", text, again)
	}
}
