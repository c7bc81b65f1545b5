package simtest

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		before := c.Now()
		c.Jump(-time.Hour)
		time.Sleep(1500 * time.Millisecond)
		after := c.Now()
		if d := after.Sub(before); d != 1500*time.Millisecond {
			t.Errorf("elapsed time moved with the wall clock: %s", d)
		}
		if d := time.Until(after.Round(0)); d != -time.Hour {
			t.Errorf("the wall clock is off by %s, not by an hour", d)
		}
		if d := after.UnixNano() - time.Now().UnixNano(); d != int64(-time.Hour) {
			t.Errorf("its Unix time is off by %d", d)
		}
		for _, deadline := range []time.Time{c.Now().Add(time.Second), time.Now().Add(time.Second)} {
			if d := c.until(deadline); d != time.Second {
				t.Errorf("%s to a deadline in a second", d)
			}
		}
	})
}
