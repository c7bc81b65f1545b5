package cluster

import (
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/fsm"
)

// snapshot is raft.FSMSnapshot over a picture of the state.
type snapshot struct {
	s *fsm.Snapshot
	n *Node
}

// Persist implements raft.FSMSnapshot.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := s.s.WriteTo(newPacedWriter(sink, nodePace{s.n})); err != nil {
		_ = sink.Cancel()
		return fmt.Errorf("write snapshot: %w", err)
	}
	if err := sink.Close(); err != nil {
		return err
	}
	now := s.n.cfg.Clock.Now()
	s.n.lastSnapshot.Store(&now)
	return nil
}

// Release implements raft.FSMSnapshot.
func (s *snapshot) Release() {}

// pacedWriter keeps the writing of a snapshot from taking the cores and the disk away from the clients: it lets it work
// for a slice and rest for a multiple of that, however the slice was spent (docs/adr/0015). It rests only while
//
//   - the node serves clients: one that nobody has used for a while has the snapshot in the shortest time;
//   - nobody waits for the end of the snapshot: a node that stops does, and so does one whose disk is nearly full;
//   - the log has not grown much meanwhile, and the rests do not add up to more than snapshotRestsMax.
type pacedWriter struct {
	w    io.Writer
	host paceHost

	slice  time.Time     // when the slice under way began
	rested time.Duration // so far
	work   uint64        // of the host, as it was last
	worked time.Time     // when that had changed
	looked time.Time     // when the size of the log was asked for last
	bytes  int64         // of log when the snapshot began
	hurry  bool          // for good: the log has grown too much
}

// paceHost is what pacing asks of a node.
type paceHost interface {
	// monotonic is a time that neither jumps nor goes back.
	monotonic() time.Time
	// rest waits, less long where the node stops meanwhile.
	rest(d time.Duration)
	// served is a number that changes when clients have been served.
	served() uint64
	// urgent reports that the snapshot's end is waited for.
	urgent() bool
	// logBytes is the size of the log on disk, 0 where it is not known.
	logBytes() int64
}

func newPacedWriter(w io.Writer, h paceHost) *pacedWriter {
	now := h.monotonic()
	return &pacedWriter{w: w, host: h, slice: now, work: h.served(), worked: now, looked: now, bytes: h.logBytes()}
}

// Write implements io.Writer. What is long, as that of a long string, is written part by part.
func (p *pacedWriter) Write(b []byte) (int, error) {
	for done := 0; ; {
		n, err := p.w.Write(b[done:min(len(b), done+snapshotPartBytes)])
		done += n
		if err != nil {
			return done, err
		}
		if p.pause(); done == len(b) {
			return done, nil
		}
	}
}

// pause is called behind each part, and rests where a slice is over.
func (p *pacedWriter) pause() {
	now := p.host.monotonic()
	took := now.Sub(p.slice)
	if took < snapshotSlice {
		return
	}
	if p.mayRest(now) {
		d := min(took*snapshotRestFactor, snapshotRestMax, snapshotRestsMax-p.rested)
		p.host.rest(d)
		p.rested += d
		now = p.host.monotonic()
	}
	p.slice = now
}

func (p *pacedWriter) mayRest(now time.Time) bool {
	if work := p.host.served(); work != p.work {
		p.work, p.worked = work, now
	}
	if now.Sub(p.looked) >= logSizePeriod {
		p.looked = now
		p.hurry = p.hurry || p.host.logBytes()-p.bytes >= snapshotLogGrowthMax
	}
	return !p.hurry && !p.host.urgent() && now.Sub(p.worked) < snapshotIdle && p.rested < snapshotRestsMax
}

// nodePace is a node as pacedWriter sees it.
type nodePace struct{ n *Node }

func (h nodePace) monotonic() time.Time { return time.Now() } // not the node's clock: tests let that one jump

func (h nodePace) rest(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-h.n.stopping:
	}
}

// served counts entries of the log and keys that were read.
func (h nodePace) served() uint64 {
	c := h.n.machine.Counters()
	return h.n.applier.index() + c.Hits + c.Misses
}

func (h nodePace) urgent() bool {
	select {
	case <-h.n.stopping:
		return true
	default:
		return h.n.space.short.Load()
	}
}

func (h nodePace) logBytes() int64 {
	if s, ok := h.n.cfg.Storage.(logBytes); ok {
		return s.LogBytes()
	}
	return 0
}
