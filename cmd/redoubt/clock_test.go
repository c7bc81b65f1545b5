package main

import (
	"strconv"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/internal/respclient"
)

func TestWallClock(t *testing.T) {
	c := new(wallClock)
	for _, d := range []time.Duration{0, time.Hour, -time.Hour, 1500 * time.Microsecond, -10 * 365 * 24 * time.Hour} {
		before := c.Now()
		if err := c.SetOffset(d); err != nil {
			t.Fatal(err)
		}
		machine := time.Now()
		after := c.Now()
		if e := after.Sub(before); e < 0 || e > time.Minute {
			t.Errorf("offset %s: elapsed time moved by %s", d, e)
		}
		// What the two readings of the wall clock differ by is the offset and the time between them. The kernel's two
		// clocks are not read in one instant.
		got := time.Duration(after.UnixNano()-machine.UnixNano()) - after.Sub(machine)
		if (got - d).Abs() > 100*time.Millisecond {
			t.Errorf("offset %s: the wall clock is off by %s", d, got)
		}
		if got := after.Add(time.Second).Sub(after); got != time.Second {
			t.Errorf("offset %s: a second later is %s later", d, got)
		}
	}
	if err := c.SetOffset(clockOffsetMax + time.Second); err == nil {
		t.Error("an offset that a time can't express was taken")
	}
}

// unixTime is what TIME answers, in seconds.
func (n *node) unixTime(t *testing.T) int64 {
	t.Helper()
	c, err := respclient.Dial(n.resp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	v, err := c.Do("TIME")
	if err != nil || len(v.Elems) != 2 {
		t.Fatalf("TIME: %+v, %v", v, err)
	}
	s, err := strconv.ParseInt(v.Elems[0].Str, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// DEBUG CLOCK-OFFSET shifts what clients and the log take for the time, and log time does not follow it back.
func TestDebugClockOffset(t *testing.T) {
	t.Parallel()
	n := newNode(t, "n1").start(t, "--bootstrap", "--enable-debug-command", "yes")
	n.await("it leads", func() bool { return n.ask("SET", "k", "v", "EX", "3600") == "OK" })
	if got := n.ask("DEBUG", "CLOCK-OFFSET", "7200000"); got != "OK" {
		t.Fatal(got)
	}
	if ahead := n.unixTime(t) - time.Now().Unix(); ahead < 7199 || ahead > 7260 {
		t.Errorf("TIME is %d s ahead, not two hours", ahead)
	}
	if got := n.ask("GET", "k"); got != "" {
		t.Errorf("a key that expired an hour ago: %q", got)
	}
	if got := n.ask("DEBUG", "CLOCK-OFFSET", "0"); got != "OK" {
		t.Fatal(got)
	}
	if ahead := n.unixTime(t) - time.Now().Unix(); ahead < -1 || ahead > 60 {
		t.Errorf("TIME is %d s ahead after the end of the offset", ahead)
	}
	// An absolute deadline an hour ahead of the machine's clock has passed for a log that was at two.
	if got := n.ask("SET", "late", "v", "EXAT", strconv.FormatInt(time.Now().Unix()+3600, 10)); got != "OK" {
		t.Fatal(got)
	}
	if got := n.ask("GET", "late"); got != "" {
		t.Errorf("log time went back with the wall clock: %q", got)
	}
	for _, bad := range []string{"x", "1.5", "", "9223372036854775807", "-9223372036854775808"} {
		if got := n.ask("DEBUG", "CLOCK-OFFSET", bad); got == "OK" {
			t.Errorf("CLOCK-OFFSET %q was taken", bad)
		}
	}
}

func TestClockOffsetNeedsDebug(t *testing.T) {
	t.Parallel()
	n := newNode(t, "n1").start(t, "--bootstrap")
	if got := n.ask("DEBUG", "CLOCK-OFFSET", "7200000"); got == "OK" {
		t.Error("DEBUG is off, and CLOCK-OFFSET works")
	}
	if ahead := n.unixTime(t) - time.Now().Unix(); ahead > 60 {
		t.Errorf("TIME is %d s ahead", ahead)
	}
}
