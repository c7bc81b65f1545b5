package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/cluster"
)

const (
	seekPeriod = time.Second
	// seekAfter is how long a node that has state hears of no leader before it asks for members at the addresses of join.
	seekAfter = 2 * time.Second
	seekMax   = 30 * time.Second // between two rounds of questions
	seekAsk   = 3 * time.Second  // one question
)

// seek is the goroutine that helps a node which hears of no leader, because it and the others have moved, find them: it
// asks at the addresses of join, as they stand in the settings now, where the node port of the node there is, and has this
// node announce itself to it. What is told over the RESP port is a hint: the node there proves on its node port who it is.
func (s *server) seek(ctx context.Context, addrs []string) {
	tick := time.NewTicker(seekPeriod)
	defer tick.Stop()
	lonely, wait, next := time.Now(), seekPeriod, time.Time{}
	for {
		select {
		case now := <-tick.C:
			if id, _ := s.node.Leader(); id != "" || s.node.Removed() {
				lonely, wait, next = now, seekPeriod, time.Time{}
				continue
			}
			if now.Sub(lonely) < seekAfter || now.Before(next) {
				continue
			}
			for _, addr := range addrs {
				s.seekAt(ctx, addr)
			}
			next, wait = time.Now().Add(wait), min(2*wait, seekMax)
		case <-ctx.Done():
			return
		}
	}
}

func (s *server) seekAt(ctx context.Context, addr string) {
	st, err := s.memberStatus(ctx, addr)
	if err != nil {
		s.log.Info("no leader is known, and a node named by join can't be asked for its address", "addr", addr, "err", err)
		return
	}
	if !s.sameCluster(st.ClusterID) {
		s.log.Warn("a node named by join is in another cluster", "addr", addr, "cluster", st.ClusterID)
		return
	}
	for _, m := range st.Members {
		if m.ID == st.NodeID && m.ID != s.cfg.String("node-id") {
			s.log.Info("no leader is known: asking a node named by join", "addr", addr, "member", m.ID, "raft", m.RaftAddr)
			s.node.Seek(m.RaftAddr)
		}
	}
}

// memberStatus asks the node at a RESP address for its view of the cluster.
func (s *server) memberStatus(ctx context.Context, addr string) (*cluster.ClusterStatus, error) {
	if addr == s.respAddr() {
		return nil, errors.New("that is this node")
	}
	ctx, cancel := context.WithTimeout(ctx, seekAsk)
	defer cancel()
	c, err := s.dialMember(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	reply, err := c.Do("REDOUBT", "STATUS")
	if err == nil {
		err = replyError(reply)
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", addr, err)
	}
	st := new(cluster.ClusterStatus)
	if err := json.Unmarshal([]byte(reply.Text()), st); err != nil {
		return nil, fmt.Errorf("status of %s: %w", addr, err)
	}
	return st, nil
}
