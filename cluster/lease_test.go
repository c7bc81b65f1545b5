package cluster_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
	"github.com/redoubtdb/redoubt/cluster/simtest"
)

// TestLeaseEndsWithTheTerm: a node whose raft has gone on to another term serves nothing by the lease of the one before,
// though it has not taken notice yet.
func TestLeaseEndsWithTheTerm(t *testing.T) {
	n := openAlone(t)
	defer n.Close()
	term := n.Raft().CurrentTerm()
	n.PretendLease(term, time.Hour)
	if err := n.ConfirmLease(); err != nil {
		t.Errorf("in the term: %v", err)
	}
	n.PretendLease(term-1, time.Hour)
	if err := n.ConfirmLease(); !errors.Is(err, cluster.ErrNotLeader) {
		t.Errorf("after the term: %v", err)
	}
}

// TestTermOfAnotherNode: that the log has the first entry of a term says nothing if another node put it there.
func TestTermOfAnotherNode(t *testing.T) {
	n := openAlone(t)
	defer n.Close()
	if err := n.BeginTerm(99, "other"); err != nil {
		t.Fatal(err)
	}
	if c := n.Machine().Cluster(); c.LeadID != "n1" {
		t.Errorf("began term %d as %s's", c.LeadTerm, c.LeadID)
	}
}

// TestNoPromiseWithoutALeader: a leader that has stepped down was in contact a moment ago, as raft sees it, but would vote
// for anybody.
func TestNoPromiseWithoutALeader(t *testing.T) {
	simtest.Run(t, simtest.Options{}, func(s *simtest.Sim) {
		t := s.T
		s.Start(3)
		old := s.WaitLeader()
		for _, m := range s.Members() {
			if m == old {
				continue
			}
			if age, err := m.Node().ContactAge(); err != nil || age > cluster.ProfileLAN.Heartbeat {
				t.Errorf("%s follows, and has heard of its leader %s ago, %v", m.ID, age, err)
			}
			s.Net.Cut(m.ID, old.ID)
		}
		s.WaitFor("the leader to step down", 5*time.Second, func() bool { return !old.Node().Leading() })
		if age, err := old.Node().ContactAge(); err != nil || age <= cluster.ProfileLAN.Heartbeat {
			t.Errorf("without a leader: %s, %v", age, err)
		}
		s.Net.Heal()
	})
}
