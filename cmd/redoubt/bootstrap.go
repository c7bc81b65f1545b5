package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redoubtdb/redoubt/transport"
)

const (
	// bootstrapListen is how long a node without state waits for members of a cluster to call it before it begins one of
	// its own. A leader dials a voter that is down ten times a second.
	bootstrapListen = 500 * time.Millisecond
	// bootstrapAsk is how long one of the nodes named by join may take to say whether it is in a cluster.
	bootstrapAsk = 2 * time.Second
)

// checkBootstrap decides whether this node begins a cluster. The flag often stays in a unit file, and a node whose
// data were lost must not begin a second cluster beside the one that it was a member of. So it asks the nodes that join
// names: where one is in a cluster, this node joins that. And it listens: where a member of a cluster calls, it refuses
// to start, for it is known there.
func (s *server) checkBootstrap() (bool, error) {
	if !s.cfg.Bool("bootstrap") || s.hadState {
		return false, nil
	}
	listen := time.NewTimer(bootstrapListen)
	defer listen.Stop()
	if addr, id := s.findCluster(); addr != "" {
		s.log.Warn("bootstrap is not carried out: a cluster exists, and this node joins it", "by", addr, "cluster", id)
		return false, nil
	}
	select {
	case peer := <-s.callers:
		return false, fmt.Errorf("bootstrap is refused: node %s of cluster %s calls this node as one of its own, so that a second cluster "+
			"would begin; remove node %s from that cluster (redoubt cluster remove %s) and start it with join in place of bootstrap",
			peer.NodeID, peer.ClusterID, s.cfg.String("node-id"), s.cfg.String("node-id"))
	case <-listen.C:
		return true, nil
	}
}

// findCluster asks the nodes that join names, all at once, whether they are in a cluster.
func (s *server) findCluster() (addr, clusterID string) {
	type found struct{ addr, id string }
	addrs := s.cfg.JoinAddrs()
	answers := make(chan found, len(addrs))
	ctx, cancel := context.WithTimeout(context.Background(), bootstrapAsk)
	defer cancel()
	for _, a := range addrs {
		go func() {
			st, err := s.memberStatus(ctx, a)
			switch {
			case err != nil:
				s.log.Info("bootstrap: a node named by join can't be asked for its cluster", "addr", a, "err", err)
			case len(st.Members) > 0:
				answers <- found{a, st.ClusterID}
				return
			}
			answers <- found{}
		}()
	}
	for range addrs {
		if f := <-answers; f.addr != "" && addr == "" {
			addr, clusterID = f.addr, f.id
			cancel() // one is enough
		}
	}
	return addr, clusterID
}

var errStarting = errors.New("this node is starting")

// verify judges the peers of the node port. Until there is a node to ask it lets nobody in, and notes who called.
func (s *server) verify(peer transport.Identity) error {
	if n := s.opened.Load(); n != nil {
		return n.VerifyPeer(peer)
	}
	if peer.ClusterID != "" && s.dir.Identity().ClusterID == "" {
		select {
		case s.callers <- peer:
		default:
		}
	}
	return errStarting
}

// sameCluster reports whether a cluster id that a node tells may be this node's.
func (s *server) sameCluster(id string) bool {
	own := s.dir.Identity().ClusterID
	return own == "" || own == id
}
