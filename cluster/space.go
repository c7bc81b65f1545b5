package cluster

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// A full disk is no broken one, and must not cost what a broken one does (docs/adr/0010). A node watches the room on its
// disk and keeps a reserve of it:
//
//   - below the reserve it is short of room: it refuses client writes, hands leadership to a voter that has room if there
//     is one, and shortens its log;
//   - below half of it, it also declines entries and snapshots from a leader, before its log would fail. What it has
//     acknowledged it has; it votes, hears heartbeats and serves reads as before;
//   - with room again, for which a quarter more is wanted so that it does not flap, it goes on by itself.
//
// A leader refuses writes, too, while so many voters are short that the others are no majority.

// ErrNoRoom is why writes are refused while the disk is nearly full.
var ErrNoRoom = command.ErrNoRoom

const (
	// DiskReserveDefault is the room, in bytes, below which a node is short of it. What may come between two looks has to
	// fit in, and the log's next segment.
	DiskReserveDefault = 64 << 20

	spacePeriod      = 100 * time.Millisecond
	spaceAskPeriod   = time.Second            // a leader asks the others
	spaceAnswerMax   = 3 * spaceAskPeriod     // an older answer says nothing
	spaceSettle      = 300 * time.Millisecond // before the first: where all run full at once, the others notice meanwhile
	spaceMovePeriod  = 2 * time.Second        // between two attempts to hand leadership over
	spaceShortPeriod = 30 * time.Second       // between two attempts to shorten the log
	spaceLogPeriod   = 10 * time.Second       // between two lines about declined entries
	spaceTrailing    = 16 << 20               // bytes of log kept behind a snapshot while short
)

// DiskFloor is the room below which a node takes nothing from a leader, and writes no snapshot.
func DiskFloor(reserve uint64) uint64 { return reserve / 2 }

// DiskEnough is the room with which a node that was short of it goes on.
func DiskEnough(reserve uint64) uint64 { return reserve + reserve/4 }

// freeBytes is what a storage may offer for this.
type freeBytes interface {
	// FreeBytes is the room on the file system that the storage is on.
	FreeBytes() (uint64, error)
}

// space is the watch on a node's disk.
type space struct {
	n       *Node
	disk    freeBytes // nil: the room is not known, or not to be watched
	reserve uint64

	free        atomic.Uint64
	short, full atomic.Bool
	refusal     atomic.Pointer[error] // why client writes are refused, nil: they are not
	busy        atomic.Bool           // a hand-over or a snapshot for the sake of room is under way
	declined    atomic.Int64          // when the last line about declined entries was logged, unix nanoseconds

	mu    sync.Mutex
	peers map[string]peerSpace // what the other nodes said last

	asked, moved, shortened time.Time // of the goroutine that watches
}

type peerSpace struct {
	short bool
	at    time.Time
}

func newSpace(n *Node) *space {
	s := &space{n: n, peers: make(map[string]peerSpace)}
	if n.cfg.DiskReserve > 0 {
		s.disk, _ = n.cfg.Storage.(freeBytes)
		s.reserve = uint64(n.cfg.DiskReserve)
	}
	return s
}

// RefuseWrites returns why this node takes no client writes at the moment although it leads, nil if it does. It is cheap.
func (n *Node) RefuseWrites() error {
	if p := n.space.refusal.Load(); p != nil {
		return *p
	}
	return nil
}

// DiskSpace is the room on this node's disk, and whether the node is short of it. Zero and false where it is not watched.
func (n *Node) DiskSpace() (free uint64, short bool) {
	return n.space.free.Load(), n.space.short.Load()
}

// run is a goroutine of the node's.
func (s *space) run() {
	if s.disk == nil {
		return
	}
	tick := time.NewTicker(spacePeriod)
	defer tick.Stop()
	for {
		s.look()
		select {
		case <-tick.C:
		case <-s.n.closing:
			return
		}
	}
}

func (s *space) look() {
	free, err := s.disk.FreeBytes()
	if err != nil {
		s.n.log.Debug("the room on the disk is not known", "err", err)
		return
	}
	s.free.Store(free)
	now, leading := s.n.cfg.Clock.Now(), s.n.Leading()
	if s.level(&s.short, free, s.reserve, DiskEnough(s.reserve), "writes are refused") {
		s.moved = now.Add(spaceSettle - spaceMovePeriod)
	}
	s.level(&s.full, free, DiskFloor(s.reserve), DiskEnough(DiskFloor(s.reserve)), "entries from the leader are declined")
	if leading && now.Sub(s.asked) >= spaceAskPeriod {
		s.asked = now
		s.askPeers()
	}
	s.refuse(leading)
	if !s.short.Load() {
		return
	}
	if leading && now.Sub(s.moved) >= spaceMovePeriod {
		s.moved = now
		s.aside(s.moveLead)
	} else if now.Sub(s.shortened) >= spaceShortPeriod {
		s.shortened = now
		s.aside(s.shorten)
	}
}

// level moves one of the two levels, on below least and off from enough on, and reports whether it has gone on.
func (s *space) level(on *atomic.Bool, free, least, enough uint64, what string) bool {
	switch was := on.Load(); {
	case !was && free < least:
		on.Store(true)
		s.n.log.Warn("the disk is nearly full; "+what+" until there is room", "free_bytes", free, "wanted_bytes", enough)
		return true
	case was && free >= enough:
		on.Store(false)
		s.n.log.Info("there is room on the disk again; no longer: "+what, "free_bytes", free)
	}
	return false
}

