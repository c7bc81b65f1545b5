package simtest

import (
	"context"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
)

// handOverLimit bounds the wait for a transfer, whatever becomes of it.
const handOverLimit = 3 * time.Second

func transferFault(s *Sim) {
	ctx, cancel := context.WithTimeout(context.Background(), handOverLimit)
	defer cancel()
	if l := s.Leader(); l != nil {
		if n := l.Node(); n != nil {
			_ = n.TransferLeadership(ctx, "")
		}
	}
}

func takeoverFault(s *Sim) {
	ctx, cancel := context.WithTimeout(context.Background(), handOverLimit)
	defer cancel()
	if n := s.any().Node(); n != nil {
		_ = n.Takeover(ctx)
	}
}

func drainFault(s *Sim) {
	m := s.leaderOrAny()
	if s.TryAdmin(cluster.AdminRequest{Op: cluster.OpDrain, Node: m.ID}, handOverLimit) == nil {
		s.pause()
	}
	_ = s.TryAdmin(cluster.AdminRequest{Op: cluster.OpUndrain, Node: m.ID}, electionLimit)
}

func clockFault(s *Sim) {
	s.any().Clock.Jump(s.Between(0, 20*time.Second) - 10*time.Second)
}

// clocksFault sets every node's clock anew, up to a minute from the truth.
func clocksFault(s *Sim) {
	for _, m := range s.Members() {
		m.Clock.Set(s.Between(0, 2*time.Minute) - time.Minute)
	}
}

func snapshotFault(s *Sim) {
	if n := s.any().Node(); n != nil {
		_ = n.Snapshot()
	}
}

func stormFault(s *Sim) {
	for range 5 {
		for _, m := range s.Up() {
			if n := m.Node(); n != nil {
				_ = n.Snapshot()
			}
		}
		time.Sleep(s.Between(0, 300*time.Millisecond))
	}
}

func slowDiskFault(s *Sim) {
	m := s.leaderOrAny()
	m.Disk().SetDelay(s.Between(time.Millisecond, 100*time.Millisecond))
	s.pause()
	m.Disk().SetDelay(0)
}

func hangFault(s *Sim) {
	m := s.leaderOrAny()
	m.Disk().Hang()
	s.pause()
	m.Disk().Unhang()
}

// stallFault lets a disk hang until its node gives up, and for some time more.
func stallFault(s *Sim) {
	m := s.any()
	m.Disk().Hang()
	time.Sleep(s.Between(3*time.Second, 10*time.Second))
	m.Disk().Unhang()
}

// failFault has a write fail, which ends the node.
func failFault(s *Sim) {
	s.any().Disk().FailNextWrite()
	s.pause()
}

// adminTries is how long operators try to change the membership before they let be.
const adminTries = 5 * time.Second

// membersMax bounds a cluster that nodes join at random.
const membersMax = 7

func joinFault(s *Sim) {
	if n := len(s.Members()); n < membersMax {
		m := s.NewMember(fmt.Sprint("m", n))
		s.holding(m, func() { s.startAgain(m) })
		_ = s.TryAdmin(cluster.AdminRequest{Op: cluster.OpJoin, Member: m.Self()}, adminTries)
	}
}

func rejoinFault(s *Sim) {
	m := s.any()
	if s.TryAdmin(cluster.AdminRequest{Op: cluster.OpRemove, Node: m.ID}, adminTries) == nil {
		s.pause()
		s.rejoin(m, adminTries)
	}
}

// rejoin lets a member that was removed in again, with an empty disk.
func (s *Sim) rejoin(m *Member, patience time.Duration) {
	s.holding(m, func() {
		m.Crash()
		m.Wipe()
		s.startAgain(m)
	})
	_ = s.TryAdmin(cluster.AdminRequest{Op: cluster.OpJoin, Member: m.Self()}, patience)
}

func demoteFault(s *Sim) {
	m := s.any()
	if s.TryAdmin(cluster.AdminRequest{Op: cluster.OpDemote, Node: m.ID}, adminTries) == nil {
		s.pause()
		_ = s.TryAdmin(cluster.AdminRequest{Op: cluster.OpPromote, Node: m.ID}, adminTries)
	}
}

func moveFault(s *Sim) {
	m := s.any()
	s.holding(m, func() {
		m.Crash()
		m.Move(fmt.Sprint(s.Rand(1 << 30)))
		s.pause()
		s.startAgain(m)
	})
}

// introduce tells everybody where everybody is: all may have moved at once, and then nobody finds another.
func (s *Sim) introduce() {
	for _, m := range s.Members() {
		for _, o := range s.Members() {
			if n := m.Node(); n != nil && o != m {
				n.Seek(o.Self().RaftAddr)
			}
		}
	}
}

// AdmitAll is what an operator does at the end of a run: it lets in again whoever is no member, nodes that were removed and
// those whose joining came to nothing, and tells those that hear of no leader where one is: a node may have been down while
// everybody moved, and have moved itself. It returns the number of members.
func (s *Sim) AdmitAll() int {
	s.T.Helper()
	for _, m := range s.Members() {
		s.WaitFor(m.ID+" to be a member", time.Minute, func() bool {
			l := s.Leader()
			if l == nil {
				s.introduce()
				return false
			}
			n, own := l.Node(), m.Node()
			if n == nil || own == nil {
				return false
			}
			_, in := n.Voters()[m.ID]
			if in && !own.Removed() {
				if id, _ := own.Leader(); id == "" {
					own.Seek(l.Self().RaftAddr)
					return false
				}
				return true
			}
			if in {
				_ = s.TryAdmin(cluster.AdminRequest{Op: cluster.OpRemove, Node: m.ID}, adminTries)
			}
			s.rejoin(m, adminTries)
			return false
		})
	}
	return len(s.Members())
}
