package simtest

import (
	"sync"
	"time"
)

func (s *Sim) crash(pause func(), ms ...*Member) {
	var wg sync.WaitGroup
	for _, m := range ms {
		wg.Go(func() {
			s.holding(m, func() {
				m.Crash()
				pause()
				s.startAgain(m)
			})
		})
	}
	wg.Wait()
}

func crashFault(s *Sim)         { s.crash(s.pause, s.any()) }
func crashLeaderFault(s *Sim)   { s.crash(s.pause, s.leaderOrAny()) }
func crashMajorityFault(s *Sim) { s.crash(s.pause, s.shuffled()[:len(s.Members())/2+1]...) }
func crashAllFault(s *Sim)      { s.crash(s.pause, s.Members()...) }

// absenceFault keeps a node away for so long that it needs a snapshot, if the logs are short.
func absenceFault(s *Sim) {
	s.crash(func() { time.Sleep(s.Between(10*time.Second, 25*time.Second)) }, s.any())
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

// ringFault leaves each node its two neighbours.
func ringFault(s *Sim) {
	all := s.shuffled()
	for i, a := range all {
		for j, b := range all[:i] {
			if d := i - j; d != 1 && d != len(all)-1 {
				s.Net.Cut(a.ID, b.ID)
			}
		}
	}
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

func duplicateFault(s *Sim) {
	s.Net.SetDuplicates(0.05 + float64(s.Rand(50))/100)
	s.pause()
	s.Net.SetDuplicates(0)
}

func slowFault(s *Sim) {
	s.Net.SetDelay(time.Millisecond, s.Between(10*time.Millisecond, 200*time.Millisecond))
	s.pause()
	s.Net.SetDelay(200*time.Microsecond, 2*time.Millisecond)
}

// slowLinksFault makes some directions slow and leaves the others: answers come late to one and not to another.
func slowLinksFault(s *Sim) {
	for range 1 + s.Rand(4) {
		if a, b := s.leaderOrAny(), s.any(); a != b && s.Rand(2) == 0 {
			s.Net.SetLinkDelay(a.ID, b.ID, s.Between(10*time.Millisecond, 300*time.Millisecond))
		} else if a != b {
			s.Net.SetLinkDelay(b.ID, a.ID, s.Between(10*time.Millisecond, 300*time.Millisecond))
		}
	}
	s.pause()
	s.Net.Heal()
}