// refuse decides whether client writes are refused, and answers those that wait already.
func (s *space) refuse(leading bool) {
	why := s.why(leading)
	if why == nil {
		s.refusal.Store(nil)
		return
	}
	s.refusal.Store(&why)
	s.n.proposer.refuseWaiting(why)
}

func (s *space) why(leading bool) error {
	if s.short.Load() {
		return fmt.Errorf("%w: node %s has %d MiB left on its disk and refuses writes below %d MiB",
			ErrNoRoom, s.n.cfg.NodeID, s.free.Load()>>20, s.reserve>>20)
	}
	if !leading {
		return nil
	}
	voters, room := 0, 0
	for id, votes := range s.n.Voters() {
		if votes {
			voters++
			if !s.peerShort(id) {
				room++
			}
		}
	}
	if voters > 0 && room < voters/2+1 {
		return fmt.Errorf("%w: only %d of %d voters have room on their disks", ErrNoRoom, room, voters)
	}
	return nil
}

// peerShort reports whether another node said lately that it is short of room, peerRoom whether it said that it is not.
func (s *space) peerShort(id string) bool { return s.peerSaid(id, true) }
func (s *space) peerRoom(id string) bool  { return s.peerSaid(id, false) }

func (s *space) peerSaid(id string, short bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.peers[id]
	return ok && p.short == short && s.n.cfg.Clock.Now().Sub(p.at) <= spaceAnswerMax
}

// askPeers asks the other nodes for their room. It does not wait; what it returns does.
func (s *space) askPeers() (wait func()) {
	var wg sync.WaitGroup
	for _, srv := range s.n.configuration().Servers {
		if string(srv.ID) == s.n.cfg.NodeID {
			continue
		}
		wg.Add(1)
		s.n.goOwned(func() {
			defer wg.Done()
			ctx, cancel := context.WithTimeout(context.Background(), spaceAskPeriod)
			defer cancel()
			var st NodeStatus
			if err := s.n.callJSON(ctx, s.n.book.addrOf(srv), methodStatus, nil, &st); err != nil || st.ID != string(srv.ID) {
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.peers[st.ID] = peerSpace{st.DiskShort, s.n.cfg.Clock.Now()}
		})
	}
	return wg.Wait
}

// aside runs f on a goroutine of its own unless such a one is under way.
func (s *space) aside(f func()) {
	if !s.busy.CompareAndSwap(false, true) {
		return
	}
	s.n.goOwned(func() {
		defer s.busy.Store(false)
		f()
	})
}

// moveLead hands leadership to a voter that has room. Where nobody has, it stays: moving it would help nobody, and here
// at least reads go on.
func (s *space) moveLead() {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	s.askPeers()()
	s.n.lookAround(ctx)
	target, ok := s.n.chooseTarget("", nil)
	if !ok || !s.peerRoom(string(target.ID)) {
		return
	}
	s.n.log.Warn("the disk is nearly full: leadership goes to a node that has room", "to", target.ID)
	if err := s.n.TransferLeadership(ctx, string(target.ID)); err != nil {
		s.n.log.Warn("leadership could not be handed over", "err", err)
	}
}

// shorten takes a snapshot, if there is room for it, and keeps little log behind it.
func (s *space) shorten() {
	first, err1 := s.n.cfg.Storage.Log().FirstIndex()
	last, err2 := s.n.cfg.Storage.Log().LastIndex()
	sized, ok := s.n.cfg.Storage.(logBytes)
	if err1 != nil || err2 != nil || !ok || last <= first || sized.LogBytes() < 2*spaceTrailing {
		return
	}
	mean := max(1, uint64(sized.LogBytes())/(last-first+1))
	rc := s.n.raft.ReloadableConfig()
	rc.TrailingLogs = min(max(spaceTrailing/mean, 1), rc.TrailingLogs)
	if err := s.n.raft.ReloadConfig(rc); err != nil {
		return // it is closing
	}
	if err := s.n.Snapshot(); err != nil {
		s.n.log.Warn("a snapshot to gain room failed", "err", err)
	}
}

// decline returns why a message from a leader is not let through to raft, nil if it is.
func (s *space) decline(rpc raft.RPC) error {
	if s.disk == nil {
		return nil
	}
	full := s.full.Load()
	switch req := rpc.Command.(type) {
	case *raft.AppendEntriesRequest:
		if !full || len(req.Entries) == 0 {
			return nil
		}
	case *raft.InstallSnapshotRequest:
		if !full && s.free.Load() >= DiskFloor(s.reserve)+uint64(req.Size) {
			return nil
		}
		_, _ = io.Copy(io.Discard, rpc.Reader) // the stream goes on behind it
	default:
		return nil
	}
	if now, last := s.n.cfg.Clock.Now().UnixNano(), s.declined.Load(); now-last > int64(spaceLogPeriod) && s.declined.CompareAndSwap(last, now) {
		s.n.log.Warn("the disk is nearly full: what the leader sends is declined", "free_bytes", s.free.Load())
	}
	return fmt.Errorf("%w: node %s has %d MiB left on its disk", ErrNoRoom, s.n.cfg.NodeID, s.free.Load()>>20)
}
