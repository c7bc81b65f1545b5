package simtest

import (
	"context"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
)

// Fault is one kind of trouble. It makes it, keeps it for a while and undoes it.
type Fault struct {
	Name string
	Run  func(s *Sim)
}

// Faults are all kinds of trouble that a cluster must live through without losing anything.
var Faults = []Fault{
	{"crash", crashFault}, {"crash the leader", crashLeaderFault}, {"crash a majority", crashMajorityFault},
	{"isolate", isolateFault}, {"isolate the leader", isolateLeaderFault}, {"halve", halveFault},
	{"cut one way", cutOneWayFault}, {"lose messages", lossFault}, {"slow network", slowFault},
	{"transfer", transferFault}, {"takeover", takeoverFault}, {"drain", drainFault},
	{"clock jump", clockFault}, {"snapshot", snapshotFault}, {"slow disk", slowDiskFault}, {"disk hiccup", hangFault},
}

// Trouble runs faults at random, one after the other, until the time is over, and then heals everything: all links,
// clocks and disks are sound and all members run when it returns.
func (s *Sim) Trouble(d time.Duration, faults []Fault) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		f := faults[s.Rand(len(faults))]
		if s.opts.OnFault != nil {
			s.opts.OnFault(f.Name)
		}
		f.Run(s)
		time.Sleep(s.Between(0, time.Second))
	}
	s.HealAll()
}

// HealAll undoes every fault and starts every member that is down.
func (s *Sim) HealAll() {
	s.T.Helper()
	s.Net.Heal()
	s.Net.SetLoss(0)
	s.Net.SetDelay(200*time.Microsecond, 2*time.Millisecond)
	for _, m := range s.Members() {
		m.Clock.Set(0)
		m.Disk().Unhang()
		m.Disk().SetDelay(0)
		s.startAgain(m)
	}
}

func (s *Sim) startAgain(m *Member) {
	if m.Node() != nil {
		return
	}
	if err := m.TryStart(); err != nil {
		s.T.Errorf("start of %s: %v", m.ID, err)
	}
}

func (s *Sim) any() *Member {
	all := s.Members()
	return all[s.Rand(len(all))]
}

func (s *Sim) leaderOrAny() *Member {
	if l := s.Leader(); l != nil {
		return l
	}
	return s.any()
}

func (s *Sim) pause() { time.Sleep(s.Between(50*time.Millisecond, 3*time.Second)) }

func (s *Sim) crash(ms ...*Member) {
	var wg sync.WaitGroup
	for _, m := range ms {
		wg.Go(func() {
			m.Crash()
			s.pause()
			s.startAgain(m)
		})
	}
	wg.Wait()
}

func crashFault(s *Sim)       { s.crash(s.any()) }
func crashLeaderFault(s *Sim) { s.crash(s.leaderOrAny()) }

func crashMajorityFault(s *Sim) {
	all := s.Members()
	s.mu.Lock()
	s.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	s.mu.Unlock()
	s.crash(all[:len(all)/2+1]...)
}

func (s *Sim) isolate(m *Member) {
	for _, o := range s.Members() {
		if o != m {
			s.Net.Cut(m.ID, o.ID)
		}
	}
	s.pause()
	s.Net.Heal()
}

func isolateFault(s *Sim)       { s.isolate(s.any()) }
func isolateLeaderFault(s *Sim) { s.isolate(s.leaderOrAny()) }

func halveFault(s *Sim) {
	var halves [2][]string
	for _, m := range s.Members() {
		side := s.Rand(2)
		halves[side] = append(halves[side], m.ID)
	}
	s.Net.Partition(halves[0], halves[1])
	s.pause()
	s.Net.Heal()
}

func cutOneWayFault(s *Sim) {
	for range 1 + s.Rand(3) {
		if a, b := s.leaderOrAny(), s.any(); a != b && s.Rand(2) == 0 {
			s.Net.CutOneWay(a.ID, b.ID)
		} else if a != b {
			s.Net.CutOneWay(b.ID, a.ID)
		}
	}
	s.pause()
	s.Net.Heal()
}

func lossFault(s *Sim) {
	s.Net.SetLoss(0.02 + float64(s.Rand(20))/100)
	s.pause()
	s.Net.SetLoss(0)
}

func slowFault(s *Sim) {
	s.Net.SetDelay(time.Millisecond, s.Between(10*time.Millisecond, 200*time.Millisecond))
	s.pause()
	s.Net.SetDelay(200*time.Microsecond, 2*time.Millisecond)
}

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

func snapshotFault(s *Sim) {
	if n := s.any().Node(); n != nil {
		_ = n.Snapshot()
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
