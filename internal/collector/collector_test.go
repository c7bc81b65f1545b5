package collector

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

const mib = 1 << 20

func TestPercentFalls(t *testing.T) {
	for _, tc := range []struct {
		live uint64
		want int
	}{
		{0, 3200}, {1 * mib, 3200}, {8 * mib, 400}, {16 * mib, 200}, {32 * mib, 100}, {64 * mib, 100}, {80 * mib, 100},
		{100 * mib, 80}, {160 * mib, 50}, {200 * mib, 45}, {1 << 30, 45}, {64 << 30, 45},
	} {
		if got := percentFor(tc.live); got != tc.want {
			t.Errorf("%d MiB alive: %d %%, want %d", tc.live/mib, got, tc.want)
		}
	}
}

// TestRoomNeverShrinks: more data never means more frequent collections than a smaller heap has, byte for byte.
func TestRoomNeverShrinks(t *testing.T) {
	for live := uint64(0); live < 1<<30; live += mib / 2 {
		if roomFor(live+mib/2) < roomFor(live) {
			t.Fatalf("%d bytes alive have room for %d, half a MiB more for %d", live, roomFor(live), roomFor(live+mib/2))
		}
	}
}

// TestGovern lets the heap grow and shrink, and waits until GOGC has followed after a collection.
func TestGovern(t *testing.T) {
	t.Setenv("GOGC", "")
	was := debug.SetGCPercent(100)
	defer debug.SetGCPercent(was)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { Govern(ctx); close(ended) }()

	await(t, "few collections of a small heap", func(percent int) bool { return percent > 100 })
	ballast := make([]byte, 256*mib)
	await(t, "little garbage beside a big heap", func(percent int) bool { return percent <= 45 })
	runtime.KeepAlive(ballast)
	ballast = nil
	await(t, "few collections again", func(percent int) bool { return percent > 100 })

	cancel()
	<-ended
	if got := gogc(); got != 100 {
		t.Errorf("GOGC is %d afterwards, want 100", got)
	}
}

func TestTheOperatorsGOGCStands(t *testing.T) {
	t.Setenv("GOGC", "70")
	was := debug.SetGCPercent(70)
	defer debug.SetGCPercent(was)
	Govern(t.Context()) // returns at once
	if got := gogc(); got != 70 {
		t.Errorf("GOGC is %d, want 70", got)
	}
}

// await collects garbage until GOGC is as wanted: what runs after a collection runs on goroutines of the runtime.
func await(t *testing.T, what string, holds func(percent int) bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(gogc()); {
		if time.Now().After(deadline) {
			t.Fatalf("no %s: GOGC is %d with %d bytes alive", what, gogc(), liveBytes())
		}
		runtime.GC()
	}
}

func gogc() int {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return int(s[0].Value.Uint64())
}
