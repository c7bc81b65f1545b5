package cluster

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// paceDesk is a node and a disk whose time passes when the test says so: each write takes cost, and rests take what is
// asked for.
type paceDesk struct {
	at     time.Time
	cost   time.Duration // of a write
	clock  uint64        // what served returns
	busy   bool          // clients are served all the time
	hasty  bool
	bytes  int64
	rests  []time.Duration
	got    bytes.Buffer // what was written, if it keeps it
	keeps  bool
	longat int // longest write, in bytes
	onPart func()
	err    error
}

func newPaceDesk() *paceDesk {
	return &paceDesk{at: time.Unix(1e9, 0), cost: 300 * time.Microsecond, busy: true}
}

func (d *paceDesk) Write(b []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	d.at = d.at.Add(d.cost)
	d.longat = max(d.longat, len(b))
	if d.onPart != nil {
		d.onPart()
	}
	if d.keeps {
		d.got.Write(b)
	}
	return len(b), nil
}

func (d *paceDesk) monotonic() time.Time { return d.at }

func (d *paceDesk) rest(t time.Duration) {
	d.at = d.at.Add(t)
	d.rests = append(d.rests, t)
}

func (d *paceDesk) served() uint64 {
	if d.busy {
		d.clock++
	}
	return d.clock
}

func (d *paceDesk) urgent() bool    { return d.hasty }
func (d *paceDesk) logBytes() int64 { return d.bytes }

// write writes records until the work alone has taken so long, and returns how long it took with its rests.
func (d *paceDesk) write(t *testing.T, work time.Duration) time.Duration {
	t.Helper()
	return d.writeOn(t, newPacedWriter(d, d), work)
}

func (d *paceDesk) writeOn(t *testing.T, p *pacedWriter, work time.Duration) time.Duration {
	t.Helper()
	began := d.at
	record := make([]byte, 1000)
	for range work / d.cost {
		if n, err := p.Write(record); n != len(record) || err != nil {
			t.Fatal(n, err)
		}
	}
	return d.at.Sub(began)
}

func (d *paceDesk) rested() (sum time.Duration) {
	for _, r := range d.rests {
		sum += r
	}
	return sum
}

// near allows for the slice that is under way.
func near(got, want time.Duration) bool {
	return got > want-20*time.Millisecond && got < want+20*time.Millisecond
}

// TestPaceIsAQuarter: while clients are served three quarters of the time are rests, none longer than a few slices.
func TestPaceIsAQuarter(t *testing.T) {
	d := newPaceDesk()
	if took := d.write(t, 3*time.Second); !near(took, 12*time.Second) {
		t.Errorf("3 s of work took %s", took)
	}
	for _, r := range d.rests {
		if r > 2*snapshotRestFactor*snapshotSlice {
			t.Fatalf("a rest of %s", r)
		}
	}
}

// TestPaceIdle: a node without clients does not rest, one whose clients come and go does while they are there.
func TestPaceIdle(t *testing.T) {
	d := newPaceDesk()
	d.busy = false
	p := newPacedWriter(d, d)
	d.at = d.at.Add(snapshotIdle) // nobody came in this time
	if took := d.writeOn(t, p, 2*time.Second); took > 2*time.Second {
		t.Errorf("idle: 2 s of work took %s", took)
	}
	d.busy = true
	if took := d.writeOn(t, p, 2*time.Second); !near(took, 8*time.Second) {
		t.Errorf("with clients: 2 s of work took %s", took)
	}
	d.busy = false
	if took := d.writeOn(t, p, 2*time.Second); !near(took, 2*time.Second+snapshotIdle*3/4) {
		t.Errorf("without them again: 2 s of work took %s", took)
	}
}

// TestPaceUrgent: where somebody waits for the end of the snapshot there is no rest from then on.
func TestPaceUrgent(t *testing.T) {
	d := newPaceDesk()
	p := newPacedWriter(d, d)
	d.writeOn(t, p, time.Second)
	d.hasty = true
	if took := d.writeOn(t, p, time.Second); took > time.Second {
		t.Errorf("1 s of work took %s", took)
	}
}

