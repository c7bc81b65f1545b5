package simtest

import (
	"sync"
	"time"
)

// Fault is one kind of trouble. It makes it, keeps it for a while and undoes it.
type Fault struct {
	Name string
	Run  func(s *Sim)
}

// Faults are all kinds of trouble that a cluster must live through without losing anything. Those of processes and
// links and those of disks, clocks, leadership and snapshots come at the same time.
var (
	LinkFaults = []Fault{
		{"crash", crashFault}, {"crash the leader", crashLeaderFault}, {"crash a majority", crashMajorityFault},
		{"crash all", crashAllFault}, {"long absence", absenceFault},
		{"isolate", isolateFault}, {"isolate the leader", isolateLeaderFault}, {"halve", halveFault}, {"ring", ringFault},
		{"cut one way", cutOneWayFault}, {"lose messages", lossFault}, {"duplicate messages", duplicateFault},
		{"slow network", slowFault}, {"slow links", slowLinksFault},
	}
	NodeFaults = []Fault{
		{"transfer", transferFault}, {"takeover", takeoverFault}, {"drain", drainFault},
		{"clock jump", clockFault}, {"clocks differ", clocksFault}, {"snapshot", snapshotFault}, {"snapshot storm", stormFault},
		{"slow disk", slowDiskFault}, {"disk hiccup", hangFault}, {"disk stall", stallFault}, {"disk failure", failFault},
	}
	MemberFaults = []Fault{
		{"join", joinFault}, {"remove and rejoin", rejoinFault}, {"demote", demoteFault}, {"move", moveFault},
	}
)

// Trouble runs faults of each list at random, one after the other, and all lists side by side, until the time is over.
// Then it heals everything: all links, clocks and disks are sound and all members run when it returns.
func (s *Sim) Trouble(d time.Duration, lists ...[]Fault) {
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for _, faults := range lists {
		wg.Go(func() {
			for time.Now().Before(end) {
				s.fault(faults[s.Rand(len(faults))])
				time.Sleep(s.Between(0, time.Second))
			}
		})
	}
	wg.Wait()
	s.HealAll()
}

func (s *Sim) fault(f Fault) {
	if s.opts.OnFault != nil {
		s.opts.OnFault(f.Name)
	}
	s.trace.add("fault: %s", f.Name)
	f.Run(s)
	s.trace.add("over: %s", f.Name)
}

// HealAll undoes every fault and starts every member that is down.
func (s *Sim) HealAll() {
	s.T.Helper()
	s.trace.add("everything is healed")
	s.Net.Heal()
	s.Net.SetLoss(0)
	s.Net.SetDuplicates(0)
	s.Net.SetDelay(200*time.Microsecond, 2*time.Millisecond)
	for _, m := range s.Members() {
		m.Clock.Set(0)
		m.Disk().Unhang()
		m.Disk().SetDelay(0)
		s.holding(m, func() { s.startAgain(m) })
	}
}

// holding runs f while nobody else starts, ends or wipes a member's process on purpose.
func (s *Sim) holding(m *Member, f func()) {
	m.hold <- struct{}{}
	defer func() { <-m.hold }()
	f()
}

// startTries is how often a node may meet a disk that fails while it starts.
const startTries = 5

// startAgain starts a member that is down; its caller holds it.
func (s *Sim) startAgain(m *Member) {
	for try := 1; m.Node() == nil; try++ {
		failing := m.Disk()
		err := m.TryStart()
		switch {
		case err == nil:
			return
		case !failing.hasFailed() || try == startTries:
			s.Violation("%s does not start: %v", m.ID, err)
			return
		}
		s.trace.add("%s does not start: %v", m.ID, err)
		s.pause()
	}
}

// supervise starts a process again that ended by itself.
func (s *Sim) supervise(m *Member) {
	if sleep(s.Between(100*time.Millisecond, 3*time.Second), nil, s.looked) == nil {
		s.holding(m, func() {
			if !s.closed() {
				s.startAgain(m)
			}
			if s.closed() { // meanwhile: nobody else would end it
				m.Crash()
			}
		})
	}
}

func (s *Sim) closed() bool {
	select {
	case <-s.looked:
		return true
	default:
		return false
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

func (s *Sim) shuffled() []*Member {
	all := s.Members()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}