// TestPaceIsBounded: the rests of one snapshot have an end, whatever it takes and whatever the disk does, and so has the
// log's growth.
func TestPaceIsBounded(t *testing.T) {
	d := newPaceDesk()
	if took := d.write(t, 2*time.Minute); !near(took, 2*time.Minute+snapshotRestsMax) {
		t.Errorf("2 minutes of work took %s", took)
	}
	if d.rested() > snapshotRestsMax {
		t.Errorf("rests of %s", d.rested())
	}

	d = newPaceDesk()
	d.cost = 5 * time.Second // a disk that hardly answers
	d.write(t, time.Minute)
	for _, r := range d.rests {
		if r != snapshotRestMax {
			t.Fatalf("a rest of %s after a write of %s", r, d.cost)
		}
	}

	d = newPaceDesk()
	d.bytes = 100
	p := newPacedWriter(d, d)
	d.bytes += snapshotLogGrowthMax - 1
	if took := d.writeOn(t, p, time.Second); !near(took, 4*time.Second) {
		t.Errorf("before the log has grown 1 s of work took %s", took)
	}
	d.bytes++
	if took := d.writeOn(t, p, 2*time.Second); took > 2*time.Second+logSizePeriod {
		t.Errorf("when the log had grown 2 s of work took %s", took)
	}
	d.bytes = 0
	if took := d.writeOn(t, p, time.Second); took > time.Second {
		t.Errorf("it rests again once it has begun to hurry: %s", took)
	}
}

// TestPaceWritesAll: what is long goes out part by part, with rests in between, and arrives as it was; errors come back.
func TestPaceWritesAll(t *testing.T) {
	d := newPaceDesk()
	d.cost, d.keeps = snapshotSlice, true
	long := make([]byte, 10*snapshotPartBytes+7)
	for i := range long {
		long[i] = byte(i % 251)
	}
	p := newPacedWriter(d, d)
	if n, err := p.Write(long); n != len(long) || err != nil {
		t.Fatal(n, err)
	}
	if n, err := p.Write(nil); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if !bytes.Equal(d.got.Bytes(), long) || d.longat != snapshotPartBytes || len(d.rests) < 10 {
		t.Errorf("%d bytes arrived, %d at once, %d rests", d.got.Len(), d.longat, len(d.rests))
	}
	parts := 0
	full := errors.New("full")
	d.onPart = func() {
		if parts++; parts == 2 {
			d.err = full
		}
	}
	if n, err := p.Write(long); n != 2*snapshotPartBytes || !errors.Is(err, full) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestPaceEndsWithTheNode: a node that stops ends the rest under way, and has no further one.
func TestPaceEndsWithTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Node{stopping: make(chan struct{}), space: &space{}}
		h, began := nodePace{n}, time.Now()
		if h.rest(snapshotRestMax); time.Since(began) != snapshotRestMax || h.urgent() {
			t.Errorf("a rest of %s, urgent: %v", time.Since(began), h.urgent())
		}
		time.AfterFunc(time.Millisecond, func() { close(n.stopping) })
		if h.rest(time.Hour); time.Since(began) != snapshotRestMax+time.Millisecond || !h.urgent() {
			t.Errorf("it went on for %s, urgent: %v", time.Since(began), h.urgent())
		}
	})
	full := &Node{stopping: make(chan struct{}), space: &space{}}
	full.space.short.Store(true)
	if !(nodePace{full}).urgent() {
		t.Error("a full disk is not urgent")
	}
}

// TestStagger: thresholds lie between a half and the whole, and nodes of one cluster have them apart.
func TestStagger(t *testing.T) {
	const whole = 1 << 20
	for _, ids := range [][]string{{"n1", "n2", "n3"}, {"a", "b", "c", "d", "e"}, {"redoubt-0", "redoubt-1", "redoubt-2"}} {
		var seen []uint64
		for _, id := range ids {
			got := stagger(whole, id)
			if got < whole/2 || got > whole || got != stagger(whole, id) {
				t.Errorf("%s: %d", id, got)
			}
			for _, other := range seen {
				if max(got, other)-min(got, other) < whole/2/10 {
					t.Errorf("%v: %d and %d are close", ids, got, other)
				}
			}
			seen = append(seen, got)
		}
	}
	for _, threshold := range []uint64{0, 1, 2, 3, 1<<64 - 1} {
		if got := stagger(threshold, "n1"); got < threshold/2 || got > threshold {
			t.Errorf("%d becomes %d", threshold, got)
		}
	}
	c := Config{NodeID: "n1", SnapshotThreshold: whole}
	if got := c.raftConfig().SnapshotThreshold; got != stagger(whole, "n1") || got == whole {
		t.Errorf("raft is told %d", got)
	}
}
